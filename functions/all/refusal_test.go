package all_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

func TestRefusedRefreshTokenNeedsConsentForTheReasonThatGoogleGave(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		spoil  func(w *world, sub string)
		reason tokenstore.Reason
		says   string
	}{
		"withdrawn by the user":      {func(w *world, sub string) { w.fake.Revoke(sub) }, tokenstore.ReasonRevoked, "withdrawn"},
		"invalid_rapt":               {func(w *world, sub string) { w.fake.SetRefreshError(sub, "invalid_grant", "invalid_rapt") }, tokenstore.ReasonAdmin, "administrator"},
		"rapt_required":              {func(w *world, sub string) { w.fake.SetRefreshError(sub, "invalid_grant", "rapt_required") }, tokenstore.ReasonAdmin, "administrator"},
		"admin_policy_enforced":      {func(w *world, sub string) { w.fake.SetRefreshError(sub, "admin_policy_enforced", "") }, tokenstore.ReasonAdmin, "administrator"},
		"Testing mode, after a week": {func(w *world, sub string) { w.clock.advance(4 * day) }, tokenstore.ReasonExpired, "Testing mode"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tokenstore.NewMemory(), nil)
			w.fake.SetTesting(true)
			b := w.signedIn(ada)
			w.clock.advance(4 * day)
			expect(t, b.get("/listlabels"), http.StatusOK)
			w.clock.advance(2 * time.Hour)
			c.spoil(w, subjectOf(t, w.fake, ada))
			refused := b.getJSON("/listlabels")
			expect(t, refused, http.StatusUnauthorized, "consent_required", c.says, `"consent_url":"`+w.url+`/listlabels"`, gmailLabels)
			if g := w.grant(ada); g.Status != tokenstore.NeedsConsent || g.Reason != c.reason || len(g.Sessions) != 1 || g.RefreshToken == "" {
				t.Errorf("status %s, reason %s, %d sessions", g.Status, g.Reason, len(g.Sessions))
			}
			expect(t, b.post("/createfile", url.Values{"name": {"a"}, "content": {"kept text"}}), http.StatusUnauthorized, c.says, "kept text", `target="_blank"`)
			expect(t, b.get("/account"), http.StatusOK, c.says)
			w.fake.SetRefreshError(subjectOf(t, w.fake, ada), "", "")
			expect(t, b.visit("/listlabels", ada), http.StatusOK, "label(s) found:")
		})
	}
	t.Run("but not if another token was stored meanwhile", func(t *testing.T) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		b := w.signedIn(ada)
		sub := subjectOf(t, w.fake, ada)
		stale := w.grant(ada)
		w.fake.Revoke(sub)
		w.clock.advance(2 * time.Hour)
		expect(t, w.browser().visit("/listlabels", ada), http.StatusOK) // consents anew, at another place
		newer := w.grant(ada)
		if newer.RefreshToken == stale.RefreshToken {
			t.Fatal("no new refresh token")
		}
		w.store.Store = &staleOnce{Store: w.store.Store, stale: stale}
		expect(t, b.get("/listlabels"), http.StatusOK, "label(s) found:")
		if g := w.grant(ada); !g.Usable() || g.RefreshToken != newer.RefreshToken {
			t.Errorf("the newer consent is lost: %s %s", g.Status, g.Reason)
		}
	})
	for name, f := range map[string]fakegoogle.Failure{
		"invalid_client": {Status: 401}, "500": {Status: 500}, "503": {Status: 503}, "429": {Status: 429}, "garbage": {Garbage: true}, "no answer": {Drop: true},
		"a proxy's page": {Status: 400, Body: "<html>"},
	} {
		t.Run("and "+name+" deletes nothing", func(t *testing.T) {
			w := newWorld(t, tokenstore.NewMemory(), nil)
			b := w.signedIn(ada)
			before := w.grant(ada)
			w.clock.advance(2 * time.Hour)
			w.fake.Fail("/token", 9, f)
			if a := b.get("/listlabels"); a.status < 500 && a.status != 429 {
				t.Errorf("status %d, want 5xx or 429 and no consent page", a.status)
			}
			if g := w.grant(ada); !g.Usable() || g.RefreshToken != before.RefreshToken {
				t.Errorf("status %s, reason %s", g.Status, g.Reason)
			}
			w.fake.StopFailing()
			expect(t, b.get("/listlabels"), http.StatusOK)
		})
	}
}

// staleOnce answers the first Get with what the grant once was.
type staleOnce struct {
	tokenstore.Store
	stale *tokenstore.Grant
	done  atomic.Bool
}

func (s *staleOnce) Get(ctx context.Context, subject string) (*tokenstore.Grant, error) {
	if !s.done.Swap(true) {
		return s.stale.Clone(), nil
	}
	return s.Store.Get(ctx, subject)
}

func TestAPIRefusalIsRetriedByItsKind(t *testing.T) {
	registerProbe()
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	const gmail = "/gmail/"
	// ask has Gmail refuse the next n requests and returns the answer with the calls that it took.
	ask := func(t *testing.T, target string, n int, f fakegoogle.Failure) (a *answer, gmailCalls, tokenCalls int) {
		t.Helper()
		w.fake.ResetCalls()
		w.fake.Fail(gmail, n, f)
		defer w.fake.StopFailing()
		a = b.get(target)
		return a, w.fake.Calls(gmail), w.fake.Calls("/token")
	}
	for name, c := range map[string]struct {
		failure       fakegoogle.Failure
		times         int
		status        int
		calls, tokens int
	}{
		"401 once":                         {fakegoogle.Failure{Status: 401}, 1, 200, 2, 1},
		"401 again":                        {fakegoogle.Failure{Status: 401}, 9, 502, 2, 1},
		"500 once":                         {fakegoogle.Failure{Status: 500}, 1, 200, 2, 0},
		"503 twice":                        {fakegoogle.Failure{Status: 503}, 2, 200, 3, 0},
		"500 for good":                     {fakegoogle.Failure{Status: 500}, 9, 502, 3, 0},
		"429 once":                         {fakegoogle.Failure{Status: 429}, 1, 200, 2, 0},
		"429 for good":                     {fakegoogle.Failure{Status: 429}, 9, 429, 3, 0},
		"429 with a long Retry-After":      {fakegoogle.Failure{Status: 429, RetryAfter: 77 * time.Second}, 9, 429, 1, 0},
		"403 rateLimitExceeded once":       {fakegoogle.Failure{Status: 403, Reason: "rateLimitExceeded"}, 1, 200, 2, 0},
		"403 userRateLimitExceeded always": {fakegoogle.Failure{Status: 403, Reason: "userRateLimitExceeded"}, 9, 429, 3, 0},
		"403 insufficientPermissions":      {fakegoogle.Failure{Status: 403, Reason: "insufficientPermissions"}, 9, 302, 1, 0},
		"403 otherwise":                    {fakegoogle.Failure{Status: 403, Reason: "domainPolicy"}, 9, 403, 1, 0},
		"404":                              {fakegoogle.Failure{Status: 404}, 9, 500, 1, 0},
		"garbage":                          {fakegoogle.Failure{Garbage: true}, 9, 502, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a, calls, tokens := ask(t, "/listlabels", c.times, c.failure)
			if a.status != c.status || calls != c.calls || tokens != c.tokens {
				t.Errorf("status %d, %d calls, %d token calls; want %d, %d, %d", a.status, calls, tokens, c.status, c.calls, c.tokens)
			}
			wait := map[string]string{"429 for good": "30", "429 with a long Retry-After": "77", "403 userRateLimitExceeded always": "30"}[name]
			if got := a.header.Get("Retry-After"); got != wait {
				t.Errorf("Retry-After %q, want %q", got, wait)
			}
		})
	}
	t.Run("after the pause that Google asks for", func(t *testing.T) {
		began := time.Now()
		a, calls, _ := ask(t, "/listlabels", 1, fakegoogle.Failure{Status: 429, RetryAfter: time.Second})
		if took := time.Since(began); a.status != http.StatusOK || calls != 2 || took < time.Second {
			t.Errorf("status %d, %d calls in %v", a.status, calls, took)
		}
	})
	t.Run("within the request's deadline", func(t *testing.T) {
		w.fake.ResetCalls()
		w.fake.Fail(gmail, 9, fakegoogle.Failure{Status: 503, RetryAfter: 4 * time.Second})
		defer w.fake.StopFailing()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		r := httptest.NewRequest("GET", "/listlabels", nil).WithContext(ctx)
		r.Header.Set("Cookie", w.cookieName()+"="+b.cookie())
		expect(t, w.serve(r), http.StatusBadGateway)
		if n := w.fake.Calls(gmail); n != 1 || ctx.Err() != nil {
			t.Errorf("%d calls, %v", n, ctx.Err())
		}
	})
	t.Run("a create without an id of its own is sent once", func(t *testing.T) {
		for name, f := range map[string]fakegoogle.Failure{"500": {Status: 500}, "429": {Status: 429}, "no answer": {Drop: true}} {
			a, calls, _ := ask(t, "/probe?how=post", 9, f)
			if calls != 1 || a.status == http.StatusOK && !strings.Contains(a.body, "status") {
				t.Errorf("%s: %d calls, %d %s", name, calls, a.status, a.body)
			}
		}
		if _, calls, tokens := ask(t, "/probe?how=post", 1, fakegoogle.Failure{Status: 401}); calls != 2 || tokens != 1 {
			t.Errorf("401, which did nothing: %d calls, %d token calls, want 2 and 1", calls, tokens)
		}
	})
	t.Run("a create with one is sent again, and made once", func(t *testing.T) {
		expect(t, b.visit("/createfile", ada), http.StatusOK)
		for _, f := range []fakegoogle.Failure{{Status: 503}, {Drop: true}} {
			before := len(w.fake.Files(subjectOf(t, w.fake, ada)))
			w.fake.Fail("/upload/", 1, f)
			expect(t, b.postJSON("/createfile", map[string]string{"name": "a", "content": "b"}), http.StatusOK)
			if n := len(w.fake.Files(subjectOf(t, w.fake, ada))) - before; n != 1 {
				t.Errorf("%+v: %d files, want 1", f, n)
			}
		}
	})
}

// A call that Google refuses for want of a scope that no function declares is not mended by consent.
func TestScopeThatNobodyDeclaresIsAskedForOnce(t *testing.T) {
	const refused = "Google says that your permission does not cover this"
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	w.fake.Fail("/gmail/", 1000, fakegoogle.Failure{Status: 403, Reason: "insufficientPermissions"})
	expect(t, b.visit("/listlabels", ada), http.StatusForbidden, refused)
	expect(t, b.getJSON("/listlabels"), http.StatusForbidden, `"insufficient_scope"`)
	if g := w.grant(ada); !g.Usable() || len(g.Scopes) == 0 {
		t.Errorf("the grant did not stay what it was: %v", g.Scopes)
	}
	if !strings.Contains(w.log.String(), "does not declare") {
		t.Error("the log does not say what to mend")
	}

	w.clock.advance(3 * time.Minute)
	expect(t, b.get("/listlabels"), http.StatusFound) // consent may have been withdrawn since
	w.fake.StopFailing()
	expect(t, b.visit("/listlabels", ada), http.StatusOK, "label(s) found:")
}
