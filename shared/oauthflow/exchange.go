package oauthflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/oauth2"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// An answer is what Google gave for an authorization code: tokens, and whose account it is.
type answer struct {
	*tokens
	who       identity
	began     time.Time // when the flow began; zero where there is no state to tell
	mayRenew  bool      // prompt=consent can still be sent for a refresh token that covers all
	mayChange bool      // the account may take the place of the one that is connected
}

// exchange redeems a code and verifies the ID token that comes with the tokens. Google's keys are
// fetched at the same time as the tokens.
func (f *Flow) exchange(ctx context.Context, c *oauth2.Config, code string, want expected, options ...oauth2.AuthCodeOption) (*answer, error) {
	go f.keys.get(ctx, nil)
	t, err := f.callTokenEndpoint(ctx, func(ctx context.Context) (*oauth2.Token, error) { return c.Exchange(ctx, code, options...) })
	var refused *refusal
	switch {
	case errors.As(err, &refused) && refused.byAdmin():
		return nil, fmt.Errorf("%w: %w", &DeniedError{Code: "admin_policy_enforced"}, err)
	case errors.As(err, &refused):
		return nil, fmt.Errorf("%w: %w", refused.kind(), err)
	case err != nil:
		return nil, err
	}
	a := &answer{tokens: t}
	a.who, err = f.verifyIDToken(ctx, t.idToken, t.access, want)
	return a, err
}

// exchangeState redeems the code of the redirect flow that s began.
func (f *Flow) exchangeState(ctx context.Context, s *state, code string) (*answer, error) {
	a, err := f.exchange(ctx, f.oauth(f.config.RedirectURI), code, expected{nonce: s.Nonce}, oauth2.VerifierOption(s.Verifier))
	var denied *DeniedError
	if errors.As(err, &denied) {
		denied.ReturnTo = s.ReturnTo
	}
	if err != nil {
		return nil, err
	}
	if a.scopes == nil {
		c := append([]string{"openid", "email"}, s.Scopes...)
		a.scopes = normalizeScopes(append(c, s.Held...))
	}
	a.began, a.mayRenew = s.Issued, !s.Consent
	return a, nil
}

// holdsApart reports whether the answer's token covers a permission that is kept apart. When that permission ends, the
// whole token ends with it.
func (f *Flow) holdsApart(a *answer) bool {
	return len(without(a.scopes, f.config.Apart...)) < len(a.scopes)
}

// lasting returns a context that outlives the client's request, and ends after twice the time of one call. A code that
// was sent is spent: what came of it has to be stored, even if the client hangs up.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 2*timeout)
}

// share runs do once for all posts of the same thing by the same owner or browser, who, that meet in this process.
func (f *Flow) share(ctx context.Context, who string, p Posted, do func(context.Context) (*Outcome, error)) (*Outcome, error) {
	key := seal.HashID(fmt.Sprintf("%q %q %q %q %t", who, p.Code, p.State, p.From, p.Replace))
	v, err, _ := f.posts.Do(key, func() (any, error) {
		ctx, cancel := lasting(ctx)
		defer cancel()
		return do(ctx)
	})
	if err != nil {
		return nil, err
	}
	out := *v.(*Outcome)
	out.Grant = out.Grant.Clone()
	return &out, nil
}

// redeem exchanges a code that was posted without a state, unless it was posted before. Nothing but the answer tells
// which scopes such a code was asked for.
func (f *Flow) redeem(ctx context.Context, p Posted) (*answer, error) {
	var want expected
	var options []oauth2.AuthCodeOption
	switch p.From {
	case fromPopup:
	case fromDevice:
		// Google wants redirect_uri present and empty; x/oauth2 leaves an empty one out.
		want.device, options = true, []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("redirect_uri", "")}
	default:
		return nil, ErrCallback
	}
	// A code that comes again is refused here: Google would end the tokens that it gave for it [RFC 6749 §4.1.2].
	if err := f.config.Store.UseOnce(ctx, seal.HashID(p.Code), f.config.Now().Add(stateLifetime)); errors.Is(err, tokenstore.ErrUsed) {
		return nil, fmt.Errorf("%w: used before", ErrInvalidGrant)
	} else if err != nil {
		return nil, err
	}
	a, err := f.exchange(ctx, f.oauth(postMessage), p.Code, want, options...)
	switch {
	case err != nil:
		return nil, err
	case a.scopes == nil:
		return nil, fmt.Errorf("%w: no scopes", ErrBadResponse)
	case f.holdsApart(a):
		return nil, fmt.Errorf("%w: it covers a permission that is kept apart", ErrInvalidGrant)
	}
	return a, nil
}
