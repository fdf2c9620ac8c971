package oauthflow

import (
	"context"
	"errors"
	"slices"
	"sync"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// Access is a user's permission to do what a feature needs. It is safe for concurrent use.
type Access struct {
	flow  *Flow
	need  Scopes
	apart bool

	mu    sync.Mutex
	grant *tokenstore.Grant
}

// Authorize returns access to what need names. A grant of nil means that nobody is signed in. An access token that has
// expired, or is about to, is refreshed first, so that the scopes are judged by what Google says now.
//
// It returns a *ConsentError if the user has to be asked, ErrDomain, or the errors of a refresh: ErrUnavailable,
// ErrRateLimited, ErrBadResponse, ErrInvalidClient, ErrIDToken or an error of the store. None of the latter changes the
// stored grant.
func (f *Flow) Authorize(ctx context.Context, g *tokenstore.Grant, need Scopes) (*Access, error) {
	a := &Access{flow: f, need: need, apart: f.isApart(need)}
	switch {
	case g == nil:
		return nil, &ConsentError{Missing: need.First()}
	case !f.isAllowed(g.Domain):
		return nil, ErrDomain
	case a.apart:
		if !f.usable(g) {
			return nil, a.consent(f.unusable(g))
		}
		if missing := need.Missing(f.apartScopes(g)); len(missing) > 0 {
			return nil, &ConsentError{Missing: missing}
		}
		a.grant = g
		return a, nil
	}
	g, err := f.token(ctx, g)
	if err != nil {
		return nil, a.consent(err)
	}
	if missing := need.Missing(g.Scopes); len(missing) > 0 {
		return nil, &ConsentError{Missing: missing, Renew: g.Narrower}
	}
	a.grant = g
	return a, nil
}

// Grant returns a copy of the grant, in the newest version that a refresh has brought.
func (a *Access) Grant() *tokenstore.Grant {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grant.Clone()
}

// Token returns an access token. It is never refused, the token that an API has answered with 401, or "". Its errors
// are those of Authorize. The token of a permission that is kept apart cannot be refreshed: once it is refused, the
// error is a *ConsentError.
func (a *Access) Token(ctx context.Context, refused seal.Secret) (seal.Secret, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.apart {
		if a.grant.Apart.Token == refused {
			return "", a.consent(&ConsentError{})
		}
		return a.grant.Apart.Token, nil
	}
	g, err := a.grant, error(nil)
	if refused != "" && g.AccessToken == refused {
		g, err = a.flow.refreshOnce(ctx, g)
	} else {
		g, err = a.flow.token(ctx, g)
	}
	if err != nil {
		return "", a.consent(err)
	}
	a.grant = g
	return g.AccessToken, nil
}

// consent returns a ConsentError that asks for all that a needs, in place of one that asks for less. It returns other
// errors as they are.
func (a *Access) consent(err error) error {
	var consent *ConsentError
	if errors.As(err, &consent) {
		return &ConsentError{Missing: a.need.First(), Reason: consent.Reason, Renew: consent.Renew}
	}
	return err
}

// unusable returns why the grant is not usable.
func (f *Flow) unusable(g *tokenstore.Grant) *ConsentError {
	if g.Usable() {
		return &ConsentError{Reason: reasonClient}
	}
	return &ConsentError{Reason: g.Reason}
}

// isApart reports whether need is a permission that is kept apart.
func (f *Flow) isApart(need Scopes) bool {
	return slices.ContainsFunc(need, func(anyOf []string) bool { return slices.Contains(f.config.Apart, anyOf[0]) })
}

// apartScopes returns the scopes of the token that is kept apart, or none where it has expired or is about to.
func (f *Flow) apartScopes(g *tokenstore.Grant) []string {
	if !f.config.Now().Add(early).Before(g.Apart.Expiry) {
		return nil
	}
	return g.Apart.Scopes
}
