// Package dailyevent puts a "Plan the day" event into the calendar of every user who wants it.
package dailyevent

import (
	"crypto/sha256"
	"encoding/base32"
	"io"
	"net/http"
	"strings"
	"time"
	_ "time/tzdata" // the zone is named by the scheduler; the platform's image may know none

	"google.golang.org/api/calendar/v3"
	"google.golang.org/api/option"

	"functions.local/oauth/shared/httpfunc"
)

func init() {
	httpfunc.ForEveryUser("dailyevent", `Every day, puts the all-day event "Plan the day" into your calendar, for the day after.`,
		httpfunc.Scopes{{calendar.CalendarEventsOwnedScope, calendar.CalendarEventsScope, calendar.CalendarScope}}, planTheDay)
}

var now = time.Now

func planTheDay(r *http.Request, subject string, client *http.Client) error {
	form, err := httpfunc.ParseForm(r)
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(form.Get("time_zone"))
	if err != nil {
		return err
	}
	svc, err := calendar.NewService(r.Context(), option.WithHTTPClient(client))
	if err != nil {
		return err
	}
	day := now().In(zone).AddDate(0, 0, 1)
	call := svc.Events.Insert("primary", &calendar.Event{
		Id: eventID(subject, day), Summary: "Plan the day", Transparency: "transparent",
		Start: &calendar.EventDateTime{Date: day.Format(time.DateOnly)},
		End:   &calendar.EventDateTime{Date: day.AddDate(0, 0, 1).Format(time.DateOnly)},
	}).Fields("id").Context(r.Context())
	call.Header()["X-Idempotency-Key"] = nil // the id makes a repeat harmless
	made, err := call.Do()
	switch {
	case httpfunc.IsStatus(err, http.StatusConflict):
		return nil // an earlier run made it
	case err == nil && (made == nil || made.Id == ""):
		return io.ErrUnexpectedEOF // a success that names no event is none
	}
	return err
}

// eventID is the same for the same user and day, so that a repeated run makes nothing twice. Its
// characters are those that Calendar allows [Calendar API: Events, id].
func eventID(subject string, day time.Time) string {
	sum := sha256.Sum256([]byte("dailyevent " + subject + " " + day.Format(time.DateOnly)))
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}
