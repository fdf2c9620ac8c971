package fakegoogle

import (
	"strings"
	"testing"

	"google.golang.org/api/calendar/v3"
	"google.golang.org/api/option"
)

func (w *world) calendar(user string) *calendar.Service {
	w.Helper()
	svc, err := calendar.NewService(w.Context(), option.WithHTTPClient(w.client(user, eventsOwned)))
	if err != nil {
		w.Fatal(err)
	}
	return svc
}

func at(text string) *calendar.EventDateTime { return &calendar.EventDateTime{DateTime: text} }

func goodEvent() *calendar.Event {
	return &calendar.Event{
		Summary: "Plan the day", Description: "d", Location: "l",
		Start: at("2026-03-01T09:00:00+01:00"), End: at("2026-03-01T08:30:00Z"),
		Attendees: []*calendar.EventAttendee{{Email: "guest@example.com"}},
	}
}

func TestCalendar(t *testing.T) {
	sentences(t, map[string]func(*world){
		"keeps an event under an id of the client's": func(w *world) {
			svc, want := w.calendar(grace), goodEvent()
			want.Id = "0123456789abcdefghijklmnopqrstuv"
			e, err := svc.Events.Insert("primary", want).Do()
			if err != nil || e.Id != want.Id || e.Summary != want.Summary || e.Status != "confirmed" || e.Organizer.Email != "grace@example.com" ||
				!strings.HasPrefix(e.HtmlLink, "https://www.google.com/calendar/event?eid=") {
				w.Fatalf("%+v, %v", e, err)
			}
			got, err := svc.Events.Get("grace@example.com", want.Id).Fields("htmlLink,start/dateTime").Do()
			if err != nil || got.HtmlLink != e.HtmlLink || got.Start.DateTime != want.Start.DateTime || got.Summary != "" {
				w.Errorf("%+v, %v", got, err)
			}
			events := w.Events(grace)
			if len(events) != 1 || events[0].Summary != want.Summary || events[0].Attendees[0] != "guest@example.com" || events[0].End.DateTime != want.End.DateTime {
				w.Errorf("%+v", events)
			}
			if len(w.Events(ada)) != 0 {
				w.Error("another user has it")
			}
		},
		"makes an id of its own": func(w *world) {
			e, err := w.calendar("").Events.Insert("primary", goodEvent()).Do()
			if err != nil || !validEventID(e.Id) {
				w.Errorf("%+v, %v", e, err)
			}
		},
		"refuses an id for the second time": func(w *world) {
			svc, e := w.calendar(""), goodEvent()
			e.Id = "abcde"
			if _, err := svc.Events.Insert("primary", e).Do(); err != nil {
				w.Fatal(err)
			}
			_, err := svc.Events.Insert("primary", e).Do()
			wantFault(w.T, err, 409, "duplicate")
			if len(w.Events(ada)) != 1 {
				w.Errorf("%d events", len(w.Events(ada)))
			}
		},
		"answers a deleted event as cancelled until it is purged, and never gives its id away": func(w *world) {
			svc, e := w.calendar(""), goodEvent()
			e.Id = "abcde"
			if _, err := svc.Events.Insert("primary", e).Do(); err != nil {
				w.Fatal(err)
			}
			w.DeleteEvent(ada, "abcde")
			got, err := svc.Events.Get("primary", "abcde").Do()
			if err != nil || got.Status != "cancelled" || !w.Events(ada)[0].Cancelled {
				w.Errorf("%+v, %v", got, err)
			}
			_, err = svc.Events.Insert("primary", e).Do()
			wantFault(w.T, err, 409, "duplicate")
			w.PurgeEvent(ada, "abcde")
			_, err = svc.Events.Get("primary", "abcde").Do()
			wantFault(w.T, err, 404, "notFound")
			_, err = svc.Events.Insert("primary", e).Do()
			wantFault(w.T, err, 409, "duplicate")
			if len(w.Events(ada)) != 0 {
				w.Errorf("%+v", w.Events(ada))
			}
		},
		"keeps description and place": func(w *world) {
			svc := w.calendar("")
			e, err := svc.Events.Insert("primary", goodEvent()).Do()
			if err != nil || e.Description != "d" || e.Location != "l" {
				w.Fatalf("%+v, %v", e, err)
			}
			if got := w.Events(ada)[0]; got.Description != "d" || got.Location != "l" {
				w.Errorf("%+v", got)
			}
		},
		"lets two users have the same id": func(w *world) {
			e := goodEvent()
			e.Id = "abcde"
			for _, user := range []string{ada, grace} {
				if _, err := w.calendar(user).Events.Insert("primary", e).Do(); err != nil {
					w.Error(err)
				}
			}
		},
		"finds no other calendar and no unknown event": func(w *world) {
			svc := w.calendar(ada)
			_, err := svc.Events.Insert("grace@example.com", goodEvent()).Do()
			wantFault(w.T, err, 404, "notFound")
			_, err = svc.Events.Get("primary", "abcde").Do()
			wantFault(w.T, err, 404, "notFound")
		},
	})
}

func TestCalendarTakes(t *testing.T) {
	for name, times := range map[string][2]*calendar.EventDateTime{
		"local times with a time zone":      {{DateTime: "2026-03-01T09:00:00", TimeZone: "Europe/Berlin"}, {DateTime: "2026-03-01T10:00:00", TimeZone: "Europe/Berlin"}},
		"times whose zones differ":          {{DateTime: "2026-03-01T09:00:00", TimeZone: "Europe/Berlin"}, {DateTime: "2026-03-01T08:30:00", TimeZone: "UTC"}},
		"an offset and a zone":              {{DateTime: "2026-03-01T09:00:00+01:00", TimeZone: "Europe/Berlin"}, {DateTime: "2026-03-01T10:00:00+01:00", TimeZone: "Europe/Berlin"}},
		"a whole day, its end not included": {{Date: "2026-03-01"}, {Date: "2026-03-02"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := newWorld(t), goodEvent()
			e.Start, e.End = times[0], times[1]
			if _, err := w.calendar("").Events.Insert("primary", e).Do(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCalendarRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		reason string
		change func(*calendar.Event)
	}{
		"an id of four characters":        {"invalid", func(e *calendar.Event) { e.Id = "abcd" }},
		"an id of 1025 characters":        {"invalid", func(e *calendar.Event) { e.Id = strings.Repeat("a", 1025) }},
		"an id with a w":                  {"invalid", func(e *calendar.Event) { e.Id = "abcdw" }},
		"an id in capitals":               {"invalid", func(e *calendar.Event) { e.Id = "ABCDE" }},
		"an id with a dash":               {"invalid", func(e *calendar.Event) { e.Id = "abc-def" }},
		"no start":                        {"required", func(e *calendar.Event) { e.Start = nil }},
		"no end":                          {"required", func(e *calendar.Event) { e.End = nil }},
		"an empty end":                    {"required", func(e *calendar.Event) { e.End = &calendar.EventDateTime{ForceSendFields: []string{"DateTime"}} }},
		"an end before the start":         {"timeRangeEmpty", func(e *calendar.Event) { e.End = at("2026-03-01T07:59:59Z") }},
		"an end at the start":             {"timeRangeEmpty", func(e *calendar.Event) { e.End = at("2026-03-01T08:00:00Z") }},
		"a whole day that ends on itself": {"timeRangeEmpty", func(e *calendar.Event) { e.Start.Date, e.Start.DateTime = "2026-03-01", ""; e.End = e.Start }},
		"a day and a time":                {"invalid", func(e *calendar.Event) { e.End = &calendar.EventDateTime{Date: "2026-03-02"} }},
		"a day and a time in one":         {"invalid", func(e *calendar.Event) { e.End.Date = "2026-03-02" }},
		"a local time without zone":       {"required", func(e *calendar.Event) { e.Start = at("2026-03-01T09:00:00") }},
		"a time without seconds":          {"badRequest", func(e *calendar.Event) { e.Start = at("2026-03-01T09:00") }},
		"an unknown zone":                 {"invalid", func(e *calendar.Event) { e.Start.TimeZone = "Europe/Nowhere" }},
		"a guest without address":         {"invalid", func(e *calendar.Event) { e.Attendees[0].Email = "guest" }},
		"a guest with a name":             {"invalid", func(e *calendar.Event) { e.Attendees[0].Email = "Guest <guest@example.com>" }},
		"a zero width space in a guest":   {"invalid", func(e *calendar.Event) { e.Attendees[0].Email = "guest\u200b@example.com" }},
		"a soft hyphen in a guest":        {"invalid", func(e *calendar.Event) { e.Attendees[0].Email = "gu\u00adest@example.com" }},
		"a byte order mark before one":    {"invalid", func(e *calendar.Event) { e.Attendees[0].Email = "\ufeffguest@example.com" }},
		"a direction mark after one":      {"invalid", func(e *calendar.Event) { e.Attendees[0].Email = "guest@example.com\u202c" }},
		"a wide space in one":             {"invalid", func(e *calendar.Event) { e.Attendees[0].Email = "gu\u00a0est@example.com" }},
	} {
		t.Run(name, func(t *testing.T) {
			w, e := newWorld(t), goodEvent()
			tt.change(e)
			_, err := w.calendar("").Events.Insert("primary", e).Do()
			wantFault(t, err, 400, tt.reason)
			if len(w.Events(ada)) != 0 {
				t.Error("made it all the same")
			}
		})
	}
	t.Run("a body that is not JSON", func(t *testing.T) {
		w := newWorld(t)
		resp, err := w.client("", eventsOwned).Post("https://www.googleapis.com/calendar/v3/calendars/primary/events", "application/json", strings.NewReader("{"))
		if err != nil || resp.StatusCode != 400 {
			t.Fatalf("%v, %v", resp, err)
		}
		resp.Body.Close()
	})
}
