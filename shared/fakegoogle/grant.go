package fakegoogle

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"
)

// maxRefreshTokens is how many refresh tokens a user and a client can have. One more ends the oldest, and nobody is told
// [Google: refresh token expiration].
const maxRefreshTokens = 100

// accessTokenLifetime is how long an access token can be used.
const accessTokenLifetime = time.Hour

// testingLifetime is how long a refresh token works that was issued in Testing mode, unless it only tells who the user
// is [Google: refresh token expiration].
const testingLifetime = 7 * 24 * time.Hour

// A grantKey names the grant of one user to one client.
type grantKey struct{ client, sub string }

// A grant is the scopes that a user gave a client, until it is revoked.
type grant struct{ scopes []string }

type accessToken struct {
	grantKey
	scopes  []string
	expires time.Time
}

type refreshToken struct {
	grantKey
	scopes   []string
	combined bool      // covers also what is granted later
	order    int64     // the lowest of a grant is the oldest
	expires  time.Time // zero for no end
}

// alive reports whether the token can be used at t.
func (r *refreshToken) alive(t time.Time) bool { return r.expires.IsZero() || t.Before(r.expires) }

// secondsLeft returns the refresh_token_expires_in of a token that has an end.
func (r *refreshToken) secondsLeft(now time.Time) int {
	return int((r.expires.Sub(now) - time.Nanosecond) / time.Second)
}

func (s *Server) granted(client, sub string) []string {
	if g := s.grants[grantKey{client, sub}]; g != nil {
		return g.scopes
	}
	return nil
}

// newAccessToken makes an access token. Callers hold s.mu.
func (s *Server) newAccessToken(key grantKey, scopes []string) string {
	token := "ya29.a0" + randomText()
	s.access[token] = &accessToken{key, slices.Clone(scopes), s.now().Add(accessTokenLifetime)}
	return token
}

// newRefreshToken makes a refresh token, and ends the oldest ones beyond the limit. Callers hold s.mu.
func (s *Server) newRefreshToken(key grantKey, scopes []string, combined bool) string {
	s.sequence++
	r := &refreshToken{grantKey: key, scopes: slices.Clone(scopes), combined: combined, order: s.sequence}
	if s.testing && !onlyIdentity(scopes) {
		r.expires = s.now().Add(testingLifetime)
	}
	token := "1//0" + randomText()
	s.refresh[token] = r
	live := s.liveRefreshTokens(key)
	slices.SortFunc(live, func(a, b string) int { return int(s.refresh[a].order - s.refresh[b].order) })
	for len(live) > maxRefreshTokens {
		delete(s.refresh, live[0])
		live = live[1:]
	}
	return token
}

// liveRefreshTokens returns the refresh tokens of a grant that can be used. Callers hold s.mu.
func (s *Server) liveRefreshTokens(key grantKey) []string {
	var live []string
	for token, r := range s.refresh {
		if r.grantKey == key && r.alive(s.now()) {
			live = append(live, token)
		}
	}
	return live
}

// end removes a grant with all its tokens and codes. Callers hold s.mu.
func (s *Server) end(key grantKey) {
	delete(s.grants, key)
	for token, a := range s.access {
		if a.grantKey == key {
			delete(s.access, token)
		}
	}
	for token, r := range s.refresh {
		if r.grantKey == key {
			delete(s.refresh, token)
		}
	}
	for code, c := range s.codes {
		if c.grantKey == key {
			delete(s.codes, code)
		}
	}
}

// GrantedScopes returns what the user with that subject has granted to the client, in the long form.
func (s *Server) GrantedScopes(sub, clientID string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.granted(clientID, sub))
}

// RefreshTokens returns the number of live refresh tokens of the user with that subject.
func (s *Server) RefreshTokens(sub string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.refresh {
		if r.sub == sub && r.alive(s.now()) {
			n++
		}
	}
	return n
}

// Revoke withdraws every grant of the user with that subject, as users can at their Google account.
func (s *Server) Revoke(sub string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.grants {
		if key.sub == sub {
			s.end(key)
		}
	}
}

// ExpireAccessTokens ends every access token that was issued so far, and no refresh token.
func (s *Server) ExpireAccessTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.access)
}

// SetTesting says whether the app is in Testing mode from now on. Refresh tokens that are issued in that mode end after
// 7 days.
func (s *Server) SetTesting(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.testing = on
}

func joinScopes(scopes []string) string { return strings.Join(scopes, " ") }

// randomText returns 52 random letters and digits.
func randomText() string { return rand.Text() + rand.Text() }
