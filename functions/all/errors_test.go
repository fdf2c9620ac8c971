package all_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

// A fickleStore fails with what it is told to.
type fickleStore struct {
	tokenstore.Store
	getErr, putErr atomic.Pointer[error]
}

func (s *fickleStore) Get(ctx context.Context, subject string) (*tokenstore.Grant, error) {
	if err := s.getErr.Load(); err != nil {
		return nil, *err
	}
	return s.Store.Get(ctx, subject)
}

func (s *fickleStore) Put(ctx context.Context, g *tokenstore.Grant) error {
	if err := s.putErr.Load(); err != nil {
		return *err
	}
	return s.Store.Put(ctx, g)
}

func TestNobodySignedInIsAskedForConsent(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.browser()
	page := b.get("/createfile?name=a%20b")
	expect(t, page, http.StatusFound)
	back := b.get(b.consent(page.location(), fakegoogle.Decision{User: ada}))
	if want := w.url + "/createfile?name=a%20b"; back.location() != want {
		t.Errorf("comes back to %s, want %s", back.location(), want)
	}
	b = w.browser()
	expect(t, b.post("/createfile", url.Values{"name": {"a"}, "content": {"long text"}}), http.StatusUnauthorized,
		`value="a"`, "long text", `href="`+w.url+`/createfile?consent=given" target="_blank" rel="noopener"`)
	for _, a := range []*answer{b.getJSON("/listlabels"), b.postJSON("/createfile", map[string]string{"name": "a"})} {
		function, scope := "listlabels", gmailLabels
		if strings.Contains(a.body, "createfile") {
			function, scope = "createfile", driveFile
		}
		expect(t, a, http.StatusUnauthorized)
		want := `{"error":"consent_required","missing_scopes":["` + scope + `"],"consent_url":"` + w.url + `/` + function + `","reason":"You are not signed in yet."}` + "\n"
		if a.body != want || a.location() != "" {
			t.Errorf("%s, want %s", a.body, want)
		}
	}
}

func TestDenialIsExplainedAndKeepsWhatWasGranted(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	before := w.grant(ada)
	for code, c := range map[string]struct {
		d    fakegoogle.Decision
		says string
	}{
		"access_denied":         {fakegoogle.Decision{User: ada, Deny: true}, "You chose not to give permission"},
		"admin_policy_enforced": {fakegoogle.Decision{Error: "admin_policy_enforced"}, "administrator"},
		"org_internal":          {fakegoogle.Decision{Error: "org_internal"}, "one organization"},
		"disallowed_useragent":  {fakegoogle.Decision{Error: "disallowed_useragent"}, "ordinary browser"},
		"something_new":         {fakegoogle.Decision{Error: "something_new"}, "Google did not give permission."},
	} {
		w.fake.ResetCalls()
		a := b.get(b.callback("/createfile", c.d))
		if a.status != http.StatusForbidden || !strings.Contains(a.body, c.says) || !strings.Contains(a.body, "as it was") || !strings.Contains(a.body, `href="`+w.url+`/createfile"`) {
			t.Errorf("%s: %d %s", code, a.status, a.body)
		}
		if n := w.fake.Calls("/token"); n != 0 {
			t.Errorf("%s: %d token calls", code, n)
		}
	}
	expect(t, b.do(b.request("GET", b.callback("/createfile", fakegoogle.Decision{User: ada, Deny: true}), nil, "Accept", "application/json")),
		http.StatusForbidden, `"error":"access_denied"`)
	if after := w.grant(ada); after.RefreshToken != before.RefreshToken || len(after.Sessions) != 1 {
		t.Error("the grant changed")
	}
	expect(t, b.get("/listlabels"), http.StatusOK)
}

func TestErrorIsAnsweredByItsCause(t *testing.T) {
	registerProbe()
	const canary = "cause-canary"
	down := func(err error) func(*world) {
		return func(w *world) { w.store.Store.(*fickleStore).getErr.Store(&err) }
	}
	fails := func(path string, f fakegoogle.Failure) func(*world) {
		return func(w *world) { w.fake.Fail(path, 9, f) }
	}
	stale := func(next func(*world)) func(*world) {
		return func(w *world) { w.clock.advance(2 * time.Hour); next(w) }
	}
	for name, c := range map[string]struct {
		spoil  func(*world)
		target string
		status int
		code   string
		retry  bool
	}{
		"Google API 429":                  {fails("/gmail/", fakegoogle.Failure{Status: 429, RetryAfter: time.Minute}), "/listlabels", 429, "rate_limited", true},
		"Google API 403":                  {fails("/gmail/", fakegoogle.Failure{Status: 403}), "/listlabels", 403, "forbidden", false},
		"Google API 500":                  {fails("/gmail/", fakegoogle.Failure{Status: 500}), "/listlabels", 502, "bad_gateway", false},
		"Google API makes no sense":       {fails("/gmail/", fakegoogle.Failure{Garbage: true}), "/listlabels", 502, "bad_gateway", false},
		"Google API drops the connection": {fails("/gmail/", fakegoogle.Failure{Drop: true}), "/listlabels", 503, "unavailable", true},
		"token endpoint 500":              {stale(fails("/token", fakegoogle.Failure{Status: 500})), "/listlabels", 503, "unavailable", true},
		"token endpoint drops":            {stale(fails("/token", fakegoogle.Failure{Drop: true})), "/listlabels", 503, "unavailable", true},
		"token endpoint makes no sense":   {stale(fails("/token", fakegoogle.Failure{Garbage: true})), "/listlabels", 502, "bad_gateway", false},
		"our client is refused":           {stale(fails("/token", fakegoogle.Failure{Status: 401})), "/listlabels", 500, "internal", false},
		"the store is down":               {down(tokenstore.ErrUnavailable), "/listlabels", 503, "unavailable", true},
		"the store does not answer":       {down(context.DeadlineExceeded), "/listlabels", 503, "unavailable", true},
		"the store is down at sign-in":    {down(tokenstore.ErrUnavailable), "/oauth2init", 503, "unavailable", true},
		"the store is down at the job":    {down(tokenstore.ErrUnavailable), "/dailyevent", 503, "unavailable", true},
		"anything else":                   {func(*world) {}, "/probe?how=" + canary, 500, "internal", false},
		"a panic":                         {func(*world) {}, "/probe?how=panic+with+a+string", 500, "internal", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, &fickleStore{Store: tokenstore.NewMemory()}, nil)
			b := w.signedIn(ada)
			before := w.grant(ada)
			c.spoil(w)
			for kind, a := range map[string]*answer{"HTML": b.get(c.target), "JSON": b.getJSON(c.target)} {
				expect(t, a, c.status)
				if (a.header.Get("Retry-After") != "") != c.retry || a.location() != "" {
					t.Errorf("%s: Retry-After %q, Location %q", kind, a.header.Get("Retry-After"), a.location())
				}
				if kind == "JSON" && a.member(t, "error") != c.code {
					t.Errorf("error %q, want %q", a.member(t, "error"), c.code)
				}
				for _, cause := range []string{canary, "Backend", "tokenstore", "oauthflow", "googleapi", "goroutine"} {
					if strings.Contains(a.body, cause) {
						t.Errorf("%s: the cause is shown: %s", kind, a.body)
					}
				}
				id := regexp.MustCompile(`<code>([^<]+)</code>|"request_id":"([^"]+)"`).FindStringSubmatch(a.body)
				if c.status >= 500 && (id == nil || !strings.Contains(w.log.String(), "request="+id[1]+id[2])) {
					t.Errorf("%s: no number that the log has, too: %v", kind, id)
				}
			}
			if g, err := w.store.Store.(*fickleStore).Store.Get(t.Context(), before.Owner); err != nil || !g.Usable() || g.RefreshToken != before.RefreshToken {
				t.Errorf("the grant did not stay what it was: %v", err)
			}
		})
	}
	t.Run("no answer in time", func(t *testing.T) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		b := w.signedIn(ada)
		w.fake.Fail("/gmail/", 9, fakegoogle.Failure{Delay: time.Minute})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		r := httptest.NewRequest("GET", "/listlabels", nil).WithContext(ctx)
		r.Header.Set("Cookie", w.cookieName()+"="+b.cookie())
		expect(t, w.serve(r), http.StatusServiceUnavailable)
		expect(t, b.getJSON("/probe?how=deadline"), http.StatusOK, `"seconds":30,`)
	})
}

func TestTokenIsRefreshedAMinuteEarly(t *testing.T) {
	w := newWorld(t, &fickleStore{Store: tokenstore.NewMemory()}, nil)
	b := w.signedIn(ada)
	calls := func(before time.Duration) int {
		t.Helper()
		w.clock.ahead.Store(int64(time.Until(w.grant(ada).Expiry) - before))
		w.fake.ResetCalls()
		expect(t, b.get("/listlabels"), http.StatusOK)
		return w.fake.Calls("/token")
	}
	if n := calls(95 * time.Second); n != 0 {
		t.Errorf("%d refreshes 95 s before the expiry", n)
	}
	if n := calls(55 * time.Second); n != 1 {
		t.Errorf("%d refreshes 55 s before the expiry, want 1", n)
	}
	t.Run("and used even if it cannot be stored", func(t *testing.T) {
		before := w.grant(ada)
		w.store.Store.(*fickleStore).putErr.Store(&tokenstore.ErrUnavailable)
		if n := calls(0); n != 1 || !strings.Contains(w.log.String(), "refresh not stored") {
			t.Errorf("%d refreshes, want 1 and a line in the log", n)
		}
		if after := w.grant(ada); after.AccessToken != before.AccessToken {
			t.Error("stored all the same")
		}
	})
	t.Run("and again at once where Google takes it back", func(t *testing.T) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		b := w.signedIn(ada)
		for range 3 {
			w.fake.ExpireAccessTokens()
			w.fake.ResetCalls()
			expect(t, b.get("/listlabels"), http.StatusOK)
			if n := w.fake.Calls("/token"); n != 1 {
				t.Errorf("%d refreshes, want 1", n)
			}
		}
	})
}
