package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
)

// A Google that goes on while the runner is started anew at its address.
func TestRestartWithData(t *testing.T) {
	registered := fakegoogle.Client{ID: "test-client", Secret: "canary-client-secret"}
	google := fakegoogle.New(fakegoogle.Options{})
	server := httptest.NewServer(google)
	defer server.Close()
	data := filepath.Join(t.TempDir(), "grants.json")
	env := []string{"GOOGLE_BASE_URL=" + server.URL, "OAUTH_CLIENT_JSON=" + registered.JSON(), "TOKEN_KEYSET=" + keyset(t)} // the file's counts
	first := start(t, env, "-data", data)
	registered.RedirectURIs = []string{first.url + "/oauth2callback"}
	google.AddClient(registered)
	first.google = google
	c := client()
	first.signIn(c, "/listlabels", ada)
	first.stop(syscall.SIGTERM)

	for range 2 {
		again := start(t, env, "-data", data, "-addr", strings.TrimPrefix(first.url, "http://"))
		again.expect(http.StatusOK, "label(s) found:", ada)(again.send(c, "GET", "/listlabels", "", "Accept", "text/html"))
		if !strings.Contains(again.out.String(), "in "+data) {
			t.Errorf("it says %s", again.out)
		}
		again.stop(syscall.SIGTERM)
	}
	if n := google.Calls("/token"); n != 1 {
		t.Errorf("%d calls of the token endpoint, want the sign-in's", n)
	}
	info, err := os.Stat(data)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// One function alone, as the platform serves it: at / and under its name, on the environment's configuration.
func TestFunctionTarget(t *testing.T) {
	t.Parallel()
	const public = "https://functions.example"
	alone := start(t, []string{"FUNCTION_TARGET=listlabels", "BASE_URL=" + public, "TOKEN_STORE=memory", "TOKEN_KEYSET=" + keyset(t),
		"OAUTH_CLIENT_JSON=" + fakegoogle.Client{ID: "test-client", Secret: "canary-client-secret"}.JSON()})
	own := openedAt(alone)
	for _, path := range []string{"/", "/listlabels", "/listlabels/"} {
		_, header, _ := alone.send(client(), "GET", own+path, "", "Accept", "text/html")
		if to := header.Get("Location"); !strings.HasPrefix(to, "https://accounts.google.com/o/oauth2/v2/auth?") || parameter(t, to, "redirect_uri") != public+"/oauth2callback" {
			t.Errorf("%s leads to %q", path, to)
		}
	}
	for _, path := range []string{"/favicon.ico", "/robots.txt", "/anything", "/account"} {
		alone.expect(http.StatusNotFound)(alone.send(client(), "GET", own+path, "", "Accept", "text/html"))
	}
	if !strings.Contains(alone.out.String(), "listlabels alone") {
		t.Errorf("it says %s", alone.out)
	}
}

// What a function's folder holds for an API that the stand-in does not know is answered.
func TestAnswersOfAFunction(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "functions", "listlabels", "standin", "tasks", "v1", "users", "@me")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, "lists.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"items":[{"title":"Tea"}]}`)
	t.Chdir(dir)
	r := inProcess(t)
	c := r.google.UserClient(r.url+"/google", ada, gmailLabels)
	ask := func(path string) (int, string) {
		res, err := c.Get("https://tasks.googleapis.com" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b := make([]byte, 1<<10)
		n, _ := res.Body.Read(b)
		return res.StatusCode, string(b[:n])
	}
	if status, body := ask("/tasks/v1/users/@me/lists"); status != http.StatusOK || !strings.Contains(body, "Tea") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := ask("/tasks/v1/lists/1/tasks"); status != http.StatusNotFound || !strings.Contains(body, "standin/tasks/v1/lists/1/tasks.json") {
		t.Errorf("%d %s", status, body)
	}
	write(`[`)
	if _, err := newSite(&settings{addr: "localhost:1"}, func(string) string { return "" }, os.Stderr); err == nil || !strings.Contains(err.Error(), "functions/listlabels/standin") {
		t.Errorf("a damaged answer is %v", err)
	}
}
