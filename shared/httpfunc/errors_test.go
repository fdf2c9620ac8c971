package httpfunc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"google.golang.org/api/googleapi"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/userclient"
)

const canary = "canary-of-the-cause"

func TestProblems(t *testing.T) {
	k := newKit(t)
	x := &exchange{App: k.App, f: &handler{Function: Function{Name: "probe"}}}
	api := func(status int, reason string) error {
		return fmt.Errorf("list: %w", &googleapi.Error{Code: status, Message: canary,
			Body: fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"reason":%q}]}}`, status, canary, reason)})
	}
	wrap := func(err error) error { return fmt.Errorf("%s: %w", canary, err) }
	for name, tt := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"a function's own":                  {wrap(&Error{Status: 404, Code: "not_found", Message: "No.", Cause: errors.New(canary)}), 404, "not_found"},
		"input to be mended":                {wrap(Invalid("Give a name.")), 400, "invalid_request"},
		"a malformed callback":              {wrap(oauthflow.ErrCallback), 400, "invalid_state"},
		"a state that is refused":           {wrap(oauthflow.ErrState), 400, "invalid_state"},
		"a browser that keeps no cookies":   {wrap(oauthflow.ErrNoCookie), 400, "invalid_state"},
		"a code that is refused":            {wrap(oauthflow.ErrInvalidGrant), 400, "invalid_code"},
		"a bearer that is refused":          {wrap(oauthflow.ErrBearer), 401, "invalid_token"},
		"another domain":                    {wrap(oauthflow.ErrDomain), 403, "domain_not_allowed"},
		"the token endpoint's rate limit":   {wrap(oauthflow.ErrRateLimited), 429, "rate_limited"},
		"the token endpoint down":           {wrap(oauthflow.ErrUnavailable), 503, "unavailable"},
		"the store down":                    {wrap(tokenstore.ErrUnavailable), 503, "unavailable"},
		"a conflict without end":            {wrap(tokenstore.ErrConflict), 503, "unavailable"},
		"a key that is missing":             {wrap(seal.ErrUnknownKey), 503, "unavailable"},
		"the time is up":                    {wrap(context.DeadlineExceeded), 503, "unavailable"},
		"the client is gone":                {wrap(context.Canceled), 503, "unavailable"},
		"a body that stalls":                {wrap(os.ErrDeadlineExceeded), 503, "unavailable"},
		"no connection":                     {&url.Error{Op: "Get", URL: canary, Err: errors.New("refused")}, 503, "unavailable"},
		"an answer of the flow's that errs": {wrap(oauthflow.ErrBadResponse), 502, "bad_gateway"},
		"an ID token that is refused":       {wrap(oauthflow.ErrIDToken), 502, "bad_gateway"},
		"an answer that is cut":             {&url.Error{Op: "Get", URL: canary, Err: userclient.ErrCut}, 502, "bad_gateway"},
		"an answer that says too little":    {wrap(ErrBadAnswer), 502, "bad_gateway"},
		"an answer that ends early":         {wrap(io.ErrUnexpectedEOF), 502, "bad_gateway"},
		"an answer that is no JSON":         {json.Unmarshal([]byte("<html>"), new(any)), 502, "bad_gateway"},
		"an answer of another type":         {json.Unmarshal([]byte("7"), new(string)), 502, "bad_gateway"},
		"an OAuth client that is refused":   {wrap(oauthflow.ErrInvalidClient), 500, "internal"},
		"too large a request":               {wrap(&http.MaxBytesError{Limit: 1}), 413, "too_large"},
		"an API's 500":                      {api(500, "backendError"), 502, "bad_gateway"},
		"an API's rate limit":               {api(403, "userRateLimitExceeded"), 429, "rate_limited"},
		"an API that is switched off":       {api(403, "accessNotConfigured"), 500, "internal"},
		"a full Drive":                      {api(403, "storageQuotaExceeded"), 403, "storage_full"},
		"an API's 403":                      {api(403, "whatever"), 403, "forbidden"},
		"an API's 404":                      {api(404, "notFound"), 500, "internal"},
		"anything else":                     {errors.New(canary), 500, "internal"},
		"a panic":                           {panicError(canary), 500, "internal"},
		"cancelled by the user":             {wrap(&oauthflow.DeniedError{Code: "access_denied", ReturnTo: "/probe"}), 403, "access_denied"},
		"denied by the administrator":       {&oauthflow.DeniedError{Code: "admin_policy_enforced"}, 403, "access_denied"},
		"denied in a word of anybody's":     {&oauthflow.DeniedError{Code: canary}, 403, "access_denied"},
		"Google's own failure":              {&oauthflow.DeniedError{Code: "server_error"}, 502, "bad_gateway"},
		"Google's own pause":                {&oauthflow.DeniedError{Code: "temporarily_unavailable"}, 503, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			p := x.problemOf(tt.err)
			if p.status != tt.status || p.code != tt.code || p.text == "" || p.title == "" && p.status != 401 {
				t.Errorf("%+v, want %d %s", p, tt.status, tt.code)
			}
			if strings.Contains(p.text+p.title, canary) {
				t.Errorf("the cause is shown: %+v", p)
			}
			if (p.retryAfter > 0) != (p.status == 503 || p.status == 429) {
				t.Errorf("again after %v", p.retryAfter)
			}
		})
	}
	t.Run("a person has somewhere to go", func(t *testing.T) {
		for err, want := range map[error]string{oauthflow.ErrState: baseURL + "/oauth2init", &oauthflow.DeniedError{Code: "x", ReturnTo: "/probe?a=b"}: baseURL + "/probe?a=b"} {
			if p := x.problemOf(err); p.next == nil || p.next.URL != want {
				t.Errorf("%v: %+v", err, p.next)
			}
		}
	})
	t.Run("a panic tells its kind, never its value", func(t *testing.T) {
		if err := panicError(canary); strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "panic: string\n") {
			t.Error(err)
		}
		defer func() {
			if err := panicError(recover()); !strings.Contains(err.Error(), "index out of range") || !strings.Contains(err.Error(), "errors_test.go") {
				t.Error(err)
			}
		}()
		_ = []int{}[len(canary)]
	})
}

// What a function returns, and what becomes of it on the way to a browser and to a program.
func TestFailingFunction(t *testing.T) {
	k := newKit(t)
	_, c := k.grant(ada, someScope)
	fails := func(err error) *handler {
		return forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(*Call) (*View, error) { return nil, err }})
	}
	cookie := c.Name + "=" + c.Value
	t.Run("shows its own words to both", func(t *testing.T) {
		h := fails(&Error{Status: 403, Code: "not_yours", Message: "This is not yours.", Cause: errors.New(canary)})
		want(t, k.serve(h, request("GET", "/probe", "", "Cookie", cookie)), 403, "This is not yours.", "This is not allowed", baseURL+"/probe")
		w := k.serve(h, request("GET", "/probe", "", "Cookie", cookie, "Accept", jsonType))
		want(t, w, 403, `{"error":"not_yours","message":"This is not yours."}`)
		if strings.Contains(w.Body.String(), canary) || !strings.Contains(k.logged.String(), canary) {
			t.Errorf("%s; the log: %s", w.Body, k.logged)
		}
	})
	t.Run("shows the number that the log has, where the fault is ours", func(t *testing.T) {
		k.logged.Reset()
		w := k.serve(fails(errors.New(canary)), request("GET", "/probe", "", "Cookie", cookie, "Accept", jsonType))
		want(t, w, 500, `"error":"internal"`)
		var got problemJSON
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Request == "" || !strings.Contains(k.logged.String(), "request="+got.Request) {
			t.Errorf("%s; the log: %s", w.Body, k.logged)
		}
		want(t, k.serve(fails(errors.New(canary)), request("GET", "/probe", "", "Cookie", cookie)), 500, "the number <code>")
	})
	t.Run("says when to come again", func(t *testing.T) {
		w := k.serve(fails(tokenstore.ErrUnavailable), request("GET", "/probe", "", "Cookie", cookie))
		want(t, w, 503)
		if w.Header().Get("Retry-After") != "5" {
			t.Errorf("%v", w.Header())
		}
	})
	t.Run("that panics is answered, and the log does not hold the value", func(t *testing.T) {
		k.logged.Reset()
		h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: func(*Call) (*View, error) { panic(canary) }})
		want(t, k.serve(h, request("GET", "/probe", "", "Cookie", cookie)), 500)
		if log := k.logged.String(); strings.Contains(log, canary) || !strings.Contains(log, "panic: string") {
			t.Error(log)
		}
	})
	t.Run("asks for the permission that Google misses, and not twice at once", func(t *testing.T) {
		lacks := &googleapi.Error{Code: 403, Body: `{"error":{"code":403,"errors":[{"reason":"insufficientPermissions"}]}}`}
		asked := k.serve(fails(lacks), request("GET", "/probe?a=b", "", "Cookie", cookie))
		want(t, asked, http.StatusFound)
		want(t, k.serve(fails(lacks), request("GET", "/probe?a=b&consent=again", "", "Cookie", cookie)), 403, "Only whoever runs this service")
		want(t, k.serve(fails(lacks), request("GET", "/probe", "", "Cookie", cookie, "Accept", jsonType)), 403, "insufficient_scope")
		g, err := k.store.Get(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		g.Consented = k.clock.Add(-recently - 1)
		if err := k.store.Put(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		want(t, k.serve(fails(lacks), request("GET", "/probe", "", "Cookie", cookie)), http.StatusFound)
		want(t, k.serve(fails(lacks), request("GET", "/probe", "", "Cookie", cookie, "Accept", jsonType)), 401, `"missing_scopes":["`+someScope+`"]`, `"consent_url":"`+baseURL+`/probe"`)
	})
}
