package httpfunc

import (
	_ "embed"
	"fmt"
	"net/http"
	"slices"
	"time"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

var (
	//go:embed account.html
	accountHTML string
	//go:embed disconnect.html
	disconnectHTML string

	accountView    = NewPage("", accountHTML)
	disconnectView = NewPage("Disconnect this account?", disconnectHTML)
)

// account is what users see of what is stored about them.
type account struct {
	Email    string        `json:"email"`
	Created  time.Time     `json:"created"` // first consent
	Scopes   []string      `json:"scopes"`
	Status   string        `json:"status"`           // active or needs_consent
	Reason   string        `json:"reason,omitempty"` // in words, where consent is needed
	Jobs     []string      `json:"jobs"`             // background jobs that are on
	Sessions []sessionInfo `json:"sessions"`         // newest first

	grant *tokenstore.Grant
	last  map[string]time.Time // for a person: the slot of each job that is on whose run ended last
}

// sessionInfo is one browser's sign-in.
type sessionInfo struct {
	Session string    `json:"session"` // its hash, which names it in a request to end it
	Start   time.Time `json:"start"`
	Current bool      `json:"current"` // it is the browser that asks
	Browser string    `json:"browser,omitempty"`
	Age     string    `json:"-"`
}

// Permissions returns what is permitted, in words, with what is kept apart.
func (a account) Permissions() []permission {
	var all []permission
	for _, scope := range slices.Concat(a.Scopes, a.grant.Apart.Scopes) {
		p := permissionOf(scope)
		if !slices.ContainsFunc(all, func(q permission) bool { return q.Words == p.Words }) {
			all = append(all, p)
		}
	}
	return all
}

// testingLifetime is how long a refresh token lives whose app is in Testing mode [Google: refresh token expiration].
const testingLifetime = 7 * 24 * time.Hour

// Ends says in words when the permission ends, or "" where no end is known.
func (a account) Ends() string {
	g := a.grant
	if g.RefreshExpiry.IsZero() || !g.Usable() {
		return ""
	}
	text := "Your permission ends on " + g.RefreshExpiry.Format("2 January 2006") + "; then you are asked again"
	if g.RefreshExpiry.Sub(g.Consented) <= testingLifetime+time.Hour {
		return text + ": this service is being tested, and Google ends each permission of such an app after 7 days."
	}
	return text + "."
}

// A job is a background job as the account page shows it to a user.
type job struct {
	Name, Title string
	On          bool
	Last        string // the day for which it was done last, or ""
	Skipped     string // in words, why it does nothing for the user though it is on
}

// Work returns what runs in the background for the user, or could.
func (a account) Work() []job {
	var all []job
	known := Functions()
	for _, f := range known {
		if f.Does == "" {
			continue
		}
		j := job{Name: f.Name, Title: f.Title, On: a.grant.HasJob(f.Name)}
		if last := a.last[f.Name]; !last.IsZero() {
			j.Last = last.Format("2 January 2006")
		}
		switch {
		case !j.On:
		case a.Reason != "":
			j.Skipped = "your permission has to be given again."
		case len(f.Scopes.Missing(a.grant.Scopes)) > 0:
			j.Skipped = "this needs a permission that you have not given. Open it to give it."
		}
		all = append(all, j)
	}
	for _, name := range a.grant.Jobs {
		if !slices.ContainsFunc(known, func(f Function) bool { return f.Name == name }) {
			all = append(all, job{Name: name, Title: name, On: true, Skipped: "this service does not do it any more."})
		}
	}
	return all
}

func (x *exchange) serveAccount() error {
	done, ended := endings[x.form.Get("done")]
	switch {
	case x.grant == nil && ended && x.r.Method != http.MethodPost:
		return x.show(done.view())
	case x.grant == nil && x.r.Method == http.MethodPost && !x.json:
		return errSignedOut
	case x.grant == nil:
		return &oauthflow.ConsentError{Missing: []string{}}
	case x.r.Method == http.MethodPost:
		return x.endAccount()
	}
	return x.showSignedIn(x.accountPage())
}

// errSignedOut answers somebody who wants to end a session or a grant and whose own session is over.
var errSignedOut = &Error{Status: http.StatusUnauthorized, Code: "signed_out", Message: "This browser is not signed in any more, so nothing was done."}

// accountPage returns the page of who is signed in, or the one that asks before it disconnects them.
func (x *exchange) accountPage() *View {
	if x.grant == nil {
		return nil
	}
	g := x.grant
	a := account{Email: g.Email, Created: g.Created, Scopes: append([]string{}, g.Scopes...), Status: string(g.Status), Jobs: append([]string{}, g.Jobs...),
		Reason: consentReasonOf(g), grant: g}
	if !g.Usable() {
		a.Status = string(tokenstore.NeedsConsent)
	}
	for _, s := range slices.Backward(g.Sessions) {
		a.Sessions = append(a.Sessions, sessionInfo{s.Hash, s.Start, s.Hash == seal.HashID(x.session.ID), s.Browser, ageOf(x.now().Sub(s.Start))})
	}
	if !x.json && (x.form.Get("confirm") == "disconnect" || x.form.Get("action") == "disconnect" && x.r.Method == http.MethodPost) {
		return disconnectView.View(a)
	}
	if !x.json {
		a.last = x.lastSlots()
	}
	return accountView.View(a)
}

// lastSlots returns the slot of each job that is on whose run ended last, where that is known.
func (x *exchange) lastSlots() map[string]time.Time {
	last := map[string]time.Time{}
	for _, job := range x.grant.Jobs {
		p, err := x.readProgress(job)
		if err != nil {
			x.log.Warn("the last run of a job is not known", "job", job, "error", err)
			break
		}
		last[job] = p.Last
	}
	return last
}

// ageOf says how long ago something was.
func ageOf(age time.Duration) string {
	switch {
	case age < time.Minute:
		return "just now"
	case age < time.Hour:
		return plural(int(age/time.Minute), "minute")
	case age < 24*time.Hour:
		return plural(int(age/time.Hour), "hour")
	}
	return plural(int(age/(24*time.Hour)), "day")
}

func plural(n int, unit string) string {
	if n == 1 {
		return "1 " + unit + " ago"
	}
	return fmt.Sprintf("%d %ss ago", n, unit)
}

// An ending is how a session or a grant ended.
type ending struct {
	key     string
	title   string
	Done    string `json:"done"` // the action
	Text    string `json:"message"`
	Revoked bool   `json:"revoked"` // Google confirmed that the permission is withdrawn
}

const (
	signedOut    = "You are signed out"
	disconnected = "You are disconnected"
	deleted      = "Everything that was kept of you is deleted"
)

// endings holds an ending for each action of the account page, and for each other outcome of "disconnect".
var endings = map[string]ending{
	"sign_out": {"sign_out", signedOut, "sign_out",
		"This browser is signed out, and so is every copy of its cookie. You may still be signed in at Google.", false},
	"end_session": {"sign_out", signedOut, "sign_out", // it is this one
		"This browser is signed out, and so is every copy of its cookie. You may still be signed in at Google.", false},
	"sign_out_everywhere": {"sign_out_everywhere", signedOut, "sign_out_everywhere",
		"Every browser is signed out. What you permitted stays, for the background jobs that you turned on.", false},
	"disconnect": {"disconnect", disconnected, "disconnect",
		"Google has withdrawn the permission. " + deleted + ".", true},
	"not_confirmed": {"not_confirmed", disconnected, "disconnect",
		deleted + ", but Google did not confirm that the permission is withdrawn. To be sure, remove this app at https://myaccount.google.com/connections.", false},
	"held": {"held", disconnected, "disconnect",
		deleted + ". The permission at Google stays, because another user of this service has connected the same Google account.", false},
}

func (e ending) view() *View { return endingPage.View(e).Titled(e.title).At("done", e.key) }

var endingPage = NewPage(signedOut, `<p>{{.Value.Text}}</p>
<p class="actions"><a class="button" href="{{.URL "oauth2init"}}">Sign in</a></p>
`)

// endAccount does what was posted: it ends this session, another one, all sessions, or the grant.
func (x *exchange) endAccount() error {
	if err := x.checkMark(); err != nil {
		return err
	}
	ctx, action := x.r.Context(), x.form.Get("action")
	if action == "end_session" && x.form.Get("session") != seal.HashID(x.session.ID) {
		return x.endOneSession()
	}
	end := endings[action]
	var err error
	switch action {
	case "sign_out", "end_session":
		err = x.flow.EndSession(ctx, x.grant.Owner, x.session.ID)
	case "sign_out_everywhere":
		err = x.flow.EndSessions(ctx, x.grant.Owner)
	case "disconnect":
		var revocation oauthflow.Revocation
		switch revocation, err = x.flow.Disconnect(ctx, x.grant); revocation {
		case oauthflow.NotConfirmed:
			end = endings["not_confirmed"]
		case oauthflow.Held:
			end = endings["held"]
		}
	default:
		err = Invalid("The action is none of sign_out, sign_out_everywhere, end_session and disconnect.")
	}
	if err != nil {
		return err
	}
	x.grant = nil
	if x.bearer == nil {
		x.session = x.session.SignOut()
		if err := x.cookie.Write(x.w, x.session); err != nil {
			return err
		}
	}
	return x.show(end.view())
}

// endOneSession ends another browser's session, and shows those that are left.
func (x *exchange) endOneSession() error {
	owner := x.grant.Owner
	if err := x.flow.EndSessionByHash(x.r.Context(), owner, x.form.Get("session")); err != nil {
		return err
	}
	x.grant = nil
	if err := x.load(owner); err != nil {
		return err
	}
	if x.grant == nil { // disconnected meanwhile
		return &oauthflow.ConsentError{Missing: []string{}}
	}
	return x.showSignedIn(x.accountPage())
}
