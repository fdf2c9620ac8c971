package httpfunc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"google.golang.org/api/googleapi"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/userclient"
)

// An Error is a function's own answer to a request that cannot be fulfilled. Message is shown as it
// is; Cause goes to the log only.
type Error struct {
	Status  int    // HTTP
	Code    string // the "error" field for programs
	Message string // for the person: what is wrong and what to do; a text that somebody else wrote stands in it by Isolate
	Faults  Faults // what of Message is about which field, where it is about fields
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
// form, with the fields kept. What is wrong with a field belongs in Faults.
func Invalid(message string) error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Message: message}
}

// ErrBadAnswer is what a function returns for a success of Google's that lacks what it has to hold, such as an id.
var ErrBadAnswer = userclient.ErrBadAnswer

// errInApp is answered instead of a redirect to Google in a browser inside another app: Google's own refusal
// there is a page with no way back.
var errInApp = errors.New("httpfunc: browser inside another app")

// anyBrowserParam is the query parameter of somebody who goes on to Google in such a browser all the same.
const anyBrowserParam = "browser"

var errNotFound = &Error{Status: http.StatusNotFound, Code: "not_found", Message: "Nothing is served under this address."}

// IsStatus reports whether err is a Google API's answer with this HTTP status.
func IsStatus(err error, status int) bool {
	var e *googleapi.Error
	return errors.As(err, &e) && e.Code == status
}

// A problem is what the client is told of an error.
type problem struct {
	status     int
	code       string
	title      string
	text       string
	faults     Faults // what of text is about which field
	retryAfter time.Duration
	next       *link // what to do now

	missing    *[]string // scopes that were not granted
	consentURL string
	reason     string
	prompt     string // "consent" where only a new refresh token helps
	mark       *mark  // of the form when it is shown again, where that is not the usual one
}

type link struct{ URL, Text string }

const retryAfter = 5 * time.Second

var (
	startAgain = problem{status: 400, code: "invalid_state", title: "Please start again",
		text: "This sign-in was begun in another browser, was finished before, or took too long. Nothing was changed."}
	noCookie = problem{status: 400, code: "invalid_state", title: "Please allow cookies",
		text: "This sign-in cannot be finished, because your browser keeps no cookie of this site. Allow cookies for it, or use another browser, and start again. Nothing was changed."}
	badCode = problem{status: 400, code: "invalid_code", title: "Please start again",
		text: "Google does not know this sign-in, or it was finished before. Nothing was changed."}
	tryLater = problem{status: 503, code: "unavailable", title: "Please try again in a moment", retryAfter: retryAfter,
		text: "Something that this page needs did not answer in time. Nothing was lost."}
	badAnswer = problem{status: 502, code: "bad_gateway", title: "Google had a problem",
		text: "Google could not do this, or answered something that makes no sense. Nothing was lost; please try again later."}
	clockOff = problem{status: 502, code: "clock_off", title: "The sign-in could not be checked",
		text: "The clock of this service and Google's do not agree, so that nobody can sign in. Whoever runs the service has to set its clock. Nothing was changed."}
	limited = problem{status: 429, code: "rate_limited", title: "Too much at once", retryAfter: 30 * time.Second,
		text: "Google asks for a pause. Please try again in a while."}
	tooLarge = problem{status: 413, code: "too_large", title: "That is too large",
		text: "A request can hold 32 MiB (33,554,432 bytes) in all. Nothing was created; please choose something smaller."}
	internal = problem{status: 500, code: "internal", title: "This went wrong here",
		text: "The mistake is not yours."}
	invalidToken = problem{status: 401, code: "invalid_token", text: "The bearer token is not one of a user of this service, or it has expired."}
	noEvent      = problem{status: 400, code: "invalid_request", text: "The body is no security event of Google's for this service."}
	otherDomain  = problem{status: 403, code: "domain_not_allowed", title: "This account cannot be used here",
		text: "This service is for the accounts of certain organizations, and yours is not among them. Nothing was kept. Choose another account."}
)

// problems maps errors to what is answered: the first that matches counts.
var problems = []struct {
	err     error
	problem problem
}{
	{oauthflow.ErrCallback, startAgain},
	{oauthflow.ErrNoCookie, noCookie},
	{oauthflow.ErrState, startAgain},
	{oauthflow.ErrInvalidGrant, badCode},
	{oauthflow.ErrBearer, invalidToken},
	{oauthflow.ErrDomain, otherDomain},
	{oauthflow.ErrSecurityEvent, noEvent},
	{oauthflow.ErrRateLimited, limited},
	{oauthflow.ErrUnavailable, tryLater},
	{tokenstore.ErrUnavailable, tryLater},
	{errQueue, tryLater},
	{tokenstore.ErrConflict, tryLater},
	{seal.ErrUnknownKey, tryLater},
	{context.DeadlineExceeded, tryLater},
	{context.Canceled, tryLater},
	{os.ErrDeadlineExceeded, tryLater}, // of a body that stalls
	{oauthflow.ErrBadResponse, badAnswer},
	{oauthflow.ErrClock, clockOff},
	{oauthflow.ErrIDToken, badAnswer},
	{oauthflow.ErrInvalidClient, internal},
	{userclient.ErrCut, badAnswer},
	{userclient.ErrBadAnswer, badAnswer},
	{io.ErrUnexpectedEOF, badAnswer},
}

// problemOf returns what the client is told of err.
func (x *exchange) problemOf(err error) problem {
	var (
		own     *Error
		denied  *oauthflow.DeniedError
		large   *http.MaxBytesError
		syntax  *json.SyntaxError
		typed   *json.UnmarshalTypeError
		network *url.Error
	)
	switch {
	case errors.Is(err, errSignedOut):
		return problem{status: errSignedOut.Status, code: errSignedOut.Code, title: signedOut, text: errSignedOut.Message,
			next: &link{x.URL(signInName) + "?identity=only&return_to=/" + accountName, "Sign in"}}
	case errors.As(err, &own):
		return problem{status: own.Status, code: own.Code, title: titleOf(own.Status), text: own.Message, faults: own.Faults}
	case errors.As(err, &denied):
		return x.denied(denied)
	case errors.Is(err, errInApp):
		query := x.r.URL.Query()
		query.Set(anyBrowserParam, "any")
		return problem{status: http.StatusForbidden, code: "disallowed_useragent", title: "Please open this in your browser",
			text: deniedTexts["disallowed_useragent"] + " Its address is " + x.URL(x.f.Name) + ".",
			next: &link{x.URL(x.f.Name) + "?" + query.Encode(), "Go on all the same"}}
	case errors.As(err, &large):
		return tooLarge
	}
	for _, row := range problems {
		if errors.Is(err, row.err) {
			p := row.problem
			if p.status == http.StatusBadRequest || p.status == http.StatusForbidden {
				p.next = &link{x.URL(signInName), "Start again"}
			}
			return p
		}
	}
	if r := userclient.Read(err, x.now()); r != nil {
		return apiProblem(r)
	}
	switch {
	case errors.As(err, &syntax), errors.As(err, &typed):
		return badAnswer
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
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong:
		return tooLarge.title
	}
	return "Please check this"
}

// consentProblem answers what cannot be sent to Google: a form, which keeps its fields and offers the way
// there, and a program.
func (x *exchange) consentProblem(e *oauthflow.ConsentError) problem {
	reason, missing := consentReason(x.grant, e.Reason), append([]string{}, e.Missing...)
	switch {
	case x.f.Name == callbackName:
		reason = "Google gave no lasting permission this time, because it gave one before. Please give it once more at consent_url."
		if x.bearer == nil {
			missing = x.config.Scopes
		}
	case x.bearer != nil && x.grant == nil:
		reason = "No Google account is connected yet."
	}
	p := problem{status: http.StatusUnauthorized, code: "consent_required", title: "Permission needed", text: reason, missing: &missing, reason: reason}
	if e.Renew {
		p.prompt = "consent"
	}
	var err error
	if p.consentURL, err = x.consentURL(oauthflow.Request{Scopes: missing, Renew: e.Renew, SelectAccount: x.replaces()}); err != nil {
		return x.problemOf(err)
	}
	p.mark = x.markAgain()
	return p
}

// otherAccountProblem answers a code for another Google account than the one that is connected.
func (x *exchange) otherAccountProblem(e *oauthflow.OtherAccountError) problem {
	p := problem{status: http.StatusConflict, code: "other_account", title: "This is another Google account",
		text: "Another Google account is connected, so nothing was changed. Ask the user, and post a fresh code with \"replace\": true to connect this one instead."}
	var err error
	if p.consentURL, err = x.consentURL(oauthflow.Request{Scopes: e.Scopes, SelectAccount: true}); err != nil {
		return x.problemOf(err)
	}
	return p
}

// changedProblem answers a form of another account, or of an earlier session.
func (x *exchange) changedProblem(e *accountChangedError) problem {
	p := problem{status: http.StatusConflict, code: "account_changed", title: "Please check the account", next: &link{x.URL(x.f.Name), "Open the form anew"}}
	now := isolateOr(x.grant.Email, "the account that is signed in now")
	switch {
	case e.shown.Owner == x.grant.Owner:
		p.text = fmt.Sprintf("You signed in anew after this page was opened, so nothing was done yet. Sent again, it is done for %s.", now)
	default:
		p.text = fmt.Sprintf("This page was opened for %s, so nothing was done. Sent again, it is done for %s.", isolateOr(e.shown.Email, "another account"), now)
		x.form.Del("id") // it belongs to the other account
	}
	return p
}

// apiProblem returns what the client is told of a Google API's refusal.
func apiProblem(r *userclient.Refusal) problem {
	w := r.Words()
	p := problem{status: w.Status, code: w.Code, title: w.Title, text: w.Text}
	if w.Status == http.StatusTooManyRequests {
		p.retryAfter = r.RetryAfter
	}
	return p
}

// deniedTexts holds what Google's refusals of consent mean [Google: authorization errors].
var deniedTexts = map[string]string{
	"access_denied":         "You chose not to give permission. If Google said instead that access is blocked while this app is being tested, whoever runs it has to add your account to its testers.",
	"admin_policy_enforced": "The administrator of your Google Workspace does not allow this app the permission that it asked for. Only they can change that.",
	"org_internal":          "This app is for the accounts of one organization, and yours is not among them. Choose another account.",
	"disallowed_useragent":  "Google does not allow sign-in inside this app's built-in browser. Open this page in your ordinary browser.",
	"invalid_scope":         "This service asked Google for a permission that does not exist. Whoever runs it has to mend that.",
}

func (x *exchange) denied(e *oauthflow.DeniedError) problem {
	again := &link{x.localURL(e.ReturnTo), "Try again"}
	switch e.Code {
	case "server_error":
		p := badAnswer
		p.next = again
		return p
	case "temporarily_unavailable":
		p := tryLater
		p.next = again
		return p
	}
	text, ok := deniedTexts[e.Code]
	if !ok {
		text = "Google did not give permission."
	}
	return problem{status: http.StatusForbidden, code: "access_denied", title: "Permission was not given",
		text: text + " What you granted before is as it was.", next: again}
}

// panicError describes a panic. The value may hold a secret, so the error holds only its type, or the text of
// an error of the runtime.
func panicError(v any) error {
	what := fmt.Sprintf("%T", v)
	if err, ok := v.(runtime.Error); ok {
		what = err.Error()
	}
	return fmt.Errorf("panic: %s\n%s", what, debug.Stack())
}
