package oauthflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// A Revocation is what became of a consent at Google.
type Revocation string

const (
	Revoked      Revocation = "revoked"       // it is withdrawn, or was before
	NotConfirmed Revocation = "not confirmed" // Google did not say that it is withdrawn
	Held         Revocation = "held"          // it stays, since another owner has connected the same Google account
)

// Disconnect withdraws the user's consent at Google and deletes the grant, even where Google does not confirm the
// withdrawal. If a consent or a refresh stores a newer version meanwhile, that one is withdrawn and deleted as well. A
// grant that is gone is no error. Its errors are those of the store.
func (f *Flow) Disconnect(ctx context.Context, g *tokenstore.Grant) (Revocation, error) {
	for {
		revocation, err := f.revokeUnlessHeld(ctx, g)
		if err != nil {
			return NotConfirmed, err
		}
		err = f.config.Store.Delete(ctx, g)
		if err == nil {
			return f.finishDisconnect(ctx, g, revocation)
		}
		if !errors.Is(err, tokenstore.ErrConflict) {
			return revocation, err
		}
		newer, err := f.config.Store.Get(ctx, g.Owner)
		if errors.Is(err, tokenstore.ErrNotFound) {
			return f.finishDisconnect(ctx, g, revocation)
		}
		if err != nil {
			return revocation, err
		}
		g = newer
	}
}

// finishDisconnect revokes after the grant was deleted, if another owner held the account before and does no more. Two
// owners who disconnect at the same moment each see the other's grant before they delete their own: without this,
// neither would revoke.
func (f *Flow) finishDisconnect(ctx context.Context, g *tokenstore.Grant, revocation Revocation) (Revocation, error) {
	if revocation == Held {
		var err error
		if revocation, err = f.revokeUnlessHeld(ctx, g); err != nil {
			f.config.Audit(ctx, "disconnected", g.Owner, "revocation", NotConfirmed, "error", err)
			return NotConfirmed, nil
		}
	}
	f.config.Audit(ctx, "disconnected", g.Owner, "revocation", revocation)
	return revocation, nil
}

// revokeUnlessHeld revokes a token of g, which ends the whole consent at Google, unless another owner's usable grant is
// for the same account. Its error is the store's.
func (f *Flow) revokeUnlessHeld(ctx context.Context, g *tokenstore.Grant) (Revocation, error) {
	all, err := f.config.Store.ByGoogle(ctx, g.Account())
	if err != nil {
		return NotConfirmed, err
	}
	for _, other := range all {
		// A grant that is sealed with an unknown key may well be in use.
		if other.Owner != g.Owner && (f.usable(other) || other.Reason == tokenstore.ReasonUnknownKey) {
			return Held, nil
		}
	}
	token := g.RefreshToken
	if token == "" {
		token = g.AccessToken
	}
	if token == "" {
		return NotConfirmed, nil
	}
	if err := f.revoke(ctx, token); err != nil {
		f.config.Warn(ctx, "revocation not confirmed", g.Owner, "error", err)
		return NotConfirmed, nil
	}
	return Revoked, nil
}

// revoke withdraws a token and all that was granted with it [Google: revoking a token]. A token that is dead already
// is no error.
func (f *Flow) revoke(ctx context.Context, token seal.Secret) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, revokeURL, strings.NewReader(url.Values{"token": {string(token)}}.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := f.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return nil
	}
	var body struct{ Error string }
	if raw, _ := io.ReadAll(res.Body); res.StatusCode == http.StatusBadRequest && json.Unmarshal(raw, &body) == nil && body.Error == "invalid_token" {
		return nil
	}
	return fmt.Errorf("%w: revoke: status %d", ErrBadResponse, res.StatusCode)
}

// refuseDomain revokes what Google issued for an account that is not let in, and returns ErrDomain.
func (f *Flow) refuseDomain(ctx context.Context, owner string, a *answer) error {
	issued := &tokenstore.Grant{Owner: owner, RefreshToken: a.refresh, AccessToken: a.access}
	if owner != a.who.subject {
		issued.Google = a.who.subject
	}
	revocation, err := f.revokeUnlessHeld(ctx, issued)
	f.config.Audit(ctx, "account of another domain refused", owner, "revocation", revocation, "error", err)
	return ErrDomain
}
