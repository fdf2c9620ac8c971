package oauthflow

import (
	"errors"
	"fmt"

	"functions.local/oauth/shared/tokenstore"
)

var (
	// ErrCallback means that the parameters of a callback are not what Google sends.
	ErrCallback = errors.New("oauthflow: malformed callback")
	// ErrState means that a state is forged, too old, used before, or of another browser or owner.
	ErrState = errors.New("oauthflow: state refused")
	// ErrNoCookie is the ErrState of a browser that sends no cookie even after one more try.
	ErrNoCookie = fmt.Errorf("%w: the browser sends no cookie", ErrState)
	// ErrInvalidGrant means that Google refused the authorization code.
	ErrInvalidGrant = errors.New("oauthflow: authorization code refused")
	// ErrInvalidClient means that Google refused the OAuth client itself, which the operator has to mend.
	ErrInvalidClient = errors.New("oauthflow: OAuth client refused")
	// ErrBadResponse means that Google's authorization server gave an answer that makes no sense.
	ErrBadResponse = errors.New("oauthflow: bad response of the authorization server")
	// ErrUnavailable means that Google's authorization server did not answer, or said that it
	// cannot answer now.
	ErrUnavailable = errors.New("oauthflow: authorization server unavailable")
	// ErrRateLimited means that Google's authorization server was asked too often.
	ErrRateLimited = errors.New("oauthflow: authorization server's rate limit")
	// ErrDomain means that the Google account is in none of Config.Domains.
	ErrDomain = errors.New("oauthflow: Google account of another domain")
)

// A DeniedError is the refusal of an authorization request: by the user, the administrator or Google.
type DeniedError struct {
	Code     string // Google's error code, such as access_denied
	ReturnTo string // where the user wanted to go
}

func (e *DeniedError) Error() string { return fmt.Sprintf("oauthflow: denied: %q", e.Code) }

// reasonClient says that the grant was given to another OAuth client than Config's. It is never stored.
const reasonClient tokenstore.Reason = "client"

// A ConsentError means that the user has to be asked before the grant can be used.
type ConsentError struct {
	Missing []string          // scopes to ask for
	Reason  tokenstore.Reason // why a grant that there is cannot be used, or ""
	Renew   bool              // a new refresh token is needed: Request.Renew
}

func (e *ConsentError) Error() string {
	return fmt.Sprintf("oauthflow: consent needed: missing %q, reason %q", e.Missing, e.Reason)
}

// An OtherAccountError means that an app's user consented with another Google account than the connected one.
type OtherAccountError struct {
	Scopes []string // to ask for once more, with Request.SelectAccount
}

func (e *OtherAccountError) Error() string { return "oauthflow: another Google account is connected" }

// errUnchanged ends an update of a grant that has nothing to change.
var errUnchanged = errors.New("oauthflow: nothing to change")
