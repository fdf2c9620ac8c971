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
	idle     = 7 * 24 * time.Hour
	lifetime = 30 * 24 * time.Hour
	// reissueAfter keeps a slow answer from bringing a killed session back: within it no answer to
	// a signed-in request sets the cookie.
	reissueAfter = time.Hour

	purpose = "cookie"
)

// A Session is what the cookie holds. The zero Session is a browser that was never here.
type Session struct {
	Browser   string    `json:"b"`           // 128 random bits
	Subject   string    `json:"s,omitempty"` // the signed-in user, or ""
	ID        string    `json:"i,omitempty"` // 128 random bits, new at each sign-in
	Start     time.Time `json:"t,omitzero"`
	Seen      time.Time `json:"l,omitzero"`
	Switched  bool      `json:"w,omitempty"` // the sign-in replaced another account's
	SignedOut bool      `json:"o,omitempty"` // somebody signed out here: the next sign-in asks for the account
}

// SignedIn reports whether the cookie names a user. Whether that session is still alive, the grant says.
func (s Session) SignedIn() bool { return s.Subject != "" }

// SignIn returns s signed in as subject with the session id.
func (s Session) SignIn(subject, id string, now time.Time) Session {
	return Session{Browser: s.Browser, Subject: subject, ID: id, Start: now, Seen: now,
		Switched: s.SignedIn() && s.Subject != subject}
}

// SignOut returns the session of a browser in which somebody signed out. Its id is a new one, so that a
// copy of the cookie from before is worth nothing, in a link to Google either.
func (s Session) SignOut() Session { return Session{Browser: seal.NewID(), SignedOut: true} }

// Over returns s without its sign-in, which ended elsewhere or by its age.
func (s Session) Over() Session { return Session{Browser: s.Browser} }

// recent is how long a sign-in makes a difference to what comes after it.
const recent = 2 * time.Minute

// JustSwitched reports whether a recent sign-in replaced another account's.
func (s Session) JustSwitched(now time.Time) bool { return s.Switched && now.Sub(s.Start) < recent }

// A Cookie reads and writes sessions.
type Cookie struct {
	Name   string
	Secure bool
	Keys   *seal.Keyset
	Now    func() time.Time
}

var (
	// ErrTwo means that the request brings two cookies of the name that open and differ: another host of
	// the same domain can set one, and which of them is the browser's own is not to be told.
	ErrTwo = errors.New("session: two different cookies of the name")
	// ErrForeign means that the cookie is another program's, which shares the one name that Firebase
	// Hosting forwards. It must not be overwritten.
	ErrForeign = errors.New("session: the cookie is another program's")
)

// Read returns the request's session. A cookie that does not open is no cookie. A session that is over
// (7 idle days, 30 days in all) is returned without its sign-in, and ended tells of it. With an error,
// which is ErrTwo or ErrForeign, the session is the zero one.
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

// firebaseCookie is the one that Firebase Hosting forwards, of whatever program [Firebase: Hosting, manage
// cache behavior].
const firebaseCookie = "__session"

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
