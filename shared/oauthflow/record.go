package oauthflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"functions.local/oauth/shared/tokenstore"
)

// errNoRefreshToken means that there is no refresh token, neither a new one nor a stored one that works.
// After prompt=consent that is a bad response of Google's.
var errNoRefreshToken = fmt.Errorf("%w: no refresh token", ErrBadResponse)

// record stores an answer as the owner's grant, together with the change that also makes, and returns the grant as
// stored.
//
// An answer that covers less than the grant does not replace its tokens and scopes where its flow began before the
// consent that is stored, or where the stored refresh token turns out to work: so nothing that was granted is
// forgotten. If the stored refresh token does not work, the answer is taken. Google gives a refresh token with the first
// consent, so that even a late answer may be the one that has it.
//
// It returns errNoRefreshToken, ErrDomain, an *OtherAccountError or an error of the store; then nothing was stored.
func (f *Flow) record(ctx context.Context, owner string, a *answer, also func(*tokenstore.Grant)) (*tokenstore.Grant, error) {
	if !f.isAllowed(a.who.domain) {
		return nil, f.refuseDomain(ctx, owner, a)
	}
	var (
		event    string
		proven   *tokenstore.Grant // its refresh token was tried
		unproven *tokenstore.Grant // its refresh token has to be tried first
		replaced *tokenstore.Grant // of the account whose place the answer's takes
	)
	for {
		g, err := tokenstore.Upsert(ctx, f.config.Store, owner, func(g *tokenstore.Grant) error {
			unproven, replaced = nil, nil
			if connected := connectedTo(g); connected != "" && connected != a.who.subject {
				if !a.mayChange {
					return &OtherAccountError{Scopes: permissions(a.scopes)}
				}
				replaced = g.Clone()
				*g = *withoutAccount(g)
			}
			usable := f.usable(g)
			late := !a.began.IsZero() && a.began.Before(g.Consented)
			switch {
			case a.refresh == "" && (!usable || g.Narrower && a.mayRenew):
				return errNoRefreshToken
			case usable && proven != nil && proven.RefreshToken == g.RefreshToken:
				event = "signed in"
				g.Scopes, g.Narrower = slices.Clone(proven.Scopes), proven.Narrower // as they were stored, whatever the proof named
			case !usable || covers(a.scopes, g.Scopes):
				event = f.take(g, a)
			case late:
				event = "signed in"
			default:
				unproven = g.Clone()
				return errUnchanged
			}
			g.Email, g.Domain = cmp.Or(a.who.email, g.Email), a.who.domain
			also(g)
			return nil
		})
		if unproven != nil {
			if proven, err = f.prove(ctx, unproven); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		f.config.Audit(ctx, event, owner, "scopes", g.Scopes)
		if replaced != nil {
			revocation, err := f.revokeUnlessHeld(ctx, replaced)
			f.config.Audit(ctx, "account replaced", owner, "revocation", revocation, "error", err)
		}
		return g, nil
	}
}

// take puts the answer's tokens and scopes into the grant. It returns the name of that event for the audit.
func (f *Flow) take(g *tokenstore.Grant, a *answer) (event string) {
	switch {
	case !f.usable(g):
		event = "consent given"
	case covers(g.Scopes, a.scopes):
		event = "signed in"
	default:
		event = "consent extended"
	}
	now := f.config.Now()
	if a.refresh != "" {
		g.RefreshToken, g.RefreshExpiry, g.Client, g.Narrower = a.refresh, a.refreshExpiry, f.config.ClientID, false
	}
	if g.Created.IsZero() {
		g.Created = now
	}
	if g.Owner != a.who.subject {
		g.Google = a.who.subject
	}
	g.AccessToken, g.Expiry, g.Scopes = a.access, a.expiry, a.scopes
	g.Consented, g.Status, g.Reason = now, tokenstore.Active, ""
	return event
}

// prove refreshes g to find out whether its refresh token works. If it does not, the stored grant needs consent
// afterwards. If that cannot be found out now, it counts as working. prove returns g with the refresh token that it
// tried, or the one that came in its place.
func (f *Flow) prove(ctx context.Context, g *tokenstore.Grant) (*tokenstore.Grant, error) {
	newer, err := f.refreshOnce(ctx, g)
	switch {
	case err == nil:
		g.RefreshToken = newer.RefreshToken // a refresh may bring another one
		return g, nil
	case ctx.Err() != nil:
		return nil, err
	case !errors.As(err, new(*ConsentError)):
		f.config.Warn(ctx, "narrower answer not taken", g.Owner, "error", err)
	}
	return g, nil
}

// connectedTo returns the subject of the Google account that the grant is for, or "" where it is for none yet.
func connectedTo(g *tokenstore.Grant) string {
	if isApp(g.Owner) {
		return g.Google
	}
	return g.Owner
}

// withoutAccount returns a copy of g, of the same version, that holds nothing of the account that was connected. Its jobs
// are off: they were turned on for that account.
func withoutAccount(g *tokenstore.Grant) *tokenstore.Grant {
	n := g.Clone()
	n.Google, n.Email, n.Domain, n.Client = "", "", "", ""
	n.RefreshToken, n.AccessToken, n.Scopes, n.Narrower, n.Apart = "", "", nil, false, tokenstore.Apart{}
	n.Jobs, n.Zones, n.Status = nil, nil, tokenstore.NeedsConsent
	return n
}
