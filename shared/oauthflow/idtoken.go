package oauthflow

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"functions.local/oauth/shared/seal"
)

// ErrIDToken means that an ID token is not what it has to be.
var ErrIDToken = errors.New("oauthflow: ID token refused")

// clockSkew is how far an ID token's iat may be from our clock.
const clockSkew = 5 * time.Minute

// identity is whom a verified ID token speaks of.
type identity struct {
	subject string
	email   string
	domain  string // Google: hd, the Workspace domain, or ""
}

// expected is what an ID token of the token endpoint has to fit besides our client. Its zero value is for the
// popup flow, whose tokens have no nonce.
type expected struct {
	nonce   string // of the redirect flow
	device  bool   // azp may be another client: mobile apps have their own
	subject string // of a refresh: whom the first token spoke of [OpenID Connect Core §12.2]
}

// verifyIDToken checks an ID token that came with access [OpenID Connect Core §3.1.3.7], and beyond
// what go-oidc checks: azp, iat, nonce, at_hash and the length of sub. An empty nonce stands for the
// popup flow, which sends none. It returns ErrIDToken or ErrUnavailable.
func (f *Flow) verifyIDToken(ctx context.Context, raw string, access seal.Secret, want expected) (identity, error) {
	refuse := func(why string) (identity, error) { return identity{}, fmt.Errorf("%w: %s", ErrIDToken, why) }
	verifier, err := f.verifier(ctx, raw, f.ClientID)
	if err != nil {
		return identity{}, err
	}
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return refuse("signature, issuer, audience or expiry")
	}
	var claims struct {
		AuthorizedParty *string `json:"azp"`
		AccessTokenHash *string `json:"at_hash"`
		Email           string  `json:"email"`
		Domain          string  `json:"hd"`
	}
	if err := token.Claims(&claims); err != nil {
		return refuse("claims")
	}
	age := f.Now().Sub(token.IssuedAt)
	switch {
	case len(token.Audience) != 1:
		return refuse("several audiences")
	case !want.device && claims.AuthorizedParty != nil && *claims.AuthorizedParty != f.ClientID:
		return refuse("azp")
	case token.IssuedAt.IsZero() || age < -clockSkew || age > clockSkew:
		return refuse("iat")
	case want.nonce != "" && token.Nonce != want.nonce:
		return refuse("nonce")
	case claims.AccessTokenHash != nil && *claims.AccessTokenHash != accessTokenHash(access):
		return refuse("at_hash")
	case len(token.Subject) < 1 || len(token.Subject) > 255:
		return refuse("sub")
	case want.subject != "" && token.Subject != want.subject:
		return refuse("another subject")
	}
	return identity{token.Subject, claims.Email, claims.Domain}, nil
}

// accessTokenHash is at_hash for RS256 [OpenID Connect Core §3.1.3.6].
func accessTokenHash(access seal.Secret) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// VerifyService checks a Google-signed ID token of a service account and returns the account's email
// address [Cloud Scheduler: authentication with OIDC tokens]. It returns ErrIDToken or ErrUnavailable.
func (f *Flow) VerifyService(ctx context.Context, raw, audience string) (string, error) {
	verifier, err := f.verifier(ctx, raw, audience)
	if err != nil {
		return "", err
	}
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("%w: signature, issuer, audience or expiry", ErrIDToken)
	}
	var claims struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	if err := token.Claims(&claims); err != nil || !claims.Verified || claims.Email == "" || len(token.Audience) != 1 {
		return "", fmt.Errorf("%w: no verified email", ErrIDToken)
	}
	return claims.Email, nil
}
