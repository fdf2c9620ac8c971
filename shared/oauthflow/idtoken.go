package oauthflow

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"functions.local/oauth/shared/seal"
)

// ErrIDToken means that an ID token is not valid, or not for us.
var ErrIDToken = errors.New("oauthflow: ID token refused")

// ErrClock means, beside ErrIDToken or ErrBearer, that a token is refused for its times: it has expired, or a clock is
// off.
var ErrClock = errors.New("times")

// identity is whom a verified ID token speaks of.
type identity struct {
	subject string
	email   string
	domain  string // Google: hd, the Workspace domain, or ""
}

// expected is what an ID token of the token endpoint has to fit besides our client. Its zero value is for the popup
// flow, whose tokens have no nonce.
type expected struct {
	nonce   string // of the redirect flow
	device  bool   // azp may be another client: mobile apps have their own
	subject string // of a refresh: whom the first token spoke of [OpenID Connect Core §12.2]
}

// verifyIDToken checks an ID token that came just now with access [OpenID Connect Core §3.1.3.7], and beyond what
// go-oidc checks: azp, iat, nonce, at_hash and sub. It returns ErrIDToken or ErrUnavailable. Where the token is
// refused for its times, the error says how far this machine's clock is from them.
func (f *Flow) verifyIDToken(ctx context.Context, raw string, access seal.Secret, want expected) (identity, error) {
	refuse := func(why string) (identity, error) { return identity{}, fmt.Errorf("%w: %s", ErrIDToken, why) }
	token, err := f.verifyJWT(ctx, raw, f.keys, f.config.ClientID)
	if err == nil {
		err = f.checkIssuedAt(token.IssuedAt)
	}
	if err != nil {
		return identity{}, wrap(ErrIDToken, err)
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
	behind := f.config.Now().Sub(token.IssuedAt)
	switch {
	case behind > clockSkew:
		return identity{}, fmt.Errorf("%w: %w: iat is %.0f s behind this machine's clock", ErrIDToken, ErrClock, behind.Seconds())
	case !want.device && claims.AuthorizedParty != nil && *claims.AuthorizedParty != f.config.ClientID:
		return refuse("azp")
	case want.nonce != "" && token.Nonce != want.nonce:
		return refuse("nonce")
	case claims.AccessTokenHash != nil && *claims.AccessTokenHash != accessTokenHash(access):
		return refuse("at_hash")
	case !isSubject(token.Subject):
		return refuse("sub")
	case want.subject != "" && token.Subject != want.subject:
		return refuse("another subject")
	}
	return identity{token.Subject, claims.Email, claims.Domain}, nil
}

// isSubject reports whether sub has a length that it may have [OpenID Connect Core §2].
func isSubject(sub string) bool { return len(sub) >= 1 && len(sub) <= 255 }

// accessTokenHash is at_hash for RS256 and ES256 [OpenID Connect Core §3.1.3.6].
func accessTokenHash(access seal.Secret) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
