package oauthflow

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// eventClaims are a security event token in the form that Google gives for an example.
func eventClaims(kind string, event map[string]any) map[string]any {
	return map[string]any{"iss": "https://accounts.google.com/", "aud": "client-1", "iat": noon.Unix() - 30, "jti": "756E69717565",
		"events": map[string]any{kind: event}}
}

func TestSecurityEvent(t *testing.T) {
	google, now := signingKey{"g", rsaKey()}, noon.Unix()
	subject := map[string]any{"subject_type": "iss-sub", "iss": "https://accounts.google.com/", "sub": "1001"}
	hijacked := eventClaims(accountDisabled, map[string]any{"subject": subject, "reason": "hijacking"})
	const verification = "https://schemas.openid.net/secevent/risc/event-type/verification"

	for name, c := range map[string]struct {
		claims map[string]any
		want   accountEvent
		ends   bool
	}{
		"a hijacked account":   {hijacked, accountEvent{accountDisabled, "1001", "hijacking"}, true},
		"an account of a bulk": {eventClaims(accountDisabled, map[string]any{"subject": subject, "reason": "bulk-account"}), accountEvent{accountDisabled, "1001", "bulk-account"}, false},
		"a disabled account":   {eventClaims(accountDisabled, map[string]any{"subject": subject}), accountEvent{accountDisabled, "1001", ""}, false},
		"revoked sessions":     {eventClaims(sessionsRevoked, map[string]any{"subject": subject}), accountEvent{sessionsRevoked, "1001", ""}, true},
		"revoked tokens":       {eventClaims(tokensRevoked, map[string]any{"subject": subject}), accountEvent{tokensRevoked, "1001", ""}, true},
		"a test of the stream": {eventClaims(verification, map[string]any{"state": "s"}), accountEvent{verification, "", ""}, false},
		"a subject with an email address": {eventClaims(sessionsRevoked, map[string]any{"subject": map[string]any{"subject_type": "id_token_claims",
			"iss": "https://accounts.google.com", "sub": "1001", "email": "a@example.com"}}), accountEvent{sessionsRevoked, "1001", ""}, true},
		"a subject of another issuer": {eventClaims(sessionsRevoked, map[string]any{"subject": map[string]any{"subject_type": "iss-sub", "iss": appIssuer, "sub": "1001"}}),
			accountEvent{sessionsRevoked, "", ""}, false},
	} {
		t.Run("reads "+name, func(t *testing.T) {
			f, _ := newIssuers(t)
			e, err := f.verifySecurityEvent(t.Context(), google.token(t, c.claims))
			want := &securityEvent{"756E69717565", time.Unix(now-30, 0), []accountEvent{c.want}}
			if err != nil || !reflect.DeepEqual(e, want) || e.events[0].endsSessions() != c.ends {
				t.Errorf("%+v, %v, want %+v", e, err, want)
			}
		})
	}

	for name, changes := range map[string][]any{
		"the issuer without its slash":  {"iss", "https://accounts.google.com"},
		"a list of clients with ours":   {"aud", []string{"other", "client-1"}},
		"the audience of the app":       {"aud", "project-1"},
		"an event of years ago":         {"iat", now - 3*365*24*3600},
		"an end, which counts for none": {"exp", now - 1},
	} {
		t.Run("accepts "+name, func(t *testing.T) {
			f, _ := newIssuers(t)
			if _, err := f.verifySecurityEvent(t.Context(), google.token(t, hijacked, changes...)); err != nil {
				t.Error(err)
			}
		})
	}

	for name, token := range map[string]string{
		"an ID token":                google.token(t, googleClaims()),
		"an ID token with a jti":     google.token(t, googleClaims(), "jti", "1"),
		"a user's token":             signingKey{"a", ecKey()}.token(t, userClaims(), "jti", "1"),
		"a forged one":               signingKey{"g", forgersKey()}.token(t, hijacked),
		"one of the app's issuer":    signingKey{"a", ecKey()}.token(t, hijacked, "iss", appIssuer),
		"one signed by that issuer":  signingKey{"a", ecKey()}.token(t, hijacked),
		"one in another's name":      google.token(t, hijacked, "iss", appIssuer),
		"another project's":          google.token(t, hijacked, "aud", "client-2"),
		"one for nobody":             google.token(t, hijacked, "aud", nil),
		"one with an empty audience": google.token(t, hijacked, "aud", ""),
		"one without an id":          google.token(t, hijacked, "jti", nil),
		"one without events":         google.token(t, hijacked, "events", map[string]any{}),
		"events that are a list":     google.token(t, hijacked, "events", []string{accountDisabled}),
		"one without a time":         google.token(t, hijacked, "iat", nil),
		"one from the future":        google.token(t, hijacked, "iat", now+600),
		"nothing":                    "",
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			f, _ := newIssuers(t)
			f.config.AuthAudience = ""
			if e, err := f.verifySecurityEvent(t.Context(), token); !errors.Is(err, ErrSecurityEvent) || e != nil {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}

	t.Run("is no ID token and no bearer", func(t *testing.T) {
		f, _ := newIssuers(t)
		f.config.AuthIssuer, f.config.AuthAudience = Issuer, "client-1"
		for _, aud := range []string{"client-1", job} {
			token := google.token(t, hijacked, "iss", Issuer, "aud", aud, "sub", "1001", "iat", now)
			if who, err := f.verifyIDToken(t.Context(), token, "", expected{}); !errors.Is(err, ErrIDToken) {
				t.Errorf("%+v, %v", who, err)
			}
			if who, err := f.VerifyBearer(t.Context(), token, job); !errors.Is(err, ErrBearer) {
				t.Errorf("%+v, %v", who, err)
			}
		}
	})

	t.Run("waits where Google's keys do not come", func(t *testing.T) {
		f, w := newIssuers(t)
		w.set(keysURL, "")
		if _, err := f.verifySecurityEvent(t.Context(), google.token(t, hijacked)); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrSecurityEvent) {
			t.Error(err)
		}
	})
}
