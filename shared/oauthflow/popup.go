package oauthflow

import (
	"context"
	"errors"

	"functions.local/oauth/shared/tokenstore"
)

// postMessage stands for a redirect URI where the code came through a popup [Google: using the code
// model].
const postMessage = "postmessage"

// FinishPopup is Finish for a code that Google Identity Services gave to a page of ours. There is no
// state, nonce or verifier: the caller has to see to it that the request comes from our own origin.
// Where Google sent no refresh token, and none that works is stored, it returns a *ConsentError.
func (f *Flow) FinishPopup(ctx context.Context, code string, b Browser) (*Outcome, error) {
	c := f.oauth
	c.RedirectURL = postMessage
	t, who, err := f.exchange(ctx, &c, code, "")
	if err != nil {
		return nil, err
	}
	if t.scopes == nil {
		return nil, ErrNonsense // there is no telling what was asked for
	}
	out, err := f.signIn(ctx, t, who, b)
	if errors.Is(err, errNoRefreshToken) {
		return nil, &ConsentError{Reason: tokenstore.ReasonRevoked}
	}
	return out, err
}
