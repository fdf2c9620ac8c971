package createevent

import (
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/api/calendar/v3"

	"functions.local/oauth/shared/httpfunc"
)

const (
	maxText    = 1024 // characters of title and location
	maxGuests  = 200  // people who can be invited to an event [Calendar Help: invite people]
	maxAddress = 320  // bytes of an email address [RFC 5321 §4.5.3.1]
)

// readEvent reads the event that the form describes. Its error tells the person all that is wrong, and how to mend it.
func readEvent(f *httpfunc.Form) (*calendar.Event, error) {
	var faults httpfunc.Faults
	e := &calendar.Event{Id: f.Get("id"), Summary: httpfunc.Trim(f.Get("title")), Location: httpfunc.Trim(f.Get("location"))}
	if e.Id == "" {
		e.Id = newID()
	}
	if !validID(e.Id) {
		return nil, httpfunc.Invalid("The id has to be 5 to 1,024 of the characters a to v and 0 to 9. Leave it out for a new one.")
	}
	switch {
	case e.Summary == "":
		faults.Add("title", "Give the appointment a title.")
	case utf8.RuneCountInString(e.Summary) > maxText:
		faults.Add("title", "The title is too long: it can have 1,024 characters.")
	}
	readTimes(f, e, &faults)
	if utf8.RuneCountInString(e.Location) > maxText {
		faults.Add("location", "The location is too long: it can have 1,024 characters.")
	}
	meet, err := readBox(f, "meet")
	faults.AddError("meet", err)
	if meet {
		// Google ignores a request for a room whose id it knows [Calendar API: createRequest.requestId].
		e.ConferenceData = &calendar.ConferenceData{CreateRequest: &calendar.CreateConferenceRequest{RequestId: e.Id,
			ConferenceSolutionKey: &calendar.ConferenceSolutionKey{Type: "hangoutsMeet"}}}
	}
	e.Attendees, err = readGuests(f.Values["guests"])
	faults.AddError("guests", err)
	return e, faults.Err()
}

// validID reports whether Google takes id for an event [Calendar API: events, id].
func validID(id string) bool {
	return len(id) >= 5 && len(id) <= 1024 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuv") == ""
}

// readBox reports whether a box is ticked. Its error is an httpfunc.Error.
func readBox(f *httpfunc.Form, name string) (bool, error) {
	switch f.Get(name) {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, httpfunc.Invalid("The field " + name + " has to be true or false.")
}

// readTimes reads start and end of the event: times, or days where it lasts all day.
func readTimes(f *httpfunc.Form, e *calendar.Event, faults *httpfunc.Faults) {
	loc, zone := time.UTC, httpfunc.Trim(f.Get("time_zone"))
	if zone != "" {
		var err error
		if loc, err = httpfunc.Zone(zone); err != nil {
			faults.AddError("time_zone", err)
			loc = time.UTC
		}
	}
	allDay, err := readBox(f, "all_day")
	faults.AddError("all_day", err)
	read := readTime
	if allDay {
		read = readDay
	}
	var start, end time.Time
	var startErr, endErr error
	e.Start, start, startErr = read("start", f.Get("start"), zone, loc)
	e.End, end, endErr = read("end", f.Get("end"), zone, loc)
	faults.AddError("start", startErr)
	faults.AddError("end", endErr)
	switch {
	case startErr != nil || endErr != nil:
	case allDay && end.Before(start):
		faults.Add("end", "The last day cannot be before the first.")
	case allDay:
		e.End.Date = end.AddDate(0, 0, 1).Format(time.DateOnly) // Google's end is the day after the last
	case !end.After(start):
		faults.Add("end", "The end has to be after the start.")
	}
}

// localTime is the form in which an <input type="datetime-local"> sends a time. Seconds and their fraction may follow
// [HTML §2.3.5.5].
const localTime = "2006-01-02T15:04"

// readTime reads a time with an offset [RFC 3339], or one that clocks in the zone show. Google decides which moment is
// meant when clocks show a time twice, and what a zone beside an offset means.
func readTime(name, text, zone string, loc *time.Location) (*calendar.EventDateTime, time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return &calendar.EventDateTime{DateTime: t.Format(time.RFC3339Nano), TimeZone: zone}, t, nil
	}
	const exact = localTime + ":05.999999999"
	shown, err := parseLocal(text) // in UTC, where no hour is skipped
	t := time.Date(shown.Year(), shown.Month(), shown.Day(), shown.Hour(), shown.Minute(), shown.Second(), shown.Nanosecond(), loc)
	local := t.Format(exact)
	switch {
	case err != nil || local != shown.Format(exact): // time.Date turns an hour that clocks skip into another
		return nil, t, httpfunc.Invalid("The " + name + " has to be a time that calendar and clocks show in this time zone, such as 2026-03-01T09:00.")
	case zone == "":
		return nil, t, httpfunc.Invalid("Give a time zone, such as Europe/Berlin, or times with an offset, such as 2026-03-01T09:00:00+01:00.")
	}
	return &calendar.EventDateTime{DateTime: local, TimeZone: zone}, t, nil
}

// parseLocal reads a local time, as if it were in UTC.
func parseLocal(text string) (time.Time, error) {
	if t, err := time.Parse(localTime, text); err == nil {
		return t, nil
	}
	return time.Parse(localTime+":05", text) // it accepts a fraction as well
}

// readDay reads a day, or the day of a time, which the form sends from fields for times.
func readDay(name, text, _ string, _ *time.Location) (*calendar.EventDateTime, time.Time, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		day, err = parseLocal(text)
	}
	if err != nil {
		day, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		return nil, day, httpfunc.Invalid("The " + name + " has to be a day of the calendar, such as 2026-03-01.")
	}
	date := day.Format(time.DateOnly)
	day, err = time.Parse(time.DateOnly, date)
	return &calendar.EventDateTime{Date: date}, day, err
}

// named matches a guest as mail programs write it: Name <address>. The name can hold what separates guests only within
// quotes, and an "@" only there or where the name is itself an address.
var named = regexp.MustCompile(`(^|[,;\n])(?:(?:"[^"\n]*"|[^"@,;<>\n])*|\s*[^\s",;<>]+\s*)<([^<>\n]*)>`)

// readGuests reads email addresses, each alone or as Name <address>. A text can hold several, on lines of their own or
// with commas, semicolons or spaces between them. Names are dropped, since Calendar knows its own. An address that comes
// twice is invited once.
func readGuests(texts []string) ([]*calendar.EventAttendee, error) {
	var guests []*calendar.EventAttendee
	invited := map[string]bool{}
	for _, address := range strings.FieldsFunc(named.ReplaceAllString(strings.Join(texts, "\n"), "$1 $2 "), func(c rune) bool {
		return c == ',' || c == ';' || unicode.IsSpace(c)
	}) {
		if address = httpfunc.Trim(address); address == "" {
			continue
		}
		if i := strings.IndexFunc(address, httpfunc.IsUnseen); i >= 0 {
			unseen, _ := utf8.DecodeRuneInString(address[i:])
			return nil, httpfunc.Invalid(fmt.Sprintf("The address of the guest %s holds a character that nobody sees (%U). Type it anew.", httpfunc.Isolate(address), unseen))
		}
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address || len(address) > maxAddress || strings.ContainsRune(address, utf8.RuneError) {
			return nil, httpfunc.Invalid(httpfunc.Isolate(address) + " is no email address of a guest. Write each as grace@example.com or Grace Hopper <grace@example.com>, on a line of its own or with a comma behind it.")
		}
		at := strings.LastIndexByte(address, '@')
		if key := address[:at] + strings.ToLower(address[at:]); !invited[key] {
			invited[key] = true
			guests = append(guests, &calendar.EventAttendee{Email: address})
		}
	}
	if len(guests) > maxGuests {
		return nil, httpfunc.Invalid(fmt.Sprintf("There can be 200 guests at most, and these are %d.", len(guests)))
	}
	return guests, nil
}
