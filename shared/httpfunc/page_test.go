package httpfunc

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"functions.local/oauth/shared/tokenstore"
)

// rendered returns what a page shows to whoever has the grant, or nobody.
func (k *kit) rendered(f Function, g *tokenstore.Grant, v *View, d *pageData) (string, error) {
	var b bytes.Buffer
	d.x = &exchange{App: k.App, f: &handler{Function: f}, grant: g}
	err := d.x.render(&b, v, d)
	return b.String(), err
}

func TestPage(t *testing.T) {
	k := newKit(t)
	probe := Function{Name: "probe"}
	show := func(t *testing.T, body string, value any, d *pageData) string {
		t.Helper()
		page, err := k.rendered(probe, &tokenstore.Grant{Owner: "1", Email: ada}, NewPage("Title", body).View(value), d)
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	t.Run("carries the style and the script that the policy allows, byte for byte", func(t *testing.T) {
		for _, tag := range []string{"style", "script"} {
			_, rest, _ := strings.Cut(show(t, "{{.Form}}</form>", nil, &pageData{}), "<"+tag+">")
			text, _, found := strings.Cut(rest, "</"+tag+">")
			if !found || strings.Contains(text, "\r") || !strings.Contains(contentSecurityPolicy, tag+"-src 'sha256-"+sha256Base64(text)+"'") {
				t.Errorf("%s does not allow the %s %q", contentSecurityPolicy, tag, text)
			}
		}
	})
	t.Run("hashes what browsers hash, whatever line ends a checkout has", func(t *testing.T) {
		if got := asHashed("a{\r\n}\n"); got != "a{\n}\n" {
			t.Errorf("%q", got)
		}
	})
	t.Run("allows nothing unsafe, and from elsewhere nothing at all", func(t *testing.T) {
		for _, bad := range []string{"unsafe", "http", "*", "blob:", "nonce"} {
			if strings.Contains(contentSecurityPolicy, bad) {
				t.Errorf("%s in %s", bad, contentSecurityPolicy)
			}
		}
	})
	t.Run("is called what its function is called, unless it has a title of its own", func(t *testing.T) {
		for own, want := range map[string]string{"": "Probe things", "Done": "Done"} {
			page, err := k.rendered(Function{Name: "probe", Title: "Probe things"}, nil, NewPage(own, "").View(nil), &pageData{})
			if err != nil || !strings.Contains(page, "<h1>"+want+"</h1>") || !strings.Contains(page, "<title>"+want+"</title>") {
				t.Errorf("%q: %s, %v", own, page, err)
			}
		}
	})
	t.Run("says what is wrong with a malformed template", func(t *testing.T) {
		_, err := k.rendered(probe, nil, NewPage("Title", "<p>{{.Value").View("text"), &pageData{})
		if err == nil || !strings.Contains(err.Error(), "body:1") {
			t.Errorf("error %v, which does not name the line", err)
		}
	})
	t.Run("says so where it has a form of its own", func(t *testing.T) {
		for _, form := range []string{`<form method="post">`, `<FORM METHOD="POST" action="x">`} {
			_, err := k.rendered(probe, nil, NewPage("My page", form).View(nil), &pageData{})
			if err == nil || !strings.Contains(err.Error(), "{{.Form}}") || !strings.Contains(err.Error(), "My page") {
				t.Errorf("%s: %v", form, err)
			}
		}
		if _, err := k.rendered(probe, nil, NewPage("Search", `<form method="get">`).View(nil), &pageData{}); err != nil {
			t.Errorf("one that changes nothing: %v", err)
		}
	})
	t.Run("has a form that posts to its function", func(t *testing.T) {
		page := show(t, "{{.Form}}</form>", nil, &pageData{})
		if !strings.Contains(page, `<form method="post" action="`+baseURL+`/probe"><input type="hidden" name="form" value="`) {
			t.Error(page)
		}
		page, err := k.rendered(Function{Name: "probe", File: true}, nil, NewPage("Title", "{{.Form}}</form>").View(nil), &pageData{})
		if err != nil || !strings.Contains(page, `action="`+baseURL+`/probe" enctype="multipart/form-data">`) {
			t.Errorf("for files: %s, %v", page, err)
		}
	})
	t.Run("goes on by itself where it is told to, and nowhere else", func(t *testing.T) {
		const hostile = `https://functions.example/oauth2callback?state="><script>&a='b`
		page := show(t, "", nil, &pageData{Refresh: refreshTo(hostile)})
		if !strings.Contains(page, `<meta http-equiv="refresh" content="0; url=https://functions.example/oauth2callback?state=&#34;&gt;&lt;script&gt;&amp;a=&#39;b">`) {
			t.Error(page)
		}
		if page := show(t, "", nil, &pageData{}); strings.Contains(page, "refresh") {
			t.Error(page)
		}
	})
	t.Run("links to Google's own pages for the account", func(t *testing.T) {
		for link, want := range map[string]string{
			"https://docs.google.com/d/1/edit?usp=sharing": "https://docs.google.com/d/1/edit?authuser=ada%40example.com&amp;usp=sharing",
			"https://calendar.google.com/event?eid=abc#x":  "https://calendar.google.com/event?authuser=ada%40example.com&amp;eid=abc#x",
			"javascript:alert(1)":                          "#ZgotmplZ",
		} {
			if page := show(t, `<a href="{{.AsUser .Value}}">`, link, &pageData{}); !strings.Contains(page, `<a href="`+want+`">`) {
				t.Errorf("%s: %s", link, page)
			}
		}
		d := &pageData{x: &exchange{App: k.App}}
		if got := d.AsUser("https://docs.google.com/d/1"); got != "https://docs.google.com/d/1" {
			t.Errorf("nobody signed in: %s", got)
		}
		d.x.grant = &tokenstore.Grant{Email: ada}
		if got := d.AsUser("https://docs.google.com/%zz"); got != "https://docs.google.com/%zz" {
			t.Errorf("a link that does not parse: %s", got)
		}
	})
	t.Run("writes a list, each item with its other name as its title", func(t *testing.T) {
		page := show(t, `{{.List .Value}}`, []Item{{Text: "Inbox", Name: "INBOX"}, {Text: "<b>"}}, &pageData{})
		want := "<ul class=\"list\">\n<li><bdi title=\"INBOX\">Inbox</bdi></li>\n<li><bdi>&lt;b&gt;</bdi></li>\n</ul>"
		if !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	})
	t.Run("keeps what is somebody's inert", func(t *testing.T) {
		const hostile = `"'><script>alert(1)</script>{{.Value}}`
		page := show(t, `<p>{{.Value}}</p><input value="{{.Value}}">`, hostile, &pageData{Alert: &alert{Text: hostile, ConsentURL: "javascript:alert(1)", Request: hostile}})
		page = strings.Replace(page, string(scriptHTML), "", 1)
		for _, live := range []string{"<script", `"'>`, "javascript:"} {
			if strings.Contains(page, live) {
				t.Errorf("%s is live in %s", live, page)
			}
		}
		if !strings.Contains(page, "<title>Not yet: Title</title>") {
			t.Error(page)
		}
	})
	t.Run("says who is signed in, or that nobody is, or neither where it was not found out", func(t *testing.T) {
		for want, d := range map[string]struct {
			g     *tokenstore.Grant
			known bool
		}{"Signed in as": {&tokenstore.Grant{Email: ada}, true}, "My account": {&tokenstore.Grant{}, true}, "Not signed in": {nil, true}, "<header>\n</header>": {nil, false}} {
			data := &pageData{x: &exchange{App: k.App, f: &handler{}, r: request("GET", "/", ""), grant: d.g, known: d.known}}
			var b bytes.Buffer
			if err := data.x.render(&b, NewPage("Title", "").View(nil), data); err != nil || !strings.Contains(b.String(), want) {
				t.Errorf("no %q in %s, %v", want, b.String(), err)
			}
		}
	})
	t.Run("offers a sign-in that comes back to it, and to no address that is good once", func(t *testing.T) {
		get, post := []string{"GET", "POST"}, []string{"POST"}
		for name, tt := range map[string]struct {
			function, target string
			methods          []string
			back             string
		}{
			"a page":            {"notes", "/notes?a=1%262", get, "%2Fnotes%3Fa%3D1%25262"},
			"the index":         {"", "/", get, "%2F"},
			"the account":       {accountName, "/account?done=sign_out", get, "%2Faccount"},
			"a callback":        {callbackName, "/oauth2callback?code=secret&state=secret", get, "%2Faccount"},
			"a form's address":  {"schedule/job", "/schedule/job", post, "%2F"},
			"a sign-in refused": {signInName, "/oauth2init?return_to=/notes", get, "%2Faccount"},
		} {
			x := &exchange{App: k.App, f: &handler{Function: Function{Name: tt.function}, methods: tt.methods}, r: request("GET", tt.target, ""), known: true}
			var b bytes.Buffer
			if err := x.render(&b, NewPage("Title", "").View(nil), &pageData{x: x}); err != nil || !strings.Contains(b.String(), `href="`+baseURL+`/oauth2init?identity=only&amp;return_to=`+tt.back+`">Sign in</a>`) {
				t.Errorf("%s: %s, %v", name, b.String(), err)
			}
			b.Reset()
			if err := x.render(&b, NewPage("Title", "").View(nil), &pageData{x: x, Alert: &alert{}}); err != nil || strings.Contains(b.String(), "identity=only") {
				t.Errorf("%s over a form, whose text would be lost: %s, %v", name, b.String(), err)
			}
		}
	})
	t.Run("adds to the policy and takes nothing from it", func(t *testing.T) {
		v := NewPage("Title", "").View(7).Allow("connect-src 'self'", "script-src https://a.example", "connect-src https://b.example").Titled("Other").At("made", "1")
		policy := strings.Replace(contentSecurityPolicy, "script-src 'sha256-"+sha256Base64(script)+"'", "script-src 'sha256-"+sha256Base64(script)+"' https://a.example", 1)
		if v.policy != policy+"; connect-src 'self' https://b.example" || v.Value() != 7 || v.title != "Other" || v.at.Get("made") != "1" {
			t.Errorf("%+v", v)
		}
	})
	t.Run("shows any value as JSON", func(t *testing.T) {
		page, err := k.rendered(probe, nil, ValuePage.View(map[string]string{"a": "<b>"}), &pageData{})
		if err != nil || !strings.Contains(page, `&#34;a&#34;: &#34;\u003cb\u003e&#34;`) {
			t.Errorf("%s, %v", page, err)
		}
		if _, err := k.rendered(probe, nil, ValuePage.View(io.Discard.Write), &pageData{}); err == nil {
			t.Error("a value that does not encode")
		}
	})
}
