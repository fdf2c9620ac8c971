package oauthflow

import (
	"context"
	"errors"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// errNoGrant means that there is no usable grant beside which a permission could be kept apart.
var errNoGrant = errors.New("oauthflow: no usable grant")

// recordApart stores the token of a permission that is kept apart in the owner's grant, together with the change that
// also makes. It returns errNoGrant, ErrDomain, an *OtherAccountError or an error of the store; then nothing was stored.
func (f *Flow) recordApart(ctx context.Context, owner string, a *answer, also func(*tokenstore.Grant)) (*tokenstore.Grant, error) {
	if !f.isAllowed(a.who.domain) {
		return nil, f.refuseDomain(ctx, owner, a)
	}
	g, err := tokenstore.Update(ctx, f.config.Store, owner, func(g *tokenstore.Grant) error {
		switch {
		case !f.usable(g):
			return errNoGrant
		case g.Account() != a.who.subject:
			return &OtherAccountError{Scopes: permissions(a.scopes)}
		}
		if given := f.onlyApart(a.scopes); len(given) > 0 {
			g.Apart = tokenstore.Apart{Token: a.access, Expiry: a.expiry, Scopes: given}
		}
		also(g)
		return nil
	})
	if errors.Is(err, tokenstore.ErrNotFound) {
		return nil, errNoGrant
	}
	if err != nil {
		return nil, err
	}
	f.config.Audit(ctx, "permission given apart", owner, "scopes", a.scopes)
	return g, nil
}

// onlyApart returns those of scopes that are kept apart.
func (f *Flow) onlyApart(scopes []string) []string {
	return without(scopes, without(scopes, f.config.Apart...)...)
}

// signInApart is signIn for a permission that is kept apart. A user without a usable grant signs in first; the page
// that they wanted then asks for the permission again.
func (f *Flow) signInApart(ctx context.Context, s *state, a *answer, b Browser) (*Outcome, error) {
	id := seal.NewID()
	g, err := f.recordApart(ctx, a.who.subject, a, f.newSession(id, a.who.subject, b))
	if errors.Is(err, errNoGrant) {
		s.Apart, s.Scopes = false, nil
		return f.askExactly(ctx, s, a)
	}
	if err != nil {
		return nil, err
	}
	out, err := f.signedIn(ctx, g, id, b)
	if err != nil {
		return nil, err
	}
	out.Missing = lacking(a.scopes, s.Scopes)
	return out, nil
}

// askExactly sends the browser to Google once more, for a token that covers what s asks for and what the grant holds,
// and nothing that is kept apart. Nothing of the answer a is stored.
func (f *Flow) askExactly(ctx context.Context, s *state, a *answer) (*Outcome, error) {
	g, err := f.config.Store.Get(ctx, a.who.subject)
	if errors.Is(err, tokenstore.ErrNotFound) {
		g, err = &tokenstore.Grant{}, nil
	}
	if err != nil {
		return nil, err
	}
	s.setExact(g)
	return f.askAgain(s, a.who.email)
}
