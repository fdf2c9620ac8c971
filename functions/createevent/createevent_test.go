package createevent

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/api/calendar/v3"
	"google.golang.org/api/googleapi"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
)

const ada = "ada@example.com"

// A user has a calendar.
type user struct {
	*testing.T
	*fakegoogle.Server
	client *http.Client
}

func newUser(t *testing.T) *user {
	t.Helper()
	fake := fakegoogle.New(fakegoogle.Options{})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return &user{t, fake, fake.UserClient(server.URL, ada, calendar.CalendarEventsOwnedScope)}
}

// tea is a good form, with name, value pairs set over it.
func tea(set ...string) url.Values {
	form := url.Values{"id": {"0123456789abcdefv"}, "title": {"Tea"}, "start": {"2026-03-01T15:00"}, "end": {"2026-03-01T16:30"},
		"time_zone": {"Europe/London"}, "guests": {""}}
	for i := 0; i < len(set); i += 2 {
		form.Set(set[i], set[i+1])
	}
	return form
}

func post(form url.Values) *http.Request {
	r := httptest.NewRequest("POST", "/createevent", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func postJSON(body string) *http.Request {
	r := httptest.NewRequest("POST", "/createevent", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func (u *user) create(r *http.Request) (created, error) {
	value, err := create(r, u.client)
	if err != nil {
		return created{}, err
	}
	return value.(*httpfunc.View).Value().(created), nil
}

func (u *user) mustCreate(r *http.Request) created {
	u.Helper()
	made, err := u.create(r)
	if err != nil {
		u.Fatal(err)
	}
	return made
}

// only is the one event there is.
func (u *user) only() fakegoogle.Event {
	u.Helper()
	events := u.Events(ada)
	if len(events) != 1 {
		u.Fatalf("%d events, want 1", len(events))
	}
	return events[0]
}

// shown calls form without Google.
func shown(t *testing.T, r *http.Request) fields {
	t.Helper()
	value, err := form(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return value.(*httpfunc.View).Value().(fields)
}

func TestForm(t *testing.T) {
	t.Run("brings a fresh id that Google takes, and UTC", func(t *testing.T) {
		a, b := shown(t, httptest.NewRequest("GET", "/createevent", nil)), shown(t, httptest.NewRequest("GET", "/createevent", nil))
		if !validID(a.ID) || len(a.ID) < 26 || a.ID == b.ID {
			t.Errorf("ids %q and %q", a.ID, b.ID)
		}
		if a.ID = ""; a != (fields{TimeZone: "UTC"}) {
			t.Errorf("%+v", a)
		}
	})
	t.Run("takes its fields from a link, but no id", func(t *testing.T) {
		got := shown(t, httptest.NewRequest("GET", "/createevent?"+tea("guests", "a@b.c d@e.f").Encode(), nil))
		if got.ID == tea().Get("id") || !validID(got.ID) {
			t.Errorf("id %q", got.ID)
		}
		if got.ID = ""; got != (fields{"", "Tea", "2026-03-01T15:00", "2026-03-01T16:30", "Europe/London", "a@b.c d@e.f"}) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("comes again with id and fields", func(t *testing.T) {
		got := shown(t, post(tea("time_zone", "", "end", "nonsense", "guests", "a@b.c;")))
		if got != (fields{"0123456789abcdefv", "Tea", "2026-03-01T15:00", "nonsense", "", "a@b.c;"}) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("comes again with an id that can be sent", func(t *testing.T) {
		if got := shown(t, post(tea("id", "w"))); !validID(got.ID) {
			t.Errorf("id %q", got.ID)
		}
	})
}

func TestCreate(t *testing.T) {
	t.Run("makes the event of a form", func(t *testing.T) {
		u := newUser(t)
		made := u.mustCreate(post(tea("title", " Tea ", "guests", "grace@example.com, a@b.c;d@e.f\n\tg@h.i")))
		e := u.only()
		if want := (created{"0123456789abcdefv", e.Link, "Tea"}); made != want {
			t.Errorf("answer %+v, want %+v", made, want)
		}
		if want := (fakegoogle.EventTime{DateTime: "2026-03-01T15:00:00", TimeZone: "Europe/London"}); e.ID != made.ID || e.Summary != "Tea" || e.Start != want {
			t.Errorf("%+v", e)
		}
		if want := []string{"grace@example.com", "a@b.c", "d@e.f", "g@h.i"}; !slices.Equal(e.Attendees, want) {
			t.Errorf("guests %q, want %q", e.Attendees, want)
		}
	})
	t.Run("makes the event of JSON, with offsets and a zone", func(t *testing.T) {
		u := newUser(t)
		u.mustCreate(postJSON(`{"title":"Tea","start":"2026-03-01T16:00:00+01:00","end":"2026-03-01T15:00:00.5Z","time_zone":"Europe/Berlin","guests":["a@b.c","d@e.f"],"id":"abcde"}`))
		e := u.only()
		start, end := fakegoogle.EventTime{DateTime: "2026-03-01T16:00:00+01:00", TimeZone: "Europe/Berlin"}, fakegoogle.EventTime{DateTime: "2026-03-01T15:00:00.5Z", TimeZone: "Europe/Berlin"}
		if e.ID != "abcde" || e.Start != start || e.End != end || len(e.Attendees) != 2 {
			t.Errorf("%+v", e)
		}
	})
	t.Run("makes the event of JSON, without zone, guests and id", func(t *testing.T) {
		u := newUser(t)
		made := u.mustCreate(postJSON(`{"title":"Tea","start":"2026-03-01T15:00:00Z","end":"2026-03-01T16:00:00Z","guests":[]}`))
		e := u.only()
		if !validID(made.ID) || e.ID != made.ID || e.Start.TimeZone != "" || len(e.Attendees) != 0 {
			t.Errorf("%+v, answer %+v", e, made)
		}
	})
	t.Run("has Google invite the guests, and may be sent twice", func(t *testing.T) {
		u, next := newUser(t), http.RoundTripper(nil)
		next, u.client.Transport = u.client.Transport, roundTrip(func(r *http.Request) (*http.Response, error) {
			if _, ok := r.Header["X-Idempotency-Key"]; !ok || r.GetBody == nil || r.URL.Query().Get("sendUpdates") != "all" {
				t.Errorf("harmless to repeat: %t, body can be had again: %t, %s", ok, r.GetBody != nil, r.URL)
			}
			return next.RoundTrip(r)
		})
		u.mustCreate(post(tea("guests", "grace@example.com")))
		u.only()
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCreateOnce(t *testing.T) {
	t.Run("answers a repeat with the event that exists", func(t *testing.T) {
		u := newUser(t)
		first, again := u.mustCreate(post(tea())), u.mustCreate(post(tea("title", "Coffee")))
		if first != again {
			t.Errorf("%+v and %+v", first, again)
		}
		u.only()
	})
	t.Run("finds the event whose reply was lost", func(t *testing.T) {
		u := newUser(t)
		u.Fail("/calendar/", 1, fakegoogle.Failure{Drop: true})
		if _, err := u.create(post(tea())); err == nil {
			t.Fatal("the reply was not lost")
		}
		made := u.mustCreate(post(tea()))
		if e := u.only(); made.Link != e.Link {
			t.Errorf("%+v, want %+v", made, e)
		}
	})
	t.Run("does not offer an event that was deleted since", func(t *testing.T) {
		u := newUser(t)
		u.mustCreate(post(tea()))
		u.Fail("/calendar/v3/calendars/primary/events/", 1, fakegoogle.Failure{Status: 200, Body: `{"id":"0123456789abcdefv","status":"cancelled"}`})
		_, err := u.create(post(tea()))
		wantInvalid(t, err, "deleted")
	})
}

// wantInvalid checks that err tells the person what to mend.
func wantInvalid(t *testing.T, err error, says string) {
	t.Helper()
	var e *httpfunc.Error
	if !errors.As(err, &e) || e.Status != http.StatusBadRequest || !strings.Contains(e.Message, says) {
		t.Errorf("got %#v, want an Error of status 400 that says %q", err, says)
	}
}

func TestCreateTakes(t *testing.T) {
	for name, form := range map[string]url.Values{
		"the shortest id":                     tea("id", "av09a"),
		"the longest id":                      tea("id", strings.Repeat("v", 1024)),
		"the longest title":                   tea("title", strings.Repeat("茶", maxTitle)),
		"as many guests as can be":            tea("guests", strings.Repeat("a@b.c ", maxGuests)),
		"29 February of a leap year":          tea("start", "2028-02-29T23:59", "end", "2028-03-01T00:00"),
		"an hour that the clocks show twice":  tea("start", "2026-10-25T01:30", "end", "2026-10-25T02:00"),
		"an end that is later by offset only": tea("start", "2026-03-01T15:00:00+01:00", "end", "2026-03-01T15:00:00Z"),
		"times of both kinds":                 tea("start", "2026-03-01T15:00", "end", "2026-03-01T16:30:00+01:00"),
		"UTC":                                 tea("time_zone", "UTC"),
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			u.mustCreate(post(form))
			u.only()
		})
	}
}

func TestCreateRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		form url.Values
		says string
	}{
		"no title":                          {tea("title", " \t"), "title"},
		"a long title":                      {tea("title", strings.Repeat("茶", maxTitle+1)), "1,024 characters"},
		"no start":                          {tea("start", ""), "The start"},
		"no end":                            {tea("end", ""), "The end"},
		"a malformed start":                 {tea("start", "tomorrow"), "The start"},
		"a date without a time":             {tea("start", "2026-03-01"), "The start"},
		"30 February":                       {tea("start", "2026-02-30T15:00"), "The start"},
		"30 February with an offset":        {tea("start", "2026-02-30T15:00:00Z"), "The start"},
		"29 February of an ordinary year":   {tea("end", "2027-02-29T15:00"), "The end"},
		"half past 24":                      {tea("start", "2026-03-01T24:30"), "The start"},
		"an hour that the clocks skip":      {tea("start", "2026-03-29T01:30", "end", "2026-03-29T03:00"), "The start"},
		"an end before the start":           {tea("end", "2026-03-01T14:59"), "after the start"},
		"an end at the start":               {tea("end", "2026-03-01T15:00"), "after the start"},
		"an end that is earlier by offset":  {tea("start", "2026-03-01T15:00:00Z", "end", "2026-03-01T15:30:00+01:00"), "after the start"},
		"a local time without zone":         {tea("time_zone", ""), "time zone"},
		"an unknown zone":                   {tea("time_zone", "Europe/Nowhere"), "time zone"},
		"this machine's zone":               {tea("time_zone", "Local"), "time zone"},
		"a zone that is a path":             {tea("time_zone", "../../etc/passwd"), "time zone"},
		"an unknown zone beside offsets":    {tea("start", "2026-03-01T15:00:00Z", "end", "2026-03-01T16:00:00Z", "time_zone", "Mars/Base"), "time zone"},
		"too many guests":                   {tea("guests", strings.Repeat("a@b.c ", maxGuests+1)), "200"},
		"a guest without address":           {tea("guests", "a@b.c, grace"), "guest"},
		"a guest with a name":               {tea("guests", "Grace <grace@example.com>"), "guest"},
		"a guest whose address is too long": {tea("guests", strings.Repeat("a", maxAddress)+"@b.c"), "guest"},
		"an id of 4 characters":             {tea("id", "abcd"), "id"},
		"an id of 1025 characters":          {tea("id", strings.Repeat("a", 1025)), "id"},
		"an id with a w":                    {tea("id", "abcwabc"), "id"},
		"an id in capitals":                 {tea("id", "ABCDE"), "id"},
		"an id that is a path":              {tea("id", "../../abc"), "id"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			_, err := u.create(post(tt.form))
			wantInvalid(t, err, tt.says)
			if n := u.Calls("/"); n != 0 {
				t.Errorf("Google was called %d times", n)
			}
		})
	}
	t.Run("what Google refuses", func(t *testing.T) {
		u := newUser(t)
		u.Fail("/calendar/", 1, fakegoogle.Failure{Status: http.StatusBadRequest})
		_, err := u.create(post(tea()))
		wantInvalid(t, err, "Google Calendar does not take this")
	})
}

func TestCreatePassesOnGooglesFailure(t *testing.T) {
	for name, path := range map[string]string{"to make it": "/calendar/v3/calendars/primary/events", "to find it": "/calendar/v3/calendars/primary/events/0"} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			u.mustCreate(post(tea()))
			u.Fail(path, 1, fakegoogle.Failure{Status: http.StatusServiceUnavailable})
			_, err := u.create(post(tea()))
			var e *googleapi.Error
			if !errors.As(err, &e) || e.Code != http.StatusServiceUnavailable {
				t.Error(err)
			}
		})
	}
}
