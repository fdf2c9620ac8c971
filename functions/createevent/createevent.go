// Package createevent makes an appointment in the signed-in user's Google Calendar.
package createevent

import (
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"io"
	"net/http"
	"strings"

	"google.golang.org/api/calendar/v3"
	"google.golang.org/api/option"

	"functions.local/oauth/shared/httpfunc"
)

var (
	//go:embed form.html
	formHTML string
	//go:embed created.html
	createdHTML string

	formPage    = httpfunc.NewPage("Make an appointment", formHTML)
	createdPage = httpfunc.NewPage("Your appointment is in your calendar", createdHTML)
)

func init() {
	httpfunc.ForUser("createevent", httpfunc.Scopes{{calendar.CalendarEventsOwnedScope,
		calendar.CalendarEventsScope, calendar.CalendarScope}}, form, httpfunc.Post(create))
}

// fields is the form. The id makes a repeat of it harmless.
type fields struct {
	ID       string `json:"id"`
	Title    string `json:"-"`
	Start    string `json:"-"`
	End      string `json:"-"`
	TimeZone string `json:"-"`
	Guests   string `json:"-"`
}

func form(r *http.Request, _ *http.Client) (any, error) {
	f, err := httpfunc.ParseForm(r)
	if err != nil {
		return nil, err
	}
	v := fields{ID: f.Get("id"), Title: f.Get("title"), Start: f.Get("start"), End: f.Get("end"),
		TimeZone: f.Get("time_zone"), Guests: strings.Join(f.Values["guests"], ", ")}
	if r.Method != http.MethodPost || !validID(v.ID) {
		v.ID = newID()
	}
	if r.Method != http.MethodPost && v.TimeZone == "" {
		v.TimeZone = "UTC"
	}
	return formPage.View(v), nil
}

// created is the event that exists now.
type created struct {
	ID    string `json:"id"`
	Link  string `json:"link"`
	Title string `json:"title"`
}

func create(r *http.Request, client *http.Client) (any, error) {
	f, err := httpfunc.ParseForm(r)
	if err != nil {
		return nil, err
	}
	event, err := readEvent(f)
	if err != nil {
		return nil, err
	}
	svc, err := calendar.NewService(r.Context(), option.WithHTTPClient(client))
	if err != nil {
		return nil, err
	}
	const shown = "id,htmlLink,summary,status"
	insert := svc.Events.Insert("primary", event).SendUpdates("all").Fields(shown).Context(r.Context())
	insert.Header()["X-Idempotency-Key"] = nil // the id makes a repeat harmless
	made, err := insert.Do()
	if httpfunc.IsStatus(err, http.StatusConflict) {
		made, err = svc.Events.Get("primary", event.Id).Fields(shown).Context(r.Context()).Do()
	}
	switch {
	case httpfunc.IsStatus(err, http.StatusBadRequest):
		return nil, &httpfunc.Error{Status: http.StatusBadRequest, Code: "invalid_request", Cause: err,
			Message: "Google Calendar does not take this. Check the times, the time zone and the guests."}
	case err != nil:
		return nil, err
	case made == nil || made.Id == "": // a success that names no event is none
		return nil, io.ErrUnexpectedEOF
	case made.Status == "cancelled":
		return nil, httpfunc.Invalid("This appointment was made before, and deleted since. Open the form anew to make another.")
	}
	return createdPage.View(created{made.Id, made.HtmlLink, made.Summary}), nil
}

// newID returns 128 random bits as an event id. Hexadecimal digits are among those that ids may have.
func newID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}
