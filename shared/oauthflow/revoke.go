package oauthflow

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"functions.local/oauth/shared/tokenstore"
)

// Disconnect withdraws the user's consent at Google and deletes the grant. It deletes the grant even
// where Google does not confirm; revoked says whether Google did.
func (f *Flow) Disconnect(ctx context.Context, g *tokenstore.Grant) (revoked bool, err error) {
	revokeErr := f.revoke(ctx, g)
	if err := f.Store.Delete(ctx, g); err != nil {
		return revokeErr == nil, err
	}
	f.Audit(ctx, "disconnected", g.Owner, "revoked", revokeErr == nil)
	return revokeErr == nil, nil
}

// revoke ends the whole grant at Google, which revoking any one of its tokens does
// [Google: revoking a token].
func (f *Flow) revoke(ctx context.Context, g *tokenstore.Grant) error {
	token := g.RefreshToken
	if token == "" {
		token = g.AccessToken
	}
	if token == "" {
		return fmt.Errorf("no token to revoke")
	}
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
	io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: revoke: status %d", ErrNonsense, res.StatusCode)
	}
	return nil
}
