package oauthflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

const (
	ada       = "110248495921238986420"
	grace     = "107691503500061507150"
	frontEnd  = "https://app.example/connected"
	ownOrigin = "https://functions.example"
)

// A world is a Flow with a stand-in for Google, a store and a clock.
type world struct {
	*Flow
	t      testing.TB
	google *fakegoogle.Server
	store  *steps
	pauses []time.Duration // that the flow made
	// send, if set, is asked before each request to Google; a nil answer lets it pass.
	send func(path string, form url.Values) (*http.Response, error)

	mu    sync.Mutex
	clock time.Time
	audit []string
}

// newWorld makes a world at noon, in which change has had its say.
func newWorld(t testing.TB, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, clock: noon, store: &steps{Store: tokenstore.NewMemory()}}
	client := fakegoogle.Client{ID: "client-1", Secret: "secret-1", RedirectURIs: []string{ownOrigin + "/oauth2callback"}, Origins: []string{ownOrigin}}
	w.google = fakegoogle.New(fakegoogle.Options{Clients: []fakegoogle.Client{client}, Now: w.now, SigningKey: rsaKey()})
	c := newFlow(t, roundTrip(w.roundTrip)).config
	c.Store, c.Now, c.FrontEnds, c.Apart = w.store, w.now, []string{frontEnd}, []string{cloud}
	c.Audit = func(_ context.Context, event, owner string, pairs ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.audit = append(w.audit, fmt.Sprint(event, " ", owner, " ", pairs))
	}
	c.Warn = c.Audit
	if change != nil {
		change(&c)
	}
	w.Flow = New(c)
	w.pause = func(_ context.Context, d time.Duration) error {
		w.pauses = append(w.pauses, d)
		return nil
	}
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// roundTrip serves a request to Google without a network.
func (w *world) roundTrip(r *http.Request) (res *http.Response, err error) {
	body := ""
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		body = string(b)
	}
	if w.send != nil {
		form, _ := url.ParseQuery(body)
		if res, err := w.send(r.URL.Path, form); res != nil || err != nil {
			return res, err
		}
		body = form.Encode()
	}
	if err := r.Context().Err(); err != nil { // send may have taken its time
		return nil, err
	}
	defer func() {
		if recover() != nil {
			err = errors.New("the connection was cut")
		}
	}()
	served := httptest.NewRequest(r.Method, r.URL.Path, strings.NewReader(body)).WithContext(r.Context())
	served.Header = r.Header
	answer := httptest.NewRecorder()
	w.google.ServeHTTP(answer, served)
	res = answer.Result()
	res.Request = r
	return res, nil
}

// consent has the user decide at Google, and returns what Google sends back.
func (w *world) consent(address string, d fakegoogle.Decision) url.Values {
	w.t.Helper()
	back, err := w.google.Authorize(address, d)
	if err != nil {
		w.t.Fatal(err)
	}
	return query(w.t, back)
}

func (w *world) begin(r Request) string {
	w.t.Helper()
	address, err := w.Begin(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return address
}

// grant returns what is stored of the owner, or nil.
func (w *world) grant(owner string) *tokenstore.Grant {
	w.t.Helper()
	g, err := w.store.Store.Get(w.t.Context(), owner)
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// change changes what is stored of the owner.
func (w *world) change(owner string, change func(*tokenstore.Grant)) {
	w.t.Helper()
	if _, err := tokenstore.Update(w.t.Context(), w.store.Store, owner, func(g *tokenstore.Grant) error {
		change(g)
		return nil
	}); err != nil {
		w.t.Fatal(err)
	}
}

// exchanges returns how many requests the token endpoint got while do ran.
func (w *world) exchanges(do func()) int {
	before := w.google.Calls("/token")
	do()
	return w.google.Calls("/token") - before
}

// audited reports whether the audit has a line that begins with event.
func (w *world) audited(event string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.audit, func(line string) bool { return strings.HasPrefix(line, event) })
}

// works reports whether the owner's grant can do what scopes name, at Google as well.
func (w *world) works(owner string, scopes ...string) error {
	var need Scopes
	for _, scope := range scopes {
		need = append(need, []string{scope})
	}
	a, err := w.Authorize(w.t.Context(), w.grant(owner), need)
	if err != nil {
		return err
	}
	_, err = a.Token(w.t.Context(), a.grant.AccessToken)
	return err
}

// A person uses one browser.
type person struct {
	*world
	Browser
}

func (w *world) person() *person { return &person{w, Browser{ID: seal.NewID(), Name: "a browser"}} }

// begin begins a flow as the page that asks would.
func (p *person) begin(r Request) string {
	r.Browser = p.ID
	if p.Subject != "" {
		r.Grant = p.grant(p.Subject)
	}
	return p.world.begin(r)
}

// finish comes back from Google, and keeps what a cookie would keep.
func (p *person) finish(back url.Values) (*Outcome, error) {
	out, err := p.Finish(p.t.Context(), back, p.Browser)
	if err == nil && out.Grant != nil {
		p.Subject, p.Session = out.Grant.Owner, out.Session
	}
	if err == nil && out.Browser != "" {
		p.ID = out.Browser
	}
	return out, err
}

// visit goes through a flow to its end, consenting as often as Google is asked.
func (p *person) visit(r Request, d fakegoogle.Decision) *Outcome {
	p.t.Helper()
	return p.follow(p.begin(r), d)
}

func (p *person) follow(address string, d fakegoogle.Decision) *Outcome {
	p.t.Helper()
	for range 4 {
		out, err := p.finish(p.consent(address, d))
		if err != nil {
			p.t.Fatal(err)
		}
		if out.Consent == "" {
			return out
		}
		address = out.Consent
	}
	p.t.Fatal("the flow goes to Google for ever")
	return nil
}

// signedIn returns a person who is signed in and gave scopes.
func (w *world) signedIn(user string, scopes ...string) *person {
	w.t.Helper()
	p := w.person()
	p.visit(Request{Scopes: scopes}, fakegoogle.Decision{User: user})
	return p
}

// hasSession reports whether the person's session is alive.
func (p *person) hasSession() bool {
	g := p.grant(p.Subject)
	return g != nil && g.HasSession(seal.HashID(p.Session))
}

// popup returns the code that the popup of Google Identity Services gives.
func (w *world) popup(user, scopes string) string {
	w.t.Helper()
	code, err := w.google.PopupCode("client-1", ownOrigin, "openid email "+scopes, fakegoogle.Decision{User: user})
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

// steps is a Store at which others act just before a call. An act runs once.
type steps struct {
	tokenstore.Store
	beforePut, beforeDelete func()
	failPut, failByGoogle   error
	reads, writes           atomic.Int64
}

func once(act *func()) {
	if do := *act; do != nil {
		*act = nil
		do()
	}
}

func (s *steps) Get(ctx context.Context, owner string) (*tokenstore.Grant, error) {
	s.reads.Add(1)
	return s.Store.Get(ctx, owner)
}

func (s *steps) Put(ctx context.Context, g *tokenstore.Grant) error {
	once(&s.beforePut)
	s.writes.Add(1)
	if s.failPut != nil {
		return s.failPut
	}
	return s.Store.Put(ctx, g)
}

func (s *steps) Delete(ctx context.Context, g *tokenstore.Grant) error {
	once(&s.beforeDelete)
	return s.Store.Delete(ctx, g)
}

func (s *steps) ByGoogle(ctx context.Context, google string) ([]*tokenstore.Grant, error) {
	if s.failByGoogle != nil {
		return nil, s.failByGoogle
	}
	return s.Store.ByGoogle(ctx, google)
}

func (s *steps) UseOnce(ctx context.Context, id string, until time.Time) error {
	s.writes.Add(1)
	return s.Store.UseOnce(ctx, id, until)
}

// spent returns what do cost: calls of the token endpoint, reads and writes of the store.
func (w *world) spent(do func()) [3]int64 {
	reads, writes := w.store.reads.Load(), w.store.writes.Load()
	calls := w.exchanges(do)
	return [3]int64{int64(calls), w.store.reads.Load() - reads, w.store.writes.Load() - writes}
}
