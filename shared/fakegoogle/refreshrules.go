package fakegoogle

import (
	"slices"
	"time"
)

// RefreshRules are what refreshes may do at Google and mostly do not.
type RefreshRules struct {
	// Narrow lets a refresh cover only what the consent did that its token came with, though more was
	// granted since with include_granted_scopes. Reports disagree on whether Google does so.
	Narrow bool
	// NoIDToken leaves the ID token out of a refresh's answer [OpenID Connect Core §12.2 allows that].
	NoIDToken bool
	// CloudSession is how long a refresh token that reaches Google Cloud works for a user with a Domain;
	// later the answer is invalid_rapt, until a new consent [Google Cloud session control: 1 to 24 hours].
	CloudSession time.Duration
}

// SetRefreshRules changes what later refreshes do.
func (s *Server) SetRefreshRules(rules RefreshRules) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = rules
}

// LimitAccess says that the user with that subject gave access until then, as Google's consent page lets
// people choose for some scopes: the refresh tokens that they gave and those to come end at that time, and
// the token endpoint says so in refresh_token_expires_in. The zero time takes the end away.
func (s *Server) LimitAccess(sub string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who := s.account(sub)
	if who == nil {
		return
	}
	who.accessEnds = until
	for _, r := range s.refresh {
		if r.sub == who.Subject && r.alive(s.now()) {
			r.expires = until
		}
	}
}

// needsReauth reports whether the user has to sign in anew before the token gives those scopes. Callers
// hold s.mu.
func (s *Server) needsReauth(r *refreshToken, scopes []string) bool {
	who := s.account(r.sub)
	return s.rules.CloudSession > 0 && who != nil && who.Domain != "" && !s.now().Before(r.issued.Add(s.rules.CloudSession)) &&
		(slices.Contains(scopes, scopePrefix+"cloud-platform") || slices.Contains(scopes, scopePrefix+"cloud-platform.read-only"))
}
