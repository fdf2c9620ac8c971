package all_test

import (
	"bytes"
	"context"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"

	_ "functions.local/oauth/functions/all"
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

	clockFile string // where processes of startProcess find how far the clock is ahead
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
	store, err := tokenstore.OpenFirestore(tokenstore.FirestoreConfig{Project: project, Emulator: addr, Keyset: keys})
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

func (s *countedStore) Delete(ctx context.Context, g *tokenstore.Grant) error {
	s.writes.Add(1)
	return s.Store.Delete(ctx, g)
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
