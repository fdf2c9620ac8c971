package oauthflow

import (
	"testing"

	"functions.local/oauth/shared/fakegoogle"
)

// connect connects the Google account of an app's user by the redirect flow.
func (w *world) connect(owner, user string, scopes ...string) *Outcome {
	w.t.Helper()
	for range 3 {
		r := Request{Owner: owner, Grant: w.grant(owner), Scopes: scopes, ReturnTo: frontEnd}
		out, err := w.Connect(w.t.Context(), owner, w.posted(r, fakegoogle.Decision{User: user}))
		if err == nil {
			return out
		}
		r.Renew = consentError(w.t.(*testing.T), err).Renew
		if out, err = w.Connect(w.t.Context(), owner, w.posted(r, fakegoogle.Decision{User: user})); err == nil {
			return out
		}
	}
	w.t.Fatal("not connected")
	return nil
}

// posted goes from Begin to what the front end posts.
func (w *world) posted(r Request, d fakegoogle.Decision) Posted {
	w.t.Helper()
	back := w.consent(w.begin(r), d)
	return Posted{Code: back.Get("code"), State: back.Get("state")}
}
