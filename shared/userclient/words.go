package userclient

import (
	"fmt"
	"net/http"
	"time"
)

// Words are what a person and a program are told of a Refusal. They hold nothing of Google's answer.
type Words struct {
	Status            int // HTTP, of our answer
	Code, Title, Text string
}

const (
	noGmail      = "Gmail is not switched on for this account." + ofAccount
	noCalendar   = "Google Calendar is not switched on for this account." + ofAccount
	ofAccount    = " Choose another account, or ask the administrator of your organization to switch it on."
	tooManyItems = "Your Google Drive, or the folder, holds as many files as it can. Nothing was created; please delete some first."
)

var internal = Words{500, "internal", "This went wrong here", "The mistake is not yours."}

// kinds holds what follows from a Refusal's kind.
var kinds = map[Kind]struct {
	words      Words
	retryAfter time.Duration // where Google names none
	mayPass    bool
	everybody  bool
}{
	BadRequest: {words: internal},
	NotFound:   {words: internal},
	Conflict:   {words: internal},
	Forbidden:  {words: Words{403, "forbidden", "Google does not allow this", "Your account may not do this."}},
	ScopeMissing: {words: Words{403, "insufficient_scope", "A permission is missing",
		"This needs a permission that you have not given."}},
	NoService: {words: Words{403, "no_service", "Your account does not have this", ""}},
	StorageFull: {words: Words{403, "storage_full", "Your Google Drive is full",
		"Your Google Drive is full. Nothing was created; please make room first."}},
	AdminPolicy: {words: Words{403, "admin_policy", "Google does not allow this",
		"The administrator of your organization does not allow this. Only they can change that."}},
	UsageLimit: {words: Words{429, "rate_limited", "Too much at once",
		"Google Calendar takes no more appointments or invitations from your account for now."}, retryAfter: time.Hour, mayPass: true},
	RateLimited: {words: Words{429, "rate_limited", "Too much at once", "Google asks for a pause."},
		retryAfter: 30 * time.Second, mayPass: true},
	APIDisabled:    {words: internal, mayPass: true, everybody: true},
	ProjectRefused: {words: internal, mayPass: true, everybody: true},
	UnknownAPI: {words: Words{500, "unknown_api", "The stand-in for Google does not have this API",
		"Start with -client-secret client_secret.json to use the real Google, or put an answer into the folder standin/ beside the function's code: the log names the file."},
		mayPass: true, everybody: true},
	BadAnswer: {words: Words{502, "bad_gateway", "Google had a problem",
		"Google could not do this, or answered something that makes no sense. Nothing was lost; please try again later."}, mayPass: true},
}

// Words returns what may be shown of r. A pause is part of the text.
func (r *Refusal) Words() Words {
	w := kinds[r.Kind].words
	if r.text != "" {
		w.Text = r.text
	}
	if w.Status == http.StatusTooManyRequests {
		w.Text += " Please try again in " + inWords(r.RetryAfter) + "."
	}
	return w
}

// inWords rounds d up.
func inWords(d time.Duration) string {
	switch minutes := (d + time.Minute - 1) / time.Minute; {
	case d <= 30*time.Second:
		return "half a minute"
	case minutes == 1:
		return "a minute"
	case minutes <= 90:
		return fmt.Sprintf("%d minutes", minutes)
	default:
		return fmt.Sprintf("%d hours", (minutes+59)/60)
	}
}

// Fault tells the operator what they have to mend, or is "" where the fault is not theirs. It is for the
// log. A caller that knows which API was called sets r.API first where Google did not name it.
func (r *Refusal) Fault() string {
	switch r.Kind {
	case APIDisabled:
		if r.API == "" {
			return "a Google API is switched off in this project: see https://console.cloud.google.com/apis/library"
		}
		text := r.API + " is switched off in this project: run gcloud services enable " + r.API
		if r.activation != "" {
			text += ", or open " + r.activation
		}
		return text
	case ProjectRefused:
		return "Google refuses this project (" + r.Reason + "): see https://console.cloud.google.com/home/dashboard"
	case UnknownAPI:
		return "the stand-in for Google does not have this API: start with -client-secret to use the real Google, or put the answer into the folder standin/ beside the function's code"
	}
	return ""
}
