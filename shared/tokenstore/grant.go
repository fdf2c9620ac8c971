package tokenstore

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"functions.local/oauth/shared/seal"
)

// A Grant is what one user granted, and everything else that is kept of the user.
type Grant struct {
	Subject      string // the verified ID token's sub
	Email        string // for people to read; never a key
	RefreshToken seal.Secret
	AccessToken  seal.Secret
	Expiry       time.Time // of the access token
	Scopes       []string  // as the last token response named them, normalized
	Sessions     []Session // oldest first, at most MaxSessions
	Jobs         []string  // the background jobs that the user turned on
	Status       Status
	Reason       Reason    // why the status is NeedsConsent
	Created      time.Time // first consent
	Consented    time.Time // when the refresh token came
	// RefreshExpiry is when Google ends the refresh token: 7 days for an app in Testing mode, or what
	// the user chose [Google: time-based access]. Zero means never.
	RefreshExpiry time.Time

	version time.Time // Firestore's update time; zero for a grant that was never stored
}

// A Session is one browser's sign-in.
type Session struct {
	Hash  string // of the session id
	Start time.Time
}

// MaxSessions is how many sessions a grant holds. One more ends the oldest.
const MaxSessions = 20

// A Status says whether the grant can be used without asking the user.
type Status string

const (
	Active       Status = "active"
	NeedsConsent Status = "needs_consent"
)

// A Reason says why a grant needs consent again.
type Reason string

const (
	ReasonRevoked Reason = "revoked" // withdrawn by the user, or ended by Google
	ReasonAdmin   Reason = "admin"   // blocked by the Workspace administrator
	ReasonExpired Reason = "expired" // time-limited access ran out, Testing mode among it
	ReasonDamaged Reason = "damaged" // the stored document cannot be read
	// ReasonUnknownKey marks what ByJob returns for a grant that Get would answer with
	// seal.ErrUnknownKey. It is never stored.
	ReasonUnknownKey Reason = "unknown_key"
)

// Usable reports whether the grant can yield access tokens.
func (g *Grant) Usable() bool { return g.Status == Active && g.RefreshToken != "" }

// HasSession reports whether the session with this hash is alive.
func (g *Grant) HasSession(hash string) bool {
	return slices.ContainsFunc(g.Sessions, func(s Session) bool { return s.Hash == hash })
}

// AddSession adds a session, unless it is there, ending the oldest ones over MaxSessions.
func (g *Grant) AddSession(s Session) {
	if g.HasSession(s.Hash) {
		return
	}
	g.Sessions = append(g.Sessions, s)
	if over := len(g.Sessions) - MaxSessions; over > 0 {
		g.Sessions = slices.Delete(g.Sessions, 0, over)
	}
}

// EndSession ends the session with this hash and reports whether it was alive.
func (g *Grant) EndSession(hash string) bool {
	n := len(g.Sessions)
	g.Sessions = slices.DeleteFunc(g.Sessions, func(s Session) bool { return s.Hash == hash })
	return len(g.Sessions) < n
}

// HasJob reports whether the user turned the job on.
func (g *Grant) HasJob(job string) bool { return slices.Contains(g.Jobs, job) }

// SetJob turns the job on or off.
func (g *Grant) SetJob(job string, on bool) {
	g.Jobs = slices.DeleteFunc(g.Jobs, func(j string) bool { return j == job })
	if on {
		g.Jobs = append(g.Jobs, job)
	}
}

// Clone returns a copy of g, of the same version, that shares nothing with it.
func (g *Grant) Clone() *Grant {
	c := *g
	c.Scopes = slices.Clone(g.Scopes)
	c.Sessions = slices.Clone(g.Sessions)
	c.Jobs = slices.Clone(g.Jobs)
	return &c
}

// check returns why g cannot be stored, or nil: what Put takes, Get gives back as it was.
func (g *Grant) check() error {
	switch {
	case g.Subject == "":
		return errors.New("tokenstore: a grant without a subject")
	case g.Status != Active && g.Status != NeedsConsent:
		return errors.New("tokenstore: a grant without a status")
	case g.Status == Active && g.RefreshToken == "":
		return errors.New("tokenstore: an active grant without a refresh token")
	case g.HasSession(""):
		return errors.New("tokenstore: a session without a hash")
	case g.Reason == ReasonUnknownKey:
		return fmt.Errorf("tokenstore: %w", seal.ErrUnknownKey)
	}
	return nil
}
