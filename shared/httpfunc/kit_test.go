package httpfunc

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/session"
	"functions.local/oauth/shared/tokenstore"
)

const (
	baseURL   = "https://functions.example"
	someScope = "https://www.googleapis.com/auth/drive.file"
	ada       = "ada@example.com"
	grace     = "grace@example.com"
)

// A kit is an App with a store in memory and a stand-in for Google behind it, at a time that stands still.
type kit struct {
	*App
	t      testing.TB
	google *fakegoogle.Server
	clock  time.Time
	logged *logBuffer
}

// newKit makes a kit, with name, value pairs set over the environment.
func newKit(t testing.TB, pairs ...string) *kit {
	t.Helper()
	k := &kit{t: t, clock: time.Now(), logged: &logBuffer{}}
	client := fakegoogle.Client{ID: "client", Secret: "secret", RedirectURIs: []string{baseURL + "/oauth2callback"}, Origins: []string{baseURL}}
	k.google = fakegoogle.New(fakegoogle.Options{Clients: []fakegoogle.Client{client}, Now: k.at})
	server := httptest.NewServer(k.google)
	t.Cleanup(server.Close)
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"BASE_URL": baseURL, "OAUTH_CLIENT_JSON": client.JSON(), "TOKEN_KEYSET": string(keys.JSON()),
		"TOKEN_STORE": "memory", "GOOGLE_BASE_URL": server.URL}
	for i := 0; i < len(pairs); i += 2 {
		env[pairs[i]] = pairs[i+1]
	}
	k.App, err = New(Options{Getenv: func(name string) string { return env[name] }, Now: k.at, Log: k.logged})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kit) at() time.Time { return k.clock }

// grant stores what somebody granted, and returns it with the cookie of a session.
func (k *kit) grant(email string, scopes ...string) (*tokenstore.Grant, *http.Cookie) {
	k.t.Helper()
	id := seal.NewID()
	g := &tokenstore.Grant{Owner: email, Email: email, RefreshToken: "refresh", AccessToken: "access", Expiry: k.clock.Add(time.Hour), Scopes: scopes,
		Client: "client", Status: tokenstore.Active, Created: k.clock, Consented: k.clock, Sessions: []tokenstore.Session{{Hash: seal.HashID(id), Start: k.clock}}}
	if err := k.store.Put(k.t.Context(), g); err != nil {
		k.t.Fatal(err)
	}
	return g, k.cookieOf(session.Session{Browser: seal.NewID()}.SignIn(email, id, k.clock))
}

// anew returns the cookie of one more session of somebody's.
func (k *kit) anew(email string) *http.Cookie {
	k.t.Helper()
	g, err := k.store.Get(k.t.Context(), email)
	if err != nil {
		k.t.Fatal(err)
	}
	id := seal.NewID()
	g.AddSession(tokenstore.Session{Hash: seal.HashID(id), Start: k.clock})
	if err := k.store.Put(k.t.Context(), g); err != nil {
		k.t.Fatal(err)
	}
	return k.cookieOf(session.Session{Browser: seal.NewID()}.SignIn(email, id, k.clock))
}

func (k *kit) cookieOf(s session.Session) *http.Cookie {
	k.t.Helper()
	w := httptest.NewRecorder()
	if err := k.cookie.Write(w, s); err != nil {
		k.t.Fatal(err)
	}
	return w.Result().Cookies()[0]
}

// serve has the App answer a request to a function.
func (k *kit) serve(h *handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	k.handle(h).ServeHTTP(w, r)
	return w
}

// request makes a request of a browser's navigation, with name, value pairs of headers.
func request(method, target, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Accept", "text/html")
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// forUser is a function for users, as ForUser makes it and without its name being taken.
func forUser(f Function) *handler {
	return &handler{Function: f, serve: (*exchange).serveUser, formPage: (*exchange).postedForm, methods: methodsOf(f)}
}

// location returns where an answer leads, and fails unless it has the status.
func location(t testing.TB, w *httptest.ResponseRecorder, status int) string {
	t.Helper()
	if w.Code != status {
		t.Fatalf("%d, want %d: %s", w.Code, status, shown(w))
	}
	return w.Header().Get("Location")
}

// want fails the test unless the answer has the status and the texts.
func want(t testing.TB, w *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("%d, want %d: %s", w.Code, status, shown(w))
	}
	for _, text := range texts {
		if !strings.Contains(w.Body.String(), text) {
			t.Errorf("no %q in: %s", text, shown(w))
		}
	}
}

// shown returns what an answer shows, without a page's head and script.
func shown(w *httptest.ResponseRecorder) string {
	if _, main, page := strings.Cut(w.Body.String(), "<main>"); page {
		main, _, _ = strings.Cut(main, "</main>")
		return main
	}
	return w.Body.String()
}

// logBuffer is a bytes.Buffer for several goroutines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}
