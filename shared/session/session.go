// Package session keeps a browser's id and sign-in in one sealed cookie.
package session

import (
	"encoding/json"
	"net/http"
	"time"

	"functions.local/oauth/shared/seal"
)

const (
	idle     = 7 * 24 * time.Hour
	lifetime = 30 * 24 * time.Hour
	// reissueAfter keeps a slow answer from bringing a killed session back: within it no answer to
	// a signed-in request sets the cookie.
	reissueAfter = time.Hour

	purpose = "cookie"
)

// A Session is what the cookie holds. The zero Session is a browser that was never here.
type Session struct {
	Browser  string    `json:"b"`           // 128 random bits
	Subject  string    `json:"s,omitempty"` // the signed-in user, or ""
	ID       string    `json:"i,omitempty"` // 128 random bits, new at each sign-in
	Start    time.Time `json:"t,omitzero"`
	Seen     time.Time `json:"l,omitzero"`
	Switched bool      `json:"w,omitempty"` // the sign-in replaced another account's
	Refused  bool      `json:"x,omitempty"` // it followed a call that Google refused for want of a scope
}

// SignedIn reports whether the cookie names a user. Whether that session is still alive, the grant says.
func (s Session) SignedIn() bool { return s.Subject != "" }

// SignIn returns s signed in as subject with the session id.
func (s Session) SignIn(subject, id string, now time.Time) Session {
	return Session{Browser: s.Browser, Subject: subject, ID: id, Start: now, Seen: now,
		Switched: s.SignedIn() && s.Subject != subject}
}

// SignOut returns s with nothing but the browser's id.
func (s Session) SignOut() Session { return Session{Browser: s.Browser} }

// recent is how long a sign-in makes a difference to what comes after it.
const recent = 2 * time.Minute

// JustSwitched reports whether a recent sign-in replaced another account's.
func (s Session) JustSwitched(now time.Time) bool { return s.Switched && now.Sub(s.Start) < recent }

// JustRefused reports whether a recent sign-in followed a call that Google refused for want of a scope.
func (s Session) JustRefused(now time.Time) bool { return s.Refused && now.Sub(s.Start) < recent }

// A Cookie reads and writes sessions.
type Cookie struct {
	Name   string
	Secure bool
	Keys   *seal.Keyset
	Now    func() time.Time
}

// Read returns the request's session. A cookie that does not open is no cookie; a session that is
// over (7 idle days, 30 days in all) leaves just the browser's id.
func (c *Cookie) Read(r *http.Request) Session {
	for _, cookie := range r.CookiesNamed(c.Name) {
		if s, ok := c.open(cookie.Value); ok {
			now := c.Now()
			if s.SignedIn() && (now.Sub(s.Seen) > idle || now.Sub(s.Start) > lifetime) {
				return s.SignOut()
			}
			return s
		}
	}
	return Session{}
}

func (c *Cookie) open(value string) (Session, bool) {
	var s Session
	b, err := c.Keys.OpenString(purpose, "", value)
	if err != nil || json.Unmarshal(b, &s) != nil || s.Browser == "" {
		return Session{}, false
	}
	return s, true
}

// Write sets the cookie to s.
func (c *Cookie) Write(w http.ResponseWriter, s Session) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	value, err := c.Keys.SealString(purpose, "", b)
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{
		Name: c.Name, Value: value, Path: "/", MaxAge: int(lifetime / time.Second),
		Secure: c.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	return nil
}

// Touch writes the cookie anew if the session was last seen over an hour ago.
func (c *Cookie) Touch(w http.ResponseWriter, s Session) error {
	now := c.Now()
	if now.Sub(s.Seen) <= reissueAfter {
		return nil
	}
	s.Seen = now
	return c.Write(w, s)
}
