package oauthflow

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"context"

	"golang.org/x/oauth2"

	"functions.local/oauth/shared/tokenstore"
)

func (f *Flow) exchangeOnce(ctx context.Context) (*tokens, error) {
	return f.callTokenEndpoint(ctx, func(ctx context.Context) (*oauth2.Token, error) { return f.oauth("").Exchange(ctx, "the-code") })
}

func TestTokenResponse(t *testing.T) {
	const good = `"access_token":"at","token_type":"Bearer","expires_in":3599`
	const canary = "ya29.canary"
	for name, c := range map[string]struct {
		status int
		body   string
		want   error
	}{
		"good":                               {200, `{` + good + `}`, nil},
		"with a small letter":                {200, strings.Replace(`{`+good+`}`, "Bearer", "bearer", 1), nil},
		"of another token type":              {200, strings.Replace(`{`+good+`}`, "Bearer", "MAC", 1), ErrBadResponse},
		"without a token type":               {200, `{"access_token":"at","expires_in":3599}`, ErrBadResponse},
		"without an access token":            {200, `{"token_type":"Bearer","expires_in":3599,"refresh_token":"` + canary + `"}`, ErrBadResponse},
		"with a line break in the token":     {200, `{"access_token":"a\r\nX: ` + canary + `","token_type":"Bearer","expires_in":3599}`, ErrBadResponse},
		"with padding":                       {200, strings.Replace(`{`+good+`}`, `"at"`, `"-._~+/09azAZ=="`, 1), nil},
		"with padding inside the token":      {200, strings.Replace(`{`+good+`}`, `"at"`, `"a=t"`, 1), ErrBadResponse},
		"with nothing but padding":           {200, strings.Replace(`{`+good+`}`, `"at"`, `"=="`, 1), ErrBadResponse},
		"without an expiry":                  {200, `{"access_token":"` + canary + `","token_type":"Bearer"}`, ErrBadResponse},
		"with a token for an expiry":         {200, `{"access_token":"at","token_type":"Bearer","expires_in":"` + canary + `"}`, ErrBadResponse},
		"that expired":                       {200, `{"access_token":"` + canary + `","token_type":"Bearer","expires_in":-1}`, ErrBadResponse},
		"that never expires":                 {200, `{"access_token":"` + canary + `","token_type":"Bearer","expires_in":99999999999}`, ErrBadResponse},
		"cut":                                {200, `{"access_token":"` + canary, ErrBadResponse},
		"empty":                              {200, ``, ErrBadResponse},
		"a list":                             {200, `["` + canary + `"]`, ErrBadResponse},
		"a refused code":                     {400, `{"error":"invalid_grant","error_description":"` + canary + `"}`, ErrInvalidGrant},
		"a refused client":                   {401, `{"error":"invalid_client","error_description":"` + canary + `"}`, ErrInvalidClient},
		"a redirect URI that does not match": {400, `{"error":"redirect_uri_mismatch"}`, ErrInvalidGrant},
		"a code of another client":           {401, `{"error":"unauthorized_client"}`, ErrInvalidGrant},
		"a deleted client":                   {401, `{"error":"deleted_client"}`, ErrInvalidClient},
		"a disabled client":                  {401, `{"error":"disabled_client"}`, ErrInvalidClient},
		"a hiccup told as a refusal":         {400, `{"error":"internal_failure"}`, ErrUnavailable},
		"a rate limit told as a refusal":     {403, `{"error":"rate_limit_exceeded"}`, ErrRateLimited},
		"a rate limit in the APIs' form":     {403, `{"error":{"code":403,"status":"PERMISSION_DENIED","details":[{"reason":"RATE_LIMIT_EXCEEDED"}]}}`, ErrRateLimited},
		"a broken server":                    {503, canary, ErrUnavailable},
		"too many requests":                  {429, `{"error":"too_many"}`, ErrRateLimited},
		"a page":                             {403, `<html>` + canary, ErrBadResponse},
	} {
		f := newFlow(t, answers{c.status, c.body})
		_, err := f.exchange(t.Context(), f.oauth(""), "the-code", expected{nonce: "nonce"})
		if c.want == nil {
			c.want = ErrIDToken // all that it lacks
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "the-code") {
			t.Errorf("%s: the error quotes the answer: %v", name, err)
		}
	}
}

func TestRefusedRefreshSaysWhy(t *testing.T) {
	for body, want := range map[string]tokenstore.Reason{
		`{"error":"invalid_grant"}`:                                 tokenstore.ReasonRevoked,
		`{"error":"unauthorized_client"}`:                           tokenstore.ReasonRevoked,
		`{"error":"invalid_scope"}`:                                 tokenstore.ReasonRevoked,
		`{"error":"invalid_request"}`:                               tokenstore.ReasonRevoked,
		`{"error":"invalid_grant","error_subtype":"invalid_rapt"}`:  tokenstore.ReasonAdmin,
		`{"error":"invalid_grant","error_subtype":"rapt_required"}`: tokenstore.ReasonAdmin,
		`{"error":"invalid_rapt"}`:                                  tokenstore.ReasonAdmin,
		`{"error":"admin_policy_enforced"}`:                         tokenstore.ReasonAdmin,
		`{"error":"access_denied"}`:                                 tokenstore.ReasonAdmin,
		`{"error":"invalid_client"}`:                                "",
		`{"error":"deleted_client"}`:                                "",
		`{"error":"disabled_client"}`:                               "",
		`{"error":"internal_failure"}`:                              "",
		`{"error":"server_error"}`:                                  "",
		`{"error":"temporarily_unavailable"}`:                       "",
		`{"error":"rate_limit_exceeded"}`:                           "",
		`{}`:                                                        "",
		`{"error_subtype":"invalid_rapt"}`:                          "",
	} {
		f := newFlow(t, answers{400, body})
		_, err := f.exchangeOnce(t.Context())
		var refused *refusal
		if !errors.As(err, &refused) || refused.reason() != want {
			t.Errorf("%s: %v, want the reason %q", body, err, want)
		}
		if refused != nil {
			if refused.status = 503; refused.reason() != "" {
				t.Errorf("%s with 503 has the reason %q", body, refused.reason())
			}
		}
	}
}

func TestRefusalInTheLogSaysWhoAnsweredAndWhy(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"invalid_grant","error_subtype":"invalid_rapt","error_description":"canary"}`:            `error "invalid_grant", subtype "invalid_rapt"`,
		`{"error":{"status":"PERMISSION_DENIED","errors":[{"reason":"accessDenied"}],"message":"canary"}}`: `error "accessDenied"`,
		`<!doctype html><title>canary</title>`:                                                             `a page of HTML`,
	} {
		_, err := newFlow(t, answers{403, body}).exchangeOnce(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestScopes(t *testing.T) {
	const google = "https://www.googleapis.com/auth/"
	if got, want := parseScope(" email  openid email profile "+google+"x"), []string{google + "userinfo.email", google + "userinfo.profile", google + "x", "openid"}; !slices.Equal(got, want) {
		t.Errorf("parseScope: %v, want %v", got, want)
	}
	needs := Scopes{{"a", "b"}, {"c"}, {"email"}}
	for granted, want := range map[string]string{"": "a c email", "a": "c email", "b c": "email", "b c " + google + "userinfo.email": ""} {
		if got := strings.Join(needs.Missing(strings.Fields(granted)), " "); got != want {
			t.Errorf("%q lacks %q, want %q", granted, got, want)
		}
	}
}

func FuzzTokenResponse(f *testing.F) {
	for _, body := range []string{
		`{"access_token":"at","token_type":"Bearer","expires_in":3599,"refresh_token":"rt","scope":"openid email","id_token":"a.b.c","refresh_token_expires_in":604799}`,
		`{"access_token":"at","token_type":"bearer","expires_in":"3599","scope":7,"refresh_token_expires_in":-1}`,
		`{"access_token":"a b","token_type":"Bearer","expires_in":1e3}`,
		`{"error":"invalid_grant","error_subtype":"invalid_rapt"}`, `{"error":7}`, `{"ACCESS_TOKEN":"at","token_type":"Bearer","expires_in":1}`,
		`null`, `[]`, ``, `access_token=at&token_type=Bearer&expires_in=7`,
	} {
		f.Add(200, body, "application/json")
		f.Add(400, body, "text/plain")
	}
	f.Fuzz(func(t *testing.T, status int, body, contentType string) {
		if status < 100 || status > 999 {
			return
		}
		flow := newFlow(t, roundTrip(func(r *http.Request) (*http.Response, error) {
			res, err := answers{status, body}.RoundTrip(r)
			res.Header = http.Header{"Content-Type": {contentType}}
			return res, err
		}))
		r, err := flow.exchangeOnce(t.Context())
		if err != nil {
			var refused *refusal
			if r != nil || !errors.Is(err, ErrBadResponse) && !errors.Is(err, ErrUnavailable) && !errors.As(err, &refused) {
				t.Fatalf("%v, %v", r, err)
			}
			if refused != nil && (refused.kind() == nil || refused.reason() != "" && refused.code == "") {
				t.Fatalf("%+v", refused)
			}
			return
		}
		header := http.Header{"Authorization": {"Bearer " + string(r.access)}}
		if status/100 != 2 || r.access == "" || strings.ContainsAny(header.Get("Authorization")[7:], " \r\n\x00") {
			t.Fatalf("status %d, access token %q", status, string(r.access))
		}
		if !r.expiry.After(noon) || r.expiry.Sub(noon) > 1e9*time.Second || !r.refreshExpiry.IsZero() && !r.refreshExpiry.After(noon) {
			t.Fatalf("expiry %v, of the refresh token %v", r.expiry, r.refreshExpiry)
		}
		if !slices.IsSorted(r.scopes) || slices.ContainsFunc(r.scopes, func(s string) bool { return s == "" || s == "email" || strings.ContainsAny(s, " \t\n") }) {
			t.Fatalf("scopes %q", r.scopes)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
