package fakegoogle

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A tokenError is a refusal of the token or revocation endpoint [RFC 6749 §5.2].
type tokenError struct {
	status                     int
	code, description, subtype string
}

func invalidGrant(description string) *tokenError {
	return &tokenError{status: http.StatusBadRequest, code: "invalid_grant", description: description}
}

func invalidRequest(description string) *tokenError {
	return &tokenError{status: http.StatusBadRequest, code: "invalid_request", description: description}
}

func invalidClient(description string) *tokenError {
	return &tokenError{status: http.StatusUnauthorized, code: "invalid_client", description: description}
}

func (e *tokenError) write(w http.ResponseWriter) {
	body := map[string]any{"error": e.code}
	if e.description != "" {
		body["error_description"] = e.description
	}
	if e.subtype != "" {
		body["error_subtype"] = e.subtype
	}
	if e.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="https://accounts.google.com/"`)
	}
	writeTokenJSON(w, e.status, body)
}

func writeTokenJSON(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

// serveToken serves the token endpoint, for the grant types authorization_code and refresh_token.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	form, fault := readForm(w, r)
	if fault != nil {
		fault.write(w)
		return
	}
	s.keys.ready() // making the first key takes a while, and must not hold the lock
	s.mu.Lock()
	defer s.mu.Unlock()
	client, fault := s.authenticate(r, form)
	if fault != nil {
		fault.write(w)
		return
	}
	var body map[string]any
	switch grantType := form.Get("grant_type"); grantType {
	case "authorization_code":
		body, fault = s.exchangeCode(client, form)
	case "refresh_token":
		body, fault = s.refreshAccess(client, form)
	case "":
		fault = invalidRequest("Required parameter is missing: grant_type")
	default:
		fault = &tokenError{status: http.StatusBadRequest, code: "unsupported_grant_type", description: "Invalid grant_type: " + grantType}
	}
	if fault != nil {
		fault.write(w)
		return
	}
	if s.editResponse != nil {
		s.editResponse(body)
	}
	writeTokenJSON(w, http.StatusOK, body)
}

// readForm reads a form, in which no parameter may come twice [RFC 6749 §3.2].
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *tokenError) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		return nil, invalidRequest("Malformed request body.")
	}
	for name, values := range r.PostForm {
		if len(values) > 1 {
			return nil, invalidRequest("OAuth 2 parameters can only have a single value: " + name)
		}
	}
	return r.PostForm, nil
}

// authenticate returns the client that HTTP Basic, or client_id and client_secret of the form, name; not both at once.
func (s *Server) authenticate(r *http.Request, form url.Values) (Client, *tokenError) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, pass, ok := r.BasicAuth(); ok {
		if form.Has("client_secret") {
			return Client{}, invalidRequest("More than one client authentication method.")
		}
		var errID, errSecret error
		user, errID = url.QueryUnescape(user)
		secret, errSecret = url.QueryUnescape(pass)
		if errID != nil || errSecret != nil || id != "" && id != user {
			return Client{}, invalidClient("Unauthorized")
		}
		id = user
	}
	client, ok := s.clients[id]
	switch {
	case id == "" || !ok:
		return Client{}, invalidClient("The OAuth client was not found.")
	case secret == "":
		return Client{}, invalidClient("client_secret is missing.")
	case subtle.ConstantTimeCompare([]byte(secret), []byte(client.Secret)) != 1:
		return Client{}, invalidClient("Unauthorized")
	}
	return client, nil
}

// exchangeCode returns tokens for an authorization code. Once its own client has sent it, a code is spent, even if the
// exchange is refused. Callers hold s.mu.
func (s *Server) exchangeCode(client Client, form url.Values) (map[string]any, *tokenError) {
	if form.Get("code") == "" {
		return nil, invalidRequest("Required parameter is missing: code")
	}
	code := s.codes[form.Get("code")]
	if code == nil {
		return nil, invalidGrant("Malformed auth code.")
	}
	if code.client != client.ID {
		return nil, invalidGrant("Bad Request")
	}
	used := code.used
	code.used = true
	if used || !s.now().Before(code.expires) {
		return nil, invalidGrant("Bad Request")
	}
	if code.device && !form.Has("redirect_uri") {
		return nil, invalidRequest("Missing parameter: redirect_uri")
	}
	if form.Get("redirect_uri") != code.redirectURI {
		return nil, &tokenError{status: http.StatusBadRequest, code: "redirect_uri_mismatch", description: "Bad Request"}
	}
	if fault := checkVerifier(code.challenge, form); fault != nil {
		return nil, fault
	}
	access := s.newAccessToken(code.grantKey, code.scopes)
	body := s.tokenResponse(code.grantKey, code.scopes, access, code.nonce)
	if code.refresh {
		token := s.newRefreshToken(code.grantKey, code.scopes, code.include)
		body["refresh_token"] = token
		if r := s.refresh[token]; !r.expires.IsZero() {
			body["refresh_token_expires_in"] = r.secondsLeft(s.now())
		}
	}
	return body, nil
}

// checkVerifier compares the verifier with the challenge [RFC 7636 §4.6]. It also refuses one without the other
// [RFC 9700 §2.1.1].
func checkVerifier(challenge string, form url.Values) *tokenError {
	verifier := form.Get("code_verifier")
	switch {
	case challenge == "" && !form.Has("code_verifier"):
		return nil
	case challenge == "":
		return invalidGrant("code_verifier or verifier is not needed.")
	case verifier == "":
		return invalidGrant("Missing code verifier.")
	}
	sum := sha256.Sum256([]byte(verifier))
	if base64.RawURLEncoding.EncodeToString(sum[:]) != challenge || len(verifier) < 43 || len(verifier) > 128 {
		return invalidGrant("Invalid code verifier.")
	}
	return nil
}

// tokenResponse returns the part of the answer that both grant types share. Callers hold s.mu.
func (s *Server) tokenResponse(key grantKey, scopes []string, access, nonce string) map[string]any {
	body := map[string]any{
		"access_token": access,
		"expires_in":   int(accessTokenLifetime.Seconds()) - 1,
		"scope":        joinScopes(scopes),
		"token_type":   "Bearer",
	}
	if who := s.account(key.sub); who != nil && slices.Contains(scopes, scopeOpenID) {
		body["id_token"] = s.idToken(who.User, key.client, scopes, access, nonce)
	}
	return body
}

// EditTokenResponse sets a function that changes the body of every later successful answer of the token endpoint; nil
// removes it. It runs under the server's lock and must not call the server.
func (s *Server) EditTokenResponse(edit func(body map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.editResponse = edit
}

// serveRevoke serves the revocation endpoint: it ends the whole grant to which a token belongs. As at Google, the client
// need not authenticate.
func (s *Server) serveRevoke(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		invalidRequest("Malformed request body.").write(w)
		return
	}
	token := strings.TrimSpace(r.Form.Get("token"))
	if token == "" {
		invalidRequest("Missing required parameter: token").write(w)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.refresh[token]; ok && t.alive(s.now()) {
		s.end(t.grantKey)
	} else if t, ok := s.access[token]; ok && s.now().Before(t.expires) {
		s.end(t.grantKey)
	} else {
		(&tokenError{status: http.StatusBadRequest, code: "invalid_token", description: "Token expired or revoked"}).write(w)
		return
	}
	writeTokenJSON(w, http.StatusOK, map[string]any{})
}
