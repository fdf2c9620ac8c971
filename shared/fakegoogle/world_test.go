package fakegoogle

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

const (
	gmailLabels = scopePrefix + "gmail.labels"
	driveFile   = scopePrefix + "drive.file"
	eventsOwned = scopePrefix + "calendar.events.owned"
	cloudRead   = scopePrefix + "cloud-platform.read-only"

	callback = "http://localhost:8080/oauth2callback"
	appPage  = "http://localhost:8080"

	ada   = "110248495921238986420"
	grace = "107691503500061507150"
)

// testKey is Google's key for all tests, and appKey the app issuer's, since making one takes a while.
var (
	testKey = sync.OnceValue(newRSAKey)
	appKey  = sync.OnceValue(newRSAKey)
)

// clock is a time that a test moves by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is a fake with one client, its URL, and a config of golang.org/x/oauth2 that reaches it.
type world struct {
	*testing.T
	*Server
	clock  *clock
	url    string
	config *oauth2.Config
	http   *http.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c := &clock{t: time.Now()}
	client := Client{ID: "app-1", Secret: "secret-1", RedirectURIs: []string{callback}, Origins: []string{appPage}}
	other := Client{ID: "app-2", Secret: "secret-2", RedirectURIs: []string{callback}}
	fake := New(Options{Clients: []Client{client, other}, Now: c.now, SigningKey: testKey()})
	srv := httptest.NewServer(fake)
	t.Cleanup(srv.Close)
	return &world{
		T: t, Server: fake, clock: c, url: srv.URL,
		http: &http.Client{Transport: mover{srv.URL, http.DefaultTransport}},
		config: &oauth2.Config{
			ClientID: client.ID, ClientSecret: client.Secret, RedirectURL: callback,
			Endpoint: oauth2.Endpoint{
				AuthURL:   "https://accounts.google.com/o/oauth2/v2/auth",
				TokenURL:  "https://oauth2.googleapis.com/token",
				AuthStyle: oauth2.AuthStyleInParams,
			},
		},
	}
}

// mover moves the scheme and host of every request to the fake.
type mover struct {
	base string
	next http.RoundTripper
}

func (m mover) RoundTrip(r *http.Request) (*http.Response, error) {
	u, err := url.Parse(m.base)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = u.Scheme, u.Host, ""
	return m.next.RoundTrip(r)
}

func (w *world) ctx() context.Context {
	return context.WithValue(w.Context(), oauth2.HTTPClient, w.http)
}

// consentURL is one that Google accepts, for these scopes, with name, value pairs set over it; an
// empty value removes the name.
func (w *world) consentURL(scope string, set ...string) string {
	q := url.Values{
		"client_id": {"app-1"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {scope},
		"state": {"state-1"}, "access_type": {"offline"}, "include_granted_scopes": {"true"},
	}
	for i := 0; i+1 < len(set); i += 2 {
		if set[i+1] == "" {
			q.Del(set[i])
		} else {
			q.Set(set[i], set[i+1])
		}
	}
	return w.url + "/o/oauth2/v2/auth?" + q.Encode()
}

// consent lets the user decide and returns the answer's query.
func (w *world) consent(consentURL string, d Decision) url.Values {
	w.Helper()
	redirect, err := w.Authorize(consentURL, d)
	if err != nil {
		w.Fatalf("Authorize: %v", err)
	}
	rest, ok := strings.CutPrefix(redirect, callback+"?")
	if !ok {
		w.Fatalf("redirect to %q", redirect)
	}
	q, err := url.ParseQuery(rest)
	if err != nil {
		w.Fatal(err)
	}
	return q
}

// code is a fresh code of the user for the scopes.
func (w *world) code(user, scope string, set ...string) string {
	w.Helper()
	q := w.consent(w.consentURL(scope, set...), Decision{User: user})
	if q.Get("code") == "" {
		w.Fatalf("no code: %v", q)
	}
	return q.Get("code")
}

// post sends a form and returns the status and the decoded JSON.
func (w *world) post(path string, form url.Values) (int, map[string]any) {
	w.Helper()
	resp, err := http.PostForm(w.url+path, form)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, decode(w.T, resp)
}

// exchange posts a code as the first client does, with name, value pairs set over it.
func (w *world) exchange(code string, set ...string) (int, map[string]any) {
	w.Helper()
	return w.post("/token", form(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback},
		"client_id": {"app-1"}, "client_secret": {"secret-1"},
	}, set))
}

func (w *world) refreshWith(token string, set ...string) (int, map[string]any) {
	w.Helper()
	return w.post("/token", form(url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {"app-1"}, "client_secret": {"secret-1"},
	}, set))
}

func form(f url.Values, set []string) url.Values {
	for i := 0; i+1 < len(set); i += 2 {
		if set[i+1] == "" {
			f.Del(set[i])
		} else {
			f.Set(set[i], set[i+1])
		}
	}
	return f
}

// tokens signs the user in for the scopes and returns the token response.
func (w *world) tokens(user, scope string, set ...string) map[string]any {
	w.Helper()
	status, body := w.exchange(w.code(user, scope, set...))
	if status != http.StatusOK {
		w.Fatalf("exchange: %d %v", status, body)
	}
	return body
}

func (w *world) accessToken(user, scope string) string {
	w.Helper()
	return w.tokens(user, scope)["access_token"].(string)
}

// client is an authorized client as a function gets it.
func (w *world) client(user, scope string) *http.Client {
	w.Helper()
	return oauth2.NewClient(w.ctx(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: w.accessToken(user, scope)}))
}

// get calls an API with that Authorization header.
func (w *world) get(path, authorization string) (*http.Response, map[string]any) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), "GET", w.url+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	return resp, decode(w.T, resp)
}

func decode(t *testing.T, resp *http.Response) map[string]any {
	t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("%d %s: %v", resp.StatusCode, text, err)
	}
	return body
}

// wantOAuthError checks an answer of the token or revocation endpoint.
func wantOAuthError(t *testing.T, status int, body map[string]any, wantStatus int, code string) {
	t.Helper()
	if status != wantStatus || body["error"] != code {
		t.Fatalf("got %d %v, want %d %s", status, body, wantStatus, code)
	}
}

// sentences runs each test under its name.
func sentences(t *testing.T, tests map[string]func(*world)) {
	t.Helper()
	for name, f := range tests {
		t.Run(name, func(t *testing.T) { f(newWorld(t)) })
	}
}
