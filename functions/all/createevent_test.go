package all_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

const eventsOwned = "https://www.googleapis.com/auth/calendar.events.owned"

// hostile would show itself in a page that does not escape it, in a text or in an attribute.
const hostile = `<script>alert("1")</script>'"><img src=x>`

// tea is the form filled in, with the id of the page.
func tea(t *testing.T, page *answer) url.Values {
	t.Helper()
	id := hiddenID.FindStringSubmatch(page.body)
	if id == nil {
		t.Fatalf("no id in the form: %s", page.body)
	}
	return url.Values{"id": {id[1]}, "title": {"Tea"}, "start": {"2026-03-01T15:00"}, "end": {"2026-03-01T16:30"},
		"time_zone": {"Europe/London"}, "guests": {"grace@example.com"}}
}

// expectFields fails the test unless the page has every field of the form, as it is.
func expectFields(t *testing.T, page *answer, form url.Values) {
	t.Helper()
	for name := range form {
		want := `name="` + name + `" value="` + html.EscapeString(form.Get(name)) + `"`
		if name == "guests" {
			want = ">\n" + html.EscapeString(form.Get(name)) + "</textarea>"
		}
		if !strings.Contains(page.body, want) {
			t.Errorf("no %s in: %s", want, page.body)
		}
	}
}

// expectInert fails the test if hostile could act.
func expectInert(t *testing.T, page *answer) {
	t.Helper()
	if !strings.Contains(page.shown(), html.EscapeString(hostile)) || strings.Contains(page.shown(), "<script") || strings.Contains(page.shown(), "<img") {
		t.Errorf("not inert, or not there: %s", page.shown())
	}
}

func TestCreateEvent(t *testing.T) {
	signedIn := func(t *testing.T) (*world, *browser) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		b := w.browser()
		expect(t, b.visit("/listlabels", ada), http.StatusOK)
		return w, b
	}
	consented := func(t *testing.T) (*world, *browser, *answer) {
		w, b := signedIn(t)
		form := b.visit("/createevent", ada)
		expect(t, form, http.StatusOK, "<form")
		return w, b, form
	}

	t.Run("asks just for Calendar", func(t *testing.T) {
		_, b := signedIn(t)
		page := b.get("/createevent")
		expect(t, page, http.StatusFound)
		consent, err := url.Parse(page.location())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := consent.Query().Get("scope"), "openid email "+eventsOwned; got != want {
			t.Errorf("asked for %q, want %q", got, want)
		}
	})
	t.Run("shows its form without a call to Google", func(t *testing.T) {
		w, b, _ := consented(t)
		w.fake.ResetCalls()
		expect(t, b.get("/createevent"), http.StatusOK, "<form")
		if n := w.fake.Calls("/"); n != 0 {
			t.Errorf("%d calls", n)
		}
	})
	t.Run("makes one event, however often its form is sent", func(t *testing.T) {
		w, b, page := consented(t)
		form := tea(t, page)
		for range 2 {
			expect(t, b.post("/createevent", form), http.StatusOK, "<bdi>Tea</bdi>", `target="_blank"`, "https://www.google.com/calendar/event?authuser=ada%40example.com")
		}
		events := w.fake.Events(ada)
		if len(events) != 1 || events[0].ID != form.Get("id") || events[0].Attendees[0] != grace {
			t.Errorf("%+v", events)
		}
	})
	t.Run("makes one event when Google's answer is lost", func(t *testing.T) {
		w, b, page := consented(t)
		w.fake.Fail("/calendar/", 1, fakegoogle.Failure{Drop: true})
		expect(t, b.post("/createevent", tea(t, page)), http.StatusOK, "<bdi>Tea</bdi>")
		if n := len(w.fake.Events(ada)); n != 1 {
			t.Errorf("%d events", n)
		}
	})
	t.Run("makes one event when the access token has gone", func(t *testing.T) {
		w, b, page := consented(t)
		w.fake.ExpireAccessTokens()
		expect(t, b.post("/createevent", tea(t, page)), http.StatusOK, "<bdi>Tea</bdi>")
		if n := len(w.fake.Events(ada)); n != 1 {
			t.Errorf("%d events", n)
		}
	})
	t.Run("keeps the fields while consent is given in another tab", func(t *testing.T) {
		w, b := signedIn(t)
		form := url.Values{"id": {"0123456789abcdefv"}, "title": {"Tea"}, "start": {"2026-03-01T15:00"}, "end": {"2026-03-01T16:30"},
			"time_zone": {"Europe/London"}, "guests": {"grace@example.com; a@b.c"}}
		page := b.post("/createevent", form)
		expect(t, page, http.StatusUnauthorized, `href="`+w.url+`/createevent?consent=given" target="_blank"`)
		expectFields(t, page, form)
		expect(t, b.visit("/createevent", ada), http.StatusOK, "<form")
		expect(t, b.post("/createevent", form), http.StatusOK, "<bdi>Tea</bdi>")
	})
	t.Run("keeps the fields and names what is to be mended", func(t *testing.T) {
		w, b, page := consented(t)
		for fault, says := range map[string]string{"title": "title", "start": "The start", "time_zone": "time zone", "guests": "guest"} {
			form := tea(t, page)
			form.Set(fault, map[string]string{"title": "", "start": "2026-02-30T15:00", "time_zone": "Europe/Nowhere", "guests": "grace"}[fault])
			again := b.post("/createevent", form)
			expect(t, again, http.StatusBadRequest, `role="alert"`, says)
			expectFields(t, again, form)
		}
		if n := len(w.fake.Events(ada)); n != 0 {
			t.Errorf("%d events", n)
		}
	})
	t.Run("shows what was entered as text", func(t *testing.T) {
		w, b, page := consented(t)
		form := tea(t, page)
		form.Set("title", hostile)
		expectInert(t, b.post("/createevent", form))
		for name := range form {
			form.Set(name, hostile)
		}
		again := b.post("/createevent", form)
		expect(t, again, http.StatusBadRequest)
		expectInert(t, again)
		if n := len(w.fake.Events(ada)); n != 1 {
			t.Errorf("%d events", n)
		}
	})
}

func TestCreateEventAsJSON(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.browser()
	body := map[string]any{"title": "Tea", "start": "2026-03-01T15:00:00Z", "end": "2026-03-01T16:00:00Z",
		"time_zone": "Europe/London", "guests": []string{grace, "a@b.c"}}

	for _, a := range []*answer{b.getJSON("/createevent"), b.postJSON("/createevent", body)} {
		expect(t, a, http.StatusUnauthorized)
		var refusal struct {
			Error      string   `json:"error"`
			Missing    []string `json:"missing_scopes"`
			ConsentURL string   `json:"consent_url"`
			Reason     string   `json:"reason"`
		}
		unmarshal(t, a, &refusal)
		if refusal.Error != "consent_required" || len(refusal.Missing) != 1 || refusal.Missing[0] != eventsOwned ||
			refusal.ConsentURL != w.url+"/createevent" || refusal.Reason == "" {
			t.Errorf("%+v", refusal)
		}
	}

	expect(t, b.visit("/createevent", ada), http.StatusOK)
	fresh := map[string]string{}
	unmarshal(t, b.getJSON("/createevent"), &fresh)
	if len(fresh) != 1 || fresh["id"] == "" {
		t.Fatalf("GET answers %v", fresh)
	}
	body["id"] = fresh["id"]
	for range 2 {
		a, made := b.postJSON("/createevent", body), map[string]string{}
		expect(t, a, http.StatusOK)
		unmarshal(t, a, &made)
		if made["id"] != fresh["id"] || made["title"] != "Tea" || !strings.HasPrefix(made["link"], "https://www.google.com/calendar/event?eid=") {
			t.Errorf("%v", made)
		}
	}
	events := w.fake.Events(ada)
	if len(events) != 1 || len(events[0].Attendees) != 2 || events[0].Start != (fakegoogle.EventTime{DateTime: "2026-03-01T15:00:00Z", TimeZone: "Europe/London"}) {
		t.Errorf("%+v", events)
	}

	body["end"] = body["start"]
	expect(t, b.postJSON("/createevent", body), http.StatusBadRequest, `"error":"invalid_request"`, "The end has to be after the start.")
}

// unmarshal reads the JSON of an answer.
func unmarshal(t *testing.T, a *answer, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%v in %q", err, a.body)
	}
}
