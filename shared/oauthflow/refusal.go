package oauthflow

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/oauth2"

	"functions.local/oauth/shared/tokenstore"
)

// A refusal is an error response of the token endpoint [RFC 6749 §5.2]. It leaves out the description, which may hold
// anything and must not be logged.
type refusal struct {
	status  int
	code    string
	subtype string // Google: error_subtype, such as invalid_rapt
	html    bool   // the answer was a page of HTML, which somebody between us and Google gives
}

// readRefusal reads an error in the form of OAuth, or in that of Google's APIs, where it is an object.
func readRefusal(e *oauth2.RetrieveError) *refusal {
	r := &refusal{status: e.Response.StatusCode, code: e.ErrorCode,
		html: strings.Contains(e.Response.Header.Get("Content-Type"), "html") || strings.HasPrefix(strings.TrimSpace(string(e.Body)), "<")}
	var body struct {
		Error   json.RawMessage
		Subtype string `json:"error_subtype"`
	}
	if json.Unmarshal(e.Body, &body) != nil {
		return r
	}
	r.subtype = body.Subtype
	var api struct {
		Status          string
		Errors, Details []struct{ Reason string }
	}
	if r.code == "" && json.Unmarshal(body.Error, &api) == nil {
		r.code = api.Status
		for _, entry := range append(api.Errors, api.Details...) {
			r.code = cmp.Or(entry.Reason, r.code)
		}
	}
	return r
}

func (e *refusal) Error() string {
	page := ""
	if e.html {
		page = ", a page of HTML"
	}
	return fmt.Sprintf("token endpoint: status %d, error %q, subtype %q%s", e.status, e.code, e.subtype, page)
}

// kind returns the sentinel that the refusal belongs to. What anybody can bring about by sending us an odd code is
// ErrInvalidGrant, and never the operator's fault. That includes redirect_uri_mismatch: a wrong redirect URI shows
// before Google ever gives a code.
func (e *refusal) kind() error {
	switch e.code {
	case "rate_limit_exceeded", "rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED":
		return ErrRateLimited
	case "internal_failure", "server_error", "temporarily_unavailable", "backendError":
		return ErrUnavailable
	}
	switch {
	case e.status == 429:
		return ErrRateLimited
	case e.status >= 500:
		return ErrUnavailable
	case e.code == "" || e.status < 400:
		return ErrBadResponse
	case e.code == "invalid_client", e.code == "deleted_client", e.code == "disabled_client":
		return ErrInvalidClient
	}
	return ErrInvalidGrant
}

// byAdmin reports whether the refusal is about the account and not about the code or token: a Workspace
// administrator's policy, or an account that Google restricts.
func (e *refusal) byAdmin() bool {
	switch e.code {
	case "access_denied", "admin_policy_enforced", "org_internal", "invalid_rapt":
		return e.kind() == ErrInvalidGrant
	}
	return e.kind() == ErrInvalidGrant && strings.Contains(e.subtype, "rapt")
}

// reason returns why a grant needs consent whose refresh token was so refused, or "" where the refusal is not about
// the grant.
func (e *refusal) reason() tokenstore.Reason {
	switch {
	case e.byAdmin():
		return tokenstore.ReasonAdmin
	case e.kind() == ErrInvalidGrant:
		return tokenstore.ReasonRevoked
	}
	return ""
}

// mayPass reports whether the same request may succeed a moment later.
func mayPass(err error) bool {
	var refused *refusal
	return errors.Is(err, ErrUnavailable) || errors.As(err, &refused) && refused.kind() == ErrUnavailable
}
