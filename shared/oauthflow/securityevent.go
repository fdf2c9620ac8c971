package oauthflow

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// ErrSecurityEvent means that a token is no security event of Google's for us. The answer is 400.
var ErrSecurityEvent = errors.New("oauthflow: security event refused")

// The types of security events that end sessions [Google: Cross-Account Protection].
const (
	sessionsRevoked = "https://schemas.openid.net/secevent/risc/event-type/sessions-revoked"
	tokensRevoked   = "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked"
	accountDisabled = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
)

// securityEvent is what a verified security event token says [RFC 8417 §2.2].
type securityEvent struct {
	id     string // jti
	issued time.Time
	events []accountEvent // in the order of their types
}

// accountEvent is one thing that happened to a Google account.
type accountEvent struct {
	kind    string // the type's whole URL
	subject string // of the account at Google, or "" where the event is of none, or names it in another way
	reason  string // of account-disabled, or ""
}

// endsSessions reports whether the sessions of the account that began before the event are over.
func (e accountEvent) endsSessions() bool {
	return e.subject != "" && (e.kind == sessionsRevoked || e.kind == tokensRevoked || e.kind == accountDisabled && e.reason == "hijacking")
}

// verifySecurityEvent checks a security event token of Google's for our client or for AuthAudience. Such a token does
// not expire: what it tells remains true. An ID token is never one, since it has no events; nor is one ever an ID
// token, since it has no exp. It returns ErrSecurityEvent or ErrUnavailable.
func (f *Flow) verifySecurityEvent(ctx context.Context, raw string) (*securityEvent, error) {
	refuse := func(why error) (*securityEvent, error) { return nil, as(ErrSecurityEvent, why) }
	token, err := f.readJWT(ctx, raw, "", oidc.Config{SkipIssuerCheck: true, SkipClientIDCheck: true, SkipExpiryCheck: true})
	if err != nil {
		return refuse(err)
	}
	var claims struct {
		ID     string `json:"jti"`
		Events map[string]struct {
			Reason  string `json:"reason"`
			Subject struct {
				Issuer  string `json:"iss"`
				Subject string `json:"sub"`
			} `json:"subject"`
		} `json:"events"`
	}
	ours := func(audience string) bool {
		return audience != "" && (audience == f.config.ClientID || audience == f.config.AuthAudience)
	}
	switch err := token.Claims(&claims); {
	case err != nil:
		return refuse(errors.New("claims"))
	case !isGoogle(strings.TrimSuffix(token.Issuer, "/")):
		return refuse(errors.New("issuer"))
	case !slices.ContainsFunc(token.Audience, ours):
		return refuse(errors.New("audience"))
	case claims.ID == "" || len(claims.Events) == 0:
		return refuse(errors.New("no security event: jti or events is missing"))
	}
	if err := f.notAhead(token.IssuedAt); err != nil {
		return refuse(err)
	}
	if err := verifySignature(ctx, raw, f.keys); err != nil {
		return refuse(err)
	}
	e := &securityEvent{id: claims.ID, issued: token.IssuedAt}
	for _, kind := range slices.Sorted(maps.Keys(claims.Events)) {
		event := claims.Events[kind]
		a := accountEvent{kind: kind, reason: event.Reason}
		if isGoogle(strings.TrimSuffix(event.Subject.Issuer, "/")) && isSubject(event.Subject.Subject) {
			a.subject = event.Subject.Subject
		}
		e.events = append(e.events, a)
	}
	return e, nil
}
