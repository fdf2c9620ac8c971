package oauthflow

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"functions.local/oauth/shared/tokenstore"
)

// ErrSecurityEvent means that a token is no security event of Google's for us. The answer is 400.
var ErrSecurityEvent = errors.New("oauthflow: security event refused")

// SecurityEvent carries out a security event token of Google's. Where the account may be in a stranger's hands, it ends
// the sessions that began before the event, in every grant of that account, and turns jobs off. Every event goes to the
// audit; one of another kind has no other effect, since the next refresh finds out what became of a token. Carrying out
// an event twice does no harm.
//
// It returns ErrSecurityEvent, ErrUnavailable, or an error of the store.
func (f *Flow) SecurityEvent(ctx context.Context, raw string) error {
	e, err := f.verifySecurityEvent(ctx, raw)
	if err != nil {
		return err
	}
	for _, event := range e.events {
		f.config.Audit(ctx, "security event", event.subject, "type", event.kind, "reason", event.reason, "id", e.id)
		if !event.endsSessions() {
			continue
		}
		grants, err := f.config.Store.ByGoogle(ctx, event.subject)
		for _, g := range grants {
			err = errors.Join(err, f.endBefore(ctx, g.Owner, e.issued))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// endBefore ends the owner's sessions that began before at. It also turns all jobs off, since a stranger may have turned
// them on, unless somebody signed in or consented after at.
func (f *Flow) endBefore(ctx context.Context, owner string, at time.Time) error {
	return f.alter(ctx, "signed out by a security event", owner, func(g *tokenstore.Grant) {
		g.Sessions = slices.DeleteFunc(g.Sessions, func(s tokenstore.Session) bool { return s.Start.Before(at) })
		if len(g.Sessions) == 0 && g.Consented.Before(at) {
			g.Jobs, g.Zones = nil, nil
		}
	})
}

// The types of security events that end sessions [Google: Cross-Account Protection].
const (
	sessionsRevoked = "https://schemas.openid.net/secevent/risc/event-type/sessions-revoked"
	tokensRevoked   = "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked"
	accountDisabled = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
)

// A securityEvent is what a verified security event token says [RFC 8417 §2.2].
type securityEvent struct {
	id     string // jti
	issued time.Time
	events []accountEvent // in the order of their types
}

// An accountEvent is one thing that happened to a Google account.
type accountEvent struct {
	kind    string // the whole URL of its type
	subject string // of the account, or "" where the event concerns none or names it by something else
	reason  string // of account-disabled, or ""
}

// endsSessions reports whether the event ends the sessions of the account that began before it.
func (e accountEvent) endsSessions() bool {
	return e.subject != "" && (e.kind == sessionsRevoked || e.kind == tokensRevoked || e.kind == accountDisabled && e.reason == "hijacking")
}

// verifySecurityEvent checks a security event token of Google's for our client or for AuthAudience. Such a token does
// not expire. An ID token is never accepted as one, since it has no events, nor one as an ID token, since it has no exp.
// It returns ErrSecurityEvent or ErrUnavailable.
func (f *Flow) verifySecurityEvent(ctx context.Context, raw string) (*securityEvent, error) {
	refuse := func(why error) (*securityEvent, error) { return nil, wrap(ErrSecurityEvent, why) }
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
	if err := f.checkIssuedAt(token.IssuedAt); err != nil {
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
