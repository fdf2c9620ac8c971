package all_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"functions.local/oauth/shared/tokenstore"
)

func TestAccount(t *testing.T) {
	action := func(name string) url.Values { return url.Values{"action": {name}} }
	signedInTwice := func(t *testing.T) (w *world, first, second *browser) {
		w = newWorld(t, tokenstore.NewMemory(), nil)
		first, second = w.browser(), w.browser()
		expect(t, first.visit("/listlabels", ada), http.StatusOK)
		expect(t, second.visit("/listlabels", ada), http.StatusOK)
		return w, first, second
	}

	t.Run("says who is signed in, what was granted and for what, and where", func(t *testing.T) {
		w, first, _ := signedInTwice(t)
		expect(t, first.get("/account"), http.StatusOK, ada, "see and edit your Gmail labels", "List my labels", "This browser", "Another browser")
		a := first.getJSON("/account")
		expect(t, a, http.StatusOK)
		if got := a.member(t, "status"); got != "active" {
			t.Errorf("status %v", got)
		}
		if got := a.member(t, "sessions").([]any); len(got) != 2 {
			t.Errorf("%d sessions, want 2", len(got))
		}
		if got := a.member(t, "email"); got != ada {
			t.Errorf("email %v", got)
		}
		if n := w.fake.Calls("/revoke"); n != 0 {
			t.Errorf("looking revoked %d times", n)
		}
	})
	t.Run("asks nobody but the signed-in user", func(t *testing.T) {
		w, _, _ := signedInTwice(t)
		stranger := w.browser()
		expect(t, stranger.get("/account"), http.StatusFound)
		expect(t, stranger.getJSON("/account"), http.StatusUnauthorized, "consent_required", w.url+"/account")
		expect(t, stranger.post("/account", action("disconnect")), http.StatusUnauthorized)
		if !w.grant(ada).Usable() {
			t.Error("a stranger disconnected Ada")
		}
	})
	t.Run("signs out one browser, and every copy of its cookie", func(t *testing.T) {
		_, first, second := signedInTwice(t)
		thief := first.copy()
		expect(t, first.post("/account", action("sign_out")), http.StatusOK, "signed out")
		expect(t, first.get("/listlabels"), http.StatusFound)
		expect(t, thief.get("/listlabels"), http.StatusFound)
		expect(t, second.get("/listlabels"), http.StatusOK)
	})
	t.Run("signs out everywhere and keeps the grant", func(t *testing.T) {
		w, first, second := signedInTwice(t)
		expect(t, first.post("/account", action("sign_out_everywhere")), http.StatusOK)
		expect(t, first.get("/listlabels"), http.StatusFound)
		expect(t, second.get("/listlabels"), http.StatusFound)
		if !w.grant(ada).Usable() {
			t.Error("the grant is gone")
		}
	})
	t.Run("disconnects: revokes, deletes, ends every session", func(t *testing.T) {
		w, first, second := signedInTwice(t)
		sub := subjectOf(t, w.fake, ada)
		expect(t, first.post("/account", action("disconnect")), http.StatusOK, "withdrawn the permission")
		if n := w.fake.RefreshTokens(sub); n != 0 {
			t.Errorf("%d refresh tokens live on at Google", n)
		}
		if _, err := w.store.Store.Get(context.Background(), sub); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("the grant is still there: %v", err)
		}
		expect(t, second.get("/listlabels"), http.StatusFound)
		expect(t, first.visit("/listlabels", ada), http.StatusOK, "label(s) found:")
	})
	t.Run("changes nothing by GET, by an unknown action or from another site", func(t *testing.T) {
		w, first, _ := signedInTwice(t)
		expect(t, first.get("/account?action=disconnect"), http.StatusOK)
		expect(t, first.post("/account", action("explode")), http.StatusBadRequest)
		r := first.request("POST", "/account?action=disconnect", nil, "Sec-Fetch-Site", "cross-site")
		expect(t, first.do(r), http.StatusForbidden)
		if g := w.grant(ada); !g.Usable() || len(g.Sessions) != 2 {
			t.Errorf("status %s, %d sessions", g.Status, len(g.Sessions))
		}
	})
	t.Run("says why consent is needed again", func(t *testing.T) {
		for want, spoil := range map[string]func(*world, string){
			"withdrawn":     func(w *world, sub string) { w.fake.Revoke(sub) },
			"administrator": func(w *world, sub string) { w.fake.SetRefreshError(sub, "invalid_grant", "invalid_rapt") },
			"7 days":        func(w *world, _ string) { w.clock.advance(4 * 24 * time.Hour) },
		} {
			w := newWorld(t, tokenstore.NewMemory(), nil)
			w.fake.SetTesting(true)
			b := w.browser()
			expect(t, b.visit("/listlabels", ada), http.StatusOK)
			w.clock.advance(4 * 24 * time.Hour)
			expect(t, b.get("/listlabels"), http.StatusOK)
			w.clock.advance(2 * time.Hour)
			spoil(w, subjectOf(t, w.fake, ada))
			refused := b.getJSON("/listlabels")
			expect(t, refused, http.StatusUnauthorized, "consent_required", want)
			expect(t, b.get("/account"), http.StatusOK, want, "Give permission again")
		}
	})
}
