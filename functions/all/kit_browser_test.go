package all_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
)

// A browser keeps cookies and follows no redirect by itself.
type browser struct {
	t      testing.TB
	w      *world
	url    string
	client *http.Client
	marks  *marks
}

func (w *world) browser() *browser { return w.browserAt(w.process) }

func (w *world) browserAt(p *process) *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{w.t, w, p.url, &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}, &marks{of: map[string]string{}}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a *answer) location() string { return a.header.Get("Location") }

// shown returns what a page shows, without its head and our own script.
func (a *answer) shown() string {
	_, main, page := strings.Cut(a.body, "<body>")
	if page {
		main, _, _ = strings.Cut(main, "</main>")
		return main
	}
	return a.body
}

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
	if res.Header.Get("Set-Cookie") != "" {
		b.marks.forget() // the person opens the form anew after a sign-in
	}
	if form := formPattern.FindSubmatch(body); form != nil {
		action, _ := url.Parse(string(form[1]))
		b.marks.keep(action.Path, string(form[2]))
	}
	return &answer{res.StatusCode, res.Header, string(body)}, err
}

var formPattern = regexp.MustCompile(`<form method="post" action="([^"]+)"[^>]*><input type="hidden" name="form" value="([^"]+)">`)

// mark returns the mark of the form that the browser was shown at a path. It gets the page where it was
// shown none.
func (b *browser) mark(path string) string {
	b.t.Helper()
	if b.marks.at(path) == "" {
		b.get(path)
	}
	return b.marks.at(path)
}

// marks are of the forms that a browser was shown, by path.
type marks struct {
	mu sync.Mutex
	of map[string]string
}

func (m *marks) at(path string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of[path]
}

func (m *marks) keep(path, mark string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of[path] = mark
}

func (m *marks) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.of)
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

// post sends the form of a page, as it was shown last, and follows to the page of what was made.
func (b *browser) post(target string, form url.Values) *answer {
	b.t.Helper()
	return b.follow(b.send(target, form))
}

// send is post without what follows.
func (b *browser) send(target string, form url.Values) *answer {
	b.t.Helper()
	if form = maps.Clone(form); form == nil {
		form = url.Values{}
	}
	if form.Get("form") == "" {
		form.Set("form", b.mark(target))
	}
	return b.do(b.request("POST", target, strings.NewReader(form.Encode()), "Accept", "text/html",
		"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"))
}

// follow gets the page that an answer to a POST leads to.
func (b *browser) follow(a *answer) *answer {
	b.t.Helper()
	if a.status == http.StatusSeeOther {
		return b.get(a.location())
	}
	return a
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
		if strings.Contains(c.Name, "session") {
			return c.Value
		}
	}
	return ""
}

// cookieName is the default on loopback: a browser keeps one cookie jar for all ports of a host.
func (p *process) cookieName() string {
	u, _ := url.Parse(p.env["BASE_URL"])
	return "session_" + u.Port()
}

func (b *browser) setCookie(value string) {
	u, _ := url.Parse(b.url)
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: b.w.cookieName(), Value: value, Path: "/"}})
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

// expect fails the test unless a has the status and each of the texts in its body.
func expect(t testing.TB, a *answer, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d; Location %q; body: %s", a.status, status, a.location(), a.shown())
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Fatalf("no %q in: %s", text, a.shown())
		}
	}
}
