package oauthflow

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/googleapis/gax-go/v2"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

var needLabels = Scopes{{labels}}

// later returns a world in which Ada gave her labels two hours ago.
func later(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := newWorld(t, change)
	w.signedIn(ada, labels)
	w.advance(2 * time.Hour)
	return w
}

// consentError returns err as what it has to be, or fails.
func consentError(t *testing.T, err error) *ConsentError {
	t.Helper()
	var consent *ConsentError
	if !errors.As(err, &consent) {
		t.Fatalf("%v, want a ConsentError", err)
	}
	return consent
}

func TestAHiccupOfTheTokenEndpointIsTriedAgain(t *testing.T) {
	for name, failure := range map[string]fakegoogle.Failure{
		"500": {Status: 500}, "503": {Status: 503}, "no answer": {Drop: true},
		"internal_failure":        {Status: 400, Body: `{"error":"internal_failure"}`},
		"temporarily_unavailable": {Status: 400, Body: `{"error":"temporarily_unavailable"}`},
	} {
		for times, want := range map[int]error{1: nil, 2: nil, 3: ErrUnavailable} {
			t.Run(fmt.Sprint(name, ", ", times, " times"), func(t *testing.T) {
				w := later(t, nil)
				before := w.grant(ada)
				w.google.Fail("/token", times, failure)
				var err error
				calls := w.exchanges(func() { _, err = w.Authorize(t.Context(), before, needLabels) })
				if !errors.Is(err, want) || calls != min(times+1, 3) || len(w.pauses) != calls-1 {
					t.Errorf("%v after %d calls and %v", err, calls, w.pauses)
				}
				if want != nil && w.grant(ada).AccessToken != before.AccessToken {
					t.Error("the stored grant has changed")
				}
			})
		}
	}
	t.Run("for ten seconds in all", func(t *testing.T) {
		rsaKey()
		synctest.Test(t, func(t *testing.T) {
			w := later(t, nil)
			w.pause = gax.Sleep
			w.google.Fail("/token", 9, fakegoogle.Failure{Status: 503})
			w.send = func(string, url.Values) (*http.Response, error) {
				time.Sleep(6 * time.Second)
				return nil, nil
			}
			if n := w.exchanges(func() { w.Authorize(t.Context(), w.grant(ada), needLabels) }); n != 1 {
				t.Errorf("%d answers of six seconds were waited for", n)
			}
		})
	})
	t.Run("a code is sent once", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(Request{}), fakegoogle.Decision{User: ada})
		w.google.Fail("/token", 1, fakegoogle.Failure{Status: 503})
		if n := w.exchanges(func() { p.finish(back) }); n != 1 {
			t.Errorf("%d times", n)
		}
	})
}

func TestWhatARefusedRefreshDoes(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   error             // or, where it is nil,
		reason tokenstore.Reason // the reason of a ConsentError
	}{
		{400, "invalid_grant", nil, tokenstore.ReasonRevoked},
		{401, "unauthorized_client", nil, tokenstore.ReasonRevoked},
		{400, "invalid_scope", nil, tokenstore.ReasonRevoked},
		{403, "access_denied", nil, tokenstore.ReasonAdmin},
		{400, "admin_policy_enforced", nil, tokenstore.ReasonAdmin},
		{401, "invalid_client", ErrInvalidClient, ""},
		{401, "deleted_client", ErrInvalidClient, ""},
		{403, "disabled_client", ErrInvalidClient, ""},
		{403, "rate_limit_exceeded", ErrRateLimited, ""},
		{429, "slow_down", ErrRateLimited, ""},
	} {
		t.Run(c.code, func(t *testing.T) {
			w := later(t, nil)
			w.change(ada, func(g *tokenstore.Grant) { g.SetJob("dailyevent", true) })
			w.google.Fail("/token", 1, fakegoogle.Failure{Status: c.status, Reason: c.code})
			_, err := w.Authorize(t.Context(), w.grant(ada), needLabels)
			g := w.grant(ada)
			if c.want != nil {
				if !errors.Is(err, c.want) || g.Status != tokenstore.Active || len(w.pauses) > 0 {
					t.Errorf("%v, stored as %s, pauses %v", err, g.Status, w.pauses)
				}
				return
			}
			consent := consentError(t, err)
			if consent.Reason != c.reason || !slices.Equal(consent.Missing, []string{labels}) || g.Status != tokenstore.NeedsConsent || g.Reason != c.reason || g.RefreshToken == "" || !g.HasJob("dailyevent") {
				t.Errorf("%v, stored as %s, %s, jobs %v", err, g.Status, g.Reason, g.Jobs)
			}
		})
	}
	t.Run("another refresh token was stored meanwhile: that one is used", func(t *testing.T) {
		w := later(t, nil)
		stale := w.grant(ada)
		w.google.Revoke(ada)
		w.signedIn(ada, labels)
		if _, err := w.Authorize(t.Context(), stale, needLabels); err != nil {
			t.Error(err)
		}
		if g := w.grant(ada); g.Status != tokenstore.Active {
			t.Error(g.Status)
		}
	})
}

func TestAnotherOAuthClient(t *testing.T) {
	w := later(t, nil)
	w.google.AddClient(fakegoogle.Client{ID: "client-2", Secret: "secret-2", RedirectURIs: []string{ownOrigin + "/oauth2callback"}})
	c := w.config
	c.ClientID, c.ClientSecret = "client-2", "secret-2"
	w.Flow = New(c)
	var err error
	if n := w.exchanges(func() { _, err = w.Authorize(t.Context(), w.grant(ada), needLabels) }); n != 0 {
		t.Errorf("a refresh token of another client is sent %d times", n)
	}
	if consent := consentError(t, err); consent.Reason != reasonClient {
		t.Error(consent)
	}
	p := w.signedIn(ada, labels)
	if err := w.works(ada, labels); err != nil {
		t.Errorf("after consenting once more: %v", err)
	}
	if g := w.grant(ada); g.Client != "client-2" || p.Subject != ada {
		t.Error(g.Client)
	}
}

func TestScopesAreJudgedByTheNewestAnswer(t *testing.T) {
	t.Run("an old token is refreshed before its scopes are judged", func(t *testing.T) {
		w := later(t, nil)
		w.person().visit(Request{Scopes: []string{calendar}}, fakegoogle.Decision{User: ada})
		w.change(ada, func(g *tokenstore.Grant) { g.Scopes, g.Expiry = parseScope("openid"), noon })
		if _, err := w.Authorize(t.Context(), w.grant(ada), Scopes{{labels}, {calendar}}); err != nil {
			t.Error(err)
		}
	})
	t.Run("a refresh that names less marks the grant, and one prompt=consent mends it", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.signedIn(ada, labels)
		p.visit(Request{Scopes: []string{drive}}, fakegoogle.Decision{User: ada})
		old := w.grant(ada).RefreshToken
		w.google.EditTokenResponse(func(body map[string]any) {
			if _, consent := body["refresh_token"]; !consent && w.narrowed(old) {
				body["scope"] = "openid https://www.googleapis.com/auth/userinfo.email " + labels
			}
		})
		asked := 0
		for range 4 {
			w.advance(2 * time.Hour)
			if _, err := w.Authorize(t.Context(), w.grant(ada), needLabels); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Authorize(t.Context(), w.grant(ada), Scopes{{drive}}); err != nil {
				consent := consentError(t, err)
				if !consent.Renew || !slices.Equal(consent.Missing, []string{drive}) || !w.grant(ada).Narrower {
					t.Errorf("%+v", consent)
				}
				asked++
				p.visit(Request{Scopes: consent.Missing}, fakegoogle.Decision{User: ada})
			}
		}
		if g := w.grant(ada); asked != 1 || g.Narrower || g.RefreshToken == old {
			t.Errorf("asked %d times in 8 hours; narrower: %t", asked, g.Narrower)
		}
	})
}

// narrowed reports whether the stored refresh token is still old.
func (w *world) narrowed(old seal.Secret) bool {
	g, err := w.store.Store.Get(w.t.Context(), ada)
	return err == nil && g.RefreshToken == old
}

func TestTheEndOfARefreshTokenThatIsKnownLastTellsExpiredFromWithdrawn(t *testing.T) {
	for name, c := range map[string]struct {
		first, later int
		ends         time.Duration
		want         tokenstore.Reason
	}{
		"no end at first, then one": {0, 7000, 3 * time.Hour, tokenstore.ReasonExpired},
		"an end, then a later one":  {7000, 700000, 24 * time.Hour, tokenstore.ReasonRevoked},
		"an end that is kept":       {14000, 0, 5 * time.Hour, tokenstore.ReasonExpired},
		"no end":                    {0, 0, 24 * 365 * time.Hour, tokenstore.ReasonRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			seconds := c.first
			w.google.EditTokenResponse(func(body map[string]any) { body["refresh_token_expires_in"] = seconds })
			w.signedIn(ada, labels)
			seconds = c.later
			w.advance(time.Hour)
			if err := w.works(ada, labels); err != nil {
				t.Fatal(err)
			}
			w.advance(c.ends)
			w.google.Revoke(ada)
			if _, err := w.Authorize(t.Context(), w.grant(ada), needLabels); consentError(t, err).Reason != c.want || w.grant(ada).Reason != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

func TestTheIDTokenOfARefresh(t *testing.T) {
	for name, claim := range map[string][2]string{
		"of another subject": {"sub", grace}, "of another issuer": {"iss", "https://evil.example"}, "for another client": {"aud", "client-2"},
	} {
		t.Run(name+" has its answer not used", func(t *testing.T) {
			w := later(t, nil)
			before := w.grant(ada)
			w.google.EditIDToken(func(claims map[string]any) { claims[claim[0]] = claim[1] })
			if _, err := w.Authorize(t.Context(), before, needLabels); !errors.Is(err, ErrIDToken) {
				t.Errorf("%v, want ErrIDToken", err)
			}
			if g := w.grant(ada); g.AccessToken != before.AccessToken || g.Status != tokenstore.Active {
				t.Error("the stored grant has changed")
			}
		})
	}
	t.Run("that is absent is fine", func(t *testing.T) {
		w := later(t, nil)
		w.google.EditTokenResponse(func(body map[string]any) { delete(body, "id_token") })
		if err := w.works(ada, labels); err != nil || w.grant(ada).Email != "ada@example.com" {
			t.Error(err)
		}
	})
	t.Run("brings a changed email address", func(t *testing.T) {
		w := later(t, nil)
		w.google.EditIDToken(func(claims map[string]any) { claims["email"] = "ada@lovelace.example" })
		if err := w.works(ada, labels); err != nil || w.grant(ada).Email != "ada@lovelace.example" {
			t.Errorf("%v, %s", err, w.grant(ada).Email)
		}
	})
	t.Run("brings the domain that the account has moved to, and takes none away", func(t *testing.T) {
		w := later(t, nil)
		w.google.EditIDToken(func(claims map[string]any) { claims["hd"] = "lovelace.example" })
		if err := w.works(ada, labels); err != nil || w.grant(ada).Domain != "lovelace.example" {
			t.Errorf("%v, %q", err, w.grant(ada).Domain)
		}
		w.advance(2 * time.Hour)
		w.google.EditIDToken(func(claims map[string]any) { delete(claims, "hd") })
		if err := w.works(ada, labels); err != nil || w.grant(ada).Domain != "lovelace.example" {
			t.Errorf("%v, %q", err, w.grant(ada).Domain)
		}
	})
	t.Run("of an app's user names the account that is connected", func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("app:x:7", ada, labels)
		w.advance(2 * time.Hour)
		if err := w.works("app:x:7", labels); err != nil {
			t.Error(err)
		}
	})
}

func TestAccessRenewsATokenThatAnAPIRefused(t *testing.T) {
	w := newWorld(t, nil)
	w.signedIn(ada, labels)
	a, err := w.Authorize(t.Context(), w.grant(ada), needLabels)
	if err != nil {
		t.Fatal(err)
	}
	first, err := a.Token(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.Token(t.Context(), first)
	if err != nil || second == first {
		t.Errorf("the refused token came again: %t, %v", second == first, err)
	}
	if third, err := a.Token(t.Context(), first); err != nil || third != second || a.Grant().AccessToken != second {
		t.Errorf("another request that met the same refusal: %v", err)
	}
	w.google.Revoke(ada)
	if _, err := a.Token(t.Context(), second); consentError(t, err).Reason != tokenstore.ReasonRevoked {
		t.Error(err)
	}
	if _, err := w.Authorize(t.Context(), nil, needLabels); !slices.Equal(consentError(t, err).Missing, []string{labels}) {
		t.Errorf("nobody signed in: %v", err)
	}
}
