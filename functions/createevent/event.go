package createevent

import (
	"net/mail"
	"strings"
	"time"
	_ "time/tzdata" // 450 kB: the platform's Go image brings no time zones [GoogleCloudPlatform/buildpacks: zoneinfo]
	"unicode"
	"unicode/utf8"

	"google.golang.org/api/calendar/v3"

	"functions.local/oauth/shared/httpfunc"
)

const (
	maxTitle   = 1024 // characters
	maxGuests  = 200  // people who can be invited to an event [Calendar Help: invite people]
	maxAddress = 320  // bytes of an email address [RFC 5321 §4.5.3.1]
)

// readEvent reads the event that the form describes. Its errors say how to mend it.
func readEvent(f *httpfunc.Form) (*calendar.Event, error) {
	var faults httpfunc.Faults
	e := &calendar.Event{Id: f.Get("id"), Summary: strings.TrimSpace(f.Get("title"))}
	if e.Id == "" {
		e.Id = newID()
	}
	zone := f.Get("time_zone")
	loc, err := time.LoadLocation(zone)
	switch {
	case !validID(e.Id):
		return nil, httpfunc.Invalid("The id has to be 5 to 1,024 of the characters a to v and 0 to 9. Leave it out for a new one.")
	case err != nil || zone == "Local":
		return nil, httpfunc.Invalid("This time zone is not known. Give the name of one, such as Europe/Berlin or UTC.")
	}
	switch {
	case e.Summary == "":
		faults.Add("title", "Give the appointment a title.")
	case utf8.RuneCountInString(e.Summary) > maxTitle:
		faults.Add("title", "The title is too long: it can have 1,024 characters.")
	}
	var start, end time.Time
	if e.Start, start, err = readTime("start", f.Get("start"), zone, loc); err != nil {
		return nil, err
	}
	if e.End, end, err = readTime("end", f.Get("end"), zone, loc); err != nil {
		return nil, err
	}
	if !end.After(start) {
		faults.Add("end", "The end has to be after the start.")
	}
	if e.Attendees, err = readGuests(f.Values["guests"]); err != nil {
		return nil, err
	}
	return e, faults.Err()
}

// validID reports whether Google takes id for an event [Calendar API: events, id].
func validID(id string) bool {
	return len(id) >= 5 && len(id) <= 1024 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuv") == ""
}

// localTime is what an <input type="datetime-local"> sends [HTML §2.3.5.5].
const localTime = "2006-01-02T15:04"

// readTime reads a time with an offset [RFC 3339], or one that the clocks of the zone show. Which of two
// moments is meant when they are set back is left to Google, and so is the zone beside an offset.
func readTime(name, text, zone string, loc *time.Location) (*calendar.EventDateTime, time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return &calendar.EventDateTime{DateTime: t.Format(time.RFC3339Nano), TimeZone: zone}, t, nil
	}
	t, err := time.ParseInLocation(localTime, text, loc)
	switch {
	case err != nil || t.Format(localTime) != text: // an hour that the clocks skip comes back as another
		return nil, t, httpfunc.Invalid("The " + name + " has to be a time that calendar and clocks show in this time zone, such as 2026-03-01T09:00.")
	case zone == "":
		return nil, t, httpfunc.Invalid("Give a time zone, such as Europe/Berlin, or times with an offset, such as 2026-03-01T09:00:00+01:00.")
	}
	return &calendar.EventDateTime{DateTime: text + ":00", TimeZone: zone}, t, nil
}

// readGuests reads email addresses, several to a text or one.
func readGuests(texts []string) ([]*calendar.EventAttendee, error) {
	addresses := strings.FieldsFunc(strings.Join(texts, " "), func(c rune) bool {
		return c == ',' || c == ';' || unicode.IsSpace(c)
	})
	if len(addresses) > maxGuests {
		return nil, httpfunc.Invalid("There can be 200 guests at most.")
	}
	var guests []*calendar.EventAttendee
	for _, address := range addresses {
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address || len(address) > maxAddress {
			return nil, httpfunc.Invalid("Every guest has to be an email address, such as ada@example.com, with a comma or a space after it.")
		}
		guests = append(guests, &calendar.EventAttendee{Email: address})
	}
	return guests, nil
}
