package fakegoogle

import (
	"net/http"
	"net/url"
)

// A refreshError is why a user's refresh tokens are refused at the moment.
type refreshError struct{ code, subtype string }

// refreshAccess returns a new access token for a refresh token. Older access tokens stay valid, and the refresh token
// stays the same. Callers hold s.mu.
func (s *Server) refreshAccess(client Client, form url.Values) (map[string]any, *tokenError) {
	token := form.Get("refresh_token")
	if token == "" {
		return nil, invalidRequest("Missing required parameter: refresh_token")
	}
	r := s.refresh[token]
	if r == nil || !r.alive(s.now()) {
		return nil, invalidGrant("Token has been expired or revoked.")
	}
	if r.client != client.ID {
		return nil, &tokenError{status: http.StatusUnauthorized, code: "unauthorized_client", description: "Unauthorized"}
	}
	if reason, ok := s.refreshErrors[r.sub]; ok {
		return nil, reason.fault()
	}
	scopes := r.scopes
	if r.combined && !s.narrow {
		scopes = union(scopes, s.granted(r.client, r.sub))
	}
	if asked := normalizeScopes(form.Get("scope")); len(asked) > 0 {
		if len(minus(asked, scopes)) > 0 {
			return nil, &tokenError{status: http.StatusBadRequest, code: "invalid_scope", description: "Some requested scopes were never granted."}
		}
		scopes = asked
	}
	body := s.tokenResponse(r.grantKey, scopes, s.newAccessToken(r.grantKey, scopes), "")
	if !r.expires.IsZero() {
		body["refresh_token_expires_in"] = r.secondsLeft(s.now())
	}
	return body, nil
}

func (e refreshError) fault() *tokenError {
	f := &tokenError{status: http.StatusBadRequest, code: e.code, subtype: e.subtype, description: "Bad Request"}
	switch {
	case e.subtype == "invalid_rapt" || e.subtype == "rapt_required":
		f.description = "reauth related error (" + e.subtype + ")"
	case e.code == "admin_policy_enforced":
		f.description = "The user's administrator does not allow this access."
	case e.code == "invalid_grant":
		f.description = "Token has been expired or revoked."
	}
	return f
}

// SetRefreshError lets every refresh for the user with that subject fail with this error and error_subtype, such as
// "invalid_grant" and "invalid_rapt", or "admin_policy_enforced" and "". An empty code ends that: the tokens themselves
// stay.
func (s *Server) SetRefreshError(sub, code, subtype string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if code == "" {
		delete(s.refreshErrors, sub)
		return
	}
	s.refreshErrors[sub] = refreshError{code, subtype}
}

// SetNarrow lets refreshes cover only what the consent did that the refresh token came with, though more was granted
// since with include_granted_scopes. Reports disagree on whether Google does so.
func (s *Server) SetNarrow(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.narrow = on
}
