package oauthflow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// What Posted.From says of a code that did not come through our callback.
const (
	fromPopup  = "popup"  // Google Identity Services in a page
	fromDevice = "device" // a mobile SDK's server auth code
)

// postMessage is the redirect URI of a code that came through a popup [Google: using the code model].
const postMessage = "postmessage"

// Posted is what a front end posts for an app's user.
type Posted struct {
	Code    string
	State   string // of the redirect flow, and of no other
	From    string // "popup", "device" (a mobile SDK), or "" for the redirect flow
	Replace bool   // the account may take the place of the one that is connected
}

// handOn returns an Outcome with the front end's page, in whose fragment stands what Google answered. Code and state
// are of use only together with the bearer of the owner who began the flow [IETF's update of RFC 9700: cross-user OAuth session
// fixation].
func (f *Flow) handOn(s *state, query url.Values) (*Outcome, error) {
	if !slices.Contains(f.config.FrontEnds, s.ReturnTo) {
		return nil, fmt.Errorf("%w: it returns to no front end", ErrState)
	}
	fragment := url.Values{"state": {query.Get("state")}}
	if query.Has("error") {
		fragment.Set("error", errorCode(query.Get("error")))
	} else {
		fragment.Set("code", query.Get("code"))
	}
	return &Outcome{HandOn: s.ReturnTo + "#" + fragment.Encode()}, nil
}

// Connect exchanges a code that a front end posted, and stores what was granted as the grant of owner, whose bearer
// came with it. A code of the redirect flow needs the state of a flow that the same owner began.
//
// It returns a *ConsentError where there is no refresh token that works, an *OtherAccountError, or the errors of
// Finish.
func (f *Flow) Connect(ctx context.Context, owner string, p Posted) (*Outcome, error) {
	if p.Code == "" || (p.From == "") != (p.State != "") {
		return nil, ErrCallback
	}
	return f.share(ctx, "owner "+owner, p, func(ctx context.Context) (*Outcome, error) {
		if p.From == "" {
			return f.connectState(ctx, owner, p)
		}
		a, err := f.redeem(ctx, p)
		if err != nil {
			return nil, err
		}
		return f.connect(ctx, owner, a, p, permissions(a.scopes))
	})
}

// connectState is Connect for the redirect flow.
func (f *Flow) connectState(ctx context.Context, owner string, p Posted) (*Outcome, error) {
	s, err := openState(f.config.Keys, p.State, f.config.Now())
	switch {
	case err != nil:
		return nil, err
	case s.Owner != seal.HashID(owner):
		return nil, fmt.Errorf("%w: of another owner", ErrState)
	case s.late(f.config.Now()):
		return nil, fmt.Errorf("%w: late", ErrState)
	}
	if err := f.config.Store.UseOnce(ctx, s.Flow, s.Issued.Add(stateLifetime)); errors.Is(err, tokenstore.ErrUsed) {
		return f.alreadyConnected(ctx, owner, s)
	} else if err != nil {
		return nil, err
	}
	a, err := f.exchangeState(ctx, s, p.Code)
	switch {
	case err != nil:
		return nil, err
	case s.Apart:
		g, err := f.recordApart(ctx, owner, a, func(*tokenstore.Grant) {})
		if errors.Is(err, errNoGrant) {
			return nil, &ConsentError{Missing: s.Scopes}
		}
		return &Outcome{Grant: g, ReturnTo: s.ReturnTo, Missing: lacking(a.scopes, s.Scopes)}, err
	case f.holdsApart(a):
		return nil, renewal(s.Scopes) // it names its scopes, and so includes nothing that is kept apart
	}
	out, err := f.connect(ctx, owner, a, p, s.Scopes)
	if err != nil {
		return nil, err
	}
	out.ReturnTo = s.ReturnTo
	return out, nil
}

// connect records an answer to a request for scopes.
func (f *Flow) connect(ctx context.Context, owner string, a *answer, p Posted, scopes []string) (*Outcome, error) {
	a.mayRenew = a.mayRenew && p.From == ""
	a.mayChange = p.Replace && isApp(owner)
	g, err := f.record(ctx, owner, a, func(*tokenstore.Grant) {})
	if errors.Is(err, errNoRefreshToken) {
		return nil, renewal(scopes)
	}
	if err != nil {
		return nil, err
	}
	return &Outcome{Grant: g, Missing: lacking(g.Scopes, scopes)}, nil
}

// alreadyConnected answers a post whose state was used before: with the stored grant, if the flow has led to one that
// covers what it asked for, or else with ErrState.
func (f *Flow) alreadyConnected(ctx context.Context, owner string, s *state) (*Outcome, error) {
	g, err := f.config.Store.Get(ctx, owner)
	if err != nil && !errors.Is(err, tokenstore.ErrNotFound) {
		return nil, err
	}
	if err != nil || !s.Apart && g.Consented.Before(s.Issued) || !f.has(g, s) {
		return nil, fmt.Errorf("%w: used before", ErrState)
	}
	return &Outcome{Grant: g, ReturnTo: s.ReturnTo}, nil
}
