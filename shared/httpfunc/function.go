package httpfunc

import (
	"net/http"
	"time"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/userclient"
)

// The functions that belong to the framework.
const (
	signInName   = "oauth2init"
	callbackName = "oauth2callback"
	accountName  = "account"
	eventsName   = "securityevents"
)

// Scopes is what a function needs. Each entry lists scopes of which any one will do; the first is the
// one that the user is asked for.
type Scopes = oauthflow.Scopes

// A Function is one HTTP function, and all that is said about it anywhere: on pages, at its
// deployment, in its own code.
type Function struct {
	Name       string // of its folder, its URL and its entry point
	Title      string // what it does, as a link says it: "List my labels"
	Permission string // what its scopes let it do, in words: "see and edit your Gmail labels"
	API        string // the Google API to be switched on: "gmail.googleapis.com"
	Scopes     Scopes
	// Apart has the permission asked for by itself and online. Google ends refresh tokens that reach
	// some scopes after hours (Google Cloud's, by an administrator's session control), and with them
	// everything else that is in the same token.
	Apart bool

	// Get serves GET and HEAD. It changes nothing.
	Get func(*Call) (*View, error)
	// Post serves POST, where there is one. Its view says by At where a browser finds it afterwards.
	Post func(*Call) (*View, error)
	// Form is the page of the form that is posted. Where it has to be shown again, that is this page
	// over the posted Fields; no code of the function runs for it.
	Form *Page
	Text int64 // how much text a POST can hold, in bytes; 64 KiB unless set
	File bool  // the form also takes a file; the whole request can have 32 MiB

	// EachUser does the work of a job (ForEveryUser) for one user. It may be called twice for the same slot, and
	// must not make anything twice then.
	EachUser func(*Call) error
	Does     string // what the job does, for the page on which it is switched
	Schedule string // when Cloud Scheduler calls the job, in the format of cron
	Quota    int    // how many users a minute the API's quota allows; 0: no limit

	Memory  string        // of an instance; "256Mi" unless set
	Timeout time.Duration // of a request, deployed; one minute unless set
}

// A Call is one request to a function, or one user's turn in a run of a job.
type Call struct {
	*http.Request
	Client *http.Client // acts for the user
	User   User
	Form   *Form     // a POST's fields, otherwise the query's
	Slot   time.Time // of a job: the time for which the run was scheduled, in the time zone that the user chose for the job, or else the scheduler's
}

// A User is the one for whom a function acts.
type User struct {
	ID     string // the owner of the grant; tells users apart
	Google string // the subject of the connected Google account
	Email  string // of that account, or ""
}

// Date returns a calendar date as Google's APIs write it: the day of the job's slot, or so many days
// after it.
func (c *Call) Date(days int) string { return dateOf(c.Slot, days) }

// SafeToRepeat marks a call of a Google API that may be sent again when its answer is lost, because it
// carries an id of its own. GET needs no mark.
func SafeToRepeat(h http.Header) { userclient.SafeToRepeat(h) }

// Pages calls page with each page token of a list in turn, beginning with "", until it returns none.
func Pages(c *Call, page func(token string) (next string, err error)) error {
	return userclient.Pages(c.Context(), page)
}

// ForUser registers a function that acts for the user who calls it. Its Get and Post are called only for a user
// who is signed in and has granted its scopes.
func ForUser(f Function) {
	register(f, &handler{serve: (*exchange).serveUser, formPage: (*exchange).postedForm, methods: methodsOf(f)})
}

// ForEveryUser registers a background job. In a browser it is a page on which the signed-in user turns
// the job on or off. Called by a service account of SCHEDULER_ACCOUNT, it runs EachUser once for every
// user who turned it on.
func ForEveryUser(f Function) {
	if f.Timeout == 0 {
		f.Timeout = runTimeout
	}
	register(f, &handler{serve: (*exchange).serveJob, formPage: (*exchange).switchPage, methods: []string{http.MethodGet, http.MethodHead, http.MethodPost}})
}

func methodsOf(f Function) []string {
	if f.Post == nil {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{http.MethodGet, http.MethodHead, http.MethodPost}
}

// SignIn registers oauth2init, with which a sign-in begins.
func SignIn() {
	register(Function{Name: signInName, Title: "Sign in"},
		&handler{serve: (*exchange).serveSignIn, methods: []string{http.MethodGet, http.MethodHead}})
}

// Callback registers oauth2callback. Google sends the browser back to it, and front ends post an authorization
// code to it.
func Callback() {
	register(Function{Name: callbackName, Title: "Come back from Google"},
		&handler{serve: (*exchange).serveCallback, methods: []string{http.MethodGet, http.MethodPost}, maxBody: 16 << 10, scripts: true})
}

// Account registers account, the page on which users see what is kept of them, and end it.
func Account() {
	register(Function{Name: accountName, Title: "My account"},
		&handler{serve: (*exchange).serveAccount, formPage: (*exchange).accountPage, methods: []string{http.MethodGet, http.MethodHead, http.MethodPost}})
}

// SecurityEvents registers securityevents, to which Google posts that an account was hijacked.
func SecurityEvents() {
	register(Function{Name: eventsName, Title: "Hear of accounts that were hijacked"},
		&handler{serve: (*exchange).serveSecurityEvent, methods: []string{http.MethodPost}, maxBody: 64 << 10, scripts: true, open: true})
}
