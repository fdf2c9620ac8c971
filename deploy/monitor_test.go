package deploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"

	_ "functions.local/oauth/functions/all"
)

func TestMonitor(t *testing.T) {
	requireGcloud(t)
	t.Parallel()
	c := newCloud(t)
	env := append(c.env(t), stagedAll(t)...)
	made := func() map[string]resource {
		all := map[string]resource{}
		for name, r := range c.resources {
			if regexp.MustCompile(`/(metrics|alertPolicies|uptimeCheckConfigs)/`).MatchString(name) {
				all[name] = r
			}
		}
		return all
	}
	run := func(channel string) {
		t.Helper()
		out, err := c.script(env, "monitor.sh", "projects/project/notificationChannels/"+channel)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	run("1")
	first := made()

	t.Run("makes a metric, an uptime check and three alerts that use the channel", func(t *testing.T) {
		alerts := 0
		for name, r := range first {
			if strings.Contains(name, "/alertPolicies/") {
				alerts++
				if !slices.Equal(r["notificationChannels"].([]any), []any{"projects/project/notificationChannels/1"}) || r["documentation"].(resource)["content"] == "" {
					t.Errorf("%v", r)
				}
			}
			if strings.Contains(name, "/uptimeCheckConfigs/") {
				check := r["httpCheck"].(resource)
				if check["path"] != "/oauth2callback" || r["monitoredResource"].(resource)["labels"].(resource)["host"] != "region-project.cloudfunctions.net" ||
					fmt.Sprint(check["acceptedResponseStatusCodes"]) != "[map[statusValue:400]]" {
					t.Errorf("%v", r)
				}
			}
		}
		if alerts != 3 || len(first) != 5 {
			t.Errorf("%v", slices.Collect(maps.Keys(first)))
		}
	})
	t.Run("makes nothing twice, and takes another channel", func(t *testing.T) {
		run("2")
		again := made()
		if !slices.Equal(slices.Sorted(maps.Keys(again)), slices.Sorted(maps.Keys(first))) {
			t.Errorf("%v\nbefore %v", slices.Collect(maps.Keys(again)), slices.Collect(maps.Keys(first)))
		}
		for name, r := range again {
			if strings.Contains(name, "/alertPolicies/") && !slices.Equal(r["notificationChannels"].([]any), []any{"projects/project/notificationChannels/2"}) {
				t.Errorf("%v", r)
			}
		}
	})
	t.Run("wants a channel", func(t *testing.T) {
		out, err := script(env, "monitor.sh")
		if err == nil || !strings.Contains(out, "usage: ") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// The lines are written by the software itself, so that an alert follows a message that is renamed.
func TestAlertsFindTheirLines(t *testing.T) {
	ended, operator := filter(t, "job-ended.metric.yaml"), filter(t, "operator.policy.yaml")
	w := newLogged(t)

	t.Run("nothing is wrong with a sign-in and a page", func(t *testing.T) {
		w.signIn(t, "/listlabels")
		w.expect(t, operator, false)
		w.expect(t, ended, false)
	})
	t.Run("a job that ran for everybody ended well", func(t *testing.T) {
		w.run(t)
		w.expect(t, ended, true)
		w.expect(t, operator, false)
	})
	t.Run("a job that a store stopped did not", func(t *testing.T) {
		w.store.err = tokenstore.ErrUnavailable
		defer func() { w.store.err = nil }()
		w.run(t)
		w.expect(t, ended, false)
	})
	t.Run("Firestore that does not answer is not the operator's fault", func(t *testing.T) {
		w.store.err = tokenstore.ErrUnavailable
		defer func() { w.store.err = nil }()
		w.get(t, "/listlabels")
		w.expect(t, operator, false)
	})
	t.Run("an unknown key is", func(t *testing.T) {
		w.store.err = seal.ErrUnknownKey
		defer func() { w.store.err = nil }()
		w.get(t, "/listlabels")
		w.expect(t, operator, true)
	})
	t.Run("a Google API that is switched off is", func(t *testing.T) {
		w.fake.Refuse("/gmail/", 1, "accessNotConfigured")
		w.get(t, "/listlabels")
		w.expect(t, operator, true)
	})
	t.Run("an OAuth client that is refused is", func(t *testing.T) {
		w.fake.ExpireAccessTokens()
		w.fake.Refuse("/token", 5, "invalid_client")
		w.get(t, "/listlabels")
		w.expect(t, operator, true)
	})
	t.Run("a bad configuration is", func(t *testing.T) {
		cmd := exec.Command(build(t, "listlabels"))
		cmd.Env = []string{"K_SERVICE=listlabels", "FUNCTION_TARGET=listlabels", "PORT=0"}
		out, _ := cmd.CombinedOutput()
		var line map[string]any
		if err := json.Unmarshal(out, &line); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if !operator.matches(entry(line)) {
			t.Errorf("not found: %v", line)
		}
	})
}

// logged is a process of ours whose log lines are read as Cloud Logging would have them.
type logged struct {
	log    *lockedBuffer
	read   int
	fake   *fakegoogle.Server
	queue  *taskList
	store  *failingStore
	client *http.Client
	url    string
}

// newLogged starts one, with name, value pairs set over the environment.
func newLogged(t *testing.T, pairs ...string) *logged {
	t.Helper()
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	w := &logged{log: &lockedBuffer{}, store: &failingStore{Store: tokenstore.NewMemory()}, url: "http://" + server.Listener.Addr().String()}
	client := fakegoogle.Client{ID: "id", Secret: "secret", RedirectURIs: []string{w.url + "/oauth2callback"}, Origins: []string{w.url}}
	w.fake = fakegoogle.New(fakegoogle.Options{Clients: []fakegoogle.Client{client}})
	w.queue = &taskList{google: w.fake}
	google := httptest.NewServer(w.queue)
	t.Cleanup(google.Close)
	env := map[string]string{"BASE_URL": w.url, "TOKEN_STORE": "memory", "TOKEN_KEYSET": string(keys.JSON()), "OAUTH_CLIENT_JSON": client.JSON(),
		"GOOGLE_BASE_URL": google.URL, "SCHEDULER_ACCOUNT": "scheduler@project.iam.gserviceaccount.com"}
	for i := 0; i < len(pairs); i += 2 {
		env[pairs[i]] = pairs[i+1]
	}
	app, err := httpfunc.New(httpfunc.Options{Getenv: func(name string) string { return env[name] }, Store: w.store, Log: w.log})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, name := range httpfunc.Names() {
		mux.Handle("/"+name, app.Handler(name))
	}
	server.Config.Handler = mux
	server.Start()
	t.Cleanup(server.Close)
	jar, _ := cookiejar.New(nil)
	w.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return w
}

func (w *logged) do(t *testing.T, method, address string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res
}

func (w *logged) get(t *testing.T, path string) *http.Response {
	t.Helper()
	return w.do(t, "GET", w.url+path, nil)
}

// signIn goes through consent to the page.
func (w *logged) signIn(t *testing.T, path string) {
	t.Helper()
	back, err := w.fake.Authorize(w.get(t, path).Header.Get("Location"), fakegoogle.Decision{User: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	w.do(t, "GET", back, nil)
	if res := w.get(t, path); res.StatusCode != http.StatusOK {
		t.Fatalf("status %d\n%s", res.StatusCode, w.log)
	}
}

// run runs the job as the scheduler does.
func (w *logged) run(t *testing.T) {
	t.Helper()
	w.asService(t, `{"time_zone":"UTC"}`)
}

// asService posts to the job as the service account that may.
func (w *logged) asService(t *testing.T, body string) {
	t.Helper()
	token := w.fake.SignIDToken(map[string]any{"aud": w.url + "/dailyevent", "email": "scheduler@project.iam.gserviceaccount.com", "email_verified": true, "sub": "1"})
	w.do(t, "POST", w.url+"/dailyevent", strings.NewReader(body), "Authorization", "Bearer "+token, "Content-Type", "application/json")
}

// expect says whether the filter finds one of the lines since it was asked last.
func (w *logged) expect(t *testing.T, f expression, want bool) {
	t.Helper()
	lines := w.log.String()[w.read:]
	found := slices.ContainsFunc(slices.Collect(strings.Lines(lines)), func(line string) bool { return f.matches(entry(attributes(line))) })
	if found != want {
		t.Errorf("found %v, want %v, in\n%s", found, want, lines)
	}
	if want {
		w.read += len(lines)
	}
}

// failingStore fails while err is set.
type failingStore struct {
	tokenstore.Store
	err error
}

func (s *failingStore) Get(ctx context.Context, owner string) (*tokenstore.Grant, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.Store.Get(ctx, owner)
}

func (s *failingStore) Cursor(ctx context.Context, job string) (string, error) {
	if s.err != nil {
		return "", s.err
	}
	return s.Store.Cursor(ctx, job)
}

// attributes reads a line that is not of a deployed process, and names what it says as one of those would.
func attributes(line string) map[string]any {
	all := map[string]any{}
	for _, m := range regexp.MustCompile(`(\S+?)=("(?:[^"\\]|\\.)*"|\S*)`).FindAllStringSubmatch(line, -1) {
		name, value := m[1], m[2]
		if text, err := strconv.Unquote(value); err == nil {
			value = text
		}
		switch name {
		case "level":
			name = "severity"
		case "msg":
			name = "message"
		}
		all[name] = value
	}
	return all
}

// entry is a log line as Cloud Logging keeps it.
func entry(line map[string]any) map[string]string {
	e := map[string]string{"resource.type": "cloud_run_revision"}
	for name, value := range line {
		if name == "severity" {
			e[name] = fmt.Sprint(value)
		} else {
			e["jsonPayload."+name] = fmt.Sprint(value)
		}
	}
	return e
}

// filter reads the filter on log lines in a file of deploy/monitoring.
func filter(t *testing.T, file string) expression {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("monitoring", file))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(b), "filter: >-\n")
	if !found {
		t.Fatalf("no filter in %s", file)
	}
	indent := rest[:len(rest)-len(strings.TrimLeft(rest, " "))]
	var text strings.Builder
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, indent) {
			break
		}
		text.WriteString(strings.TrimSpace(line) + " ")
	}
	p := &filterParser{tokens: regexp.MustCompile(`"[^"]*"|[()]|>=|[=:]|[^\s()=:>"]+`).FindAllString(text.String(), -1)}
	e := p.or()
	if len(p.tokens) > 0 {
		t.Fatalf("%s: cannot read %v", file, p.tokens)
	}
	return e
}

// An expression of Cloud Logging's query language, as far as our filters use it.
type expression interface {
	matches(entry map[string]string) bool
}

type (
	anyOf  []expression
	allOf  []expression
	single struct{ field, op, value string }
)

func (e anyOf) matches(entry map[string]string) bool {
	return slices.ContainsFunc(e, func(e expression) bool { return e.matches(entry) })
}

func (e allOf) matches(entry map[string]string) bool {
	return !slices.ContainsFunc(e, func(e expression) bool { return !e.matches(entry) })
}

func (e single) matches(entry map[string]string) bool {
	severities := []string{"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
	value, ok := entry[e.field]
	switch e.op {
	case "=":
		return ok && strings.EqualFold(value, e.value)
	case ":":
		return strings.Contains(strings.ToLower(value), strings.ToLower(e.value))
	}
	return slices.Index(severities, value) >= slices.Index(severities, e.value)
}

type filterParser struct{ tokens []string }

func (p *filterParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	token := p.tokens[0]
	p.tokens = p.tokens[1:]
	return token
}

func (p *filterParser) or() expression {
	e := anyOf{p.and()}
	for len(p.tokens) > 0 && p.tokens[0] == "OR" {
		p.next()
		e = append(e, p.and())
	}
	return e
}

func (p *filterParser) and() expression {
	e := allOf{p.one()}
	for len(p.tokens) > 0 && p.tokens[0] == "AND" {
		p.next()
		e = append(e, p.one())
	}
	return e
}

func (p *filterParser) one() expression {
	field := p.next()
	if field == "(" {
		e := p.or()
		p.next()
		return e
	}
	return single{field, p.next(), strings.Trim(p.next(), `"`)}
}
