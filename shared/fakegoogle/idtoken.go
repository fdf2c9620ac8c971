package fakegoogle

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"
)

// issuer is the iss of every ID token and of every answer of the consent page, wherever the server runs.
const issuer = "https://accounts.google.com"

const idTokenLifetime = time.Hour

// idToken returns the ID token that goes with an access token. Callers hold s.mu.
func (s *Server) idToken(who User, client string, scopes []string, access, nonce string) string {
	sum := sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss":     issuer,
		"azp":     client,
		"aud":     client,
		"sub":     who.Subject,
		"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]), // [OpenID Connect Core §3.1.3.6]
		"iat":     s.now().Unix(),
		"exp":     s.now().Add(idTokenLifetime).Unix(),
	}
	if slices.Contains(scopes, scopeEmail) {
		claims["email"], claims["email_verified"] = who.Email, true
	}
	if slices.Contains(scopes, scopeProfile) {
		given, family, _ := strings.Cut(who.Name, " ")
		claims["name"], claims["given_name"], claims["family_name"] = who.Name, given, family
	}
	if who.Domain != "" {
		claims["hd"] = who.Domain
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if s.editIDToken != nil {
		s.editIDToken(claims)
	}
	return s.keys.current().sign("JWT", claims)
}

// EditIDToken sets a function that changes the claims of every later ID token of the token endpoint; nil removes it. It
// runs under the server's lock and must not call the server.
func (s *Server) EditIDToken(edit func(claims map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.editIDToken = edit
}

// SignIDToken signs claims with Google's current key, as Google does for a service account as well. It adds iss, iat and
// exp where they are absent, and leaves out a claim that is nil.
func (s *Server) SignIDToken(claims map[string]any) string {
	return s.keys.current().sign("JWT", s.complete(claims))
}

// SignIDTokenWith is SignIDToken with a key that is not Google's, under the id of Google's current one: a forged token.
func (s *Server) SignIDTokenWith(key *rsa.PrivateKey, claims map[string]any) string {
	return signingKey{s.keys.current().id, key}.sign("JWT", s.complete(claims))
}

// complete returns the claims with those that SignIDToken adds.
func (s *Server) complete(claims map[string]any) map[string]any {
	all := map[string]any{
		"iss": issuer,
		"iat": s.now().Unix(),
		"exp": s.now().Add(idTokenLifetime).Unix(),
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}
