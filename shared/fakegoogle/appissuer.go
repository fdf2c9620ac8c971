package fakegoogle

import (
	"cmp"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
)

// AppAudience is the aud of AppIssuer's tokens.
const AppAudience = "your-app"

// An AppUser is a user of "your app", an app that signs its users in by itself. They are not the Google accounts.
type AppUser struct{ Subject, Email, Name string }

// AppUsers returns the made-up users of "your app".
func AppUsers() []AppUser {
	return []AppUser{
		{"mary-7f3a", "mary@app.example", "Mary Somerville"},
		{"charles-21c8", "charles@app.example", "Charles Babbage"},
	}
}

// AppIssuer returns the issuer of the ID tokens of the app's users: an OpenID Connect issuer of its own, with its own
// keys, under /app of the public URL. It panics if SetPublic was not called.
func (s *Server) AppIssuer() string {
	u := s.public.Load()
	if u == nil {
		panic("fakegoogle: the app's issuer needs SetPublic")
	}
	return u.String() + "/app"
}

// AppToken returns an ID token of AppIssuer for the user with that subject or email; any other text is the subject of
// somebody who is not among AppUsers. edit, unless it is nil, changes the claims; a claim that it sets to nil is left
// out.
func (s *Server) AppToken(user string, edit func(claims map[string]any)) string {
	who := AppUser{Subject: user}
	for _, u := range AppUsers() {
		if u.Subject == user || u.Email == user {
			who = u
		}
	}
	now := s.now()
	claims := map[string]any{
		"iss": s.AppIssuer(), "aud": AppAudience, "sub": who.Subject,
		"iat": now.Unix(), "auth_time": now.Unix(), "exp": now.Add(idTokenLifetime).Unix(),
	}
	if who.Email != "" {
		claims["email"], claims["email_verified"], claims["name"] = who.Email, true, who.Name
	}
	if edit != nil {
		edit(claims)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return s.appKeys.current().sign("JWT", claims)
}

// serveAppDiscovery serves the issuer's discovery document [OpenID Connect Discovery §4], as short as Firebase's.
func (s *Server) serveAppDiscovery(w http.ResponseWriter, r *http.Request) {
	if s.public.Load() == nil {
		http.Error(w, "fakegoogle: the app's issuer needs SetPublic", http.StatusNotFound)
		return
	}
	issuer := s.AppIssuer()
	allowLoopback(w, r)
	writeAPIJSON(w, http.StatusOK, map[string]any{
		"issuer": issuer, "jwks_uri": issuer + "/jwks",
		"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{algorithm},
	})
}

func (s *Server) serveAppKeys(w http.ResponseWriter, r *http.Request) {
	allowLoopback(w, r)
	s.appKeys.serve(w, "3600")
}

// serveAppToken signs in one of the app's users: it answers {"user": subject or email} with {"id_token", "expires_in"}.
// A front end on another port of this machine may call it.
func (s *Server) serveAppToken(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) { writeAPIJSON(w, status, map[string]any{"error": code}) }
	allowLoopback(w, r)
	switch r.Method {
	case http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
		return
	case http.MethodPost:
	default:
		refuse(http.StatusMethodNotAllowed, "method_not_allowed")
		return
	}
	var form struct{ User string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&form); err != nil {
		refuse(http.StatusBadRequest, "invalid_request")
		return
	}
	known := func(u AppUser) bool { return form.User == u.Subject || form.User == u.Email }
	if form.User == "" || !slices.ContainsFunc(AppUsers(), known) {
		refuse(http.StatusBadRequest, "unknown_user")
		return
	}
	writeAPIJSON(w, http.StatusOK, map[string]any{"id_token": s.AppToken(form.User, nil), "expires_in": int(idTokenLifetime.Seconds())})
}

// allowLoopback lets pages of this machine read the answer, on whatever port they are.
func allowLoopback(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Add("Vary", "Origin")
	u, err := url.Parse(cmp.Or(r.Header.Get("Origin"), "null"))
	if err != nil || u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
		return
	}
	h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	h.Set("Access-Control-Allow-Headers", "Content-Type")
}
