package httpfunc

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"functions.local/oauth/shared/seal"
)

// TestUnconfiguredProcessAnswersWithProtectingHeaders has an environment without anything: this binary's.
func TestUnconfiguredProcessAnswersWithProtectingHeaders(t *testing.T) {
	t.Setenv("BASE_URL", "")
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	var err error
	if os.Stderr, err = os.Create(t.TempDir() + "/log"); err != nil {
		t.Fatal(err)
	}
	defer os.Stderr.Close()
	for range 2 { // the failure stays
		w := httptest.NewRecorder()
		inProcess("nothing")(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "BASE_URL") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "Content-Security-Policy": contentSecurityPolicy} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %q, want %q", name, got, want)
			}
		}
	}
	if log, err := os.ReadFile(os.Stderr.Name()); err != nil || !strings.Contains(string(log), "BASE_URL is not set") {
		t.Errorf("the log: %s, %v", log, err)
	}
}

// TestEndingProcessAnswersWithProtectingHeaders has a process that takes no more requests.
func TestEndingProcessAnswersWithProtectingHeaders(t *testing.T) {
	process := inFlight
	defer func() { inFlight = process }()
	inFlight = &requests{idle: make(chan struct{})}
	inFlight.close()
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"BASE_URL": "http://localhost:8080", "TOKEN_STORE": "memory", "TOKEN_KEYSET": string(keys.JSON()),
		"OAUTH_CLIENT_JSON": `{"web":{"client_id":"i","client_secret":"s"}}`}
	a, err := New(Options{Getenv: func(name string) string { return env[name] }})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.wrap("nothing", func(http.ResponseWriter, *http.Request) { t.Error("served") }).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
