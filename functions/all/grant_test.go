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
		"revoked":         {nil, "Google has withdrawn the permission"},
		"no answer comes": {&fakegoogle.Failure{Drop: true}, "did not confirm"},
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
