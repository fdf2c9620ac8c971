package oauthflow

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
)

// ErrBearer means that a bearer token is not one that we accept. The answer is 401 invalid_token [RFC 6750 §3.1].
var ErrBearer = errors.New("oauthflow: bearer token refused")

// A Bearer is whom a verified bearer token is of: a user or a service account. One of its fields is set.
type Bearer struct {
	Owner   string // of a user: the key of the grant
	Service string // of a service account: its email address
}

// VerifyBearer checks the token of a header "Authorization: Bearer". Which check the token gets follows from the issuer
// and audience that it claims: Google's for serviceAudience is a service account's [Cloud Scheduler: authentication with
// OIDC tokens], one of Config.AuthIssuer for Config.AuthAudience is a user's. Where serviceAudience is "", no service
// account is accepted.
//
// It returns ErrBearer, or ErrUnavailable where the issuer's keys cannot be had.
func (f *Flow) VerifyBearer(ctx context.Context, raw, serviceAudience string) (*Bearer, error) {
	refuse := func(why error) (*Bearer, error) { return nil, wrap(ErrBearer, why) }
	claimed, err := f.readJWT(ctx, raw, "", oidc.Config{SkipIssuerCheck: true, SkipClientIDCheck: true, SkipExpiryCheck: true})
	if err != nil {
		return refuse(err)
	}
	issuer, keys := claimed.Issuer, f.appKeys
	if isGoogle(issuer) {
		issuer, keys = Issuer, f.keys
	}
	isService := issuer == Issuer && slices.Contains(claimed.Audience, serviceAudience)
	audience := f.config.AuthAudience
	if isService {
		audience = serviceAudience
	} else if f.config.AuthIssuer == "" || issuer != f.config.AuthIssuer {
		return refuse(errors.New("of another issuer"))
	}
	token, err := f.verifyJWT(ctx, raw, keys, audience)
	if err == nil {
		err = f.checkIssuedAt(token.IssuedAt)
	}
	if err != nil {
		return refuse(err)
	}
	var service struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
	}
	switch {
	case !isSubject(token.Subject):
		return refuse(errors.New("sub"))
	case isService && (token.Claims(&service) != nil || service.Email == "" || !service.Verified):
		return refuse(errors.New("no verified email address of a service account"))
	case isService:
		return &Bearer{Service: service.Email}, nil
	case issuer == Issuer && audience == f.config.ClientID:
		return &Bearer{Owner: token.Subject}, nil // the grant of the cookie's user as well
	}
	return &Bearer{Owner: appOwner(issuer, token.Subject)}, nil
}

// isGoogle reports whether an issuer is Google in one of its two forms [Google: OpenID Connect].
func isGoogle(issuer string) bool { return issuer == Issuer || issuer == "accounts.google.com" }

// appOwner returns the owner of an app user's grant. It never equals a subject of Google, which has no colon, nor an
// owner of another issuer.
func appOwner(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer))
	return "app:" + base64.RawURLEncoding.EncodeToString(sum[:])[:12] + ":" + subject
}
