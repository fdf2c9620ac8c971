package createevent

import (
	"errors"
	"fmt"
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

// call is one to the function with these fields.
func (u *user) call(fields url.Values) *httpfunc.Call {
	return &httpfunc.Call{
		Request: httptest.NewRequest("GET", "/createevent", nil), Client: u.client, User: httpfunc.User{Email: ada},
		Form: &httpfunc.Form{Fields: httpfunc.Fields{Values: fields}},
	}
}

func valueOf(view *httpfunc.View, err error) (created, error) {
	if err != nil {
		return created{}, err
	}
	return view.Value().(created), nil
}

func (u *user) create(fields url.Values) (created, error) { return valueOf(create(u.call(fields))) }

func (u *user) mustCreate(fields url.Values) created {
	u.Helper()
	made, err := u.create(fields)
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

func TestForm(t *testing.T) {
	// shown is the form, which needs no Google.
	shown := func(t *testing.T, query url.Values) url.Values {
		t.Helper()
		view, err := form((&user{}).call(query))
		if err != nil {
			t.Fatal(err)
		}
		return view.Value().(httpfunc.Fields).Values
	}
	t.Run("brings a fresh id that Google takes, and no more", func(t *testing.T) {
		a, b := shown(t, nil), shown(t, nil)
		if id := a.Get("id"); !validID(id) || len(id) < 26 || id == b.Get("id") || len(a) != 1 {
			t.Errorf("%v and %v", a, b)
		}
	})
	t.Run("takes its fields from a link, but no id", func(t *testing.T) {
		link := tea("guests", "a@b.c d@e.f", "colour", "red")
		got := shown(t, link)
		if id := got.Get("id"); id == link.Get("id") || !validID(id) {
			t.Errorf("id %q", id)
		}
		for _, name := range []string{"title", "start", "end", "time_zone", "guests"} {
			if got.Get(name) != link.Get(name) {
				t.Errorf("%s %q, want %q", name, got.Get(name), link.Get(name))
			}
		}
		if len(got) != 6 {
			t.Errorf("%v", got)
		}
	})
}

// A browser that posted finds what was made at an address that it can load again.
func TestMade(t *testing.T) {
	t.Run("shows the event as often as it is asked for, and makes none", func(t *testing.T) {
		u := newUser(t)
		want := u.mustCreate(tea())
		for range 2 {
			if got, err := valueOf(form(u.call(url.Values{"made": {want.ID}}))); err != nil || got != want {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
		}
		u.only()
	})
	for name, remove := range map[string]func(*user, string){
		"does not show an event that was deleted": func(u *user, id string) { u.DeleteEvent(ada, id) },
		"does not show one that is gone for good": func(u *user, id string) { u.PurgeEvent(ada, id) },
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			made := u.mustCreate(tea())
			remove(u, made.ID)
			_, err := form(u.call(url.Values{"made": {made.ID}}))
			wantInvalid(t, err, "made before, and deleted since")
		})
	}
	t.Run("does not call an event of nobody's an error of ours", func(t *testing.T) {
		_, err := form(newUser(t).call(url.Values{"made": {"../settings?x"}}))
		wantInvalid(t, err, "Open the form anew")
	})
}

func TestCreate(t *testing.T) {
	t.Run("makes the event of a form", func(t *testing.T) {
		u := newUser(t)
		made := u.mustCreate(tea("title", " Tea ", "guests", "grace@example.com, a@b.c;d@e.f\n\tg@h.i"))
		e := u.only()
		if want := (created{ID: "0123456789abcdefv", Link: e.Link, Title: "Tea"}); made != want {
			t.Errorf("answer %+v, want %+v", made, want)
		}
		if want := (fakegoogle.EventTime{DateTime: "2026-03-01T15:00:00", TimeZone: "Europe/London"}); e.ID != made.ID || e.Summary != "Tea" || e.Start != want {
			t.Errorf("%+v", e)
		}
		if want := []string{"grace@example.com", "a@b.c", "d@e.f", "g@h.i"}; !slices.Equal(e.Attendees, want) {
			t.Errorf("guests %q, want %q", e.Attendees, want)
		}
	})
	t.Run("makes the event of times with offsets and a zone, and of a list of guests", func(t *testing.T) {
		u := newUser(t)
		fields := tea("start", "2026-03-01T16:00:00+01:00", "end", "2026-03-01T15:00:00.5Z", "time_zone", "Europe/Berlin", "id", "abcde")
		fields["guests"] = []string{"a@b.c", "d@e.f"}
		u.mustCreate(fields)
		e := u.only()
		start, end := fakegoogle.EventTime{DateTime: "2026-03-01T16:00:00+01:00", TimeZone: "Europe/Berlin"}, fakegoogle.EventTime{DateTime: "2026-03-01T15:00:00.5Z", TimeZone: "Europe/Berlin"}
		if e.ID != "abcde" || e.Start != start || e.End != end || len(e.Attendees) != 2 {
			t.Errorf("%+v", e)
		}
	})
	t.Run("makes the event without zone, guests and id", func(t *testing.T) {
		u := newUser(t)
		made := u.mustCreate(url.Values{"title": {"Tea"}, "start": {"2026-03-01T15:00:00Z"}, "end": {"2026-03-01T16:00:00Z"}})
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
		u.mustCreate(tea("guests", "grace@example.com"))
		u.only()
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCreateOnce(t *testing.T) {
	t.Run("answers a repeat with the event that exists", func(t *testing.T) {
		u := newUser(t)
		first, again := u.mustCreate(tea()), u.mustCreate(tea("title", "Coffee"))
		if first != again {
			t.Errorf("%+v and %+v", first, again)
		}
		u.only()
	})
	t.Run("finds the event whose reply was lost", func(t *testing.T) {
		u := newUser(t)
		u.Fail("/calendar/", 1, fakegoogle.Failure{Drop: true})
		if _, err := u.create(tea()); err == nil {
			t.Fatal("the reply was not lost")
		}
		made := u.mustCreate(tea())
		if e := u.only(); made.Link != e.Link {
			t.Errorf("%+v, want %+v", made, e)
		}
	})
	for name, remove := range map[string]func(*user){
		"does not offer an event that was deleted since":      func(u *user) { u.DeleteEvent(ada, tea().Get("id")) },
		"does not offer one that is gone for good, or a copy": func(u *user) { u.PurgeEvent(ada, tea().Get("id")) },
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			u.mustCreate(tea())
			remove(u)
			_, err := u.create(tea())
			wantInvalid(t, err, "made before, and deleted since")
		})
	}
	t.Run("takes a success that names no event for none", func(t *testing.T) {
		u := newUser(t)
		u.Fail("/calendar/", 1, fakegoogle.Failure{Status: http.StatusOK, Body: `{"status":"confirmed"}`})
		if _, err := u.create(tea()); !errors.Is(err, httpfunc.ErrBadAnswer) {
			t.Error(err)
		}
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

// people are so many guests.
func people(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "guest%d@example.com\n", i)
	}
	return b.String()
}

func TestCreateTakes(t *testing.T) {
	for name, form := range map[string]url.Values{
		"the shortest id":                     tea("id", "av09a"),
		"the longest id":                      tea("id", strings.Repeat("v", 1024)),
		"the longest title":                   tea("title", strings.Repeat("茶", maxText)),
		"as many guests as can be":            tea("guests", people(maxGuests)),
		"29 February of a leap year":          tea("start", "2028-02-29T23:59", "end", "2028-03-01T00:00"),
		"an hour that the clocks show twice":  tea("start", "2026-10-25T01:30", "end", "2026-10-25T02:00"),
		"an end that is later by offset only": tea("start", "2026-03-01T15:00:00+01:00", "end", "2026-03-01T15:00:00Z"),
		"times of both kinds":                 tea("start", "2026-03-01T15:00", "end", "2026-03-01T16:30:00+01:00"),
		"UTC":                                 tea("time_zone", "UTC"),
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			u.mustCreate(form)
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
		"a long title":                      {tea("title", strings.Repeat("茶", maxText+1)), "1,024 characters"},
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
		"too many guests":                   {tea("guests", people(maxGuests+1)), "200"},
		"a guest without address":           {tea("guests", "a@b.c, grace"), "guest"},
		"a guest whose address is too long": {tea("guests", strings.Repeat("a", maxAddress)+"@b.c"), "guest"},
		"an id of 4 characters":             {tea("id", "abcd"), "id"},
		"an id of 1025 characters":          {tea("id", strings.Repeat("a", 1025)), "id"},
		"an id with a w":                    {tea("id", "abcwabc"), "id"},
		"an id in capitals":                 {tea("id", "ABCDE"), "id"},
		"an id that is a path":              {tea("id", "../../abc"), "id"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			_, err := u.create(tt.form)
			wantInvalid(t, err, tt.says)
			if n := u.Calls("/"); n != 0 {
				t.Errorf("Google was called %d times", n)
			}
		})
	}
	t.Run("what Google refuses", func(t *testing.T) {
		u := newUser(t)
		u.Fail("/calendar/", 1, fakegoogle.Failure{Status: http.StatusBadRequest})
		_, err := u.create(tea())
		wantInvalid(t, err, "Google Calendar does not take this")
	})
}

func TestCreatePassesOnGooglesFailure(t *testing.T) {
	for name, path := range map[string]string{"to make it": "/calendar/v3/calendars/primary/events", "to find it": "/calendar/v3/calendars/primary/events/0"} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			u.mustCreate(tea())
			u.Fail(path, 1, fakegoogle.Failure{Status: http.StatusServiceUnavailable})
			_, err := u.create(tea())
			var e *googleapi.Error
			if !errors.As(err, &e) || e.Code != http.StatusServiceUnavailable {
				t.Error(err)
			}
		})
	}
}
