// Package session keeps a browser's id and sign-in in one sealed cookie.
package session

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"functions.local/oauth/shared/seal"
)

const (
	idle     = 7 * 24 * time.Hour  // a session ends after this time without a request
	lifetime = 30 * 24 * time.Hour // and after this time in any case
	// reissueAfter is how old the last request has to be before Touch sets the cookie again. If every answer set it, a slow
	// one could bring a session back that was ended meanwhile.
	reissueAfter = time.Hour

	// purpose is what the cookie is sealed for.
	purpose = "cookie"
)

// A Session is what the cookie holds. The zero Session is a browser that was never here.
type Session struct {
	Browser   string    `json:"b"`           // 128 random bits
	Subject   string    `json:"s,omitempty"` // the signed-in user, or ""
	ID        string    `json:"i,omitempty"` // 128 random bits, new at each sign-in
	Start     time.Time `json:"t,omitzero"`  // of the sign-in
	Seen      time.Time `json:"l,omitzero"`  // when a request was last noted here: see Touch
	Switched  bool      `json:"w,omitempty"` // the sign-in replaced another account's
	SignedOut bool      `json:"o,omitempty"` // somebody signed out here: the next sign-in asks for the account
}

// SignedIn reports whether the cookie names a user. Whether the session was ended since, only the user's grant tells.
func (s Session) SignedIn() bool { return s.Subject != "" }

// SignIn returns a session of the same browser in which subject is signed in, with this id.
func (s Session) SignIn(subject, id string, now time.Time) Session {
	return Session{Browser: s.Browser, Subject: subject, ID: id, Start: now, Seen: now,
		Switched: s.SignedIn() && s.Subject != subject}
}

// SignOut returns the session of a browser in which somebody signed out. It has a new browser id, so that nobody can
// finish a flow with a copy of the cookie from before.
func (s Session) SignOut() Session { return Session{Browser: seal.NewID(), SignedOut: true} }

// Over returns s without its sign-in, for a session that has ended.
func (s Session) Over() Session { return Session{Browser: s.Browser} }

// recent is how long JustSwitched is true after a sign-in.
const recent = 2 * time.Minute

// JustSwitched reports whether the sign-in replaced another account's in the last two minutes.
func (s Session) JustSwitched(now time.Time) bool { return s.Switched && now.Sub(s.Start) < recent }

// A Cookie reads and writes sessions.
type Cookie struct {
	Name   string
	Secure bool // the cookie's attribute Secure: browsers send it over https only
	Keys   *seal.Keyset
	Now    func() time.Time
}

var (
	// ErrTwo means that the request brings two cookies of the name that open and differ. Another host of the same domain
	// can set one, and nothing tells which of them is the browser's own.
	ErrTwo = errors.New("session: two different cookies of the name")
	// ErrForeign means that the cookie is another program's, which uses the one name that Firebase Hosting forwards as
	// well. It must not be overwritten.
	ErrForeign = errors.New("session: the cookie is another program's")
)

// Read returns the request's session. A cookie that does not open counts as none. A session that is over (after 7 days
// without a request, or 30 days in all) is returned without its sign-in, and ended is true. The error is ErrTwo or
// ErrForeign, and the session then the zero one.
func (c *Cookie) Read(r *http.Request) (s Session, ended bool, err error) {
	found := ""
	for _, cookie := range r.CookiesNamed(c.Name) {
		one, ok := c.open(cookie.Value)
		switch {
		case !ok && c.Name == firebaseCookie && !seal.IsSealed(cookie.Value):
			return Session{}, false, ErrForeign
		case !ok || cookie.Value == found:
		case found != "":
			return Session{}, false, ErrTwo
		default:
			s, found = one, cookie.Value
		}
	}
	now := c.Now()
	if s.SignedIn() && (now.Sub(s.Seen) > idle || now.Sub(s.Start) > lifetime) {
		return s.Over(), true, nil
	}
	return s, false, nil
}

// firebaseCookie is the name of the only cookie that Firebase Hosting forwards, whichever program set it
// [Firebase: Hosting, manage cache behavior].
const firebaseCookie = "__session"

// open returns what a cookie's value holds, and whether it opens.
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

// Touch notes the request: it sets the cookie to s as seen now, if s was last seen over an hour ago.
func (c *Cookie) Touch(w http.ResponseWriter, s Session) error {
	now := c.Now()
	if now.Sub(s.Seen) <= reissueAfter {
		return nil
	}
	s.Seen = now
	return c.Write(w, s)
}
