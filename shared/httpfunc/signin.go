package httpfunc

import (
	"net/http"
	"net/url"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/session"
)

// SignIn registers name as the function that starts a sign-in. It takes the query parameters
// return_to, a local path, and account: "new" has the user choose another account.
func SignIn(name string) {
	register(name, func(a *App) http.HandlerFunc {
		return a.only([]string{http.MethodGet, http.MethodHead}, func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.Query()
			back := returnTo(query.Get("return_to"))
			v, err := a.visitor(r)
			if err != nil {
				a.fail(w, r, err)
				return
			}
			another := query.Get("account") == "new"
			missing, ask := v.lacks(singly(a.config.Scopes))
			switch {
			case another:
				a.sendToGoogle(w, r, v, oauthflow.Request{Scopes: a.config.Scopes, ReturnTo: back, SelectAccount: true})
			case !ask:
				a.redirect(w, r, http.StatusSeeOther, a.URL(back))
			case wantsJSON(r):
				a.consentRequired(w, r, a.URL(name), consentReason(v.grant), missing)
			default:
				a.sendToGoogle(w, r, v, oauthflow.Request{Scopes: missing, ReturnTo: back})
			}
		})
	})
}

// singly returns Scopes that are satisfied by nothing but the scopes themselves.
func singly(scopes []string) Scopes {
	var s Scopes
	for _, scope := range scopes {
		s = append(s, []string{scope})
	}
	return s
}

// Callback registers name as the function that Google sends the browser back to, and to which a page
// posts the code of the popup flow. need says what a scope is needed for, for the page that tells of a
// box left unticked.
func Callback(name string, need func(scope string) string) {
	register(name, func(a *App) http.HandlerFunc {
		return a.only([]string{http.MethodGet, http.MethodPost}, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				r.Header.Set("Accept", "application/json") // a script asks, whatever it says
				a.finishPopup(w, r)
				return
			}
			a.finish(w, r, need)
		})
	})
}

var untickedPage = NewPage("A permission is missing", `<p>You are signed in, but this was not permitted:</p>
<ul>{{range .Value.Needs}}<li>{{.}}</li>{{end}}</ul>
<p>Everything else works. To use this too, give the permission on Google's next page: its box has to be ticked.</p>
<p class="actions"><a class="button" href="{{.Value.Again}}">Give permission</a></p>
`)

// finish takes the browser back from Google.
func (a *App) finish(w http.ResponseWriter, r *http.Request, need func(scope string) string) {
	if kept, ok := r.Context().Value(requestKey).(*request); ok {
		kept.again = "oauth2init" // no callback can be tried twice
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		a.fail(w, r, oauthflow.ErrCallback)
		return
	}
	s := a.cookie.Read(r)
	out, err := a.flow.Finish(r.Context(), query, oauthflow.Browser{ID: s.Browser, Subject: s.Subject, Session: s.ID})
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if out.Redirect != "" {
		a.redirect(w, r, http.StatusFound, out.Redirect)
		return
	}
	s, err = a.openSession(w, s, out)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if len(out.Missing) == 0 {
		a.redirect(w, r, http.StatusSeeOther, a.URL(returnTo(out.ReturnTo)))
		return
	}
	if wantsJSON(r) {
		a.replyProblem(w, r, problem{status: http.StatusForbidden, code: "permission_missing", missing: out.Missing,
			text: "Not everything that was asked for was granted."}, nil, nil)
		return
	}
	var needs []string
	for _, scope := range out.Missing {
		needs = append(needs, need(scope))
	}
	v := &visitor{session: s, grant: out.Grant}
	a.replyView(w, r, http.StatusForbidden, untickedPage.View(struct {
		Needs []string
		Again string
	}{needs, a.URL(returnTo(out.ReturnTo))}), v.page(a))
}

// openSession sets the cookie to the session that the flow opened.
func (a *App) openSession(w http.ResponseWriter, s session.Session, out *oauthflow.Outcome) (session.Session, error) {
	s = s.SignIn(out.Grant.Owner, out.Session, a.now())
	s.Refused = out.Refused
	return s, a.cookie.Write(w, s)
}
