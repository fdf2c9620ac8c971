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
	if got := c.Read(request(header)); got.Subject != s.Subject || got.ID != s.ID || got.Browser != s.Browser || !got.Start.Equal(now) {
		t.Errorf("%+v comes back as %+v", s, got)
	}
	if got := c.Read(request(c.Name + "=garbage; " + header)); !got.SignedIn() {
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
		s := Session{Browser: "b", Subject: "s", ID: "i", Start: now.Add(-age.start), Seen: now.Add(-age.seen)}
		set := written(t, func(w http.ResponseWriter) error { return c.Write(w, s) })
		if got := c.Read(request(c.Name + "=" + set.Value)); got.SignedIn() != age.alive || got.Browser != "b" {
			t.Errorf("%s: %+v", name, got)
		}
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
	if got := c.Read(request(c.Name + "=" + set.Value)); !got.Seen.Equal(now) || !got.Start.Equal(noon) || got.ID != "i" {
		t.Errorf("%+v", got)
	}
}

func TestSignInTellsOfASwitch(t *testing.T) {
	visitor := Session{Browser: "b"}
	ada := visitor.SignIn("ada", "1", noon)
	grace := ada.SignIn("grace", "2", noon)
	for name, c := range map[string]struct {
		s    Session
		at   time.Duration
		want bool
	}{
		"first sign-in": {ada, 0, false}, "same user": {ada.SignIn("ada", "3", noon), 0, false}, "another user": {grace, 0, true},
		"two minutes later": {grace, 2 * time.Minute, false}, "after a sign-out": {ada.SignOut().SignIn("grace", "4", noon), 0, false},
	} {
		if got := c.s.JustSwitched(noon.Add(c.at)); got != c.want || c.s.Browser != "b" {
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
		if got := c.Read(request(header)); got != (Session{}) {
			t.Fatalf("%q opens: %+v", header, got)
		}
		sealed, err := c.Keys.SealString(purpose, "", content)
		if err != nil {
			t.Fatal(err)
		}
		s := c.Read(request(c.Name + "=" + sealed))
		switch {
		case s == (Session{}):
			return
		case s.Browser == "":
			t.Fatalf("a session without a browser: %+v", s)
		case s.SignedIn() && (now.After(s.Start.Add(lifetime)) || now.After(s.Seen.Add(idle))):
			t.Fatalf("at %v alive: %+v", now, s)
		}
		set := written(t, func(w http.ResponseWriter) error { return c.Write(w, s) })
		if again := c.Read(request(c.Name + "=" + set.Value)); again.Subject != s.Subject || again.ID != s.ID || !again.Start.Equal(s.Start) {
			t.Fatalf("%+v comes back as %+v", s, again)
		}
	})
}
