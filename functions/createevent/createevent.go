// Package createevent makes an appointment in the signed-in user's Google Calendar.
package createevent

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"net/http"
	"net/url"

	"google.golang.org/api/calendar/v3"
	"google.golang.org/api/option"

	"functions.local/oauth/shared/httpfunc"
)

var (
	//go:embed form.html
	formHTML string
	//go:embed created.html
	createdHTML string

	formPage    = httpfunc.NewPage("", formHTML)
	createdPage = httpfunc.NewPage("Your appointment is in your calendar", createdHTML)
)

func init() {
	httpfunc.ForUser(httpfunc.Function{
		Name:       "createevent",
		Title:      "Create an appointment",
		API:        "calendar-json.googleapis.com",
		Permission: "see and edit events on calendars that you own",
		Scopes:     httpfunc.Scopes{{calendar.CalendarEventsOwnedScope, calendar.CalendarEventsScope, calendar.CalendarScope}},
		Get:        form,
		Post:       create,
		Form:       formPage,
		Text:       128 << 10,
	})
}

// form shows the form, filled in with the fields of the query; or, with made=ID in the query, the event that was made.
func form(c *httpfunc.Call) (*httpfunc.View, error) {
	if id := c.Form.Get("made"); id != "" {
		return show(c, id)
	}
	fields := httpfunc.Fields{Values: url.Values{"id": {newID()}}}
	for _, name := range []string{"title", "start", "end", "time_zone", "all_day", "location", "meet", "guests"} {
		if given, ok := c.Form.Values[name]; ok {
			fields.Values[name] = given
		}
	}
	return formPage.View(fields), nil
}

// created is what is shown of the event.
type created struct {
	ID    string `json:"id"`
	Link  string `json:"link"`
	Title string `json:"title"`
	Meet  string `json:"meet,omitempty"` // the address of its Google Meet room
}

// shown are the fields of an event that are asked for.
const shown = "id,htmlLink,summary,status,hangoutLink"

// create makes the event of the form. A repeat shows the event that the first one made.
func create(c *httpfunc.Call) (*httpfunc.View, error) {
	event, err := readEvent(c.Form)
	if err != nil {
		return nil, err
	}
	svc, err := calendar.NewService(c.Context(), option.WithHTTPClient(c.Client))
	if err != nil {
		return nil, err
	}
	insert := svc.Events.Insert("primary", event).SendUpdates("all").Fields(shown).Context(c.Context())
	if event.ConferenceData != nil {
		insert.ConferenceDataVersion(1) // without this, Calendar ignores ConferenceData
	}
	httpfunc.SafeToRepeat(insert.Header()) // because of the id
	made, err := insert.Do()
	switch {
	case httpfunc.IsStatus(err, http.StatusConflict):
		return show(c, event.Id)
	case httpfunc.IsStatus(err, http.StatusBadRequest):
		message := "Google Calendar does not take this. Check the times, the time zone and the guests."
		if event.ConferenceData != nil {
			message += " Not every calendar can have a Google Meet link: try it without."
		}
		return nil, &httpfunc.Error{Status: http.StatusBadRequest, Code: "invalid_request", Cause: err, Message: message}
	case err != nil:
		return nil, err
	}
	return view(made)
}

// show returns the event that has the id.
func show(c *httpfunc.Call, id string) (*httpfunc.View, error) {
	svc, err := calendar.NewService(c.Context(), option.WithHTTPClient(c.Client))
	if err != nil {
		return nil, err
	}
	made, err := svc.Events.Get("primary", id).Fields(shown).Context(c.Context()).Do()
	if httpfunc.IsStatus(err, http.StatusNotFound) || httpfunc.IsStatus(err, http.StatusGone) {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}
	return view(made)
}

// errGone answers for an event whose id is taken, and that is there no more.
var errGone = httpfunc.Invalid("This appointment was made before, and deleted since. Open the form anew to make another.")

func view(made *calendar.Event) (*httpfunc.View, error) {
	switch {
	case made.Id == "": // a success without an event makes no sense
		return nil, httpfunc.ErrBadAnswer
	case made.Status == "cancelled":
		return nil, errGone
	}
	return createdPage.View(created{made.Id, made.HtmlLink, made.Summary, made.HangoutLink}).At("made", made.Id), nil
}

// newID returns 128 random bits as an event id. Hexadecimal digits are among those that ids may have.
func newID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}
