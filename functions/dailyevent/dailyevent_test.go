package dailyevent

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
)

const calendarScope = "https://www.googleapis.com/auth/calendar.events.owned"

func TestPlanTheDay(t *testing.T) {
	fake := fakegoogle.New(fakegoogle.Options{Clients: []fakegoogle.Client{{ID: "test", Secret: "secret"}}})
	google := httptest.NewServer(fake)
	defer google.Close()
	ada := fake.Users()[0]
	client := fake.UserClient(google.URL, ada.Email, calendarScope)
	run := func(subject, body string) error {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/dailyevent", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		return planTheDay(r, subject, client)
	}
	// Just before midnight in Berlin, and three hours into the next day in Tokyo.
	now = func() time.Time { return time.Date(2027, 3, 27, 22, 30, 0, 0, time.UTC) }
	defer func() { now = time.Now }()

	for _, c := range []struct{ zone, tomorrow, end string }{
		{"Europe/Berlin", "2027-03-28", "2027-03-29"}, // the day the clocks change
		{"Asia/Tokyo", "2027-03-29", "2027-03-30"},
	} {
		for range 2 {
			if err := run(c.zone, `{"time_zone":"`+c.zone+`"}`); err != nil {
				t.Fatalf("%s: %v", c.zone, err)
			}
		}
		events := fake.Events(ada.Subject)
		last := events[len(events)-1]
		if last.Summary != "Plan the day" || last.Start.Date != c.tomorrow || last.End.Date != c.end {
			t.Errorf("%s: %+v", c.zone, last)
		}
	}
	if n := len(fake.Events(ada.Subject)); n != 2 {
		t.Errorf("%d events after two runs for two users, want 2", n)
	}

	if err := run("utc", `{}`); err != nil {
		t.Error(err)
	}
	if events := fake.Events(ada.Subject); len(events) != 3 || events[2].Start.Date != "2027-03-28" {
		t.Errorf("without a zone: %+v", events)
	}
	if err := run("nowhere", `{"time_zone":"Mars/Olympus"}`); err == nil {
		t.Error("an unknown zone is taken for one")
	}
}
