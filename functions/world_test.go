package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"

	_ "functions.local/oauth/functions/createevent"
	_ "functions.local/oauth/functions/createfile"
	_ "functions.local/oauth/functions/listlabels"
	_ "functions.local/oauth/functions/listprojects"
	_ "functions.local/oauth/functions/oauth2callback"
	_ "functions.local/oauth/functions/oauth2init"
)

const (
	gmailLabels = "https://www.googleapis.com/auth/gmail.labels"
	driveFile   = "https://www.googleapis.com/auth/drive.file"

	ada   = "ada@example.com"
	grace = "grace@example.com"
)

// A world is Google, a store and one process of ours.
type world struct {
	*process
	t     testing.TB
	fake  *fakegoogle.Server
	clock *clock
	store *countedStore
}

// A process serves every function, as one instance would.
type process struct {
	url string
	log *syncBuffer
	env map[string]string
	app *httpfunc.App
}

type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// newWorld starts a world with the store and the environment variables given.
func newWorld(t testing.TB, store tokenstore.Store, env map[string]string) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}, store: &countedStore{Store: store}}
	client := fakegoogle.Client{ID: "test-client", Secret: "canary-client-secret"}
	w.fake = fakegoogle.New(fakegoogle.Options{Clients: []fakegoogle.Client{client}, Now: w.clock.now})
	google := httptest.NewServer(w.fake)
	t.Cleanup(google.Close)
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"GOOGLE_BASE_URL":   google.URL,
		"TOKEN_KEYSET":      string(keys.JSON()),
		"TOKEN_STORE":       "memory",
		"SCHEDULER_ACCOUNT": "scheduler@project.iam.gserviceaccount.com",
	}
	for name, value := range env {
		all[name] = value
	}
	w.process = w.start(t, all)
	return w
}

// newFirestoreWorld is newWorld with the Firestore emulator at addr.
func newFirestoreWorld(t testing.TB, addr, project string) *world {
	t.Helper()
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	store := openStore(t, addr, project, keys)
	waitFor(t, "a new emulator is fast enough", func() bool { return store.UseOnce(t.Context(), seal.NewID(), time.Now()) == nil })
	return newWorld(t, store, map[string]string{
		"TOKEN_KEYSET": string(keys.JSON()), "TOKEN_STORE": "firestore", "GOOGLE_CLOUD_PROJECT": project, "FIRESTORE_EMULATOR_HOST": addr,
	})
}

// openStore returns a store with a Firestore client of its own, as each process has one.
func openStore(t testing.TB, addr, project string, keys *seal.Keyset) *tokenstore.Firestore {
	t.Helper()
	store, err := tokenstore.OpenFirestore(context.Background(), tokenstore.FirestoreConfig{Project: project, Emulator: addr, Keyset: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// start starts one more process with this environment; BASE_URL and the client are its own unless set.
func (w *world) start(t testing.TB, env map[string]string) *process {
	t.Helper()
	return w.startOn(t, w.store, env)
}

// startOn is start with a store of the process's own.
func (w *world) startOn(t testing.TB, store tokenstore.Store, env map[string]string) *process {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	p := &process{log: &syncBuffer{}, env: map[string]string{}, url: "http://" + server.Listener.Addr().String()}
	for name, value := range env {
		p.env[name] = value
	}
	if p.env["BASE_URL"] == "" {
		p.env["BASE_URL"] = p.url
	}
	client := fakegoogle.Client{ID: "test-client", Secret: "canary-client-secret",
		RedirectURIs: []string{p.env["BASE_URL"] + "/oauth2callback"}, Origins: []string{p.env["BASE_URL"]}}
	w.fake.AddClient(client)
	p.env["OAUTH_CLIENT_JSON"] = client.JSON()
	var err error
	p.app, err = httpfunc.New(httpfunc.Options{Getenv: func(name string) string { return p.env[name] }, Store: store, Now: w.clock.now, Log: p.log})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, name := range httpfunc.Names() {
		mux.Handle("/"+name, p.app.Handler(name))
	}
	server.Config.Handler = mux
	server.Config.ErrorLog = log.New(p.log, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return p
}

// A browser keeps cookies and follows no redirect by itself.
type browser struct {
	t      testing.TB
	w      *world
	url    string
	client *http.Client
}

func (w *world) browser() *browser { return w.browserAt(w.process) }

func (w *world) browserAt(p *process) *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{w.t, w, p.url, &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a *answer) location() string { return a.header.Get("Location") }

// member returns a member of a JSON answer.
func (a *answer) member(t testing.TB, name string) any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("not JSON: %v: %s", err, a.body)
	}
	return m[name]
}

func (b *browser) do(r *http.Request) *answer {
	b.t.Helper()
	a, err := b.try(r)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// try is do where the connection may break.
func (b *browser) try(r *http.Request) (*answer, error) {
	res, err := b.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return &answer{res.StatusCode, res.Header, string(body)}, err
}

// request makes a request to a path of ours or to a whole URL, with pairs of headers.
func (b *browser) request(method, target string, body io.Reader, headers ...string) *http.Request {
	b.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = b.url + target
	}
	r, err := http.NewRequestWithContext(context.Background(), method, target, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (b *browser) get(target string) *answer {
	b.t.Helper()
	return b.do(b.request("GET", target, nil, "Accept", "text/html"))
}

func (b *browser) getJSON(target string) *answer {
	b.t.Helper()
	return b.do(b.request("GET", target, nil, "Accept", "application/json"))
}

func (b *browser) post(target string, form url.Values) *answer {
	b.t.Helper()
	return b.do(b.request("POST", target, strings.NewReader(form.Encode()), "Accept", "text/html",
		"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"))
}

func (b *browser) postJSON(target string, value any) *answer {
	b.t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(b.request("POST", target, bytes.NewReader(body), "Accept", "application/json", "Content-Type", "application/json"))
}

// consent acts as the user at Google and returns the URL that the browser is sent back to.
func (b *browser) consent(consentURL string, d fakegoogle.Decision) string {
	b.t.Helper()
	back, err := b.w.fake.Authorize(consentURL, d)
	if err != nil {
		b.t.Fatalf("Google refused %s: %v", consentURL, err)
	}
	return back
}

// visit gets a page as user, through as many consent pages as it takes.
func (b *browser) visit(path, user string) *answer {
	b.t.Helper()
	a := b.get(path)
	for range 10 {
		switch {
		case a.status == http.StatusFound:
			a = b.get(b.consent(a.location(), fakegoogle.Decision{User: user}))
		case a.status == http.StatusSeeOther:
			a = b.get(a.location())
		default:
			return a
		}
	}
	b.t.Fatalf("%s: redirects without end", path)
	return nil
}

// signedIn returns a browser in which user is signed in, with the permission that listlabels needs.
func (w *world) signedIn(user string) *browser {
	w.t.Helper()
	b := w.browser()
	expect(w.t, b.visit("/listlabels", user), http.StatusOK, "label(s) found:")
	return b
}

// callback sends the browser to Google for a page and returns the URL that it is sent back to.
func (b *browser) callback(path string, d fakegoogle.Decision) string {
	b.t.Helper()
	a := b.get(path)
	expect(b.t, a, http.StatusFound)
	return b.consent(a.location(), d)
}

// with returns address with its query changed.
func with(address string, change func(url.Values)) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	q := u.Query()
	change(q)
	u.RawQuery = q.Encode()
	return u.String()
}

// serve has the process answer r without a network, whatever its BASE_URL is.
func (p *process) serve(r *http.Request) *answer {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	recorder := httptest.NewRecorder()
	p.app.Handler(name).ServeHTTP(recorder, r)
	return &answer{recorder.Code, recorder.Header(), recorder.Body.String()}
}

// cookie returns the browser's cookie of ours.
func (b *browser) cookie() string {
	u, _ := url.Parse(b.url)
	for _, c := range b.client.Jar.Cookies(u) {
		if strings.HasSuffix(c.Name, "session") {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setCookie(value string) {
	u, _ := url.Parse(b.url)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "session", Value: value, Path: "/"}})
}

// copy returns another browser with the same cookies.
func (b *browser) copy() *browser {
	c := b.w.browser()
	c.url = b.url
	if value := b.cookie(); value != "" {
		c.setCookie(value)
	}
	return c
}

func subjectOf(t testing.TB, fake *fakegoogle.Server, email string) string {
	t.Helper()
	for _, u := range fake.Users() {
		if u.Email == email {
			return u.Subject
		}
	}
	t.Fatalf("no user %s", email)
	return ""
}

func (w *world) grant(email string) *tokenstore.Grant {
	w.t.Helper()
	g, err := w.store.Store.Get(context.Background(), subjectOf(w.t, w.fake, email))
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// countedStore counts operations.
type countedStore struct {
	tokenstore.Store
	gets, writes atomic.Int64
}

func (s *countedStore) reset() { s.gets.Store(0); s.writes.Store(0) }

func (s *countedStore) Get(ctx context.Context, subject string) (*tokenstore.Grant, error) {
	s.gets.Add(1)
	return s.Store.Get(ctx, subject)
}

func (s *countedStore) Put(ctx context.Context, g *tokenstore.Grant) error {
	s.writes.Add(1)
	return s.Store.Put(ctx, g)
}

func (s *countedStore) Delete(ctx context.Context, subject string) error {
	s.writes.Add(1)
	return s.Store.Delete(ctx, subject)
}

func (s *countedStore) UseOnce(ctx context.Context, id string, until time.Time) error {
	s.writes.Add(1)
	return s.Store.UseOnce(ctx, id, until)
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// expect fails the test unless a has the status and each of the texts in its body.
func expect(t testing.TB, a *answer, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d; Location %q; body: %s", a.status, status, a.location(), a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Fatalf("no %q in: %s", text, a.body)
		}
	}
}
