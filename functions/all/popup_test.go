package all_test

import (
	"net/http"
	"strings"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

func TestPopup(t *testing.T) {
	code := func(w *world, scope string, d fakegoogle.Decision) string {
		w.t.Helper()
		code, err := w.fake.PopupCode("test-client", w.url, scope, d)
		if err != nil {
			w.t.Fatal(err)
		}
		return code
	}
	post := func(b *browser, body string, headers ...string) *answer {
		headers = append([]string{"Content-Type", "application/json", "X-Requested-With", "XmlHttpRequest", "Sec-Fetch-Site", "same-origin"}, headers...)
		r := b.request("POST", "/oauth2callback", strings.NewReader(body), headers...)
		for name := range r.Header {
			if r.Header.Get(name) == "" {
				r.Header.Del(name)
			}
		}
		return b.do(r)
	}
	body := func(code string) string { return `{"code":"` + code + `"}` }

	t.Run("signs in, then adds a permission", func(t *testing.T) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		b := w.browser()
		a := post(b, body(code(w, "openid email "+gmailLabels, fakegoogle.Decision{User: ada})))
		expect(t, a, http.StatusOK, ada, gmailLabels, `"missing_scopes":[]`)
		expect(t, b.get("/listlabels"), http.StatusOK, "label(s) found:")
		kept := w.grant(ada).RefreshToken

		a = post(b, body(code(w, "openid email "+driveFile, fakegoogle.Decision{User: ada})))
		expect(t, a, http.StatusOK, driveFile, gmailLabels)
		expect(t, b.get("/createfile"), http.StatusOK, "<form")
		if g := w.grant(ada); g.RefreshToken != kept || len(g.Sessions) != 1 {
			t.Errorf("refresh token kept: %v; %d sessions, want 1", g.RefreshToken == kept, len(g.Sessions))
		}
	})
	t.Run("names what was left unticked", func(t *testing.T) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		a := post(w.browser(), body(code(w, "openid email "+gmailLabels, fakegoogle.Decision{User: ada, Untick: []string{gmailLabels}})))
		expect(t, a, http.StatusOK, `"missing_scopes":["`+gmailLabels+`"]`)
	})
	t.Run("answers 401 where Google sent no refresh token and none is stored", func(t *testing.T) {
		store := tokenstore.NewMemory()
		w := newWorld(t, store, nil)
		b := w.browser()
		expect(t, post(b, body(code(w, "openid email", fakegoogle.Decision{User: ada}))), http.StatusOK)
		if err := store.Delete(t.Context(), w.grant(ada)); err != nil {
			t.Fatal(err)
		}
		a := post(w.browser(), body(code(w, "openid email", fakegoogle.Decision{User: ada})))
		expect(t, a, http.StatusUnauthorized, "consent_required", w.url+"/oauth2init")
	})
	t.Run("refuses what is not its own page's", func(t *testing.T) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		good := body(code(w, "openid email", fakegoogle.Decision{User: ada}))
		for _, c := range []struct {
			name, body string
			headers    []string
			status     int
		}{
			{"without X-Requested-With", good, []string{"X-Requested-With", ""}, http.StatusForbidden},
			{"from another site", good, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
			{"from another origin", good, []string{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, http.StatusForbidden},
			{"as a form", "code=x", []string{"Content-Type", "application/x-www-form-urlencoded"}, http.StatusUnsupportedMediaType},
			{"as text", good, []string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType},
			{"over 16 KiB", body(strings.Repeat("x", 16<<10)), nil, http.StatusRequestEntityTooLarge},
			{"without a code", `{}`, nil, http.StatusBadRequest},
			{"with a code of the wrong type", `{"code":{}}`, nil, http.StatusBadRequest},
			{"that is no JSON", `{`, nil, http.StatusBadRequest},
			{"from a script that asks for a page", `{`, []string{"Accept", "text/html"}, http.StatusBadRequest},
		} {
			b := w.browser()
			if a := post(b, c.body, c.headers...); a.status != c.status || !strings.HasPrefix(a.body, "{") {
				t.Errorf("%s: status %d, want %d and JSON: %s", c.name, a.status, c.status, a.body)
			}
			if b.cookie() != "" {
				t.Errorf("%s: a session was opened", c.name)
			}
		}
		if n := w.fake.Calls("/token"); n != 0 {
			t.Errorf("%d token calls", n)
		}
		expect(t, post(w.browser(), good), http.StatusOK)
		expect(t, post(w.browser(), good), http.StatusBadRequest)
	})
}
