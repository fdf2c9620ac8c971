package httpfunc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"google.golang.org/api/googleapi"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// An Error is a function's own answer to a request that cannot be fulfilled. Message is shown as it
// is; Cause goes to the log only.
type Error struct {
	Status  int    // HTTP
	Code    string // the "error" field for programs
	Message string // for the person: what is wrong and what to do
	Cause   error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Code + ": " + e.Cause.Error()
	}
	return e.Code
}

func (e *Error) Unwrap() error { return e.Cause }

// Invalid returns the Error for input that the person can mend. On a form it comes back above the
// form, with the fields kept.
func Invalid(message string) error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Message: message}
}

// IsStatus reports whether err is a Google API's answer with this HTTP status.
func IsStatus(err error, status int) bool {
	var e *googleapi.Error
	return errors.As(err, &e) && e.Code == status
}

// A problem is an error as the client gets to know it.
type problem struct {
	status     int
	code       string
	title      string
	text       string
	retryAfter time.Duration
	next       *link // what to do now
	missing    []string
}

type link struct{ URL, Text string }

const retryAfter = 5 * time.Second

var (
	startAgain = problem{status: 400, code: "invalid_state", title: "Please start again",
		text: "This sign-in was begun in another browser, was finished before, or took more than ten minutes. Nothing was changed."}
	badCode = problem{status: 400, code: "invalid_code", title: "Please start again",
		text: "Google does not know this sign-in, or it was finished before. Nothing was changed."}
	tryLater = problem{status: 503, code: "unavailable", title: "Please try again in a moment", retryAfter: retryAfter,
		text: "Something that this page needs did not answer in time. Nothing was lost."}
	nonsense = problem{status: 502, code: "bad_gateway", title: "Google had a problem",
		text: "Google could not do this, or answered something that makes no sense. Nothing was lost; please try again later."}
	limited = problem{status: 429, code: "rate_limited", title: "Too much at once", retryAfter: 30 * time.Second,
		text: "Google asks for a pause. Please try again in half a minute."}
	refused = problem{status: 403, code: "forbidden", title: "Google does not allow this",
		text: "Your account may not do this, or the Google API behind it is switched off for this service."}
	tooLarge = problem{status: 413, code: "too_large", title: "That is too large",
		text: "A request can hold 32 MiB (33,554,432 bytes) in all. Nothing was created; please choose something smaller."}
	internal = problem{status: 500, code: "internal", title: "This went wrong here",
		text: "The mistake is not yours."}
)

// statusTable maps errors to problems: the first that matches counts.
var statusTable = []struct {
	sentinel error
	problem  problem
}{
	{oauthflow.ErrCallback, startAgain},
	{oauthflow.ErrState, startAgain},
	{oauthflow.ErrCode, badCode},
	{oauthflow.ErrUnavailable, tryLater},
	{tokenstore.ErrUnavailable, tryLater},
	{tokenstore.ErrConflict, tryLater},
	{seal.ErrUnknownKey, tryLater},
	{context.DeadlineExceeded, tryLater},
	{context.Canceled, tryLater},
	{os.ErrDeadlineExceeded, tryLater}, // of a body that stalls
	{oauthflow.ErrNonsense, nonsense},
	{oauthflow.ErrIDToken, nonsense},
	{oauthflow.ErrClient, internal},
	{errCut, nonsense},
}

// problemOf says what the client gets to know of err.
func (a *App) problemOf(err error) problem {
	var (
		own     *Error
		denied  *oauthflow.DeniedError
		api     *googleapi.Error
		large   *http.MaxBytesError
		syntax  *json.SyntaxError
		typed   *json.UnmarshalTypeError
		network *url.Error
	)
	switch {
	case errors.As(err, &own):
		return problem{status: own.Status, code: own.Code, title: titleOf(own.Status), text: own.Message}
	case errors.As(err, &denied):
		return a.denied(denied)
	case errors.As(err, &large):
		return tooLarge
	}
	for _, row := range statusTable {
		if errors.Is(err, row.sentinel) {
			p := row.problem
			if p.status == http.StatusBadRequest {
				p.next = &link{a.URL("oauth2init"), "Start again"}
			}
			return p
		}
	}
	switch {
	case errors.As(err, &api):
		return apiProblem(api, a.now())
	case errors.As(err, &syntax), errors.As(err, &typed), errors.Is(err, io.ErrUnexpectedEOF):
		return nonsense
	case errors.As(err, &network):
		return tryLater
	}
	return internal
}

// titleOf returns the title of the page that tells of a function's own Error.
func titleOf(status int) string {
	switch status {
	case http.StatusForbidden:
		return "This is not allowed"
	case http.StatusNotFound:
		return "There is no such page"
	case http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		return "This does not work here"
	case http.StatusRequestEntityTooLarge:
		return tooLarge.title
	}
	return "Please check this"
}

func apiProblem(e *googleapi.Error, now time.Time) problem {
	switch {
	case e.Code == http.StatusTooManyRequests, e.Code == http.StatusForbidden && isRateLimit(e):
		p := limited
		if wait := parseRetryAfter(e.Header, now); wait > 0 {
			p.retryAfter = wait
		}
		return p
	case e.Code == http.StatusForbidden:
		return refused
	case e.Code >= 500, e.Code < 400, e.Code == http.StatusUnauthorized:
		return nonsense
	}
	return internal
}

// rateLimits are the reasons for which Google answers 403 where 429 is meant [Google: Gmail, Drive
// and Calendar API, resolve errors].
var rateLimits = map[string]bool{
	"rateLimitExceeded": true, "userRateLimitExceeded": true, "quotaExceeded": true, "dailyLimitExceeded": true,
}

func isRateLimit(e *googleapi.Error) bool {
	for _, item := range e.Errors {
		if rateLimits[item.Reason] {
			return true
		}
	}
	return false
}

// lacksScope reports whether an API refused the token for want of a scope, whatever we stored of it.
func lacksScope(err error) bool {
	var e *googleapi.Error
	if !errors.As(err, &e) || e.Code != http.StatusForbidden {
		return false
	}
	for _, item := range e.Errors {
		if item.Reason == "insufficientPermissions" {
			return true
		}
	}
	for _, d := range e.Details {
		if m, ok := d.(map[string]any); ok && m["reason"] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT" {
			return true
		}
	}
	return false
}

// deniedTexts says what Google's refusals mean [Google: authorization errors].
var deniedTexts = map[string]string{
	"access_denied":           "You chose not to give permission, or this app is being tested and your account is not among its testers.",
	"admin_policy_enforced":   "The administrator of your Google Workspace does not allow this app the permission that it asked for. Only they can change that.",
	"org_internal":            "This app is for the accounts of one organization, and yours is not among them. Choose another account.",
	"disallowed_useragent":    "Google does not allow sign-in inside this app's built-in browser. Open this page in your ordinary browser.",
	"invalid_scope":           "This service asked Google for a permission that does not exist. Whoever runs it has to mend that.",
	"server_error":            "Google had a problem. Please try again.",
	"temporarily_unavailable": "Google is too busy at the moment. Please try again.",
}

func (a *App) denied(e *oauthflow.DeniedError) problem {
	text, ok := deniedTexts[e.Code]
	if !ok {
		text = "Google did not give permission."
	}
	return problem{status: http.StatusForbidden, code: "access_denied", title: "Permission was not given",
		text: text + " What you granted before is as it was.",
		next: &link{a.URL(e.ReturnTo), "Try again"}}
}
