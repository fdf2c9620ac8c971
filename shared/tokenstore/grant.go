package tokenstore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"functions.local/oauth/shared/seal"
)

// A Grant is what one user granted, and everything else that is stored about that user.
type Grant struct {
	Owner        string // the key, of whoever proved who they are: the subject of a Google account, or an app's user
	Google       string // the subject of the connected Google account, where Owner is another; see Account
	Email        string // of the Google account, to be shown; never a key
	Domain       string // the account's Google Workspace domain (hd), or ""
	Client       string // the OAuth client that the refresh token was given to
	RefreshToken seal.Secret
	AccessToken  seal.Secret
	Expiry       time.Time // of the access token
	Scopes       []string  // as the last token response named them, normalized
	// Narrower says that a refresh named fewer scopes than the consent. The refresh token then covers less
	// than the user gave, and only prompt=consent brings one that covers all of it.
	Narrower bool
	Apart    Apart             // the permission that is kept apart
	Sessions []Session         // oldest first, at most MaxSessions
	Jobs     []string          // the background jobs that the user turned on
	Zones    map[string]string // by job: the time zone that the user chose for it (IANA name)
	Status   Status
	Reason   Reason    // why the status is NeedsConsent
	Created  time.Time // first consent
	// Consented is when the consent was given from which the stored scopes and refresh token come.
	Consented time.Time
	// RefreshExpiry is when Google ends the refresh token: 7 days for an app in Testing mode, or what
	// the user chose [Google: time-based access]. Zero means never.
	RefreshExpiry time.Time

	version time.Time // Firestore's update time; zero for a grant that was never stored
}

// Apart is a permission that has a token of its own, without a refresh token and for an hour, so that
// when Google ends it, nothing else ends.
type Apart struct {
	Token  seal.Secret
	Expiry time.Time
	Scopes []string // what was given; it stays here when the token has expired
}

// A Session is one browser's sign-in.
type Session struct {
	Hash    string // of the session's id: see seal.HashID
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

// A Status says whether a grant can be used without asking the user.
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
	// ReasonUnknownKey marks the stand-in that ByJob and ByGoogle return for a grant for which Get
	// returns seal.ErrUnknownKey. It is never stored.
	ReasonUnknownKey Reason = "unknown_key"
)

// Usable reports whether access tokens can be had for the grant.
func (g *Grant) Usable() bool { return g.Status == Active && g.RefreshToken != "" }

// HasSession reports whether the session with this hash is alive.
func (g *Grant) HasSession(hash string) bool {
	return slices.ContainsFunc(g.Sessions, func(s Session) bool { return s.Hash == hash })
}

// AddSession adds a session, unless it is there already, and ends the oldest one beyond MaxSessions.
func (g *Grant) AddSession(s Session) {
	if g.HasSession(s.Hash) {
		return
	}
	g.Sessions = append(g.Sessions, s)
	if over := len(g.Sessions) - MaxSessions; over > 0 {
		g.Sessions = slices.Delete(g.Sessions, 0, over)
	}
}

// EndSession ends the session with this hash, if it is alive.
func (g *Grant) EndSession(hash string) {
	g.Sessions = slices.DeleteFunc(g.Sessions, func(s Session) bool { return s.Hash == hash })
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

// SetZone sets the time zone (IANA name) that the user chose for the job; "" removes it.
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

// check returns why g cannot be stored, or nil. What passes it, Get returns as Put was given it.
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
