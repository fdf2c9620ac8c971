package httpfunc

import (
	_ "embed"
	"errors"
	"net/http"
	"time"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/userclient"
)

// serveUser has the function do its work for the user who is asking.
func (x *exchange) serveUser() error {
	if err := x.authorized(x.f.Scopes); err != nil {
		return err
	}
	do := x.f.Get
	if x.r.Method == http.MethodPost {
		do = x.f.Post
	}
	if x.isBack() && x.f.Form != nil {
		return x.showSignedIn(backPage.View(nil))
	}
	view, err := do(x.call(x.r, x.access, meter{x}))
	if err != nil {
		return x.lacksScope(err)
	}
	return x.showSignedIn(view)
}

// authorized checks that somebody is signed in who has granted scopes, and that the form they post was shown
// to them. It returns a *oauthflow.ConsentError or an *accountChangedError where that is not so.
func (x *exchange) authorized(scopes Scopes) (err error) {
	if x.access, err = x.flow.Authorize(x.r.Context(), x.grant, scopes); err != nil {
		return err
	}
	x.grant = x.access.Grant()
	return x.checkMark()
}

// call returns the call of a function for the user of access, whose client stands on base.
func (x *exchange) call(r *http.Request, access *oauthflow.Access, base http.RoundTripper) *Call {
	g := access.Grant()
	return &Call{
		Request: r,
		Client:  userclient.New(base, access.Token, x.now),
		User:    User{ID: g.Owner, Google: g.Account(), Email: g.Email},
		Form:    x.form,
	}
}

// consentParam is the query parameter of a page to which a user comes back from Google: "again" where nothing new was
// asked for, "given" where their form waits in another tab. A program has no such page: to it, a consent within
// recently counts as "again".
const (
	consentParam = "consent"
	recently     = 2 * time.Minute
)

// isBack reports whether a browser comes back from a consent in a new tab, whose form is in the old one.
func (x *exchange) isBack() bool {
	return !x.json && x.r.Method != http.MethodPost && x.form.Get(consentParam) == "given"
}

//go:embed back.html
var backHTML string

var backPage = NewPage("Go back to your form", backHTML)

// lacksScope makes a consent error of Google's refusal of a call for want of a scope, although the grant has
// all that the function declares. Who was asked for just that a moment ago is not asked again.
func (x *exchange) lacksScope(err error) error {
	if refusal := userclient.Read(err, x.now()); refusal == nil || refusal.Kind != userclient.ScopeMissing {
		return err
	}
	asked := x.form.Get(consentParam) == "again" || x.json && x.now().Sub(x.grant.Consented) < recently
	if !asked {
		x.reasked = true
		return &oauthflow.ConsentError{Missing: x.f.Scopes.First()}
	}
	x.log.Error("Google wants a scope that the function does not declare", "declared", x.f.Scopes.First())
	return &Error{Status: http.StatusForbidden, Code: "insufficient_scope", Cause: err,
		Message: "Google says that your permission does not cover this, although you have given all that this page asks for. Only whoever runs this service can mend that."}
}

// postedForm returns the page of the form that was posted, over what was posted.
func (x *exchange) postedForm() *View {
	if x.f.Form == nil || x.form == nil || x.tooLong || x.form.size() > maxShown {
		return nil
	}
	return x.f.Form.View(x.form.Fields)
}

// maxShown bounds what a form shows again, in bytes of HTML. Escaping makes up to five of one.
const maxShown = 512 << 10

// keptByBrowser is said where a form cannot be shown again.
const keptByBrowser = " What you entered is too long to be shown again: your browser's Back button has it."

// consentReason says in words why g cannot be used. g may be nil.
func consentReason(g *tokenstore.Grant, reason tokenstore.Reason) string {
	if g == nil {
		return "You are not signed in yet."
	}
	switch reason {
	case "":
		return "This needs a permission that you have not given yet, or whose box was left unticked."
	case tokenstore.ReasonAdmin:
		return "The administrator of your Google Workspace blocks this app or asks you to sign in again. If signing in again does not help, only they can change it."
	case tokenstore.ReasonExpired:
		return "Your permission expired: it was given for a limited time. While an app is in Testing mode, Google ends each permission after 7 days."
	case tokenstore.ReasonDamaged:
		return "What was stored of your permission cannot be read any more. Please sign in again."
	}
	return "Your permission was withdrawn, in your Google Account or by Google. Please give it again."
}

func isNotFound(err error) bool { return errors.Is(err, tokenstore.ErrNotFound) }
