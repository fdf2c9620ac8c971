package all_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

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
		"401 again":                        {fakegoogle.Failure{Status: 401}, 9, 502, 2, 1},
		"429 with a long Retry-After":      {fakegoogle.Failure{Status: 429, RetryAfter: 77 * time.Second}, 9, 429, 1, 0},
		"403 userRateLimitExceeded always": {fakegoogle.Failure{Status: 403, Reason: "userRateLimitExceeded"}, 9, 429, 3, 0},
		"403 insufficientPermissions":      {fakegoogle.Failure{Status: 403, Reason: "insufficientPermissions"}, 9, 302, 1, 0},
		"403 otherwise":                    {fakegoogle.Failure{Status: 403, Reason: "domainPolicy"}, 9, 403, 1, 0},
		"404":                              {fakegoogle.Failure{Status: 404}, 9, 500, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a, calls, tokens := ask(t, "/listlabels", c.times, c.failure)
			if a.status != c.status || calls != c.calls || tokens != c.tokens {
				t.Errorf("status %d, %d calls, %d token calls; want %d, %d, %d", a.status, calls, tokens, c.status, c.calls, c.tokens)
			}
			wait := map[string]string{"429 with a long Retry-After": "77", "403 userRateLimitExceeded always": "30"}[name]
			if got := a.header.Get("Retry-After"); got != wait {
				t.Errorf("Retry-After %q, want %q", got, wait)
			}
		})
	}
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
