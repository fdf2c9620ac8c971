package httpfunc

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"functions.local/oauth/shared/session"
)

func TestWantsJSON(t *testing.T) {
	for name, tt := range map[string]struct {
		headers []string
		want    bool
	}{
		"a browser":                          {[]string{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"}, false},
		"a program that says so":             {[]string{"Accept", "application/json"}, true},
		"one that says so and more":          {[]string{"Accept", "application/json, text/plain, */*"}, true},
		"curl":                               {[]string{"Accept", "*/*"}, false},
		"nobody that says anything":          {nil, false},
		"one that prefers JSON":              {[]string{"Accept", "text/html;q=0.5, application/json"}, true},
		"one that prefers HTML":              {[]string{"Accept", "text/html, application/json;q=0.9"}, false},
		"one that takes both alike":          {[]string{"Accept", "application/json, text/html"}, false},
		"one that refuses JSON":              {[]string{"Accept", "application/json;q=0"}, false},
		"one whose weight is none":           {[]string{"Accept", "application/json;q=x"}, false},
		"one whose header is malformed":      {[]string{"Accept", ";;, application/json;=, x"}, false},
		"one with kilobytes of parameters":   {[]string{"Accept", "application/json;a=" + strings.Repeat("b", maxMedia)}, false},
		"one that sends JSON":                {[]string{"Accept", "*/*", "Content-Type", "application/json; charset=utf-8"}, true},
		"a browser's script that sends JSON": {[]string{"Accept", "text/html", "Content-Type", "application/json"}, false},
		"one that sends a form":              {[]string{"Content-Type", urlencoded}, false},
		"a bearer, whatever it accepts":      {[]string{"Accept", "text/html", "Authorization", "bearer x"}, true},
		"other credentials":                  {[]string{"Accept", "text/html", "Authorization", "Basic x"}, false},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		for i := 0; i < len(tt.headers); i += 2 {
			r.Header.Set(tt.headers[i], tt.headers[i+1])
		}
		if got := wantsJSON(r); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Nothing but a whole page is sent to Google: a script, an image or a preview gets the answer of a program.
func TestNavigation(t *testing.T) {
	k := newKit(t)
	h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(*Call) (*View, error) { return ValuePage.View(7), nil }})
	for name, tt := range map[string]struct {
		mode, dest, accept string
		navigates          bool
	}{
		"a navigation":                         {"navigate", "document", "text/html", true},
		"a navigation that accepts anything":   {"navigate", "document", "*/*", true},
		"an old browser":                       {"", "", "text/html,*/*;q=0.8", true},
		"a frame":                              {"navigate", "iframe", "text/html", false},
		"a script":                             {"cors", "empty", "text/html", false},
		"an image":                             {"no-cors", "image", "text/html", false},
		"a browser that sends the mode alone":  {"navigate", "", "text/html", false},
		"a program that accepts anything":      {"", "", "*/*", false},
		"a program that says nothing about it": {"", "", "", false},
	} {
		w := k.serve(h, request("GET", "/probe?a=1", "", "Sec-Fetch-Mode", tt.mode, "Sec-Fetch-Dest", tt.dest, "Accept", tt.accept))
		switch {
		case tt.navigates && (w.Code != http.StatusFound || len(w.Result().Cookies()) != 1):
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		case !tt.navigates && (w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `"consent_url":"`+baseURL+`/probe"`) || len(w.Result().Cookies()) != 0):
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	t.Run("comes back to the page that was wanted", func(t *testing.T) {
		for query, want := range map[string]string{"": "/probe", "?a=1;b c": "/probe?a=1;b%20c", "?a=" + strings.Repeat("x", maxReturnTo): "/probe"} {
			r := httptest.NewRequest("GET", "/", nil)
			r.URL.RawQuery = strings.TrimPrefix(query, "?")
			if got := (&exchange{f: h, r: r}).here(); got != want {
				t.Errorf("%q: %s", query, got)
			}
		}
	})
}

func TestShow(t *testing.T) {
	k := newKit(t)
	_, c := k.grant(ada, someScope)
	cookie := c.Name + "=" + c.Value
	h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(c *Call) (*View, error) {
		return NewPage("Title", "<b>{{.Value}}</b>").View(c.Form.Get("a")).Allow("connect-src 'self'"), nil
	}})
	t.Run("a page for a browser, under the policy of the view", func(t *testing.T) {
		w := k.serve(h, request("GET", "/probe?a=<x>", "", "Cookie", cookie))
		want(t, w, 200, "<b>&lt;x&gt;</b>")
		if policy := w.Header().Get("Content-Security-Policy"); !strings.HasSuffix(policy, "; connect-src 'self'") {
			t.Error(policy)
		}
	})
	t.Run("the value for a program", func(t *testing.T) {
		w := k.serve(h, request("GET", "/probe?a=x", "", "Cookie", cookie, "Accept", jsonType))
		if want(t, w, 200); w.Body.String() != "\"x\"\n" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %v", w.Body, w.Header())
		}
	})
	t.Run("nothing but its length for HEAD", func(t *testing.T) {
		w := k.serve(h, request("HEAD", "/probe", "", "Cookie", cookie))
		if want(t, w, 200); w.Body.Len() != 0 || w.Header().Get("Content-Length") == "0" {
			t.Errorf("%d bytes, %v", w.Body.Len(), w.Header())
		}
	})
	t.Run("a page that does not render and a value that does not encode are ours", func(t *testing.T) {
		h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(*Call) (*View, error) {
			return NewPage("Title", "{{.Value.Missing}}").View(map[string]any{"f": func() {}}), nil
		}})
		h.Get = func(*Call) (*View, error) { return NewPage("Title", "{{.Missing}}").View(func() {}), nil }
		want(t, k.serve(h, request("GET", "/probe", "", "Cookie", cookie)), 500, "This page cannot be shown")
		want(t, k.serve(h, request("GET", "/probe", "", "Cookie", cookie, "Accept", jsonType)), 500, `{"error":"internal"}`)
	})
	t.Run("what was posted leads to the function's own page, where the view names none", func(t *testing.T) {
		h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: h.Get, Post: func(*Call) (*View, error) { return ValuePage.View(1), nil }})
		mark, err := (&exchange{App: k.App}).sealMark(mark{Owner: ada})
		if err != nil {
			t.Fatal(err)
		}
		if to := location(t, k.serve(h, request("POST", "/probe", "form="+mark, "Cookie", cookie)), http.StatusSeeOther); to != baseURL+"/probe" {
			t.Error(to)
		}
	})
	t.Run("anybody a page of the App's own", func(t *testing.T) {
		k.SetHome("All functions")
		defer k.SetHome("")
		page := k.Show("", func(r *http.Request) (*View, error) {
			if r.URL.Path != "/" {
				return nil, errNotFound
			}
			return ValuePage.View(map[string]int{"a": 1}), nil
		})
		for target, tt := range map[string]struct {
			accept string
			status int
			says   string
		}{"/": {"text/html", 200, "&#34;a&#34;: 1"}, "/?": {jsonType, 200, `{"a":1}`}, "/x": {"text/html", 404, `href="` + baseURL + `/">All functions`}} {
			w := httptest.NewRecorder()
			page.ServeHTTP(w, request("GET", target, "", "Accept", tt.accept))
			want(t, w, tt.status, tt.says)
		}
		w := httptest.NewRecorder()
		page.ServeHTTP(w, request("POST", "/", ""))
		want(t, w, http.StatusMethodNotAllowed)
	})
}

// A session is kept from idling out, and a cookie is set by nothing else than a sign-in's answers.
func TestSessionIsKeptAlive(t *testing.T) {
	k := newKit(t)
	_, c := k.grant(ada, someScope)
	h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(*Call) (*View, error) { return ValuePage.View(1), nil }})
	ask := func() *httptest.ResponseRecorder {
		return k.serve(h, request("GET", "/probe", "", "Cookie", c.Name+"="+c.Value))
	}
	if set := ask().Result().Cookies(); len(set) != 0 {
		t.Errorf("%v", set)
	}
	k.clock = k.clock.Add(50 * 60e9)
	if set := ask().Result().Cookies(); len(set) != 0 {
		t.Errorf("%v", set)
	}
	g, err := k.store.Get(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	k.clock = k.clock.Add(20 * 60e9)
	g.Expiry = k.clock.Add(3600e9)
	if err := k.store.Put(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if set := ask().Result().Cookies(); len(set) != 1 {
		t.Errorf("%v", set)
	}
	t.Run("and one that is over is replaced by an answer that begins a flow", func(t *testing.T) {
		dead := k.cookieOf(session.Session{Browser: "b"}.SignIn(ada, "dead", k.clock))
		with := dead.Name + "=" + dead.Value
		if w := k.serve(h, request("GET", "/probe", "", "Cookie", with, "Accept", jsonType)); w.Code != 401 || len(w.Result().Cookies()) != 0 {
			t.Errorf("%d %v", w.Code, w.Result().Cookies())
		}
		w := k.serve(h, request("GET", "/probe", "", "Cookie", with))
		location(t, w, http.StatusFound)
		back := httptest.NewRequest("GET", "/", nil)
		back.AddCookie(w.Result().Cookies()[0])
		if s, _, err := k.cookie.Read(back); s != (session.Session{Browser: "b"}) || err != nil {
			t.Errorf("%+v, %v", s, err)
		}
	})
	t.Run("and two that differ are nobody's, which the log says", func(t *testing.T) {
		other := k.cookieOf(session.Session{Browser: "b"})
		want(t, k.serve(h, request("GET", "/probe", "", "Cookie", c.Name+"="+c.Value+"; "+other.Name+"="+other.Value, "Accept", jsonType)), 401)
		if log := k.logged.String(); !strings.Contains(log, session.ErrTwo.Error()) {
			t.Error(log)
		}
	})
	t.Run("and another program's is left alone, with a page that says so", func(t *testing.T) {
		k := newKit(t, "SESSION_COOKIE", "__session")
		w := k.serve(h, request("GET", "/probe", "", "Cookie", "__session=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"))
		if want(t, w, http.StatusConflict, "__session"); len(w.Result().Cookies()) != 0 || !strings.Contains(k.logged.String(), session.ErrForeign.Error()) {
			t.Errorf("%v; the log: %s", w.Header(), k.logged)
		}
	})
}

func TestRestOfABody(t *testing.T) {
	k := newKit(t)
	x := func(r *http.Request) *exchange { return &exchange{App: k.App, w: httptest.NewRecorder(), r: r} }
	t.Run("is read, so that its client sees the answer", func(t *testing.T) {
		r := request("POST", "/", strings.Repeat("x", 1<<20))
		e := x(r)
		if e.discardBody(); e.w.Header().Get("Connection") != "" {
			t.Error("the connection is closed")
		}
		if n, _ := r.Body.Read(make([]byte, 1)); n != 0 {
			t.Error("something is left")
		}
	})
	t.Run("that does not come closes the connection", func(t *testing.T) {
		r := httptest.NewRequest("POST", "/", iotest.ErrReader(iotest.ErrTimeout))
		e := x(r)
		if e.discardBody(); e.w.Header().Get("Connection") != "close" {
			t.Error("the connection is kept")
		}
	})
	t.Run("that waits to be asked for is not", func(t *testing.T) {
		r := request("POST", "/", "x", "Expect", "100-continue")
		e := x(r)
		if e.discardBody(); e.w.Header().Get("Connection") != "" {
			t.Error("closed")
		}
		if n, _ := r.Body.Read(make([]byte, 1)); n != 1 {
			t.Error("it was read")
		}
	})
}
