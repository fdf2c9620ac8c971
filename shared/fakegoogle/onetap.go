package fakegoogle

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
)

// oneTapClaims are those of the ID token that One Tap and Google's sign-in button give a page of that client.
func oneTapClaims(who User, clientID string) map[string]any {
	claims := map[string]any{
		"azp": clientID, "aud": clientID, "sub": who.Subject, "email": who.Email, "email_verified": true,
		"name": who.Name, "jti": randomText(),
	}
	if who.Domain != "" {
		claims["hd"] = who.Domain
	}
	return claims
}

// serveSelect serves what One Tap shows in a frame and the sign-in button in a popup: the accounts. The page gets an ID
// token of the one that the user picks.
func (s *Server) serveSelect(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		showError(w, http.StatusForbidden, &pageError{"access_denied", "This form came from another site."})
		return
	}
	s.keys.ready() // making the first key takes a while, and must not hold the lock
	q := r.URL.Query()
	origin := q.Get("origin")
	s.mu.Lock()
	defer s.mu.Unlock()
	client, ok := s.clients[q.Get("client_id")]
	if !ok {
		showError(w, http.StatusBadRequest, &pageError{"invalid_client", "The OAuth client was not found."})
		return
	}
	if !slices.Contains(client.Origins, origin) {
		showError(w, http.StatusForbidden, &pageError{"origin_mismatch", "The given origin is not allowed for the given client ID."})
		return
	}
	if who := s.account(r.PostFormValue("account")); who != nil {
		claims := oneTapClaims(who.User, client.ID)
		if nonce := q.Get("nonce"); nonce != "" {
			claims["nonce"] = nonce
		}
		showAnswer(w, origin, url.Values{
			"credential": {s.SignIDToken(claims)}, "client_id": {client.ID}, "select_by": {cmp.Or(q.Get("select_by"), "user")},
		}, origin)
		return
	}
	p := page{Action: s.prefix() + r.URL.RequestURI(), App: host(origin), Frames: origin}
	for _, a := range s.users {
		p.Users = append(p.Users, a.User)
	}
	show(w, http.StatusOK, chooserPage, p)
}
