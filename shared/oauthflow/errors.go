package oauthflow

import (
	"errors"
	"fmt"
	"strings"

	"functions.local/oauth/shared/tokenstore"
)

var (
	// ErrCallback means that the parameters of a callback are not what Google sends.
	ErrCallback = errors.New("oauthflow: malformed callback")
	// ErrState means that the state is forged, expired, used or of another browser.
	ErrState = errors.New("oauthflow: state refused")
	// ErrCode means that Google refused the authorization code.
	ErrCode = errors.New("oauthflow: authorization code refused")
	// ErrUnavailable means that Google's authorization server did not answer, or not now.
	ErrUnavailable = errors.New("oauthflow: authorization server unavailable")
	// ErrNonsense means that Google's authorization server answered what it never should.
	ErrNonsense = errors.New("oauthflow: authorization server's answer makes no sense")
	// ErrClient means that Google refused the OAuth client itself: its id, secret or redirect URI.
	ErrClient = errors.New("oauthflow: OAuth client refused")
)

// A DeniedError is Google's refusal of an authorization request, brought by the callback.
type DeniedError struct {
	Code     string // Google's error code, such as access_denied
	ReturnTo string // where the user wanted to go
}

func (e *DeniedError) Error() string { return fmt.Sprintf("oauthflow: denied: %q", e.Code) }

// A ConsentError means that the grant cannot be used before the user consents again.
type ConsentError struct{ Reason tokenstore.Reason }

func (e *ConsentError) Error() string { return "oauthflow: consent needed: " + string(e.Reason) }

// refusal is an error response of the token endpoint [RFC 6749 §5.2]. Its description stays out of
// it: it is not ours to log.
type refusal struct {
	status  int
	code    string
	subtype string // Google: error_subtype, such as invalid_rapt
}

func (e *refusal) Error() string {
	return fmt.Sprintf("token endpoint: status %d, error %q, subtype %q", e.status, e.code, e.subtype)
}

// reason says what a refused refresh token means, or "" where the refusal is not about the grant.
func (e *refusal) reason() tokenstore.Reason {
	switch {
	case e.kind() == ErrUnavailable, e.code == "":
	case e.code == "admin_policy_enforced", strings.Contains(e.subtype, "rapt"), e.code == "invalid_rapt":
		return tokenstore.ReasonAdmin
	case e.code == "invalid_grant":
		return tokenstore.ReasonRevoked
	}
	return ""
}

// kind returns the sentinel that the refusal of a request belongs to.
func (e *refusal) kind() error {
	switch {
	case e.status >= 500, e.status == 429:
		return ErrUnavailable
	case e.code == "invalid_grant":
		return ErrCode
	case e.code == "":
		return ErrNonsense
	}
	return ErrClient
}
