package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"functions.local/oauth/shared/httpfunc"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"-h", "-help", "--help"} {
		cmd := command(t, nil, flag)
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", flag, err)
		}
		for _, want := range []string{"usage: go run ./deploy/local", "-addr", "-client-secret", "-project", "-data", "localhost:8080", "TOKEN_KEYSET", "BASE_URL", "FUNCTION_TARGET", "FRONT_ENDS"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%s: no %q in %s", flag, want, out)
			}
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	other := httptest.NewServer(http.FileServer(http.Dir(t.TempDir()))) // which answers 200
	defer other.Close()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		env  []string
		args []string
		want []string
	}{
		"an unknown flag":              {args: []string{"-prot", "8080"}, want: []string{"-prot", "-h tells"}},
		"an argument":                  {args: []string{"listlabels"}, want: []string{`"listlabels"`, "-h tells"}},
		"an address for all the world": {args: []string{"-addr", "0.0.0.0:80"}, want: []string{"0.0.0.0:80", "this machine only"}},
		"an address of no host":        {args: []string{"-addr", "example.com:80"}, want: []string{"this machine only"}},
		"an address without a port":    {args: []string{"-addr", "localhost"}, want: []string{"missing port", "localhost:8080"}},
		"a port in use":                {args: []string{"-addr", taken.Addr().String()}, want: []string{taken.Addr().String(), "in use", "-addr localhost:0"}},
		"a PORT in use":                {env: []string{"PORT=" + port(taken)}, want: []string{"in use"}},
		"a PORT that is none":          {env: []string{"PORT=http-alt!"}, want: []string{"http-alt!"}},
		"no client secret file":        {args: []string{"-client-secret", filepath.Join(dir, "none.json")}, want: []string{"-client-secret", "none.json"}},
		"a client secret file of another kind": {args: []string{"-client-secret", file("go.mod", "module m")},
			want: []string{"-client-secret", "go.mod", "not JSON"}},
		"a client secret of a desktop app": {args: []string{"-client-secret", file("desktop.json", `{"installed":{"client_id":"x","client_secret":"canary-secret"}}`)},
			want: []string{"-client-secret", "desktop.json", "Web application"}},
		"-project without a keyset": {env: []string{"TOKEN_STORE=memory"}, args: []string{"-project", "p"}, want: []string{"TOKEN_KEYSET", "go run ./deploy/keyset new"}},
		"-project without credentials": {env: []string{"TOKEN_KEYSET=" + keyset(t), "HOME=" + dir, "GOOGLE_APPLICATION_CREDENTIALS=" + filepath.Join(dir, "none.json")},
			args: []string{"-project", "p"}, want: []string{"no credentials for Firestore", "gcloud auth application-default login", "none.json"}},
		"-data with -project":                     {args: []string{"-data", filepath.Join(dir, "grants"), "-project", "p"}, want: []string{"-data", "in Firestore already"}},
		"-data with a damaged file":               {args: []string{"-data", file("damaged", "{")}, want: []string{"-data", "damaged", "restore a copy"}},
		"a FUNCTION_TARGET of no function":        {env: []string{"FUNCTION_TARGET=listlabel"}, want: []string{"FUNCTION_TARGET=listlabel", "listlabels, "}},
		"a FUNCTION_TARGET without configuration": {env: []string{"FUNCTION_TARGET=listlabels"}, want: []string{"OAUTH_CLIENT_JSON", "TOKEN_KEYSET", "GOOGLE_CLOUD_PROJECT"}},
		"an emulator that does not answer":        {env: []string{"FIRESTORE_EMULATOR_HOST=127.0.0.1:1", "TOKEN_KEYSET=" + keyset(t)}, want: []string{"FIRESTORE_EMULATOR_HOST", "nothing answers at 127.0.0.1:1", "gcloud emulators firestore start"}},
		"an emulator that is another server":      {env: []string{"FIRESTORE_EMULATOR_HOST=" + other.Listener.Addr().String(), "TOKEN_KEYSET=" + keyset(t)}, want: []string{"FIRESTORE_EMULATOR_HOST", "no Firestore emulator"}},
		"the emulator without a keyset":           {env: []string{"FIRESTORE_EMULATOR_HOST=127.0.0.1:1"}, want: []string{"TOKEN_KEYSET"}},
		"a keyset that does not open":             {env: []string{"TOKEN_KEYSET={}"}, want: []string{"TOKEN_KEYSET"}},
		"GOOGLE_BASE_URL without a client":        {env: []string{"GOOGLE_BASE_URL=http://127.0.0.1:1"}, want: []string{"OAUTH_CLIENT_JSON"}},
		"GOOGLE_BASE_URL that is no address":      {env: []string{"GOOGLE_BASE_URL=google"}, want: []string{"GOOGLE_BASE_URL"}},
		"a BASE_URL that is no address":           {env: []string{"BASE_URL=localhost:8080"}, want: []string{"BASE_URL"}},
		"a scheduler that is no account":          {env: []string{"SCHEDULER_ACCOUNT=me"}, want: []string{"SCHEDULER_ACCOUNT"}},
	} {
		t.Run(name, func(t *testing.T) {
			message := fails(t, append([]string{"PORT=0"}, c.env...), c.args...)
			for _, want := range c.want {
				if !strings.Contains(message, want) {
					t.Errorf("no %q in %s", want, message)
				}
			}
			if strings.Contains(message, "canary") {
				t.Errorf("a secret in %s", message)
			}
		})
	}
}

func port(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestEndsAtASignal(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		r := start(t, nil)
		r.expect(http.StatusOK)(r.send(client(), "GET", "/", ""))
		r.stop(signal)
		if c, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://")); err == nil {
			c.Close()
			t.Errorf("%v: %s still answers", signal, r.url)
		}
	}
}

// What a developer's shell may hold does not make the runner something else.
func TestEnvironmentOfTheShell(t *testing.T) {
	t.Parallel()
	r := start(t, []string{"K_SERVICE=x", "PORT=1", "GOOGLE_CLOUD_PROJECT=production"})
	for _, want := range []string{"Grants  in memory", "Google  the stand-in", "Open    http://localhost:"} {
		if !strings.Contains(r.out.String(), want) {
			t.Errorf("no %q in %s", want, r.out)
		}
	}
	r.expect(http.StatusOK, "List my labels")(r.send(client(), "GET", "/", ""))
	r.expect(http.StatusUnauthorized, "consent_required")(r.send(client(), "GET", "/listlabels", "", "Accept", "application/json"))
}

func TestPortOfTheShell(t *testing.T) {
	t.Parallel()
	cmd := command(t, []string{"PORT=8099"}, "-h")
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "localhost:8099") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	l.Close()
	r := start(t, nil, "-addr", "[::1]:0")
	if !strings.HasPrefix(r.url, "http://[::1]:") {
		t.Errorf("at %s", r.url)
	}
	r.expect(http.StatusOK, "List my labels")(r.send(client(), "GET", "/", ""))
}

func TestRealGoogle(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "client_secret.json")
	if err := os.WriteFile(file, []byte(`{"web":{"client_id":"real-client","client_secret":"canary-client-secret"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, nil, "-client-secret", file)
	for _, want := range []string{"the real one", r.url + "/oauth2callback"} {
		if !strings.Contains(r.out.String(), want) {
			t.Errorf("no %q in %s", want, r.out)
		}
	}
	status, header, _ := r.send(client(), "GET", "/listlabels", "", "Accept", "text/html")
	if to := header.Get("Location"); status != http.StatusFound || !strings.HasPrefix(to, "https://accounts.google.com/o/oauth2/v2/auth?") ||
		!strings.Contains(to, "client_id=real-client") {
		t.Errorf("%d to %s", status, to)
	}
	_, header, page := r.send(client(), "GET", "/popup", "", "Accept", "text/html")
	want := "' https://accounts.google.com/gsi/client " + r.url + "/popup.js"
	if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, want) || !strings.Contains(page, `src="https://accounts.google.com/gsi/client"`) {
		t.Errorf("the popup's policy is %q", policy)
	}
	if strings.Contains(r.out.String()+page, "canary") {
		t.Errorf("the client's secret is shown")
	}
}

// What sign-ins would come upon is told at the start, by the name of the flag.
func TestClientWithoutTheRedirectURI(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "client_secret.json")
	for uris, told := range map[string]bool{`["https://app.example/oauth2callback"]`: true, `["http://localhost:1/oauth2callback","http://localhost:8/oauth2callback"]`: true, `[]`: false} {
		if err := os.WriteFile(file, []byte(`{"web":{"client_id":"real-client","client_secret":"canary-client-secret","redirect_uris":`+uris+`}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		r := start(t, nil, "-client-secret", file)
		if got := strings.Contains(r.out.String(), "NOT YET: -client-secret "+file+" does not name that redirect URI"); got != told {
			t.Errorf("%s: told is %v in %s", uris, got, r.out)
		}
	}
	r := start(t, []string{"BASE_URL=https://app.example", "OAUTH_CLIENT_JSON=" + `{"web":{"client_id":"c","client_secret":"s","redirect_uris":["https://app.example/oauth2callback"]}}`})
	if strings.Contains(r.out.String(), "NOT YET") {
		t.Errorf("a URI that is there is missed in %s", r.out)
	}
}

// ownScript is all that a page may run: one script, by its hash.
var ownScript = regexp.MustCompile(`; script-src 'sha256-[A-Za-z0-9+/=]+';`)

// The scripts of the popup page are no other page's.
func TestPolicies(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for _, path := range append(httpfunc.Names(), "", "nothing") {
		_, header, _ := r.send(client(), "GET", "/"+path, "", "Accept", "text/html")
		policy := header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || !ownScript.MatchString(policy) || strings.Contains(policy, "unsafe") {
			t.Errorf("/%s: %q", path, policy)
		}
	}
	_, header, _ := r.send(client(), "GET", "/popup", "")
	policy := header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") || strings.Contains(policy, "unsafe") || strings.Count(policy, "http") != 5 {
		t.Errorf("/popup: %q", policy)
	}
}

func TestPrograms(t *testing.T) {
	t.Parallel()
	r, _ := startWithGoogle(t)
	asJSON := func(c *http.Client, method, path, body string) (int, http.Header, string) {
		t.Helper()
		headers := []string{"Accept", "application/json"}
		if body != "" {
			headers = append(headers, "Content-Type", "application/json")
		}
		return r.send(c, method, path, body, headers...)
	}
	stranger := client()
	for _, path := range []string{"/account", "/createevent", "/createfile", "/dailyevent", "/listlabels", "/listprojects", "/oauth2init"} {
		status, _, body := asJSON(stranger, "GET", path, "")
		var answer struct {
			Error   string    `json:"error"`
			Missing *[]string `json:"missing_scopes"`
			URL     string    `json:"consent_url"`
			Reason  string    `json:"reason"`
		}
		err := json.Unmarshal([]byte(body), &answer)
		if err != nil || status != http.StatusUnauthorized || answer.Error != "consent_required" || answer.URL != r.url+path || answer.Missing == nil || answer.Reason == "" {
			t.Errorf("a stranger's %s: %d %s (%v)", path, status, body, err)
		}
	}

	c := client()
	for _, path := range []string{"/listlabels", "/createfile", "/createevent", "/listprojects"} {
		r.signIn(c, path, ada)
	}
	for _, call := range []struct {
		method, path, body string
		want               []string
	}{
		{"GET", "/listlabels", "", []string{`{"labels":["INBOX",`}},
		{"GET", "/createfile", "", []string{`{"id":"`}},
		{"POST", "/createfile", `{"name":"notes.txt","content":"Hello"}`, []string{`"id":"`, `"link":"https://drive.google.com/`}},
		{"GET", "/createevent", "", []string{`{"id":"`}},
		{"POST", "/createevent", `{"title":"Tea","start":"2030-03-01T09:00:00Z","end":"2030-03-01T10:00:00Z","time_zone":"UTC","guests":[]}`,
			[]string{`"id":"`, `"link":"https://www.google.com/calendar/`}},
		{"GET", "/listprojects", "", []string{`"projects":[`, "analytical-engine"}},
		{"GET", "/dailyevent", "", []string{`{"enabled":false}`}},
		{"POST", "/dailyevent", `{"enabled":true}`, []string{`{"enabled":true}`}},
		{"GET", "/account", "", []string{`"email":"` + ada + `"`, `"jobs":["dailyevent"]`, `"current":true`}},
		{"GET", "/", "", []string{`{"stand_in":false}`}},
		{"POST", "/account", `{"action":"sign_out"}`, []string{`"done":"sign_out"`}},
	} {
		t.Run(call.method+call.path, func(t *testing.T) {
			r.expect(http.StatusOK, call.want...)(asJSON(c, call.method, call.path, call.body))
		})
	}
	r.expect(http.StatusUnauthorized, "consent_required")(asJSON(c, "GET", "/listlabels", ""))
	r.expect(http.StatusNotFound, `"error":"not_found"`)(asJSON(c, "GET", "/nothing", ""))
	if strings.Contains(r.out.String(), "canary") {
		t.Errorf("a secret in the log: %s", r.out)
	}
}
