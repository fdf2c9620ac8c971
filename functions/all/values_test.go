package all_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

// consentedTo returns a browser in which ada has permitted what a page needs.
func consentedTo(t *testing.T, page string) (*world, *browser) {
	t.Helper()
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.browser()
	expect(t, b.visit(page, ada), http.StatusOK)
	return w, b
}

// postAs posts a body of a type, and is answered as a program.
func (b *browser) postAs(target, contentType, body string) *answer {
	b.t.Helper()
	return b.do(b.request("POST", target, strings.NewReader(body), "Content-Type", contentType, "Accept", "application/json"))
}

func TestLocalTimesMayHaveSeconds(t *testing.T) {
	w, b := consentedTo(t, "/createevent")
	for seconds, calendar := range map[string]string{"": ":00", ":00": ":00", ":30": ":30", ":00.000": ":00", ":59.999": ":59.999", ":07.5": ":07.5"} {
		expect(t, b.postJSON("/createevent", map[string]any{"title": "Tea", "start": "2026-03-01T15:00" + seconds, "end": "2026-03-01T16:00" + seconds, "time_zone": "Europe/Berlin"}), http.StatusOK)
		events := w.fake.Events(ada)
		if got, want := events[len(events)-1].Start, (fakegoogle.EventTime{DateTime: "2026-03-01T15:00" + calendar, TimeZone: "Europe/Berlin"}); got != want {
			t.Errorf("%q: Calendar got %+v, want %+v", seconds, got, want)
		}
	}
	for _, start := range []string{"2026-03-29T02:30:00", "2026-03-01T15:00:60"} {
		expect(t, b.postJSON("/createevent", map[string]any{"title": "Tea", "start": start, "end": "2026-04-01T15:00", "time_zone": "Europe/Berlin"}), http.StatusBadRequest, "The start has to be a time")
	}
}

func TestGuestsAreInvitedAsTheirAddressesAreSeen(t *testing.T) {
	w, b := consentedTo(t, "/createevent")
	tea := func(guests any) *answer {
		return b.postJSON("/createevent", map[string]any{"title": "Tea", "start": "2026-03-01T15:00:00Z", "end": "2026-03-01T16:00:00Z", "guests": guests})
	}
	for name, tt := range map[string]struct {
		guests any
		want   []string
	}{
		"a space of no width behind":      {"grace@example.com\u200b", []string{grace}},
		"a byte order mark in front":      {"\ufeffgrace@example.com", []string{grace}},
		"what turns text, round it":       {"\u202agrace@example.com\u202c", []string{grace}},
		"isolates round one of a list":    {[]string{"\u2068grace@example.com\u2069", "a@b.c"}, []string{grace, "a@b.c"}},
		"a name, and joiners in brackets": {"Grace <\u200cgrace@example.com\u200d>\nGRACE <grace@EXAMPLE.com>", []string{grace}},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, tea(tt.guests), http.StatusOK)
			events := w.fake.Events(ada)
			if got := events[len(events)-1].Attendees; !slices.Equal(got, tt.want) {
				t.Errorf("invited %+q, want %+q", got, tt.want)
			}
		})
	}
	t.Run("a character inside that nobody sees is refused, and the address named", func(t *testing.T) {
		before := len(w.fake.Events(ada))
		for _, inside := range []string{"gra\u00adce@example.com", "grace@exam\u200bple.com", "Grace <gra\u2066ce@example.com>"} {
			expect(t, tea("a@b.c, "+inside), http.StatusBadRequest, "grace@example.com holds a character")
		}
		expect(t, b.post("/createevent", url.Values{"title": {"Tea"}, "start": {"2026-03-01T15:00"}, "end": {"2026-03-01T16:00"}, "time_zone": {"UTC"}, "guests": {"gra\u202ece@example.com"}}),
			http.StatusBadRequest, `role="alert"`, "<bdi>grace@example.com</bdi> holds a character")
		if n := len(w.fake.Events(ada)) - before; n != 0 {
			t.Errorf("%d events", n)
		}
	})
}

func TestAnAppointmentsBoxes(t *testing.T) {
	form := url.Values{"title": {"Tea"}, "start": {"2026-03-01T15:00"}, "end": {"2026-03-02T16:00"}, "time_zone": {"Europe/London"}, "location": {"The \"Club\""},
		"guests": {"a@b.c\nd@e.f"}, "all_day": {"true"}, "meet": {"true"}}
	t.Run("stay ticked when the form comes again", func(t *testing.T) {
		_, b := consentedTo(t, "/createevent")
		bad := maps.Clone(form)
		bad.Set("title", "")
		page := b.post("/createevent", bad)
		expect(t, page, http.StatusBadRequest, `value="The &#34;Club&#34;"`, `name="all_day" value="true" checked`, `name="meet" value="true" checked`, ">\na@b.c\nd@e.f</textarea>")
		bad.Del("meet")
		bad.Set("all_day", "false")
		if page := b.post("/createevent", bad); strings.Contains(page.body, " checked") {
			t.Error("ticked by themselves")
		}
		expect(t, b.get("/createevent?"+form.Encode()), http.StatusOK, `name="all_day" value="true" checked`, `name="meet" value="true" checked`)
	})
	t.Run("make an appointment of whole days with a Google Meet room, once", func(t *testing.T) {
		w, b := consentedTo(t, "/createevent")
		form := maps.Clone(form)
		form.Set("id", "abcdefabcdef")
		for range 2 {
			page := b.post("/createevent", form)
			e := w.fake.Events(ada)[0]
			expect(t, page, http.StatusOK, e.Meet+"?authuser=", "Google Meet")
			first, after := fakegoogle.EventTime{Date: "2026-03-01"}, fakegoogle.EventTime{Date: "2026-03-03"}
			if e.Start != first || e.End != after || e.Location != `The "Club"` || e.Meet == "" {
				t.Errorf("%+v", e)
			}
		}
		if n := len(w.fake.Events(ada)); n != 1 {
			t.Errorf("%d events", n)
		}
	})
	t.Run("answer a program with the room's address, where there is one", func(t *testing.T) {
		w, b := consentedTo(t, "/createevent")
		a := b.postJSON("/createevent", map[string]any{"title": "Tea", "start": "2026-03-01", "end": "2026-03-01", "all_day": true, "meet": true, "location": nil})
		expect(t, a, http.StatusOK)
		if e := w.fake.Events(ada)[0]; e.Meet == "" || a.member(t, "meet") != e.Meet {
			t.Errorf("%s; %+v", a.body, e)
		}
		a = b.postJSON("/createevent", map[string]any{"title": "Tea", "start": "2026-03-01", "end": "2026-03-01", "all_day": true, "meet": false})
		expect(t, a, http.StatusOK)
		if strings.Contains(a.body, `"meet"`) {
			t.Error(a.body)
		}
	})
}

func TestTextIsKeptAsItWasMeant(t *testing.T) {
	w, b := consentedTo(t, "/createfile")
	t.Run("an empty first line stays when a form comes again", func(t *testing.T) {
		for _, content := range []string{"\r\nsecond line", "\n\n\nfourth line"} {
			a := b.post("/createfile", url.Values{"content": {content}}) // no name
			if _, rest, _ := strings.Cut(a.body, "<textarea"); !strings.Contains(rest, ">\n"+content+"</textarea>") {
				t.Errorf("%.60q: HTML drops the line end behind <textarea>", rest)
			}
		}
		expect(t, b.visit("/createevent", ada), http.StatusOK)
		expect(t, b.post("/createevent", url.Values{"guests": {"\r\n\r\ngrace"}}), http.StatusBadRequest, ">\n\r\n\r\ngrace</textarea>")
	})
	t.Run("a name turns no text of ours round", func(t *testing.T) {
		for sent, shown := range map[string]string{"\u202etxt.exe": "txt.exe", "a\u202etxt.exe": "a\u202etxt.exe"} {
			a := b.post("/createfile", url.Values{"name": {sent}, "content": {"x"}})
			expect(t, a, http.StatusOK, "<bdi>"+shown+"</bdi>")
		}
	})
	t.Run("bytes that are no UTF-8 are refused, and not changed", func(t *testing.T) {
		before := len(w.fake.Files(ada))
		for _, c := range [][2]string{
			{"application/json", "{\"name\":\"caf\xe9\",\"content\":\"x\"}"},
			{"application/json", "{\"name\":\"a\",\"content\":\"\xff\xfea\x00\"}"},
			{"application/x-www-form-urlencoded", "name=caf%E9&content=x"},
			{"application/x-www-form-urlencoded", "name=a&content=x&caf%E9=x"},
			{"multipart/form-data; boundary=X", "--X\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\ncaf\xe9\r\n--X--\r\n"},
		} {
			expect(t, b.postAs("/createfile", c[0], c[1]), http.StatusBadRequest, "UTF-8")
		}
		if n := len(w.fake.Files(ada)) - before; n != 0 {
			t.Errorf("%d files", n)
		}
	})
	t.Run("a byte order mark is cut off before JSON, and from a name", func(t *testing.T) {
		for _, body := range []string{"\ufeff{\"name\":\"a\",\"content\":\"x\"}", "\ufeff\r\n{\"name\":\"\ufeffa\",\"content\":\"x\"}"} {
			expect(t, b.postAs("/createfile", "application/json", body), http.StatusOK, `"name":"a"`)
		}
		expect(t, b.postAs("/createfile", "application/json", "\ufeff\ufeff{}"), http.StatusBadRequest)
	})
	t.Run("what nobody sees is no name and no title", func(t *testing.T) {
		expect(t, b.postJSON("/createfile", map[string]any{"name": "\u200b\ufeff", "content": "x"}), http.StatusBadRequest, "Give the file a name.")
		expect(t, b.postJSON("/createevent", map[string]any{"title": "\u2067\u2069\u00ad", "start": "2026-03-01T15:00:00Z", "end": "2026-03-01T16:00:00Z"}), http.StatusBadRequest, "a title")
	})
}

func TestPartsOfAFormThatHoldsAFile(t *testing.T) {
	const file = "Content-Disposition: form-data; name=\"file\"; filename="
	const text = "\r\nContent-Type: text/plain\r\n\r\nx"
	field := func(name, value string) string {
		return "\r\n--X\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value
	}
	for name, tt := range map[string]struct {
		parts  string
		status int
		want   string // the file's name in Drive
	}{
		"quotes as browsers and curl send them":     {file + `"say %22hi%22.txt"` + text, 200, `say "hi".txt`},
		"line ends as browsers send them":           {file + `"a%0D%0Ab.txt"` + text, 200, "a b.txt"},
		"a name behind the file":                    {file + `"a.txt"` + text + field("name", "Report"), 200, "Report"},
		"text behind the file":                      {file + `"a.txt"` + text + field("content", "and this"), 400, ""},
		"an empty text behind the file":             {file + `"a.txt"` + text + field("content", "\r\n"), 200, "a.txt"},
		"a second file":                             {file + `"a.txt"` + text + "\r\n--X\r\n" + file + `"b.txt"` + text, 400, ""},
		"a type that does not parse":                {file + "\"a.txt\"\r\nContent-Type: text/plain, text/html\r\n\r\nx", 200, "a.txt"},
		"a name in Latin-1":                         {file + "\"caf\xe9.txt\"" + text, 400, ""},
		"a path on Windows, as some programs send":  {file + `"C:\Users\ada\notes.txt"` + text, 200, "notes.txt"},
		"a path with a closing slash":               {file + `"notes/"` + text, 400, ""},
		"a name of nothing but what nobody sees":    {file + "\"\u200b\u202e\"" + text, 400, ""},
		"a name that begins with what nobody sees":  {file + "\"\ufeff\u202aa.txt\"" + text, 200, "a.txt"},
		"a name in two scripts, escaped by nothing": {file + "\"Entwürfe 下書き.txt\"" + text, 200, "Entwürfe 下書き.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := consentedTo(t, "/createfile")
			a := b.postAs("/createfile", "multipart/form-data; boundary=X", "--X\r\n"+tt.parts+"\r\n--X--\r\n")
			made := ""
			if files := w.fake.Files(ada); len(files) == 1 {
				made = files[0].Name
			}
			if a.status != tt.status || made != tt.want {
				t.Errorf("%d, Drive has %q; want %d and %q: %s", a.status, made, tt.status, tt.want, a.body)
			}
		})
	}
}

func TestSuccessThatIsNoObjectIsABadAnswer(t *testing.T) {
	event := map[string]any{"title": "Tea", "start": "2026-03-01T15:00:00Z", "end": "2026-03-01T16:00:00Z"}
	for name, c := range map[string]struct {
		page, path string
		body       map[string]any // of a POST
	}{
		"labels":                     {"/listlabels", "/gmail/", nil},
		"projects":                   {"/listprojects", "/v3/", nil},
		"an id for a file":           {"/createfile", "/drive/", nil},
		"a file":                     {"/createfile", "/upload/", map[string]any{"name": "a", "content": "x"}},
		"a file that was made":       {"/createfile?made=abc", "/drive/", nil},
		"an appointment":             {"/createevent", "/calendar/", event},
		"an appointment that exists": {"/createevent?made=abcdef", "/calendar/", nil},
	} {
		t.Run(name, func(t *testing.T) {
			path, _, _ := strings.Cut(c.page, "?")
			w, b := consentedTo(t, path)
			for _, body := range []string{"null", " null\n", "[]", `"done"`} {
				w.fake.Fail(c.path, 3, fakegoogle.Failure{Status: http.StatusOK, Body: body})
				a := (*browser).getJSON
				if c.body != nil {
					a = func(b *browser, page string) *answer { return b.postJSON(page, c.body) }
				}
				if got := a(b, c.page); got.status != http.StatusBadGateway || strings.Contains(w.log.String(), "panic") {
					t.Errorf("%q: %d %s", body, got.status, got.body)
				}
				w.fake.StopFailing()
			}
		})
	}
	t.Run("a day's plan", func(t *testing.T) {
		w, b := consentedTo(t, "/dailyevent")
		expect(t, b.post("/dailyevent", url.Values{"enabled": {"true"}}), http.StatusOK)
		w.fake.Fail("/calendar/", 3, fakegoogle.Failure{Status: http.StatusOK, Body: "null"})
		expect(t, w.runDaily(w.process, nil), http.StatusServiceUnavailable, `"failed":1`)
		if strings.Contains(w.log.String(), "panic") {
			t.Error(w.log)
		}
		w.fake.StopFailing()
		expect(t, w.runDaily(w.process, nil), http.StatusOK, `"done":1`)
	})
}

func TestListsEnd(t *testing.T) {
	page := func(next string) fakegoogle.Failure {
		return fakegoogle.Failure{Status: http.StatusOK, Body: `{"nextPageToken":"` + next + `","projects":[{"projectId":"a","displayName":"A","state":"ACTIVE"}]}`}
	}
	for name, tt := range map[string]struct {
		plan  func(w *world)
		calls int
	}{
		"where a page token repeats": {func(w *world) { w.fake.Fail("/v3/projects:search", 1<<30, page("same")) }, 2},
		"where two page tokens take turns": {func(w *world) {
			for range 20 {
				w.fake.Fail("/v3/projects:search", 1, page("a"))
				w.fake.Fail("/v3/projects:search", 1, page("b"))
			}
		}, 3},
		"where there are always more pages": {func(w *world) {
			for i := range 1100 {
				w.fake.Fail("/v3/projects:search", 1, page(fmt.Sprint("page", i)))
			}
		}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := consentedTo(t, "/listprojects")
			tt.plan(w)
			w.fake.ResetCalls()
			a := b.getJSON("/listprojects")
			if n := w.fake.Calls("/v3/"); a.status != http.StatusBadGateway || n != tt.calls {
				t.Errorf("%d after %d calls, want 502 after %d", a.status, n, tt.calls)
			}
		})
	}
}

func TestRunOfAJobNamesAZone(t *testing.T) {
	for _, body := range []string{`{"time_zone":"Mars/Base"}`, `{"time_zone":"Local"}`, `{}`, `{"time_zone":""}`, `{"time_zone":null}`, `{"time_zone":"../../etc/localtime"}`} {
		w, b := consentedTo(t, "/dailyevent")
		expect(t, b.post("/dailyevent", url.Values{"enabled": {"true"}}), http.StatusOK)
		like, err := w.scheduled(w.process, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := b.request("POST", "/dailyevent", strings.NewReader(body))
		r.Header = like.Header
		if a := w.browser().do(r); a.status != http.StatusBadRequest || len(w.fake.Events(ada)) != 0 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// runAt runs the daily job for the slot, as the scheduler in Berlin does.
func (w *world) runAt(slot string) *answer {
	w.t.Helper()
	r, err := w.scheduled(w.process, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("X-CloudScheduler-ScheduleTime", slot)
	return w.browser().do(r)
}

func TestEveryDayHasAPlanInTheUsersOwnZone(t *testing.T) {
	for name, c := range map[string]struct {
		zone, from string // of the first slot; all are at 18:00 in Berlin
		want       []string
	}{
		"where clocks skip midnight":              {"America/Santiago", "2026-09-04T18:00", []string{"2026-09-05", "2026-09-06", "2026-09-07", "2026-09-08"}},
		"where it is a day ahead":                 {"Pacific/Kiritimati", "2026-03-28T18:00", []string{"2026-03-30", "2026-03-31", "2026-04-01", "2026-04-02"}},
		"where the scheduler's clocks put it off": {"Asia/Jakarta", "2026-10-23T18:00", []string{"2026-10-24", "2026-10-25", "2026-10-26", "2026-10-27", "2026-10-28"}},
		"where none is chosen":                    {"", "2026-10-24T18:00", []string{"2026-10-25", "2026-10-26", "2026-10-27", "2026-10-28"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := consentedTo(t, "/dailyevent")
			expect(t, b.post("/dailyevent", url.Values{"enabled": {"true"}, "time_zone": {c.zone}}), http.StatusOK, "It is on", c.zone)
			berlin, err := time.LoadLocation("Europe/Berlin")
			if err != nil {
				t.Fatal(err)
			}
			first, err := time.ParseInLocation("2006-01-02T15:04", c.from, berlin)
			if err != nil {
				t.Fatal(err)
			}
			for day := range 4 {
				expect(t, w.runAt(first.AddDate(0, 0, day).UTC().Format(time.RFC3339)), http.StatusOK, `"done":1`)
			}
			var days []string
			for _, e := range w.fake.Events(subjectOf(t, w.fake, ada)) {
				days = append(days, e.Start.Date)
			}
			if !slices.Equal(days, c.want) {
				t.Errorf("plans for %v, want %v", days, c.want)
			}
		})
	}
}

func TestWhatHasTheIDIsGone(t *testing.T) {
	event := url.Values{"id": {"abcdefabcdef"}, "title": {"a"}, "start": {"2027-01-01T10:00"}, "end": {"2027-01-01T11:00"}, "time_zone": {"UTC"}}
	file := url.Values{"id": {"abcdefabcdef"}, "name": {"a"}, "content": {"x"}}
	for name, c := range map[string]struct {
		page      string
		form      url.Values
		post, get string
		found     fakegoogle.Failure
	}{
		"the event was purged":     {"/createevent", event, "/calendar/", "/calendar/v3/calendars/primary/events/abc", fakegoogle.Failure{Status: 404}},
		"the event is gone":        {"/createevent", event, "/calendar/", "/calendar/v3/calendars/primary/events/abc", fakegoogle.Failure{Status: 410}},
		"the event is cancelled":   {"/createevent", event, "/calendar/", "/calendar/v3/calendars/primary/events/abc", fakegoogle.Failure{Status: 200, Body: `{"id":"abcdefabcdef","status":"cancelled","htmlLink":"https://x"}`}},
		"the file is in the trash": {"/createfile", file, "/upload/", "/drive/v3/files/abc", fakegoogle.Failure{Status: 200, Body: `{"id":"abcdefabcdef","name":"a","webViewLink":"https://x","trashed":true}`}},
		"the file is not ours":     {"/createfile", file, "/upload/", "/drive/v3/files/abc", fakegoogle.Failure{Status: 404}},
	} {
		t.Run(name, func(t *testing.T) {
			w, b := consentedTo(t, c.page)
			w.fake.Fail(c.get, 9, c.found)
			w.fake.Fail(c.post, 1, fakegoogle.Failure{Status: 409})
			if a := b.post(c.page, c.form); a.status != http.StatusBadRequest || strings.Contains(a.body, "is there now") {
				t.Errorf("%d, says that it is there: %t; want 400", a.status, strings.Contains(a.body, "is there now"))
			}
		})
	}
}

func TestNoFileOfGooglesOwnKinds(t *testing.T) {
	w, b := consentedTo(t, "/createfile")
	for _, kind := range []string{"document", "spreadsheet", "presentation", "shortcut", "form; charset=utf-8"} {
		body := map[string]any{"name": "a", "content": "x", "mime_type": "application/vnd.google-apps." + kind}
		expect(t, b.postJSON("/createfile", body), http.StatusBadRequest, "Google's own kinds")
		body["id"] = b.getJSON("/createfile").member(t, "id")
		expect(t, b.postJSON("/createfile", body), http.StatusBadRequest, "Google's own kinds")
	}
	if n := len(w.fake.Files(ada)); n != 0 {
		t.Errorf("%d files", n)
	}
}
