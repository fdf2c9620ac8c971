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

// Authorize returns access to what need names. A token that is old is refreshed first, so that the scopes are judged
// by what Google says now.
//
// It returns a *ConsentError if the user has to be asked, ErrDomain, or the errors of a refresh: ErrUnavailable,
// ErrRateLimited, ErrBadResponse, ErrInvalidClient, ErrIDToken or one of the store; after these the stored grant is
// what it was. The grant may be nil: nobody is signed in.
func (f *Flow) Authorize(ctx context.Context, g *tokenstore.Grant, need Scopes) (*Access, error) {
	a := &Access{flow: f, need: need, apart: f.isApart(need)}
	switch {
	case g == nil:
		return nil, &ConsentError{Missing: need.First()}
	case !f.isAllowed(g.Domain):
		return nil, ErrDomain
	case a.apart && !f.usable(g):
		return nil, a.consent(f.unusable(g))
	case a.apart:
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

// Grant returns the newest version of the grant that is known.
func (a *Access) Grant() *tokenstore.Grant {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.grant.Clone()
}

// Token returns an access token other than refused, which an API has answered 401. Its errors are those of
// Authorize; the token of a permission that is kept apart is never refreshed.
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

// consent has a ConsentError ask for all that is needed.
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
		return &ConsentError{Reason: ReasonClient}
	}
	return &ConsentError{Reason: g.Reason}
}

// isApart reports whether need is a permission that is kept apart.
func (f *Flow) isApart(need Scopes) bool {
	return slices.ContainsFunc(need, func(anyOf []string) bool { return slices.Contains(f.config.Apart, anyOf[0]) })
}

// apartScopes returns what the grant's token of the permission that is kept apart is good for now.
func (f *Flow) apartScopes(g *tokenstore.Grant) []string {
	if !f.config.Now().Add(early).Before(g.Apart.Expiry) {
		return nil
	}
	return g.Apart.Scopes
}
