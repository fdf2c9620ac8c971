// Package dailyevent puts a "Plan the day" event into the calendar of every user who wants it.
package dailyevent

import (
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"strings"

	"google.golang.org/api/calendar/v3"
	"google.golang.org/api/option"

	"functions.local/oauth/shared/httpfunc"
)

func init() {
	httpfunc.ForEveryUser(httpfunc.Function{
		Name:       "dailyevent",
		Title:      "Plan every day in the background",
		API:        "calendar-json.googleapis.com",
		Permission: "see and edit events on calendars that you own",
		Scopes:     httpfunc.Scopes{{calendar.CalendarEventsOwnedScope, calendar.CalendarEventsScope, calendar.CalendarScope}},
		EachUser:   planTheDay,
		Does:       `Every day, puts the all-day event "Plan the day" into your calendar, for the day after.`,
		Schedule:   "0 18 * * *",
		Quota:      10_000, // [Google Calendar API: usage limits, requests a minute a project]
	})
}

// planTheDay makes the event of the day after the run's slot.
func planTheDay(c *httpfunc.Call) error {
	svc, err := calendar.NewService(c.Context(), option.WithHTTPClient(c.Client))
	if err != nil {
		return err
	}
	day := c.Date(1)
	call := svc.Events.Insert("primary", &calendar.Event{
		Id: eventID(c.User.Google, day), Summary: "Plan the day", Transparency: "transparent",
		Start: &calendar.EventDateTime{Date: day},
		End:   &calendar.EventDateTime{Date: c.Date(2)},
	}).Fields("id").Context(c.Context())
	httpfunc.SafeToRepeat(call.Header())
	made, err := call.Do()
	switch {
	case httpfunc.IsStatus(err, http.StatusConflict):
		return nil // an earlier run made it
	case err == nil && made.Id == "":
		return httpfunc.ErrBadAnswer // a success without an event makes no sense
	}
	return err
}

// eventID returns the same id for the same account and day, so that a repeated run makes nothing twice. It is of
// characters that Calendar allows [Calendar API: events, id].
func eventID(account, day string) string {
	sum := sha256.Sum256([]byte("dailyevent " + account + " " + day))
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}
