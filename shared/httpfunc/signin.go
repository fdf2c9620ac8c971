package httpfunc

import (
	"net/http"
	"net/url"
	"slices"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// serveSignIn begins a sign-in, unless there is nothing left to ask. It takes the parameters return_to,
// account ("new": have the user choose another one) and identity ("only": ask for no permission).
func (x *exchange) serveSignIn() error {
	ask := oauthflow.Request{
		ReturnTo:      x.returnTo(x.form.Get("return_to")),
		SelectAccount: x.form.Get("account") == "new",
		IdentityOnly:  x.form.Get("identity") == "only",
	}
	scopes := singly(x.config.Scopes)
	if ask.IdentityOnly {
		scopes = nil
	}
	err := x.authorized(scopes)
	if err == nil && !ask.SelectAccount {
		return x.redirect(http.StatusSeeOther, x.localURL(ask.ReturnTo))
	}
	missing, asked := consentNeeded(err)
	switch {
	case err != nil && !asked, !ask.SelectAccount && (x.json || !isNavigation(x.r)):
		return err
	case ask.SelectAccount && !ask.IdentityOnly:
		missing = x.config.Scopes
	}
	ask.Scopes = missing
	return x.sendToGoogle(ask)
}

// singly returns Scopes that are satisfied by nothing but the scopes themselves.
func singly(scopes []string) Scopes {
	var s Scopes
	for _, scope := range scopes {
		s = append(s, []string{scope})
	}
	return s
}

// serveCallback takes the browser back from Google, and the codes that front ends post.
func (x *exchange) serveCallback() error {
	x.retryPath = signInName // no callback can be tried twice
	switch {
	case x.r.Method == http.MethodPost && x.bearer != nil:
		return x.connect()
	case x.r.Method == http.MethodPost:
		return x.finishPopup()
	}
	query, err := url.ParseQuery(x.r.URL.RawQuery)
	if err != nil {
		return oauthflow.ErrCallback
	}
	out, err := x.flow.Finish(x.r.Context(), query, x.browser())
	switch {
	case err != nil:
		return err
	case out.Consent != "":
		x.logCause(out.Cause)
		if out.Browser != "" {
			x.session.Browser = out.Browser
			if err := x.cookie.Write(x.w, x.session); err != nil {
				return err
			}
		}
		return x.redirect(http.StatusFound, out.Consent)
	case out.HandOn != "":
		return x.redirect(http.StatusSeeOther, out.HandOn)
	case out.Retry != "":
		x.known = false
		x.replyPage(http.StatusOK, retryPage.View(out.Retry), &pageData{Refresh: refreshTo(out.Retry)})
		return nil
	case out.GoOn:
		x.logCause(out.Cause)
	default:
		if err := x.signIn(out); err != nil {
			return err
		}
	}
	if len(out.Missing) == 0 {
		return x.redirect(http.StatusSeeOther, x.localURL(out.ReturnTo))
	}
	return x.showMissing(out)
}

// logCause says why a callback was not simply finished.
func (x *exchange) logCause(cause string) {
	if cause != "" {
		x.log.Info("callback helped on", "cause", cause)
	}
}

// retryPage makes the browser call the callback once more from a page of ours: some browsers send no cookie with a
// request that comes from another site.
var retryPage = NewPage("One moment", `<p>You are being taken on. <a href="{{.Value}}">Go on</a> if nothing happens. If that leads nowhere, allow cookies for this site.</p>
`)

// browser says who came back from Google.
func (x *exchange) browser() oauthflow.Browser {
	return oauthflow.Browser{ID: x.session.Browser, Subject: x.session.Subject, Session: x.session.ID, SignedOut: x.session.SignedOut, Name: browserName(x.r.UserAgent())}
}

// signIn sets the cookie to the session that the flow opened.
func (x *exchange) signIn(out *oauthflow.Outcome) error {
	x.session, x.grant = x.session.SignIn(out.Grant.Owner, out.Session, x.now()), out.Grant
	return x.cookie.Write(x.w, x.session)
}

var untickedPage = NewPage("A permission is missing", `<p>You are signed in, but this was not permitted:</p>
<ul>{{range .Value.Needs}}<li>{{.Words}}{{with .Uses}} (for: {{range $i, $f := .}}{{if $i}}, {{end}}{{$f.Title}}{{end}}){{end}}</li>{{end}}</ul>
<p>Everything else works. To use this too, give the permission on Google's next page: its box has to be ticked.</p>
<p class="actions"><a class="button" href="{{.Value.Again}}">Give permission</a></p>
`)

// showMissing answers with the permissions whose boxes were left unticked.
func (x *exchange) showMissing(out *oauthflow.Outcome) error {
	if x.json {
		x.replyProblem(problem{status: http.StatusForbidden, code: "permission_missing", missing: &out.Missing,
			text: "Not everything that was asked for was granted."})
		return nil
	}
	var needs []permission
	for _, scope := range out.Missing {
		needs = append(needs, permissionOf(scope))
	}
	x.replyPage(http.StatusForbidden, untickedPage.View(struct {
		Needs []permission
		Again string
	}{needs, x.localURL(out.ReturnTo)}), &pageData{})
	return nil
}

// connected is the answer to a front end whose code was exchanged.
type connected struct {
	Email   string   `json:"email"`
	Scopes  []string `json:"scopes"`
	Missing []string `json:"missing_scopes"`
}

// finishPopup finishes the flow that Google Identity Services' initCodeClient began in a popup. The
// page that called it posts the code as JSON {"code": …}, with the header X-Requested-With, which no
// other site can send [Google: using the code model].
func (x *exchange) finishPopup() error {
	switch {
	case x.r.Header.Get("X-Requested-With") == "":
		return &Error{Status: http.StatusForbidden, Code: "header_required", Message: "The header X-Requested-With: XmlHttpRequest is missing."}
	case !isJSON(x.r):
		return &Error{Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type", Message: "Send JSON."}
	case x.form.Get("code") == "":
		return Invalid(`The body has to be {"code": "…"} with the code from Google.`)
	}
	if x.session.Browser == "" {
		x.session.Browser = seal.NewID()
	}
	out, err := x.flow.FinishPopup(x.r.Context(), x.form.Get("code"), x.browser())
	if err == nil {
		err = x.signIn(out)
	}
	if err != nil {
		return err
	}
	x.replyConnected(out)
	return nil
}

func (x *exchange) replyConnected(out *oauthflow.Outcome) {
	scopes := append([]string{}, out.Grant.Scopes...)
	x.replyJSON(http.StatusOK, connected{out.Grant.Email, scopes, append([]string{}, singly(x.config.Scopes).Missing(scopes)...)})
}

// A permission is what a scope allows, in words, and what for.
type permission struct {
	Words string
	Uses  []Function
}

// permissionOf returns what a scope permits, in the words of a function that asks for it, or else by the scope's own
// name.
func permissionOf(scope string) permission {
	switch scope {
	case "openid":
		return permission{Words: "know who you are"}
	case "email", "https://www.googleapis.com/auth/userinfo.email":
		return permission{Words: "see your email address"}
	case "profile", "https://www.googleapis.com/auth/userinfo.profile":
		return permission{Words: "see your name and picture"}
	}
	p := permission{Words: scopeName(scope)}
	for _, f := range Functions() {
		if slices.Contains(f.Scopes.First(), scope) {
			p.Words = f.Permission
		}
		if len(f.Scopes.Missing([]string{scope})) < len(f.Scopes) {
			p.Uses = append(p.Uses, f)
		}
	}
	return p
}

func consentReasonOf(g *tokenstore.Grant) string {
	if g.Usable() {
		return ""
	}
	return consentReason(g, g.Reason)
}
