package httpfunc

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
)

var (
	signIn   = &handler{Function: Function{Name: signInName}, serve: (*exchange).serveSignIn, methods: []string{"GET", "HEAD"}}
	callback = &handler{Function: Function{Name: callbackName}, serve: (*exchange).serveCallback, methods: []string{"GET", "POST"}, maxBody: 16 << 10, scripts: true}
)

// consent goes from an answer that leads to Google through the consent page, and returns what the callback
// answers and the browser's cookie.
func (k *kit) consent(w *httptest.ResponseRecorder, d fakegoogle.Decision) (*httptest.ResponseRecorder, string) {
	k.t.Helper()
	begun := w.Result().Cookies()
	back, err := k.google.Authorize(location(k.t, w, http.StatusFound), d)
	if err != nil {
		k.t.Fatal(err)
	}
	if len(begun) != 1 {
		k.t.Fatalf("cookies %v", begun)
	}
	cookie := begun[0].Name + "=" + begun[0].Value
	w = k.serve(callback, request("GET", back, "", "Cookie", cookie))
	if set := w.Result().Cookies(); len(set) == 1 {
		cookie = set[0].Name + "=" + set[0].Value
	}
	return w, cookie
}

func TestSignIn(t *testing.T) {
	probe := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(c *Call) (*View, error) { return ValuePage.View(c.User.Email), nil }})
	t.Run("goes to Google and back to the page that was wanted", func(t *testing.T) {
		k := newKit(t)
		w, cookie := k.consent(k.serve(probe, request("GET", "/probe?a=1", "")), fakegoogle.Decision{User: ada})
		if to := location(t, w, http.StatusSeeOther); to != baseURL+"/probe?a=1" {
			t.Error(to)
		}
		want(t, k.serve(probe, request("GET", "/probe", "", "Cookie", cookie)), 200, ada)
		w = k.serve(signIn, request("GET", "/oauth2init?return_to=/probe%23top&identity=only", "", "Cookie", cookie))
		if to := location(t, w, http.StatusSeeOther); to != baseURL+"/probe#top" {
			t.Errorf("somebody signed in is sent to %s", to)
		}
	})
	t.Run("asked for by an address of its own, goes on to its page at once", func(t *testing.T) {
		k := newKit(t)
		w, _ := k.consent(k.serve(signIn, request("GET", "/oauth2init?return_to=/probe", "")), fakegoogle.Decision{User: ada})
		if to := location(t, w, http.StatusSeeOther); to != baseURL+"/probe" {
			t.Error(to)
		}
	})
	t.Run("asks for what is wanted, and no more", func(t *testing.T) {
		k := newKit(t)
		for query, want := range map[string][2]string{
			"":                           {"openid email https://www.googleapis.com/auth/gmail.labels", ""},
			"?identity=only":             {"openid email", ""},
			"?account=new":               {"openid email https://www.googleapis.com/auth/gmail.labels", "select_account"},
			"?account=new&identity=only": {"openid email", "select_account"},
		} {
			u, err := url.Parse(location(t, k.serve(signIn, request("GET", "/oauth2init"+query, "")), http.StatusFound))
			if err != nil {
				t.Fatal(err)
			}
			if q := u.Query(); q.Get("scope") != want[0] || q.Get("prompt") != want[1] {
				t.Errorf("%q asks for %q, prompt %q", query, q.Get("scope"), q.Get("prompt"))
			}
		}
	})
	t.Run("tells of a box that was left unticked, and keeps the sign-in", func(t *testing.T) {
		k := newKit(t)
		w, cookie := k.consent(k.serve(probe, request("GET", "/probe", "")), fakegoogle.Decision{User: ada, Untick: []string{someScope}})
		want(t, w, http.StatusForbidden, "A permission is missing", "drive file", baseURL+"/probe")
		want(t, k.serve(probe, request("GET", "/probe", "", "Cookie", cookie, "Accept", jsonType)), 401, `"missing_scopes":["`+someScope+`"]`)
	})
	t.Run("tells of a refusal, with a way back", func(t *testing.T) {
		k := newKit(t)
		w, _ := k.consent(k.serve(probe, request("GET", "/probe", "")), fakegoogle.Decision{User: ada, Deny: true})
		want(t, w, http.StatusForbidden, "Permission was not given", baseURL+"/probe")
	})
	t.Run("has a browser that sends no cookie ask once more from a page of ours", func(t *testing.T) {
		k := newKit(t)
		back, err := k.google.Authorize(location(t, k.serve(probe, request("GET", "/probe", "")), http.StatusFound), fakegoogle.Decision{User: ada})
		if err != nil {
			t.Fatal(err)
		}
		w := k.serve(callback, request("GET", back, ""))
		want(t, w, 200, `http-equiv="refresh"`, baseURL+"/oauth2callback?")
		if len(w.Result().Cookies()) != 0 || strings.Contains(w.Body.String(), "Not signed in") {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
	})
	t.Run("goes on where the callback is loaded again, and the log says why", func(t *testing.T) {
		k := newKit(t)
		begun := k.serve(signIn, request("GET", "/oauth2init?return_to=/probe", ""))
		back, err := k.google.Authorize(location(t, begun, http.StatusFound), fakegoogle.Decision{User: ada})
		if err != nil {
			t.Fatal(err)
		}
		cookie := begun.Result().Cookies()[0]
		for _, helped := range []bool{false, true} {
			w := k.serve(callback, request("GET", back, "", "Cookie", cookie.Name+"="+cookie.Value))
			if to := location(t, w, http.StatusSeeOther); to != baseURL+"/probe" || strings.Contains(k.logged.String(), "callback helped on") != helped {
				t.Errorf("%s; %s", to, k.logged)
			}
			if set := w.Result().Cookies(); len(set) == 1 {
				cookie = set[0]
			}
		}
	})
	t.Run("refuses a callback that nobody began", func(t *testing.T) {
		k := newKit(t)
		for _, query := range []string{"", "?state=x&code=y", "?state=%zz&code=y", "?code=a;b"} {
			want(t, k.serve(callback, request("GET", "/oauth2callback"+query, "")), 400, "Start again", baseURL+"/oauth2init")
		}
		if n := k.google.Calls("/token"); n != 0 {
			t.Errorf("%d exchanges", n)
		}
	})
}

func TestPopup(t *testing.T) {
	k := newKit(t)
	post := func(body string, headers ...string) *httptest.ResponseRecorder {
		return k.serve(callback, request("POST", "/oauth2callback", body, append([]string{"Content-Type", jsonType, "X-Requested-With", "XmlHttpRequest"}, headers...)...))
	}
	for name, tt := range map[string]struct {
		w      *httptest.ResponseRecorder
		status int
		code   string
	}{
		"without the header":    {post(`{"code":"x"}`, "X-Requested-With", ""), 403, "header_required"},
		"that is a form":        {post("code=x", "Content-Type", urlencoded), 415, "unsupported_media_type"},
		"without a code":        {post(`{}`), 400, "invalid_request"},
		"that is malformed":     {post(`{"code"`), 400, "invalid_request"},
		"of more than 16 KiB":   {post(`{"code":"` + strings.Repeat("x", 16<<10) + `"}`), 413, "too_large"},
		"with a code of no-one": {post(`{"code":"x"}`), 400, "invalid_code"},
	} {
		t.Run(name+" is refused", func(t *testing.T) { want(t, tt.w, tt.status, `"error":"`+tt.code+`"`) })
	}
	code, err := k.google.PopupCode("client", baseURL, "openid email "+someScope, fakegoogle.Decision{User: ada})
	if err != nil {
		t.Fatal(err)
	}
	w := post(`{"code":"` + code + `"}`)
	if want(t, w, 200, `"email":"`+ada+`"`, someScope, `"missing_scopes":["https://www.googleapis.com/auth/gmail.labels"]`); len(w.Result().Cookies()) != 1 {
		t.Errorf("%v", w.Header())
	}
}

func TestScopeInWords(t *testing.T) {
	register(Function{Name: "probe", Title: "Probe", Permission: "see your probes", Scopes: Scopes{{someScope, "wider"}}}, &handler{})
	Know(Function{Name: "other", Title: "Other", Permission: "see your probes", Scopes: Scopes{{someScope}}}, Function{Name: "probe", Title: "not this"})
	defer func() { delete(handlers, "probe"); others = nil }()
	for scope, want := range map[string]string{
		someScope: "see your probes: Other, Probe", "openid": "know who you are", "email": "see your email address",
		"https://www.googleapis.com/auth/userinfo.profile": "see your name and picture", "https://www.googleapis.com/auth/youtube.readonly": "youtube readonly", "wider": "wider: Probe",
	} {
		p, titles := permissionOf(scope), []string{}
		for _, f := range p.Uses {
			titles = append(titles, f.Title)
		}
		if got := strings.TrimSuffix(p.Words+": "+strings.Join(titles, ", "), ": "); got != want {
			t.Errorf("%s: %q, want %q", scope, got, want)
		}
	}
}
