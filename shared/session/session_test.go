package session

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/seal"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newCookie(t testing.TB, now *time.Time) *Cookie {
	t.Helper()
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	return &Cookie{Name: "__Host-session", Secure: true, Keys: keys, Now: func() time.Time { return *now }}
}

// written returns the cookie that write sets, or nil.
func written(t testing.TB, write func(http.ResponseWriter) error) *http.Cookie {
	t.Helper()
	w := httptest.NewRecorder()
	if err := write(w); err != nil {
		t.Fatal(err)
	}
	if cookies := w.Result().Cookies(); len(cookies) == 1 {
		return cookies[0]
	}
	return nil
}

// read reads a request with this Cookie header, which is to be no error.
func read(t testing.TB, c *Cookie, header string) Session {
	t.Helper()
	s, _, err := c.Read(request(header))
	if err != nil {
		t.Fatalf("%q: %v", header, err)
	}
	return s
}

// sealed returns the value of a cookie that holds s.
func sealed(t testing.TB, c *Cookie, s Session) string {
	t.Helper()
	return written(t, func(w http.ResponseWriter) error { return c.Write(w, s) }).Value
}

func request(header string) *http.Request {
	return &http.Request{Header: http.Header{"Cookie": {header}}}
}

func TestCookie(t *testing.T) {
	now := noon
	c := newCookie(t, &now)
	visitor := Session{Browser: seal.NewID()}
	s := visitor.SignIn("110248495921238986420", seal.NewID(), now)
	set := written(t, func(w http.ResponseWriter) error { return c.Write(w, s) })
	if set.Name != c.Name || !set.Secure || !set.HttpOnly || set.SameSite != http.SameSiteLaxMode || set.Path != "/" || set.Domain != "" || set.MaxAge != 30*24*3600 {
		t.Errorf("%+v", set)
	}
	header := c.Name + "=" + set.Value
	if got := read(t, c, header); got.Subject != s.Subject || got.ID != s.ID || got.Browser != s.Browser || !got.Start.Equal(now) {
		t.Errorf("%+v comes back as %+v", s, got)
	}
	if got := read(t, c, c.Name+"=garbage; "+header); !got.SignedIn() {
		t.Error("another cookie of the same name hides ours")
	}
	longest := visitor.SignIn(strings.Repeat("1", 255), seal.NewID(), now)
	longest.Switched = true
	if set := written(t, func(w http.ResponseWriter) error { return c.Write(w, longest) }); len(set.Raw) > 4096 {
		t.Errorf("%d bytes", len(set.Raw))
	}
}

func TestSessionEnds(t *testing.T) {
	const day = 24 * time.Hour
	now := noon
	c := newCookie(t, &now)
	for name, age := range map[string]struct {
		seen, start time.Duration
		alive       bool
	}{
		"new":                  {0, 0, true},
		"7 days idle":          {7 * day, 7 * day, true},
		"over 7 days idle":     {7*day + time.Second, 7*day + time.Second, false},
		"30 days old":          {time.Hour, 30 * day, true},
		"over 30 days old":     {0, 30*day + time.Second, false},
		"of a clock a bit off": {-time.Minute, -time.Minute, true},
	} {
		s := Session{Browser: "b", Subject: "s", ID: "i", Start: now.Add(-age.start), Seen: now.Add(-age.seen), Switched: true}
		got, ended, err := c.Read(request(c.Name + "=" + sealed(t, c, s)))
		if got.SignedIn() != age.alive || ended == age.alive || err != nil || got.Browser != "b" {
			t.Errorf("%s: %+v, ended %t, %v", name, got, ended, err)
		}
		if !age.alive && got != (Session{Browser: "b"}) {
			t.Errorf("%s: of the sign-in is left %+v", name, got)
		}
	}
	visitor, ended, err := c.Read(request(c.Name + "=" + sealed(t, c, Session{Browser: "b"})))
	if visitor != (Session{Browser: "b"}) || ended || err != nil {
		t.Errorf("nobody's session ended: %+v, %t, %v", visitor, ended, err)
	}
}

// Another host of the same domain can set a cookie of our name: which is the browser's own is not to be told
// (requirement 45).
func TestTwoCookies(t *testing.T) {
	now := noon
	c := newCookie(t, &now)
	ada, grace := Session{Browser: "a"}.SignIn("ada", "1", now), Session{Browser: "g"}.SignIn("grace", "2", now)
	one, other := sealed(t, c, ada), sealed(t, c, grace)
	for name, tt := range map[string]struct {
		values []string
		want   Session
		err    error
	}{
		"that differ are no sign-in":              {[]string{one, other}, Session{}, ErrTwo},
		"in the other order neither":              {[]string{other, one}, Session{}, ErrTwo},
		"with a third that is garbage neither":    {[]string{"garbage", other, "AQ", one}, Session{}, ErrTwo},
		"of one account neither":                  {[]string{one, sealed(t, c, ada)}, Session{}, ErrTwo},
		"of which one opens are that one":         {[]string{"garbage", one, strings.ToUpper(one)}, ada, nil},
		"of which one is of another key are ours": {[]string{sealed(t, newCookie(t, &now), grace), one}, ada, nil},
		"that are the same are one":               {[]string{one, one, one}, ada, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, ended, err := c.Read(request(c.Name + "=" + strings.Join(tt.values, "; "+c.Name+"=")))
			if got.Subject != tt.want.Subject || got.Browser != tt.want.Browser || ended || err != tt.err {
				t.Errorf("%+v, %t, %v", got, ended, err)
			}
		})
	}
}

// The one cookie that Firebase Hosting forwards may hold another program's session.
func TestCookieOfAnotherProgram(t *testing.T) {
	now := noon
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
	for name, tt := range map[string]struct {
		cookie, value string
		err           error
	}{
		"a token is theirs":                           {"__session", jwt, ErrForeign},
		"any other text is theirs":                    {"__session", "user-1234", ErrForeign},
		"under a name of our own nobody else has one": {"__Host-session", jwt, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCookie(t, &now)
			c.Name = tt.cookie
			for _, header := range []string{tt.cookie + "=" + tt.value, tt.cookie + "=" + sealed(t, c, Session{Browser: "b"}) + "; " + tt.cookie + "=" + tt.value} {
				if s, ended, err := c.Read(request(header)); err != tt.err || ended || err != nil && s != (Session{}) {
					t.Errorf("%+v, %t, %v", s, ended, err)
				}
			}
		})
	}
	t.Run("one of ours whose key is gone is no cookie", func(t *testing.T) {
		c := newCookie(t, &now)
		c.Name = "__session"
		if s := read(t, c, "__session="+sealed(t, newCookie(t, &now), Session{Browser: "b"})); s != (Session{}) {
			t.Errorf("%+v", s)
		}
	})
}

// A copy of the cookie from before a sign-out cannot begin a flow that this browser finishes (requirement 46).
func TestSignOut(t *testing.T) {
	ada := Session{Browser: "b"}.SignIn("ada", "1", noon)
	out := ada.SignOut()
	if out.Browser == "" || out.Browser == "b" || out.Browser == ada.SignOut().Browser {
		t.Errorf("the browser's id is %q", out.Browser)
	}
	if want := (Session{Browser: out.Browser, SignedOut: true}); out != want {
		t.Errorf("%+v", out)
	}
	now := noon
	c := newCookie(t, &now)
	if back := read(t, c, c.Name+"="+sealed(t, c, out)); back != out {
		t.Errorf("comes back as %+v", back)
	}
	if in := out.SignIn("ada", "2", noon); in.SignedOut || in.Switched || in.Browser != out.Browser {
		t.Errorf("signed in again: %+v", in)
	}
	if over := ada.Over(); over != (Session{Browser: "b"}) {
		t.Errorf("a session that ended elsewhere leaves %+v", over)
	}
}

func TestTouchReissuesAfterAnHourOnly(t *testing.T) {
	now := noon
	c := newCookie(t, &now)
	s := Session{Browser: "b"}.SignIn("s", "i", now)
	for _, age := range []time.Duration{0, 59 * time.Minute, time.Hour} {
		now = noon.Add(age)
		if set := written(t, func(w http.ResponseWriter) error { return c.Touch(w, s) }); set != nil {
			t.Errorf("reissued %v after it was seen", age)
		}
	}
	now = noon.Add(time.Hour + time.Second)
	set := written(t, func(w http.ResponseWriter) error { return c.Touch(w, s) })
	if set == nil {
		t.Fatal("not reissued after an hour")
	}
	if got := read(t, c, c.Name+"="+set.Value); !got.Seen.Equal(now) || !got.Start.Equal(noon) || got.ID != "i" {
		t.Errorf("%+v", got)
	}
}

func TestSignInTellsOfASwitch(t *testing.T) {
	visitor := Session{Browser: "b"}
	ada := visitor.SignIn("ada", "1", noon)
	grace := ada.SignIn("grace", "2", noon)
	if grace.Browser != "b" {
		t.Errorf("a sign-in makes the browser %q", grace.Browser)
	}
	for name, c := range map[string]struct {
		s    Session
		at   time.Duration
		want bool
	}{
		"first sign-in": {ada, 0, false}, "same user": {ada.SignIn("ada", "3", noon), 0, false}, "another user": {grace, 0, true},
		"two minutes later": {grace, 2 * time.Minute, false}, "after a sign-out": {ada.SignOut().SignIn("grace", "4", noon), 0, false},
	} {
		if got := c.s.JustSwitched(noon.Add(c.at)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// FuzzCookie reads a Cookie header as it came, and content as if our own key had sealed it.
func FuzzCookie(f *testing.F) {
	now := noon
	c := newCookie(f, &now)
	good, err := json.Marshal(Session{Browser: "b"}.SignIn("s", "i", noon))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", []byte(nil), int64(0))
	f.Add("__Host-session=garbage; __Host-session=", good, int64(0))
	f.Add("__Host-session=\"AQAAAAAA\"; a", good, int64(7*24*time.Hour)+1)
	f.Add(strings.Repeat("__Host-session=AQ; ", 100), []byte(`{"b":"b","s":"s","t":"9999-12-31T23:59:59Z","l":"0001-01-01T00:00:00Z"}`), int64(1<<62))
	f.Add("\x00=;;", []byte(`{"b":7}`), int64(-1))
	f.Add("a=b", bytes.Replace(good, []byte(`"b":"b",`), nil, 1), int64(0))
	f.Fuzz(func(t *testing.T, header string, content []byte, ahead int64) {
		now = noon.Add(time.Duration(ahead))
		if got, ended, err := c.Read(request(header)); got != (Session{}) || ended || err != nil {
			t.Fatalf("%q opens: %+v, %t, %v", header, got, ended, err)
		}
		sealed, err := c.Keys.SealString(purpose, "", content)
		if err != nil {
			t.Fatal(err)
		}
		s := read(t, c, c.Name+"="+sealed)
		switch {
		case s == (Session{}):
			return
		case s.Browser == "":
			t.Fatalf("a session without a browser: %+v", s)
		case s.SignedIn() && (now.After(s.Start.Add(lifetime)) || now.After(s.Seen.Add(idle))):
			t.Fatalf("at %v alive: %+v", now, s)
		}
		set := written(t, func(w http.ResponseWriter) error { return c.Write(w, s) })
		if again := read(t, c, c.Name+"="+set.Value); again.Subject != s.Subject || again.ID != s.ID || !again.Start.Equal(s.Start) {
			t.Fatalf("%+v comes back as %+v", s, again)
		}
	})
}
