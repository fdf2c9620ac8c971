package all_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

func TestCookieAttributes(t *testing.T) {
	const site = "https://functions.example/api"
	for name, c := range map[string]struct {
		env    map[string]string
		cookie string
		secure bool
	}{
		"on https":                   {map[string]string{"BASE_URL": site}, "__Host-session", true},
		"on https, named":            {map[string]string{"BASE_URL": site, "SESSION_COOKIE": "__Host-session"}, "__Host-session", true},
		"behind Firebase Hosting":    {map[string]string{"BASE_URL": site, "SESSION_COOKIE": "__session"}, "__session", true},
		"on http://localhost":        {map[string]string{"BASE_URL": "http://localhost:8080"}, "session_8080", false},
		"on http://localhost, named": {map[string]string{"SESSION_COOKIE": "__session"}, "__session", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tokenstore.NewMemory(), c.env)
			navigation := httptest.NewRequest("GET", "/listlabels", nil)
			navigation.Header.Set("Accept", "text/html")
			first := w.serve(navigation)
			cookies := map[string]*answer{"first visit": first}
			r := httptest.NewRequest("GET", "/oauth2callback?"+callbackQuery(t, w, first), nil)
			r.Header.Set("Cookie", c.cookie+"="+setCookie(t, first).Value)
			cookies["sign-in"] = w.serve(r)
			expect(t, cookies["sign-in"], http.StatusSeeOther)
			r = httptest.NewRequest("GET", "/account", nil)
			r.Header.Set("Cookie", c.cookie+"="+setCookie(t, cookies["sign-in"]).Value)
			mark := formPattern.FindStringSubmatch(w.serve(r).body)[2]
			r = httptest.NewRequest("POST", "/account", strings.NewReader("action=sign_out&form="+mark))
			r.Header.Set("Cookie", c.cookie+"="+setCookie(t, cookies["sign-in"]).Value)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			cookies["sign-out"] = w.serve(r)
			expect(t, cookies["sign-out"], http.StatusSeeOther)
			for when, a := range cookies {
				got := setCookie(t, a)
				if got.Name != c.cookie || got.Secure != c.secure || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Path != "/" || got.Domain != "" {
					t.Errorf("%s: %s", when, strings.Replace(a.header.Get("Set-Cookie"), got.Value, "…", 1))
				}
				if size := len(a.header.Get("Set-Cookie")); size > 4096 {
					t.Errorf("%s: %d bytes", when, size)
				}
			}
		})
	}
}

func setCookie(t *testing.T, a *answer) *http.Cookie {
	t.Helper()
	cookies := (&http.Response{Header: a.header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies set, want 1", len(cookies))
	}
	return cookies[0]
}

// callbackQuery is what Ada comes back with from the consent page that a redirects to.
func callbackQuery(t *testing.T, w *world, a *answer) string {
	t.Helper()
	back, err := w.fake.Authorize(a.location(), fakegoogle.Decision{User: ada})
	if err != nil {
		t.Fatal(err)
	}
	return queryOf(t, back).Encode()
}

func TestCookieThatDoesNotOpenIsSignedOut(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	good := b.cookie()
	keys, err := seal.Parse(w.env["TOKEN_KEYSET"])
	if err != nil {
		t.Fatal(err)
	}
	seals := func(purpose, owner, content string) string {
		sealed, err := keys.SealString(purpose, owner, []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	content, err := keys.OpenString("cookie", "", good)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(p *process, cookies string) *answer {
		r := httptest.NewRequest("GET", "/account", nil)
		r.Header.Set("Cookie", cookies)
		r.Header.Set("Accept", "application/json")
		return p.serve(r)
	}
	name := w.cookieName()
	expect(t, ask(w.process, name+"="+good), http.StatusOK, ada)
	for what, cookies := range map[string]string{
		"of another purpose":           name + "=" + seals("state", "", string(content)),
		"of another owner":             name + "=" + seals("cookie", "x", string(content)),
		"a state":                      name + "=" + queryOf(t, w.browser().get("/listlabels").location()).Get("state"),
		"garbage":                      name + "=garbage",
		"empty":                        name + "=",
		"cut":                          name + "=" + good[:len(good)-1],
		"altered":                      name + "=" + good[:30] + flip(good[30:]),
		"padded":                       name + "=" + good + "=",
		"sealed, but not JSON":         name + "=" + seals("cookie", "", "garbage"),
		"sealed, but no browser":       name + "=" + seals("cookie", "", `{"s":"`+subjectOf(t, w.fake, ada)+`"}`),
		"of another name":              "__Host-session=" + good,
		"5,000 of them":                strings.Repeat(name+"=garbage; ", 5000) + name + "=" + good,
		"5,000 with other names":       manyCookies(5000),
		"a megabyte":                   name + "=" + strings.Repeat("A", 1<<20),
		"no cookie syntax at all":      "\x00;;;===",
		"with a session nobody opened": name + "=" + seals("cookie", "", strings.Replace(string(content), `"i":"`, `"i":"x`, 1)),
	} {
		if a := ask(w.process, cookies); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	if strings.Contains(w.log.String(), "panic") {
		t.Error("a panic")
	}

	t.Run("and so is one whose key was removed", func(t *testing.T) {
		rotated, err := keys.Rotated()
		if err != nil {
			t.Fatal(err)
		}
		stranger, err := seal.New()
		if err != nil {
			t.Fatal(err)
		}
		with := func(k *seal.Keyset) *process {
			return w.start(t, map[string]string{"BASE_URL": w.url, "GOOGLE_BASE_URL": w.env["GOOGLE_BASE_URL"], "TOKEN_KEYSET": string(k.JSON()), "TOKEN_STORE": "memory"})
		}
		expect(t, ask(with(rotated), name+"="+good), http.StatusOK, ada)
		expect(t, ask(with(stranger), name+"="+good), http.StatusUnauthorized)
	})
}

func manyCookies(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("c" + strings.Repeat("x", i%7) + "=1; ")
	}
	return b.String()
}
