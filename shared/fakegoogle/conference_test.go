package fakegoogle

import (
	"regexp"
	"testing"

	"google.golang.org/api/calendar/v3"
)

func withMeet(requestID, kind string) *calendar.Event {
	e := goodEvent()
	e.ConferenceData = &calendar.ConferenceData{CreateRequest: &calendar.CreateConferenceRequest{
		RequestId: requestID, ConferenceSolutionKey: &calendar.ConferenceSolutionKey{Type: kind},
	}}
	return e
}

func TestConference(t *testing.T) {
	sentences(t, map[string]func(*world){
		"gives an event a Meet room": func(w *world) {
			svc := w.calendar("")
			e, err := svc.Events.Insert("primary", withMeet("r-1", "hangoutsMeet")).ConferenceDataVersion(1).Do()
			if err != nil || !regexp.MustCompile(`^https://meet\.google\.com/[a-z]{3}-[a-z]{4}-[a-z]{3}$`).MatchString(e.HangoutLink) {
				w.Fatalf("%+v, %v", e, err)
			}
			if c := e.ConferenceData; c.CreateRequest.Status.StatusCode != "success" || c.EntryPoints[0].Uri != e.HangoutLink {
				w.Errorf("%+v", c)
			}
			got, err := svc.Events.Get("primary", e.Id).Do()
			if err != nil || got.HangoutLink != e.HangoutLink || w.Events(ada)[0].Meet != e.HangoutLink {
				w.Errorf("%+v, %v", got, err)
			}
		},
		"gives none to a client that does not say that it knows them": func(w *world) {
			e, err := w.calendar("").Events.Insert("primary", withMeet("r-1", "hangoutsMeet")).Do()
			if err != nil || e.HangoutLink != "" || e.ConferenceData != nil {
				w.Errorf("%+v, %v", e, err)
			}
		},
		"gives none that was not asked for": func(w *world) {
			e, err := w.calendar("").Events.Insert("primary", goodEvent()).ConferenceDataVersion(1).Do()
			if err != nil || e.HangoutLink != "" {
				w.Errorf("%+v, %v", e, err)
			}
		},
		"refuses a wish without an id, for another kind or of another version": func(w *world) {
			svc := w.calendar("")
			_, err := svc.Events.Insert("primary", withMeet("", "hangoutsMeet")).ConferenceDataVersion(1).Do()
			wantFault(w.T, err, 400, "required")
			_, err = svc.Events.Insert("primary", withMeet("r-1", "telephone")).ConferenceDataVersion(1).Do()
			wantFault(w.T, err, 400, "invalid")
			_, err = svc.Events.Insert("primary", withMeet("r-1", "hangoutsMeet")).ConferenceDataVersion(2).Do()
			wantFault(w.T, err, 400, "invalidParameter")
			if len(w.Events(ada)) != 0 {
				w.Error("made an event")
			}
		},
	})
}
