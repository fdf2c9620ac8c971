package all_test

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

func TestUntickedBoxStopsThatFeatureAlone(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	page := b.get(b.callback("/createfile", fakegoogle.Decision{User: ada, Untick: []string{driveFile}}))
	expect(t, page, http.StatusForbidden, "create files in your Drive", "Create a file", `href="`+w.url+`/createfile"`, ada)
	expect(t, b.get("/listlabels"), http.StatusOK, "label(s) found:")
	again := b.get("/createfile")
	expect(t, again, http.StatusFound)
	if got := queryOf(t, again.location()).Get("scope"); got != "openid email "+driveFile {
		t.Errorf("asks again for %q", got)
	}
	expect(t, b.getJSON("/createfile"), http.StatusUnauthorized, `"missing_scopes":["`+driveFile+`"]`, "unticked")
	expect(t, b.visit("/createfile", ada), http.StatusOK, "<form")

	t.Run("judged by what was granted, not by what was asked", func(t *testing.T) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		b := w.signedIn(ada)
		w.clock.advance(2 * time.Hour)
		w.fake.EditTokenResponse(func(body map[string]any) { body["scope"] = "openid" })
		expect(t, b.get("/listlabels"), http.StatusFound)
		w.fake.EditTokenResponse(nil)
		expect(t, b.getJSON("/listlabels"), http.StatusUnauthorized, gmailLabels)
	})
}

func TestResponseWithoutARefreshTokenKeepsTheStoredOne(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	before := w.grant(ada)
	prompts := 0
	// signIn signs Ada in and counts how often prompt=consent was sent.
	signIn := func(b *browser, path string) {
		t.Helper()
		for a := b.get(path); a.status != http.StatusOK; {
			expect(t, a, a.status/100*100+a.status%10) // 302 or 303
			next := a.location()
			if a.status == http.StatusFound {
				if queryOf(t, next).Get("prompt") == "consent" {
					prompts++
				}
				next = b.consent(next, fakegoogle.Decision{User: ada})
			}
			a = b.get(next)
		}
	}
	signIn(w.browser(), "/listlabels")
	signIn(b, "/createfile")
	if after := w.grant(ada); after.RefreshToken != before.RefreshToken || prompts != 0 {
		t.Errorf("refresh token kept: %v; prompt=consent sent %d times", after.RefreshToken == before.RefreshToken, prompts)
	}
	if n := w.fake.RefreshTokens(subjectOf(t, w.fake, ada)); n != 1 {
		t.Errorf("%d refresh tokens at Google, want 1", n)
	}

	t.Run("and with none stored asks once with prompt=consent", func(t *testing.T) {
		if err := w.store.Store.Delete(t.Context(), w.grant(ada)); err != nil {
			t.Fatal(err)
		}
		signIn(b, "/listlabels")
		if prompts != 1 || !w.grant(ada).Usable() {
			t.Errorf("prompt=consent sent %d times, want once; usable: %v", prompts, w.grant(ada).Usable())
		}
	})
	t.Run("and goes not round in circles where Google sends none at all", func(t *testing.T) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		w.fake.EditTokenResponse(func(body map[string]any) { delete(body, "refresh_token") })
		b := w.browser()
		again := b.get(b.callback("/listlabels", fakegoogle.Decision{User: ada}))
		expect(t, again, http.StatusFound)
		expect(t, b.get(b.consent(again.location(), fakegoogle.Decision{User: ada})), http.StatusBadGateway)
		noTrace(t, w, b)
	})
}

func TestStoredTokenWorksAfter150SignIns(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	kept := w.grant(ada).RefreshToken
	for i := range 150 {
		if i%2 == 0 {
			w.signedIn(ada)
			continue
		}
		expect(t, b.get(b.callback("/oauth2init?account=new", fakegoogle.Decision{User: ada})), http.StatusSeeOther)
	}
	if n := w.fake.RefreshTokens(subjectOf(t, w.fake, ada)); n != 1 || w.grant(ada).RefreshToken != kept {
		t.Errorf("%d live refresh tokens, the first kept: %v", n, w.grant(ada).RefreshToken == kept)
	}
	w.fake.ExpireAccessTokens()
	w.clock.advance(2 * time.Hour)
	w.fake.ResetCalls()
	expect(t, b.get("/listlabels"), http.StatusOK, "label(s) found:")
	if n := w.fake.Calls("/token"); n != 1 {
		t.Errorf("%d token calls, want one refresh", n)
	}
}

func TestSupersededRefreshTokenIsNotRevoked(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	sub := subjectOf(t, w.fake, ada)
	old := w.grant(ada).RefreshToken
	w.fake.SetRefreshError(sub, "invalid_grant", "invalid_rapt")
	w.clock.advance(2 * time.Hour)
	expect(t, b.getJSON("/listlabels"), http.StatusUnauthorized)
	w.fake.SetRefreshError(sub, "", "")
	expect(t, b.visit("/listlabels", ada), http.StatusOK)
	if w.grant(ada).RefreshToken == old {
		t.Fatal("the token was not superseded")
	}
	expect(t, b.visit("/createfile", ada), http.StatusOK)
	if revoked, live := w.fake.Calls("/revoke"), w.fake.RefreshTokens(sub); revoked != 0 || live != 2 {
		t.Errorf("%d calls to /revoke, %d live refresh tokens; want 0 and 2", revoked, live)
	}
}

func TestDisconnectRevokesThenDeletesEvenIfRevokingFails(t *testing.T) {
	for name, c := range map[string]struct {
		failure *fakegoogle.Failure
		says    string
	}{
		"revoked":              {nil, "Google has withdrawn the permission"},
		"Google answers 500":   {&fakegoogle.Failure{Status: 500}, "did not confirm"},
		"Google answers 400":   {&fakegoogle.Failure{Status: 400, Reason: "invalid_request"}, "did not confirm"},
		"no answer comes":      {&fakegoogle.Failure{Drop: true}, "did not confirm"},
		"another page answers": {&fakegoogle.Failure{Status: 302}, "did not confirm"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, &deleteWatch{Store: tokenstore.NewMemory()}, nil)
			watch := w.store.Store.(*deleteWatch)
			b, other := w.signedIn(ada), w.signedIn(ada)
			watch.revoked = func() int { return w.fake.Calls("/revoke") }
			if c.failure != nil {
				w.fake.Fail("/revoke", 9, *c.failure)
			}
			expect(t, b.post("/account", url.Values{"action": {"disconnect"}}), http.StatusOK, c.says)
			if n := watch.before.Load(); n < 1 {
				t.Errorf("deleted after %d calls to /revoke", n)
			}
			if live := w.fake.RefreshTokens(subjectOf(t, w.fake, ada)); c.failure == nil && live != 0 {
				t.Errorf("%d refresh tokens live on", live)
			}
			noTrace(t, w, other)
			noTrace(t, w, b)
		})
	}
}

// deleteWatch keeps how many calls to /revoke there were at the first Delete.
type deleteWatch struct {
	tokenstore.Store
	revoked func() int
	before  atomic.Int64
}

func (d *deleteWatch) Delete(ctx context.Context, g *tokenstore.Grant) error {
	d.before.Store(int64(d.revoked()))
	return d.Store.Delete(ctx, g)
}
