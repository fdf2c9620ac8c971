package httpfunc

import (
	"net/http"
	"time"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// AccountInfo is what a user may know of what is kept of them.
type AccountInfo struct {
	Email    string        `json:"email"`
	Created  time.Time     `json:"created"` // first consent
	Scopes   []string      `json:"scopes"`
	Status   string        `json:"status"`           // active or needs_consent
	Reason   string        `json:"reason,omitempty"` // in words, where consent is needed
	Jobs     []string      `json:"jobs"`             // background jobs that are on
	Sessions []SessionInfo `json:"sessions"`
}

// SessionInfo is one browser's sign-in.
type SessionInfo struct {
	Start   time.Time `json:"start"`
	Current bool      `json:"current"` // it is the browser that asks
}

// Account registers name as the function that shows a signed-in user what is kept of them, with the
// view that show makes, and that ends sessions and the grant. A POST's field "action" is sign_out,
// sign_out_everywhere or disconnect.
func Account(name string, show func(AccountInfo) *View) {
	register(name, func(a *App) http.HandlerFunc {
		return a.only([]string{http.MethodGet, http.MethodHead, http.MethodPost}, func(w http.ResponseWriter, r *http.Request) {
			v, err := a.visitor(r)
			switch {
			case err != nil:
				a.fail(w, r, err)
			case v.grant == nil:
				a.askConsent(w, r, name, v, []string{}, nil)
			case r.Method == http.MethodPost:
				a.accountAction(w, r, v)
			default:
				a.replySignedIn(w, r, v, show(accountInfo(v)))
			}
		})
	})
}

func accountInfo(v *visitor) AccountInfo {
	g := v.grant
	info := AccountInfo{Email: g.Email, Created: g.Created, Scopes: append([]string{}, g.Scopes...), Status: string(g.Status), Jobs: append([]string{}, g.Jobs...)}
	if !g.Usable() {
		info.Status, info.Reason = string(tokenstore.NeedsConsent), consentReason(g)
	}
	for _, s := range g.Sessions {
		info.Sessions = append(info.Sessions, SessionInfo{s.Start, s.Hash == seal.HashID(v.session.ID)})
	}
	return info
}

// An ending is how a session or a grant ended.
type ending struct {
	Text    string `json:"message"`
	Done    string `json:"done"`    // the action
	Revoked bool   `json:"revoked"` // Google confirmed that the permission is withdrawn
}

var endingPage = NewPage("You are signed out", `<p>{{.Value.Text}}</p>
<p class="actions"><a class="button" href="{{.URL "oauth2init"}}">Sign in</a></p>
`)

func (a *App) accountAction(w http.ResponseWriter, r *http.Request, v *visitor) {
	form, err := ParseForm(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	end := ending{Done: form.Get("action")}
	title := endingPage.title
	switch end.Done {
	case "sign_out":
		end.Text = "This browser is signed out, and so is every copy of its cookie."
		err = a.flow.EndSession(r.Context(), v.grant.Owner, v.session.ID)
	case "sign_out_everywhere":
		end.Text = "Every browser is signed out. What you permitted stays, for the background jobs that you turned on."
		err = a.flow.EndSessions(r.Context(), v.grant.Owner)
	case "disconnect":
		title = "You are disconnected"
		end.Revoked, err = a.flow.Disconnect(r.Context(), v.grant)
		end.Text = "Google has withdrawn the permission, and everything that was kept of you is deleted."
		if !end.Revoked {
			end.Text = "Everything that was kept of you is deleted, but Google did not confirm that the permission is withdrawn. " +
				"To be sure, remove this app at https://myaccount.google.com/connections."
		}
	default:
		err = Invalid("The action is none of sign_out, sign_out_everywhere and disconnect.")
	}
	if err == nil {
		err = a.cookie.Write(w, v.session.SignOut())
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.replyView(w, r, http.StatusOK, endingPage.View(end).Titled(title), (&visitor{}).page(a))
}
