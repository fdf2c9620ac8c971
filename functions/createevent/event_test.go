package createevent

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
)

func TestTimes(t *testing.T) {
	berlin := func(at string) fakegoogle.EventTime {
		return fakegoogle.EventTime{DateTime: at, TimeZone: "Europe/Berlin"}
	}
	for name, tt := range map[string]struct {
		start string
		want  fakegoogle.EventTime
	}{
		"of a zone's clocks":                    {"2026-03-01T15:00", berlin("2026-03-01T15:00:00")},
		"with seconds":                          {"2026-03-01T15:00:30", berlin("2026-03-01T15:00:30")},
		"with a fraction of a second":           {"2026-03-01T15:00:30.250", berlin("2026-03-01T15:00:30.25")},
		"with seconds and a fraction of none":   {"2026-03-01T15:00:00.000", berlin("2026-03-01T15:00:00")},
		"with an offset":                        {"2026-03-01T15:00:00-05:00", berlin("2026-03-01T15:00:00-05:00")},
		"in UTC, with a fraction":               {"2026-03-01T15:00:00.125Z", berlin("2026-03-01T15:00:00.125Z")},
		"just before the hour that is skipped":  {"2026-03-29T01:59:59.999", berlin("2026-03-29T01:59:59.999")},
		"just behind the hour that is skipped":  {"2026-03-29T03:00:00", berlin("2026-03-29T03:00:00")},
		"in the skipped hour of another's zone": {"2026-03-29T02:30:00Z", berlin("2026-03-29T02:30:00Z")},
		"in an hour that is there twice":        {"2026-10-25T02:30:15", berlin("2026-10-25T02:30:15")},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			u.mustCreate(tea("start", tt.start, "end", "2026-12-31T00:00", "time_zone", " Europe/Berlin\u200b"))
			if e := u.only(); e.Start != tt.want {
				t.Errorf("%+v, want %+v", e.Start, tt.want)
			}
		})
	}
	for name, start := range map[string]string{
		"in the hour that is skipped, with seconds":  "2026-03-29T02:30:00",
		"in the hour that is skipped, with fraction": "2026-03-29T02:00:00.000",
		"of 61 seconds":                 "2026-03-01T15:00:61",
		"with a fraction of minutes":    "2026-03-01T15:00.5",
		"with seconds that are cut off": "2026-03-01T15:00:",
		"with a zone's name behind it":  "2026-03-01T15:00:00[Europe/Berlin]",
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			_, err := newUser(t).create(tea("start", start, "end", "2026-12-31T00:00", "time_zone", "Europe/Berlin"))
			wantInvalid(t, err, "The start")
		})
	}
	t.Run("end after the start by a fraction of a second", func(t *testing.T) {
		u := newUser(t)
		u.mustCreate(tea("start", "2026-03-01T15:00:00.1", "end", "2026-03-01T15:00:00.2"))
		u.only()
		_, err := u.create(tea("start", "2026-03-01T15:00:00.2", "end", "2026-03-01T15:00:00.1"))
		wantInvalid(t, err, "after the start")
	})
}

func TestAllDay(t *testing.T) {
	for name, tt := range map[string]struct{ start, end, first, after string }{
		"of one day":                         {"2026-03-01", "2026-03-01", "2026-03-01", "2026-03-02"},
		"ends with its last day":             {"2026-02-27", "2026-03-01", "2026-02-27", "2026-03-02"},
		"takes the days of a form's times":   {"2026-03-01T15:00", "2026-03-01T09:00", "2026-03-01", "2026-03-02"},
		"takes the days that offsets show":   {"2026-03-01T23:30:00-05:00", "2026-03-01T00:30:00+09:00", "2026-03-01", "2026-03-02"},
		"ends on a day without midnight":     {"2026-09-05", "2026-09-06", "2026-09-05", "2026-09-07"},
		"takes times that the clocks skip":   {"2026-09-06T00:30:00", "2026-09-06T00:30", "2026-09-06", "2026-09-07"},
		"goes over the end of a leap year's": {"2028-02-28", "2028-02-29", "2028-02-28", "2028-03-01"},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			u.mustCreate(tea("start", tt.start, "end", tt.end, "all_day", "true", "time_zone", "America/Santiago"))
			first, after := fakegoogle.EventTime{Date: tt.first}, fakegoogle.EventTime{Date: tt.after}
			if e := u.only(); e.Start != first || e.End != after {
				t.Errorf("from %+v to %+v", e.Start, e.End)
			}
		})
	}
	t.Run("needs no time zone", func(t *testing.T) {
		u := newUser(t)
		u.mustCreate(tea("start", "2026-03-01", "end", "2026-03-01", "all_day", "true", "time_zone", ""))
		u.only()
	})
	for name, tt := range map[string]struct {
		form url.Values
		says string
	}{
		"an end before the start":       {tea("start", "2026-03-02", "end", "2026-03-01", "all_day", "true"), "The last day"},
		"a day that the calendar lacks": {tea("start", "2026-02-30", "end", "2026-03-01", "all_day", "true"), "The start has to be a day"},
		"no end":                        {tea("start", "2026-03-02", "end", "", "all_day", "true"), "The end has to be a day"},
		"a box that is neither":         {tea("all_day", "perhaps"), "all_day"},
		"days without the box":          {tea("start", "2026-03-01", "end", "2026-03-02", "all_day", "false"), "The start has to be a time"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			_, err := newUser(t).create(tt.form)
			wantInvalid(t, err, tt.says)
		})
	}
}

func TestMeet(t *testing.T) {
	t.Run("gives the appointment a Google Meet room, and answers with its address", func(t *testing.T) {
		u := newUser(t)
		made := u.mustCreate(tea("meet", "true"))
		e := u.only()
		if e.Meet == "" || made.Meet != e.Meet {
			t.Errorf("%+v, answer %+v", e, made)
		}
		for name, call := range map[string]func() (created, error){
			"a repeat":                 func() (created, error) { return u.create(tea("meet", "true")) },
			"a repeat without the box": func() (created, error) { return u.create(tea()) },
			"the page of what was made": func() (created, error) {
				return valueOf(form(u.call(url.Values{"made": {made.ID}})))
			},
		} {
			if again, err := call(); err != nil || again != made {
				t.Errorf("%s: %+v, %v", name, again, err)
			}
		}
		u.only()
	})
	t.Run("gives none where the box is not ticked", func(t *testing.T) {
		for _, box := range []string{"", "false"} {
			u := newUser(t)
			if made := u.mustCreate(tea("meet", box)); made.Meet != "" || u.only().Meet != "" {
				t.Errorf("%q: %+v", box, made)
			}
		}
	})
	t.Run("says that a calendar may have none", func(t *testing.T) {
		u := newUser(t)
		u.Fail("/calendar/", 1, fakegoogle.Failure{Status: http.StatusBadRequest})
		_, err := u.create(tea("meet", "true"))
		wantInvalid(t, err, "try it without")
	})
	t.Run("refuses a box that is neither", func(t *testing.T) {
		_, err := newUser(t).create(tea("meet", "on"))
		wantInvalid(t, err, "meet")
	})
}

func TestText(t *testing.T) {
	t.Run("is kept without what nobody sees at its ends", func(t *testing.T) {
		u := newUser(t)
		u.mustCreate(tea("title", "\ufeff\u202eTea \u200bfor two\u202c\u00ad\n", "location", "\u200b 12 St James's Square\u2069 "))
		if e := u.only(); e.Summary != "Tea \u200bfor two" || e.Location != "12 St James's Square" {
			t.Errorf("%+q at %+q", e.Summary, e.Location)
		}
	})
	t.Run("is none where nobody sees any of it", func(t *testing.T) {
		_, err := newUser(t).create(tea("title", "\u200b\u2067\u2069\ufeff\u00ad"))
		wantInvalid(t, err, "a title")
	})
	t.Run("of a location has a bound", func(t *testing.T) {
		_, err := newUser(t).create(tea("location", strings.Repeat("茶", maxText+1)))
		wantInvalid(t, err, "The location")
	})
}

func TestGuests(t *testing.T) {
	for name, tt := range map[string]struct {
		texts []string
		want  []string
	}{
		"one a line":                                    {[]string{"a@b.c\r\nd@e.f\n\n g@h.i \n"}, []string{"a@b.c", "d@e.f", "g@h.i"}},
		"with commas, semicolons and spaces":            {[]string{"a@b.c, d@e.f;g@h.i j@k.l,;, "}, []string{"a@b.c", "d@e.f", "g@h.i", "j@k.l"}},
		"of a list":                                     {[]string{"a@b.c", "", "D <d@e.f>"}, []string{"a@b.c", "d@e.f"}},
		"behind names":                                  {[]string{"Grace Hopper <grace@example.com>, Ada <ada@example.com>; <e@f.g>\nh@i.j"}, []string{"grace@example.com", "ada@example.com", "e@f.g", "h@i.j"}},
		"behind names in quotes":                        {[]string{`"Hopper, Grace; @navy" <grace@example.com>, "x" <d@e.f>`}, []string{"grace@example.com", "d@e.f"}},
		"behind a name that is an address":              {[]string{"grace@example.com <grace@example.com>, a@b.c"}, []string{"grace@example.com", "a@b.c"}},
		"behind a name in another script":               {[]string{"שלום <grace@example.com>\nÉva <eva@example.com>"}, []string{"grace@example.com", "eva@example.com"}},
		"twice":                                         {[]string{"grace@example.com, Grace <grace@EXAMPLE.com>\ngrace@Example.Com"}, []string{"grace@example.com"}},
		"that differ in the part before the @":          {[]string{"Grace@example.com, grace@example.com"}, []string{"Grace@example.com", "grace@example.com"}},
		"with what nobody sees at their ends":           {[]string{"grace@example.com\u200b, \ufeffa@b.c \u202ad@e.f\u202c\n\u00ad\u2068g@h.i\u2069, Ada <\u200bj@k.l\u200d>"}, []string{"grace@example.com", "a@b.c", "d@e.f", "g@h.i", "j@k.l"}},
		"that are nothing but what nobody sees":         {[]string{"\u200b, \ufeff\n\u2067\u2069;<\u200b>"}, nil},
		"200 of them, and some of them twice":           {[]string{people(maxGuests), people(3)}, strings.Fields(people(maxGuests))},
		"with a plus, dots and a domain in other signs": {[]string{"a.b+c@例え.jp"}, []string{"a.b+c@例え.jp"}},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t)
			fields := tea()
			fields["guests"] = tt.texts
			u.mustCreate(fields)
			if got := u.only().Attendees; !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	for name, tt := range map[string]struct{ text, says string }{
		"a name without an address":                  {"a@b.c, grace, Ada <ada@example.com>", "\u2068grace\u2069 is no email address"},
		"a name in front of a bare address":          {"Grace grace@example.com", "\u2068Grace\u2069 is no"},
		"a comma in a name without quotes":           {"Hopper, Grace <grace@example.com>", "\u2068Hopper\u2069 is no"},
		"what is no address in brackets":             {"Grace <grace>", "\u2068grace\u2069 is no"},
		"brackets in a name":                         {"a@b.c Grace <grace@example.com>", "\u2068Grace\u2069 is no"},
		"an address with a soft hyphen":              {"a@b.c, gra\u00adce@example.com", "\u2068grace@example.com\u2069 holds a character that nobody sees (U+00AD)"},
		"an address with a space of no width":        {"Grace <grace@exam\u200bple.com>", "\u2068grace@example.com\u2069 holds a character that nobody sees (U+200B)"},
		"an address that is turned round":            {"\u202emoc.elpmaxe@\u202cecarg", "(U+202C)"},
		"an address with characters of a tag behind": {"grace@example.com\U000e0041", "(U+E0041)"},
		"an address that lost a character":           {"gra\ufffdce@example.com", "gra\ufffdce@example.com"},
		"an address that is too long":                {strings.Repeat("a", maxAddress) + "@b.c", strings.Repeat("a", 100) + "…"},
		"a guest too many":                           {people(maxGuests + 1), "these are 201"},
	} {
		t.Run("refuses and names "+name, func(t *testing.T) {
			_, err := newUser(t).create(tea("guests", tt.text))
			wantInvalid(t, err, tt.says)
		})
	}
}
