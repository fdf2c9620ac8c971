package fakegoogle

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// person is a browser that reads pages and presses buttons.
type person struct {
	*world
	http *http.Client
	page string   // the last page's HTML
	at   *url.URL // its address, or where the browser was sent
	code int
}

func (w *world) person() *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.Fatal(err)
	}
	return &person{world: w, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (p *person) opens(u string) *person {
	p.Helper()
	return p.read(p.http.Get(u))
}

func (p *person) read(resp *http.Response, err error) *person {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	p.page, p.code, p.at = string(text), resp.StatusCode, resp.Request.URL
	if to, err := resp.Location(); err == nil {
		p.at = to
	}
	return p
}

// presses sends the page's form with that button and those boxes.
func (p *person) presses(name, value string, boxes ...string) *person {
	p.Helper()
	if !regexp.MustCompile(`<button [^>]*name="` + name + `" value="` + value + `"`).MatchString(p.page) {
		p.Fatalf("no button %s=%s on %s", name, value, p.page)
	}
	f := url.Values{name: {value}, "scope": boxes}
	if m := regexp.MustCompile(`name="user" value="(\d+)"`).FindStringSubmatch(p.page); m != nil {
		f.Set("user", m[1])
	}
	return p.read(p.http.PostForm(p.at.String(), f))
}

func (p *person) accounts() []string {
	return submatches(`<button class="account" name="account" value="(\d+)"`, p.page)
}
func (p *person) boxes() []string {
	return submatches(`<input type="checkbox" id="scope\d+" name="scope" value="([^"]+)" checked>`, p.page)
}

func submatches(pattern, text string) []string {
	var out []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// sentBack checks that the browser is on its way to the callback and returns the answer.
func (p *person) sentBack() url.Values {
	p.Helper()
	if p.code != http.StatusSeeOther || !strings.HasPrefix(p.at.String(), callback+"?") {
		p.Fatalf("%d %s", p.code, p.page)
	}
	return p.at.Query()
}

func TestConsentPages(t *testing.T) {
	sentences(t, map[string]func(*world){
		"ask for the account, then for each permission, and send the browser back": func(w *world) {
			p := w.person().opens(w.consentURL("openid email " + gmailLabels + " " + driveFile))
			if got := p.accounts(); !slices.Equal(got, []string{ada, grace}) {
				w.Fatalf("accounts %v", got)
			}
			p.presses("account", grace)
			if got := p.boxes(); !slices.Equal(got, []string{gmailLabels, driveFile}) {
				w.Fatalf("boxes %v", got)
			}
			for _, words := range []string{"localhost:8080", "grace@example.com", "See and edit your email labels", "Local stand-in for Google", `id="allow"`, `id="deny"`} {
				if !strings.Contains(p.page, words) {
					w.Errorf("page lacks %q", words)
				}
			}
			q := p.presses("decision", "allow", p.boxes()...).sentBack()
			if q.Get("code") == "" || q.Get("state") != "state-1" || q.Get("iss") != issuer || q.Get("prompt") != "consent" {
				w.Errorf("answer %v", q)
			}
			if status, body := w.exchange(q.Get("code")); status != 200 || body["refresh_token"] == nil {
				w.Errorf("%d %v", status, body)
			}
			if len(w.GrantedScopes(grace, "app-1")) != 4 {
				w.Errorf("granted %v", w.GrantedScopes(grace, "app-1"))
			}
		},
		"grant nothing whose box was unticked, and ask for it again": func(w *world) {
			p := w.person().opens(w.consentURL("openid "+gmailLabels+" "+driveFile)).presses("account", ada)
			q := p.presses("decision", "allow", driveFile).sentBack()
			if q.Get("scope") != "openid "+driveFile {
				w.Errorf("scope %q", q.Get("scope"))
			}
			if p.opens(w.consentURL("openid " + gmailLabels + " " + driveFile)); !slices.Equal(p.boxes(), []string{gmailLabels}) {
				w.Errorf("boxes %v", p.boxes())
			}
		},
		"grant nothing that was not asked for": func(w *world) {
			p := w.person().opens(w.consentURL("openid "+gmailLabels)).presses("account", ada)
			if q := p.presses("decision", "allow", gmailLabels, driveFile).sentBack(); strings.Contains(q.Get("scope"), driveFile) {
				w.Errorf("scope %q", q.Get("scope"))
			}
		},
		"answer access_denied to Cancel": func(w *world) {
			p := w.person().opens(w.consentURL("openid")).presses("account", ada).presses("decision", "deny")
			if q := p.sentBack(); q.Get("error") != "access_denied" || q.Get("state") != "state-1" || q.Has("code") {
				w.Errorf("answer %v", q)
			}
		},
		"have no box for who the user is": func(w *world) {
			p := w.person().opens(w.consentURL("openid email profile")).presses("account", ada)
			if len(p.boxes()) != 0 || !strings.Contains(p.page, "Ada Lovelace") {
				w.Errorf("%s", p.page)
			}
			if q := p.presses("decision", "allow").sentBack(); q.Get("code") == "" {
				w.Errorf("answer %v", q)
			}
		},
		"are not shown to the one signed-in account that has granted all": func(w *world) {
			p := w.person().opens(w.consentURL("openid")).presses("account", ada).presses("decision", "allow")
			if q := p.opens(w.consentURL("openid")).sentBack(); q.Get("code") == "" || q.Get("prompt") != "none" {
				w.Errorf("answer %v", q)
			}
			if p.opens(w.consentURL("openid", "prompt", "consent")); len(p.submit()) != 2 {
				w.Errorf("prompt=consent shows no page: %s", p.page)
			}
			if p.opens(w.consentURL("openid", "prompt", "select_account")); len(p.accounts()) != 2 {
				w.Errorf("prompt=select_account shows no chooser: %s", p.page)
			}
			if q := p.presses("account", ada).sentBack(); q.Get("code") == "" {
				w.Errorf("answer %v", q)
			}
		},
		"ask which of two signed-in accounts": func(w *world) {
			p := w.person()
			for _, user := range []string{ada, grace} {
				p.opens(w.consentURL("openid", "prompt", "select_account")).presses("account", user).presses("decision", "allow")
			}
			if p.opens(w.consentURL("openid")); len(p.accounts()) != 2 {
				w.Errorf("%s", p.page)
			}
		},
		"know nothing of another browser": func(w *world) {
			w.person().opens(w.consentURL("openid")).presses("account", ada).presses("decision", "allow")
			if p := w.person().opens(w.consentURL("openid")); len(p.accounts()) != 2 {
				w.Errorf("%s", p.page)
			}
		},
		"take the hinted account and offer another": func(w *world) {
			p := w.person().opens(w.consentURL("openid", "login_hint", "grace@example.com"))
			if !strings.Contains(p.page, "grace@example.com") || len(p.accounts()) != 0 {
				w.Fatalf("%s", p.page)
			}
			link := submatches(`<a class="chip" href="([^"]+)"`, p.page)
			if p.opens(w.url + strings.ReplaceAll(link[0], "&amp;", "&")); len(p.accounts()) != 2 {
				w.Errorf("%s", p.page)
			}
		},
		"ask for the account when the hint is nobody's": func(w *world) {
			if p := w.person().opens(w.consentURL("openid", "login_hint", "nobody@example.com")); len(p.accounts()) != 2 {
				w.Errorf("%s", p.page)
			}
		},
		"are never shown for prompt none": func(w *world) {
			p := w.person()
			if q := p.opens(w.consentURL("openid", "prompt", "none")).sentBack(); q.Get("error") != "interaction_required" {
				w.Errorf("answer %v", q)
			}
			p.opens(w.consentURL("openid")).presses("account", ada).presses("decision", "allow")
			if q := p.opens(w.consentURL("openid", "prompt", "none")).sentBack(); q.Get("code") == "" {
				w.Errorf("answer %v", q)
			}
		},
		"refuse a form of another site": func(w *world) {
			req, err := http.NewRequest("POST", w.consentURL("openid"), strings.NewReader("decision=allow&user="+ada))
			if err != nil {
				w.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "cross-site")
			p := w.person()
			if p.read(p.http.Do(req)); p.code != http.StatusForbidden {
				w.Errorf("status %d", p.code)
			}
		},
		"show what an app sends as text": func(w *world) {
			w.AddClient(Client{ID: "app-1", Secret: "s", RedirectURIs: []string{"http://localhost/?a=<script>"}})
			p := w.person().opens(w.consentURL(scopePrefix+"<b>x</b>", "redirect_uri", "http://localhost/?a=<script>")).presses("account", ada)
			if strings.Contains(p.page, "<b>x") || strings.Contains(p.page, "a=<script>") {
				w.Errorf("%s", p.page)
			}
			if p.opens(w.consentURL("openid", "redirect_uri", "<script>alert(1)</script>")); strings.Contains(p.page, "<script>alert") {
				w.Errorf("%s", p.page)
			}
		},
		"may not be framed or kept, and their cookie is out of scripts' reach": func(w *world) {
			resp, err := http.Get(w.consentURL("openid"))
			if err != nil {
				w.Fatal(err)
			}
			resp.Body.Close()
			if h := resp.Header; h.Get("Cache-Control") != "no-store" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				w.Errorf("%v", h)
			}
			if c := resp.Cookies(); len(c) != 1 || c[0].Name != "fakegoogle_session" || !c[0].HttpOnly || c[0].SameSite != http.SameSiteLaxMode {
				w.Errorf("%v", c)
			}
		},
		"keep the redirect URI's own query": func(w *world) {
			w.AddClient(Client{ID: "app-1", Secret: "s", RedirectURIs: []string{callback + "?keep=1"}})
			p := w.person().opens(w.consentURL("openid", "redirect_uri", callback+"?keep=1")).presses("account", ada).presses("decision", "allow")
			if q := p.sentBack(); q.Get("keep") != "1" || q.Get("code") == "" {
				w.Errorf("answer %v", q)
			}
		},
		"hand a popup's answer to its opener's origin only": func(w *world) {
			p := w.person().opens(w.consentURL("openid", "redirect_uri", "postmessage", "origin", appPage, "state", "</script>")).presses("account", ada)
			p.presses("decision", "allow")
			if p.code != 200 || !strings.Contains(p.page, `}, "http://localhost:8080");`) || !strings.Contains(p.page, `"code":"4/0`) && !strings.Contains(p.page, `"code":"4\/0`) {
				w.Errorf("%d %s", p.code, p.page)
			}
			if strings.Count(p.page, "</script>") != 1 {
				w.Errorf("state breaks out: %s", p.page)
			}
		},
	})
}

func (p *person) submit() []string { return submatches(`<button [^>]*id="(allow|deny)"`, p.page) }

func TestIdentityServices(t *testing.T) {
	w := newWorld(t)
	resp, err := http.Get(w.url + "/gsi/client")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	script, _ := io.ReadAll(resp.Body)
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/javascript") || !strings.Contains(string(script), "initCodeClient") {
		t.Errorf("%v %s", resp.Header, script)
	}
}
