package all_test

import (
	"bufio"
	"bytes"
	"fmt"
	"go/format"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"functions.local/oauth/shared/config"
)

func readPage(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// blocks returns the code of a language on a page.
func blocks(page, language string) []string {
	var all []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(page, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestReadmeIsShort(t *testing.T) {
	page := readPage(t, "README.md")
	if lines := strings.Count(page, "\n"); lines > 250 {
		t.Errorf("the page has %d lines", lines)
	}
	most := []int{30, 20, 60, 40} // a page, a test, a form, a background job
	code := blocks(page, "go")
	if len(code) != len(most) {
		t.Fatalf("%d pieces of code, want %d", len(code), len(most))
	}
	for i, source := range code {
		if formatted, err := format.Source([]byte(source)); err != nil || string(formatted) != source {
			t.Errorf("not formatted: %v\n%s", err, source)
		}
		if lines := strings.Count(source, "\n"); lines > most[i] {
			t.Errorf("%d lines, want %d at most:\n%s", lines, most[i], source)
		}
	}
}

// TestReadmeNamesTheEnvironment compares the page's table with what the configuration reads.
func TestReadmeNamesTheEnvironment(t *testing.T) {
	_, table, _ := strings.Cut(readPage(t, "README.md"), "## Configuration")
	table, _, _ = strings.Cut(table, "\n## ")
	var told []string
	for row := range strings.Lines(table) {
		if cells := strings.Split(row, "|"); len(cells) > 2 {
			told = append(told, regexp.MustCompile(`[A-Z]{3}[A-Z_]+`).FindAllString(cells[1], -1)...)
		}
	}
	read := map[string]bool{}
	config.Parse(func(name string) string {
		read[name] = true
		return map[string]string{"AUTH_ISSUER": "https://issuer.example"}[name]
	})
	delete(read, "K_SERVICE") // the platform's own
	for name := range read {
		if !slices.Contains(told, name) {
			t.Errorf("the page does not tell of %s", name)
		}
	}
	for _, name := range told {
		if !read[name] {
			t.Errorf("nobody reads %s", name)
		}
	}
}

// TestPagesLinkToWhatIsThere follows each link to a file and heading of ours, and looks for what their commands name.
func TestPagesLinkToWhatIsThere(t *testing.T) {
	out, err := exec.Command("git", "-C", "../..", "ls-files", "*.md").Output()
	if err != nil {
		t.Skipf("this is no checkout: %v", err)
	}
	for _, path := range strings.Fields(string(out)) {
		page := readPage(t, path)
		for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(page, -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(filepath.Join("../..", target)); err != nil {
				t.Errorf("%s: %v", path, err)
			} else if anchor != "" && !slices.Contains(anchors(readPage(t, target)), anchor) {
				t.Errorf("%s: there is no heading %s", path, m[1])
			}
		}
		for _, named := range regexp.MustCompile(`\bgo (?:run|test) (?:-[^.\n]* )?\./([a-z/]+)|\b(deploy/\w+\.sh)|(\w+/[\w/]+\.go)\b`).FindAllStringSubmatch(page, -1) {
			target := strings.TrimSuffix(named[1]+named[2]+named[3], "/")
			_, fromTop := os.Stat(filepath.Join("../..", target))
			_, fromHere := os.Stat(filepath.Join("../..", filepath.Dir(path), target))
			if fromTop != nil && fromHere != nil && !strings.Contains(target, "listtasklists") {
				t.Errorf("%s: %v", path, fromTop)
			}
		}
	}
}

// anchors returns what links to a page's headings end with, as GitHub makes them.
func anchors(page string) []string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		all = append(all, strings.ReplaceAll(regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

// testHead is what the README leaves out of the test that it shows.
const testHead = `package listtasklists

import (
	"net/http/httptest"
	"os"
	"testing"

	"google.golang.org/api/tasks/v1"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
)

`

// TestReadmeAddsFunctions does in a copy of the project what the README tells a newcomer to do, and runs what comes of it.
func TestReadmeAddsFunctions(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the local run anew")
	}
	page := readPage(t, "README.md")
	code := blocks(page, "go")
	dir := t.TempDir()
	for _, part := range []string{"functions", "shared", "deploy"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join("../..", part))); err != nil {
			t.Fatal(err)
		}
	}
	put := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(env []string, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "GOFLAGS=-trimpath", "CGO_ENABLED=0"), env...) // so that the folder's name makes nothing new
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
		return string(out)
	}
	put("go.mod", readPage(t, "go.mod"))
	put("go.sum", readPage(t, "go.sum"))

	run(nil, "go", "build", "-buildvcs=false", "-o", "new", "./deploy/new")
	for name, source := range map[string]string{"listtasklists -from listlabels": code[0], "remindme -from createevent": code[2], "weeklyreview -from dailyevent": code[3]} {
		args := strings.Fields(name)
		run(nil, "./new", args...)
		folder := filepath.Join("functions", args[0])
		if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
			t.Fatal(err)
		}
		put(filepath.Join(folder, args[0]+".go"), source)
	}
	answer := regexp.MustCompile("Put its answer, `([^`]*)`, into the file\n`([^`]*)`").FindStringSubmatch(page)
	if answer == nil {
		t.Fatal("the page gives no answer for the stand-in")
	}
	put(answer[2], answer[1])
	put("functions/listtasklists/listtasklists_test.go", testHead+code[1])
	run(nil, "go", "test", "./functions/listtasklists", "./functions/remindme", "./functions/weeklyreview")
	run(nil, "go", "build", "-buildvcs=false", "-o", "local", "./deploy/local")

	n := newcomer(t, dir)
	t.Run("the page asks for its permission and lists", func(t *testing.T) {
		n.T = t
		n.consents("/listtasklists")
		n.sees(n.get("/listtasklists", "text/html"), http.StatusOK, "Your task lists", "Groceries")
		n.sees(n.get("/listtasklists", "application/json"), http.StatusOK, `{"items":[{"id":"1","title":"Groceries"}]}`)
	})
	t.Run("the form says what is wrong, keeps its fields, and reminds once", func(t *testing.T) {
		n.T = t
		n.consents("/remindme")
		form := n.get("/remindme", "text/html")
		fields := url.Values{"form": {field(t, form.body, "form")}, "id": {field(t, form.body, "id")}, "what": {"Water the fern"}, "day": {"soon"}}
		n.sees(n.post("/remindme", fields), http.StatusBadRequest, "Choose a day, such as 2027-01-31.", `value="Water the fern"`, `value="soon"`, `value="`+fields.Get("id")+`"`)
		fields.Set("day", "2027-01-31")
		for range 2 {
			made := n.post("/remindme", fields)
			if made.status != http.StatusSeeOther || made.location() != n.url+"/remindme?made="+fields.Get("id") {
				t.Fatalf("%d %s: %s", made.status, made.location(), made.body)
			}
		}
		n.sees(n.get("/remindme?made="+fields.Get("id"), "text/html"), http.StatusOK, "It is in your calendar.")
	})
	t.Run("the job is switched on, and run by the local run's button", func(t *testing.T) {
		n.T = t
		n.sees(n.get("/weeklyreview", "text/html"), http.StatusOK, "Every Friday", "Review the week") // with the form's permission
		run := func(want string) {
			t.Helper()
			n.sees(n.post("/schedule/weeklyreview", url.Values{}), http.StatusOK, want)
		}
		run(`{"done":0,"skipped":0,"failed":0}`)
		form := n.get("/weeklyreview", "text/html")
		n.post("/weeklyreview", url.Values{"form": {field(t, form.body, "form")}, "enabled": {"true"}})
		run(`{"done":1,"skipped":0,"failed":0}`)
		run(`{"done":1,"skipped":0,"failed":0}`)
		n.sees(n.get("/", "text/html"), http.StatusOK, "Run now: Review every week")
	})
	t.Run("the deployment knows their APIs and the job's schedule", func(t *testing.T) {
		table := run([]string{"BASE_URL=https://region-project.cloudfunctions.net", "GOOGLE_CLOUD_PROJECT=project"}, "go", "run", "./deploy/functions")
		for _, row := range []string{`listtasklists .* tasks\.googleapis\.com`, `remindme .* calendar-json\.googleapis\.com`, `weeklyreview .* calendar-json\.googleapis\.com .*0 6 \* \* 5`} {
			if !regexp.MustCompile(row).MatchString(table) {
				t.Errorf("no %s in\n%s", row, table)
			}
		}
	})
	t.Run("curl speaks JSON with the browser's cookie", func(t *testing.T) {
		if _, err := exec.LookPath("curl"); err != nil {
			t.Skip(err)
		}
		n.T = t
		n.consents("/listlabels")
		n.consents("/createfile")
		u, _ := url.Parse(n.url)
		cookie := n.client.Jar.Cookies(u)[0]
		if cookie.Name != "session_"+u.Port() {
			t.Errorf("the cookie is %s", cookie.Name)
		}
		want := []string{`{"labels":["INBOX"`, `"name":"notes.txt"`, `"name":"go.mod"`, `"title":"Lunch"`, `{"enabled":true}`}
		commands := regexp.MustCompile(`(?m)^curl .*$`).FindAllString(page+readPage(t, "functions/README.md"), -1)
		if len(commands) != len(want) {
			t.Fatalf("%d commands, want %d", len(commands), len(want))
		}
		for i, command := range commands {
			out := run([]string{"COOKIE=" + cookie.String()}, "sh", "-c", strings.ReplaceAll(command, "http://localhost:8080", n.url))
			if !strings.Contains(out, want[i]) {
				t.Errorf("%s\n%s", command, out)
			}
		}
	})
	t.Run("the real Google is told what it has to know", func(t *testing.T) {
		put("client_secret.json", `{"web":{"client_id":"client","client_secret":"secret"}}`)
		args := regexp.MustCompile(`go run ./deploy/local (-client-secret .*)`).FindStringSubmatch(page)
		if args == nil {
			t.Fatal("there is no such command")
		}
		r := newcomer(t, dir, strings.Fields(args[1])...)
		if to := r.get("/listtasklists", "text/html").location(); !strings.HasPrefix(to, "https://accounts.google.com/o/oauth2/v2/auth?") || !strings.Contains(to, "tasks.readonly") {
			t.Errorf("the browser is sent to %s", to)
		}
	})
}

// A reader has the local run of a project, and a browser.
type reader struct {
	*testing.T
	url    string
	client *http.Client
}

// newcomer starts the local run that was built in dir, until the test ends.
func newcomer(t *testing.T, dir string, args ...string) *reader {
	t.Helper()
	cmd := exec.Command("./local", append(args, "-addr", "localhost:0")...)
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if cmd.Wait(); t.Failed() {
			t.Logf("the local run wrote:\n%s", &log)
		}
		watchdog.Stop()
	})
	jar, _ := cookiejar.New(nil)
	r := &reader{T: t, client: &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Ctrl-C") {
		if at, ok := strings.CutPrefix(lines.Text(), "  Open    "); ok {
			r.url = strings.TrimSuffix(at, "/")
		}
	}
	if r.url == "" {
		t.Fatalf("the local run ended: %s", &log)
	}
	go io.Copy(io.Discard, out)
	return r
}

func (r *reader) do(method, target, accept string, form url.Values) *answer {
	r.Helper()
	if strings.HasPrefix(target, "/") {
		target = r.url + target
	}
	req, err := http.NewRequest(method, target, strings.NewReader(form.Encode()))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return &answer{res.StatusCode, res.Header, string(b)}
}

func (r *reader) get(target, accept string) *answer { return r.do("GET", target, accept, nil) }

func (r *reader) post(target string, form url.Values) *answer {
	return r.do("POST", target, "text/html", form)
}

func (r *reader) sees(a *answer, status int, texts ...string) {
	r.Helper()
	if a.status != status {
		r.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(strings.NewReplacer("&#34;", `"`, "&#39;", "'").Replace(a.body), text) {
			r.Errorf("no %s in %s", text, a.body)
		}
	}
}

// consents opens the page of a function that lacks its permission, and gives it on the stand-in's page.
func (r *reader) consents(path string) {
	r.Helper()
	to := r.get(path, "text/html").location()
	consent, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, r.url+"/google/") {
		r.Fatalf("%s leads to %q (%v)", path, to, err)
	}
	given := url.Values{"decision": {"allow"}, "user": {ada}, "scope": strings.Fields(consent.Query().Get("scope"))}
	back := r.post(to, given).location()
	if there := r.get(back, "text/html"); there.status != http.StatusSeeOther || there.location() != r.url+path {
		r.Fatalf("the sign-in ends with %d at %q: %s", there.status, there.location(), there.body)
	}
}

// field returns the value of a hidden field.
func field(t *testing.T, body, name string) string {
	t.Helper()
	m := regexp.MustCompile(fmt.Sprintf(`(?:name="%s" type="hidden"|type="hidden" name="%[1]s") value="([^"]+)"`, name)).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no field %s in %s", name, body)
	}
	return m[1]
}
