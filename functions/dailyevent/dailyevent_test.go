package dailyevent

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"google.golang.org/api/calendar/v3"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
)

const ada = "ada@example.com"

// newCalendar returns a Google and a client of ada's that reaches it.
func newCalendar(t *testing.T) (*fakegoogle.Server, *http.Client) {
	t.Helper()
	fake := fakegoogle.New(fakegoogle.Options{})
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return fake, fake.UserClient(server.URL, ada, calendar.CalendarEventsOwnedScope)
}

// turn is a user's turn in a run for the slot.
func turn(client *http.Client, account string, slot time.Time) *httpfunc.Call {
	return &httpfunc.Call{Request: httptest.NewRequest(http.MethodPost, "/dailyevent", nil), Client: client, User: httpfunc.User{Google: account}, Slot: slot}
}

// in returns the time that the clocks of a zone show at a moment.
func in(t *testing.T, zone, moment string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		t.Fatal(err)
	}
	return at.In(loc)
}

func TestPlanTheDay(t *testing.T) {
	const evening = "2027-03-27T22:30:00Z" // just before midnight in Berlin, and into the next day in Tokyo
	for name, c := range map[string]struct{ zone, day, end string }{
		"is for the day after, in the zone of the slot": {"Asia/Tokyo", "2027-03-29", "2027-03-30"},
		"is for the day on which the clocks change":     {"Europe/Berlin", "2027-03-28", "2027-03-29"},
		"is for the day after in UTC":                   {"UTC", "2027-03-28", "2027-03-29"},
	} {
		t.Run(name, func(t *testing.T) {
			fake, client := newCalendar(t)
			if err := planTheDay(turn(client, "1", in(t, c.zone, evening))); err != nil {
				t.Fatal(err)
			}
			events := fake.Events(ada)
			if len(events) != 1 || events[0].Summary != "Plan the day" || events[0].Start.Date != c.day || events[0].End.Date != c.end {
				t.Errorf("%+v", events)
			}
		})
	}
	t.Run("makes one event a day, however often and however late it runs", func(t *testing.T) {
		fake, client := newCalendar(t)
		for _, moment := range []string{"2027-03-27T00:01:00Z", "2027-03-27T18:00:00Z", "2027-03-27T18:00:00Z", "2027-03-27T23:59:00Z"} {
			if err := planTheDay(turn(client, "1", in(t, "UTC", moment))); err != nil {
				t.Errorf("%s: %v", moment, err)
			}
		}
		if n := len(fake.Events(ada)); n != 1 {
			t.Errorf("%d events", n)
		}
	})
	t.Run("makes no event again that its user deleted", func(t *testing.T) {
		fake, client := newCalendar(t)
		call := turn(client, "1", in(t, "UTC", evening))
		if err := planTheDay(call); err != nil {
			t.Fatal(err)
		}
		fake.DeleteEvent(ada, fake.Events(ada)[0].ID)
		if err := planTheDay(call); err != nil || len(fake.Events(ada)) != 1 {
			t.Errorf("%v, %+v", err, fake.Events(ada))
		}
	})
	t.Run("passes on Google's failure", func(t *testing.T) {
		fake, client := newCalendar(t)
		for _, f := range []fakegoogle.Failure{{Status: http.StatusServiceUnavailable}, {Status: http.StatusForbidden, Reason: "notACalendarUser"}} {
			fake.Fail("/calendar/", 1, f)
			if err := planTheDay(turn(client, "1", in(t, "UTC", evening))); !httpfunc.IsStatus(err, f.Status) {
				t.Errorf("%+v: %v", f, err)
			}
		}
	})
	t.Run("takes a success that names no event for none", func(t *testing.T) {
		fake, client := newCalendar(t)
		fake.Fail("/calendar/", 1, fakegoogle.Failure{Status: http.StatusOK, Body: `{}`})
		if err := planTheDay(turn(client, "1", in(t, "UTC", evening))); !errors.Is(err, httpfunc.ErrBadAnswer) {
			t.Error(err)
		}
	})
}

// Clocks that are put forward at midnight leave out the first hour of a day, which has its plan all the same.
func TestNoDayLacksItsPlanWhereClocksSkipMidnight(t *testing.T) {
	for zone, c := range map[string]struct {
		slot string // of the first run: a quarter past midnight there, or else shortly after the change
		want []string
	}{
		"America/Santiago": {"2026-09-03T04:15:00Z", []string{"2026-09-04", "2026-09-05", "2026-09-06", "2026-09-07", "2026-09-08"}},
		"America/Havana":   {"2026-03-05T05:15:00Z", []string{"2026-03-06", "2026-03-07", "2026-03-08", "2026-03-09", "2026-03-10"}},
		"Atlantic/Azores":  {"2026-03-26T01:15:00Z", []string{"2026-03-27", "2026-03-28", "2026-03-29", "2026-03-30", "2026-03-31"}},
	} {
		t.Run(zone, func(t *testing.T) {
			fake, client := newCalendar(t)
			slot := in(t, zone, c.slot)
			for night := range len(c.want) {
				if err := planTheDay(turn(client, "1", slot.Add(time.Duration(night)*24*time.Hour))); err != nil {
					t.Error(err)
				}
			}
			var days []string
			for _, e := range fake.Events(ada) {
				days = append(days, e.Start.Date)
				start, err := time.Parse(time.DateOnly, e.Start.Date)
				if err != nil || e.End.Date != start.AddDate(0, 0, 1).Format(time.DateOnly) {
					t.Errorf("from %s to %s", e.Start.Date, e.End.Date)
				}
			}
			if !slices.Equal(days, c.want) {
				t.Errorf("plans for %v, want %v", days, c.want)
			}
		})
	}
}

func TestEventIDBelongsToAnAccountAndADay(t *testing.T) {
	ids := map[string]bool{}
	for _, account := range []string{"1", "12", "110248495921238986420"} {
		for _, day := range []string{"2027-03-28", "2027-03-29"} {
			ids[eventID(account, day)] = true
			if again := eventID(account, day); !ids[again] {
				t.Error("a repeat has another id")
			}
		}
	}
	if len(ids) != 6 {
		t.Errorf("%d ids for 3 accounts and 2 days", len(ids))
	}
}
