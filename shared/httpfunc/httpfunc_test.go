package httpfunc

import (
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

var protecting = map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	"Referrer-Policy": "same-origin", "Content-Security-Policy": contentSecurityPolicy}

// TestUnconfiguredProcess has an environment without anything: this binary's.
func TestUnconfiguredProcess(t *testing.T) {
	t.Setenv("BASE_URL", "")
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	var err error
	if os.Stderr, err = os.Create(t.TempDir() + "/log"); err != nil {
		t.Fatal(err)
	}
	defer os.Stderr.Close()
	serve := inProcess(func(a *App) http.Handler { return a.Handler("nothing") })
	for range 2 { // the fault stays
		w := httptest.NewRecorder()
		serve(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "BASE_URL") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		for name, want := range protecting {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %q, want %q", name, got, want)
			}
		}
	}
	if log, err := os.ReadFile(os.Stderr.Name()); err != nil || !strings.Contains(string(log), "BASE_URL is not set") {
		t.Errorf("the log: %s, %v", log, err)
	}
}

func TestEveryAnswerHasTheProtectingHeaders(t *testing.T) {
	k := newKit(t)
	_, c := k.grant(ada, someScope)
	h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(*Call) (*View, error) { return ValuePage.View(1), nil }})
	check := func(what string, w *httptest.ResponseRecorder, status int) {
		t.Helper()
		if w.Code != status || w.Header().Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: %d %v", what, w.Code, w.Header())
		}
		for name, want := range protecting {
			if got := w.Header().Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s %q, want %q", what, name, got, want)
			}
		}
	}
	cookie := c.Name + "=" + c.Value
	check("a page", k.serve(h, request("GET", "/", "", "Cookie", cookie)), 200)
	check("JSON", k.serve(h, request("GET", "/", "", "Cookie", cookie, "Accept", jsonType)), 200)
	check("a redirect", k.serve(h, request("GET", "/", "")), 302)
	check("an error", k.serve(h, request("DELETE", "/", "")), 405)

	t.Run("of a process that ends too", func(t *testing.T) {
		process := inFlight
		defer func() { inFlight = process }()
		inFlight = &requests{idle: make(chan struct{})}
		inFlight.close()
		w := k.serve(h, request("GET", "/", "", "Cookie", cookie))
		if check("the end", w, 503); w.Header().Get("Retry-After") == "" {
			t.Error("nobody is told to come again")
		}
	})
}

// A process that is told to end lets nobody else in, and waits for who is inside.
func TestRequestsInFlight(t *testing.T) {
	q := &requests{idle: make(chan struct{})}
	for range 2 {
		if !q.enter() {
			t.Fatal("nobody is let in")
		}
	}
	idle := q.close()
	if q.enter() {
		t.Error("somebody is let in after the end")
	}
	q.leave()
	select {
	case <-idle:
		t.Error("idle with a request inside")
	default:
	}
	q.leave()
	<-idle
	empty := &requests{idle: make(chan struct{})}
	<-empty.close()
}

// One function that serves all of them does so under each path that the platform may leave.
func TestTogether(t *testing.T) {
	k := newKit(t)
	for _, name := range []string{"one", "other"} {
		register(Function{Name: name}, &handler{methods: []string{"GET"}, serve: func(x *exchange) error {
			x.replyJSON(http.StatusOK, name+" "+x.r.URL.Path)
			return nil
		}})
		defer delete(handlers, name)
	}
	h := k.together("app")
	for path, want := range map[string]string{
		"/one": "one /one", "/app/one": "one /one", "/other": "other /other", "/one/": "one /one/", "/app/other?x": "other /other",
		"/": "", "/app": "", "/app/": "", "/application": "", "/app/app/one": "", "/one/other": "", "/favicon.ico": "",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("GET", path, "", "Accept", jsonType))
		if got := strings.Trim(w.Body.String(), "\"\n"); want != "" && (got != want || w.Code != 200) || want == "" && w.Code != 404 {
			t.Errorf("%s: %d %s", path, w.Code, got)
		}
	}
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, request("POST", "/app", "a=b")); w.Code != 404 || !strings.Contains(w.Body.String(), "<h1>") {
		t.Errorf("a form that is posted to no function: %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	k.Handler("one").ServeHTTP(w, request("GET", "/", ""))
	if w.Code != 200 {
		t.Errorf("by itself: %d", w.Code)
	}
}

// A metadata server that is late after a start must not be taken for none by Google's libraries, which remember it.
func TestMetadataServer(t *testing.T) {
	for given, want := range map[string]string{"": "169.254.169.254", "127.0.0.1:1": "127.0.0.1:1"} {
		t.Setenv("GCE_METADATA_HOST", given)
		nameMetadataServer()
		if got := os.Getenv("GCE_METADATA_HOST"); got != want {
			t.Errorf("%q becomes %q, want %q", given, got, want)
		}
	}
}

func TestGCPercent(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	for given, want := range map[string]int{"": gcPercent, "100": 100} {
		t.Setenv("GOGC", given)
		setGCPercent()
		if got := debug.SetGCPercent(100); got != want {
			t.Errorf("GOGC=%s: %d, want %d", given, got, want)
		}
	}
}
