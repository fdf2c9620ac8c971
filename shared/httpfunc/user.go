package httpfunc

import (
	"errors"
	"net/http"
	"strings"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/session"
	"functions.local/oauth/shared/tokenstore"
)

// A visitor is who makes a request: a browser, and the signed-in user's grant or nil.
type visitor struct {
	session session.Session
	grant   *tokenstore.Grant
	refused bool // Google refused a call for want of a scope, though the grant had all that are declared
}

// visitor reads the session and, for a signed-in user, the grant. A session that the grant does not
// list is over.
func (a *App) visitor(r *http.Request) (*visitor, error) {
	v := &visitor{session: a.cookie.Read(r)}
	if !v.session.SignedIn() {
		return v, nil
	}
	g, err := a.store.Get(r.Context(), v.session.Subject)
	if err == nil && g.Reason == tokenstore.ReasonDamaged {
		a.logger(r.Context()).Warn("stored grant is damaged: the user has to consent again", "subject", a.config.Keyset.Hash(g.Owner))
	}
	switch {
	case errors.Is(err, tokenstore.ErrNotFound), err == nil && !g.HasSession(seal.HashID(v.session.ID)):
		v.session = v.session.SignOut()
		return v, nil
	case err != nil:
		return nil, err
	}
	v.grant = g
	return v, nil
}

// page returns what every page shows of the visitor.
func (v *visitor) page(a *App) *pageData {
	d := &pageData{Known: true}
	if v.grant != nil {
		d.Email, d.SignedIn, d.Switched = v.grant.Email, true, v.session.JustSwitched(a.now())
	}
	return d
}

// lacks returns the scopes that the visitor has to be asked for, and whether there is anything to ask.
// What a grant in need of consent once covered is asked for anew.
func (v *visitor) lacks(scopes Scopes) ([]string, bool) {
	if v.grant == nil || !v.grant.Usable() {
		return scopes.First(), true
	}
	missing := scopes.Missing(v.grant.Scopes)
	return missing, len(missing) > 0
}

// forUser serves a function that acts for a user.
func (a *App) forUser(f *function) http.HandlerFunc {
	methods := []string{http.MethodGet, http.MethodHead}
	if f.post != nil {
		methods = append(methods, http.MethodPost)
	}
	return a.only(methods, func(w http.ResponseWriter, r *http.Request) {
		do := f.get
		if r.Method == http.MethodPost {
			do = f.post
		}
		v, err := a.visitor(r)
		if err != nil {
			a.failOnForm(w, r, err, a.formAgain(r, f, v), &pageData{})
			return
		}
		if missing, ask := v.lacks(f.scopes); ask {
			a.askConsent(w, r, f.name, v, missing, a.formAgain(r, f, v))
			return
		}
		value, err := do(r, a.client(v.grant))
		var consent *oauthflow.ConsentError
		switch {
		case errors.As(err, &consent):
			v.grant.Status, v.grant.Reason = tokenstore.NeedsConsent, consent.Reason
			missing, _ := v.lacks(f.scopes)
			a.askConsent(w, r, f.name, v, missing, a.formAgain(r, f, v))
		case lacksScope(err) && v.session.JustRefused(a.now()):
			a.logger(r.Context()).Error("Google wants a scope that the function does not declare", "declared", f.scopes.First())
			err = &Error{Status: http.StatusForbidden, Code: "insufficient_scope", Cause: err,
				Message: "Google says that your permission does not cover this, although you have given all that this page asks for. Only whoever runs this service can mend that."}
			a.failOnForm(w, r, err, a.formAgain(r, f, v), v.page(a))
		case lacksScope(err):
			v.grant.Scopes, v.refused = nil, true
			a.askConsent(w, r, f.name, v, f.scopes.First(), a.formAgain(r, f, v))
		case err != nil:
			a.failOnForm(w, r, err, a.formAgain(r, f, v), v.page(a))
		default:
			a.replySignedIn(w, r, v, asView(value))
		}
	})
}

// replySignedIn shows a signed-in visitor a view, and keeps the session from idling out.
func (a *App) replySignedIn(w http.ResponseWriter, r *http.Request, v *visitor, view *View) {
	if err := a.cookie.Touch(w, v.session); err != nil {
		a.logger(r.Context()).Error("cookie not reissued", "error", err)
	}
	a.replyView(w, r, http.StatusOK, view, v.page(a))
}

// formAgain returns the form that was posted, with its fields kept, or nil if it cannot be had. v is nil where
// it is not known who posted it.
func (a *App) formAgain(r *http.Request, f *function, v *visitor) *View {
	if r.Method != http.MethodPost || wantsJSON(r) {
		return nil
	}
	multipart := strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") // whose fields are bounded by themselves
	if (v == nil || v.grant == nil) && !multipart && (r.ContentLength < 0 || r.ContentLength > maxFields) {
		return nil // anybody could fill the memory
	}
	value, err := f.get(r, &http.Client{Transport: noConsent{}})
	view, ok := value.(*View)
	if err != nil || !ok {
		return nil
	}
	return view
}

// noConsent fails every call.
type noConsent struct{}

func (noConsent) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	return nil, &oauthflow.ConsentError{}
}

// askConsent answers a request that cannot be served before the user consents: a page view goes to
// Google and comes back; a form keeps its fields and offers the way there; a program gets 401.
// form may be nil.
func (a *App) askConsent(w http.ResponseWriter, r *http.Request, name string, v *visitor, missing []string, form *View) {
	own := a.URL(name)
	reason := consentReason(v.grant)
	switch {
	case wantsJSON(r):
		a.consentRequired(w, r, own, reason, missing)
	case r.Method == http.MethodPost:
		d := v.page(a)
		if form == nil {
			form = errorPage.View(struct {
				Text, Request string
				Next          *link
			}{Text: "Nothing was sent."}).Titled("Permission needed")
		}
		d.Alert = &alert{Text: reason, ConsentURL: own}
		a.replyView(w, r, http.StatusUnauthorized, form, d)
	default:
		back := "/" + name
		if r.URL.RawQuery != "" && validReturnTo(back+"?"+r.URL.RawQuery) {
			back += "?" + r.URL.RawQuery
		}
		a.sendToGoogle(w, r, v, oauthflow.Request{Scopes: missing, ReturnTo: back})
	}
}

func (a *App) consentRequired(w http.ResponseWriter, r *http.Request, url, reason string, missing []string) {
	if missing == nil {
		missing = []string{}
	}
	a.replyJSON(w, r, http.StatusUnauthorized, struct {
		Error   string   `json:"error"`
		Missing []string `json:"missing_scopes"`
		URL     string   `json:"consent_url"`
		Reason  string   `json:"reason"`
	}{"consent_required", missing, url, reason})
}

// sendToGoogle redirects the browser to Google's consent page. A browser that was never here gets its
// id on the way.
func (a *App) sendToGoogle(w http.ResponseWriter, r *http.Request, v *visitor, ask oauthflow.Request) {
	s := v.session
	if s.Browser == "" {
		s.Browser = seal.NewID()
		if err := a.cookie.Write(w, s); err != nil {
			a.fail(w, r, err)
			return
		}
	}
	ask.Browser, ask.Refused = s.Browser, v.refused
	if v.grant != nil {
		if ask.LoginHint = v.grant.Email; ask.LoginHint == "" {
			ask.LoginHint = v.grant.Owner
		}
	}
	url, err := a.flow.Begin(ask)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.redirect(w, r, http.StatusFound, url)
}

// consentReason says in words what the grant is worth.
func consentReason(g *tokenstore.Grant) string {
	if g == nil {
		return "You are not signed in yet."
	}
	if g.Usable() {
		return "This needs a permission that you have not given yet, or whose box was left unticked."
	}
	switch g.Reason {
	case tokenstore.ReasonAdmin:
		return "The administrator of your Google Workspace blocks this app or asks you to sign in again. If signing in again does not help, only they can change it."
	case tokenstore.ReasonExpired:
		return "Your permission expired: it was given for a limited time. While an app is in Testing mode, Google ends each permission after 7 days."
	case tokenstore.ReasonDamaged:
		return "What was stored of your permission cannot be read any more. Please sign in again."
	}
	return "Your permission was withdrawn, in your Google Account or by Google. Please give it again."
}
