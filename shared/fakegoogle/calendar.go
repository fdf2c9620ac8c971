package fakegoogle

import (
	"crypto/rand"
	"encoding/base64"
	"maps"
	"net/http"
	"net/mail"
	"strings"
	"time"
	"unicode"
)

var (
	calendarInsert = endpoint{
		service: "calendar-json.googleapis.com", method: "calendar.v3.Events.Insert",
		scopes: scopesOf("calendar", "calendar.events", "calendar.events.owned"),
	}
	calendarGet = endpoint{
		service: "calendar-json.googleapis.com", method: "calendar.v3.Events.Get",
		scopes: scopesOf("calendar", "calendar.events", "calendar.events.owned", "calendar.readonly", "calendar.events.readonly", "calendar.events.owned.readonly"),
	}
)

// An Event is an event in a user's primary calendar.
type Event struct {
	ID, Summary, Description, Location string
	Start, End                         EventTime
	Attendees                          []string       // email addresses
	Link                               string         // its page
	Meet                               string         // the address of its Google Meet room, if it has one
	Cancelled                          bool           // deleted by the user; its id is never free again
	body                               map[string]any // the whole resource, as answers show it
	purged                             bool           // found no more
}

// validEventID reports whether a client may choose this id: base32hex in lower case, 5 to 1024 characters
// [Calendar API: events, id].
func validEventID(id string) bool {
	return len(id) >= 5 && len(id) <= 1024 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuv") == ""
}

// Events returns the events of the user with that subject, oldest first. Deleted ones are among them until they are
// purged.
func (s *Server) Events(sub string) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []Event
	if a := s.account(sub); a != nil {
		for _, e := range a.events {
			if e.purged {
				continue
			}
			event := *e
			event.body = nil
			events = append(events, event)
		}
	}
	return events
}

// checkCalendar refuses any calendar but the user's own.
func checkCalendar(c *call) *apiError {
	if id := c.r.PathValue("calendar"); id != "primary" && id != c.who.Email {
		return apiErrorf(http.StatusNotFound, "notFound", "Not Found")
	}
	return nil
}

// getEvent serves events.get.
func (s *Server) getEvent(c *call) (map[string]any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fault := checkCalendar(c); fault != nil {
		return nil, fault
	}
	if e := c.who.event(c.r.PathValue("id")); e != nil && !e.purged {
		return e.body, nil
	}
	return nil, apiErrorf(http.StatusNotFound, "notFound", "Not Found")
}

// event returns the event with the id, or nil.
func (a *account) event(id string) *Event {
	for _, e := range a.events {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// insertEvent serves events.insert. It refuses an id that is taken with 409, so that a repeat makes nothing.
func (s *Server) insertEvent(c *call) (map[string]any, *apiError) {
	var body map[string]any
	if fault := readJSON(c.r.Body, &body); fault != nil {
		return nil, fault
	}
	version := c.r.URL.Query().Get("conferenceDataVersion")
	e, fault := parseEvent(body)
	if fault != nil {
		return nil, fault
	}
	conference, fault := parseConference(version, body)
	if fault != nil {
		return nil, fault
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if fault := checkCalendar(c); fault != nil {
		return nil, fault
	}
	if e.ID == "" {
		e.ID = strings.ToLower(strings.NewReplacer("W", "0", "X", "1", "Y", "8", "Z", "9").Replace(rand.Text()))
	}
	if c.who.event(e.ID) != nil {
		return nil, apiErrorf(http.StatusConflict, "duplicate", "The requested identifier already exists.")
	}
	e.Link = s.inBrowsers("https://www.google.com/calendar/event?eid=" + base64.RawURLEncoding.EncodeToString([]byte(e.ID+" "+c.who.Email)))
	stamp := s.now().UTC().Format("2006-01-02T15:04:05.000Z")
	self := map[string]any{"email": c.who.Email, "self": true}
	e.body = maps.Clone(body)
	delete(e.body, "conferenceData")
	if conference != nil {
		e.Meet = conference.meet()
		e.body["hangoutLink"], e.body["conferenceData"] = e.Meet, conference.resource(e.Meet)
	}
	maps.Copy(e.body, map[string]any{
		"kind": "calendar#event", "id": e.ID, "status": "confirmed", "htmlLink": e.Link, "created": stamp, "updated": stamp,
		"iCalUID": e.ID + "@google.com", "creator": self, "organizer": self, "eventType": "default", "sequence": 0,
	})
	c.who.events = append(c.who.events, e)
	return e.body, nil
}

// parseEvent checks an event resource as Google does.
func parseEvent(body map[string]any) (*Event, *apiError) {
	invalid := func(format string, args ...any) (*Event, *apiError) {
		return nil, apiErrorf(http.StatusBadRequest, "invalid", format, args...)
	}
	e := &Event{}
	for name, to := range map[string]*string{"id": &e.ID, "summary": &e.Summary, "description": &e.Description, "location": &e.Location} {
		text, ok := body[name].(string)
		if !ok && body[name] != nil {
			return invalid("Invalid value for: %s", name)
		}
		*to = text
	}
	if e.ID != "" && !validEventID(e.ID) {
		return invalid("Invalid resource id value.")
	}
	var start, end time.Time
	var fault *apiError
	if e.Start, start, fault = parseEventTime(body, "start"); fault != nil {
		return nil, fault
	}
	if e.End, end, fault = parseEventTime(body, "end"); fault != nil {
		return nil, fault
	}
	if (e.Start.Date == "") != (e.End.Date == "") {
		return invalid("Start and end times must either both be date or both be dateTime.")
	}
	if !end.After(start) {
		fault := apiErrorf(http.StatusBadRequest, "timeRangeEmpty", "The specified time range is empty.").at("parameter", "timeMax")
		fault.domain = "calendar"
		return nil, fault
	}
	guests, ok := body["attendees"].([]any)
	if !ok && body["attendees"] != nil {
		return invalid("Invalid value for: attendees")
	}
	for _, g := range guests {
		guest, _ := g.(map[string]any)
		email, _ := guest["email"].(string)
		if addr, err := mail.ParseAddress(email); err != nil || addr.Address != email || !plain(email) {
			return invalid("Invalid attendee email.")
		}
		e.Attendees = append(e.Attendees, email)
	}
	return e, nil
}

// plain reports whether every character of text can be seen: none is a space, a U+200B or a soft hyphen, for example.
func plain(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar }) < 0
}

// DeleteEvent deletes an event of the user with that subject, as the user does in Calendar: events.get still returns it,
// as cancelled, and its id stays taken.
func (s *Server) DeleteEvent(sub, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.account(sub); a != nil {
		if e := a.event(id); e != nil {
			e.Cancelled = true
			e.body = maps.Clone(e.body)
			e.body["status"] = "cancelled"
		}
	}
}

// PurgeEvent does to an event what happens to a deleted one after some time: it is found no more, and its id stays
// taken.
func (s *Server) PurgeEvent(sub, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.account(sub); a != nil {
		if e := a.event(id); e != nil {
			e.Cancelled, e.purged = true, true
		}
	}
}
