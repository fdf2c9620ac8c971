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

// A Bearer is who a verified bearer token speaks of: a user, with an Owner, or a service account, with a Service.
type Bearer struct {
	Owner   string // key of the user's grant
	Google  string // the user's subject at Google, where the token is Google's and for our client
	Email   string // the user's, where the issuer has verified it
	Service string // the service account's email address
}

// VerifyBearer checks the token of a header "Authorization: Bearer". Which check it meets follows from the issuer and
// audience that it claims: Google's token for serviceAudience is a service account's [Cloud Scheduler: authentication
// with OIDC tokens], one of AuthIssuer for AuthAudience a user's. An empty serviceAudience takes no service account.
//
// It returns ErrBearer, or ErrUnavailable where the issuer's keys are needed and do not come.
func (f *Flow) VerifyBearer(ctx context.Context, raw, serviceAudience string) (*Bearer, error) {
	refuse := func(why error) (*Bearer, error) { return nil, as(ErrBearer, why) }
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
		err = f.notAhead(token.IssuedAt)
	}
	if err != nil {
		return refuse(err)
	}
	var claims struct {
		Email    string `json:"email"`
		Verified any    `json:"email_verified"` // some issuers write a string
	}
	if err := token.Claims(&claims); err != nil {
		return refuse(errors.New("claims"))
	}
	if claims.Verified != true {
		claims.Email = ""
	}
	sub := token.Subject
	switch {
	case !isSubject(sub):
		return refuse(errors.New("sub"))
	case isService && claims.Email == "":
		return refuse(errors.New("no verified email address of a service account"))
	case isService:
		return &Bearer{Service: claims.Email}, nil
	case issuer == Issuer && audience == f.config.ClientID:
		return &Bearer{Owner: sub, Google: sub, Email: claims.Email}, nil
	}
	return &Bearer{Owner: appOwner(f.config.AuthIssuer, sub), Email: claims.Email}, nil
}

// isGoogle reports whether an issuer is Google in one of its two forms [Google: OpenID Connect].
func isGoogle(issuer string) bool { return issuer == Issuer || issuer == "accounts.google.com" }

// appOwner is the owner of a grant of an app's user. It never equals a subject of Google, which has no colon, nor an
// owner of another issuer.
func appOwner(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer))
	return "app:" + base64.RawURLEncoding.EncodeToString(sum[:])[:12] + ":" + subject
}
