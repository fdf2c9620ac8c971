package tokenstore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"functions.local/oauth/shared/seal"
)

// A Grant is what one user granted, and everything else that is kept of the user.
type Grant struct {
	Owner        string // the key: whoever proved who they are, a Google account's subject or an app's user
	Google       string // the connected Google account's subject where Owner is not it; see Account
	Email        string // of the Google account, for people to read; never a key
	Domain       string // the account's Google Workspace domain (hd), or ""
	Client       string // the OAuth client that the refresh token was given to
	RefreshToken seal.Secret
	AccessToken  seal.Secret
	Expiry       time.Time // of the access token
	Scopes       []string  // as the last token response named them, normalized
	// Narrower says that a refresh named fewer scopes than the consent: the refresh token covers less
	// than the user gave, and only prompt=consent brings one that covers all.
	Narrower bool
	Apart    Apart             // the permission that is kept apart
	Sessions []Session         // oldest first, at most MaxSessions
	Jobs     []string          // the background jobs that the user turned on
	Zones    map[string]string // by job: the time zone that the user chose for it (IANA name)
	Status   Status
	Reason   Reason    // why the status is NeedsConsent
	Created  time.Time // first consent
	// Consented is when the consent was given that the stored scopes and refresh token rest on.
	Consented time.Time
	// RefreshExpiry is when Google ends the refresh token: 7 days for an app in Testing mode, or what
	// the user chose [Google: time-based access]. Zero means never.
	RefreshExpiry time.Time

	version time.Time // Firestore's update time; zero for a grant that was never stored
}

// Apart is a permission that is given by itself, online and for an hour, so that what ends it ends
// nothing else.
type Apart struct {
	Token  seal.Secret
	Expiry time.Time
	Scopes []string // what was given; they outlive the token
}

// A Session is one browser's sign-in.
type Session struct {
	Hash    string // of the session id
	Start   time.Time
	Browser string // browser and system in words, or ""
}

// Account returns the subject of the Google account that the grant is for.
func (g *Grant) Account() string {
	if g.Google != "" {
		return g.Google
	}
	return g.Owner
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

// SetJob turns the job on or off. A job that is off has no time zone.
func (g *Grant) SetJob(job string, on bool) {
	g.Jobs = slices.DeleteFunc(g.Jobs, func(j string) bool { return j == job })
	if on {
		g.Jobs = append(g.Jobs, job)
	} else {
		delete(g.Zones, job)
	}
}

// SetZone keeps the time zone that the user chose for the job; "" forgets it.
func (g *Grant) SetZone(job, zone string) {
	if zone == "" {
		delete(g.Zones, job)
		return
	}
	if g.Zones == nil {
		g.Zones = map[string]string{}
	}
	g.Zones[job] = zone
}

// Clone returns a copy of g, of the same version, that shares nothing with it.
func (g *Grant) Clone() *Grant {
	c := *g
	c.Scopes = slices.Clone(g.Scopes)
	c.Sessions = slices.Clone(g.Sessions)
	c.Jobs = slices.Clone(g.Jobs)
	c.Zones = maps.Clone(g.Zones)
	c.Apart.Scopes = slices.Clone(g.Apart.Scopes)
	return &c
}

// check returns why g cannot be stored, or nil: what Put takes, Get gives back as it was.
func (g *Grant) check() error {
	switch {
	case g.Owner == "":
		return errors.New("tokenstore: a grant without an owner")
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
