package fakegoogle

import (
	"strings"
	"testing"

	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
)

func TestPagesOfWhatWasMade(t *testing.T) {
	// file makes one of ada's and returns its link.
	file := func(w *world) string {
		w.Helper()
		f, err := w.drive(ada, driveFile).Files.Create(&drive.File{Name: "<b>notes</b>", MimeType: "text/plain"}).
			Media(strings.NewReader("hello <i>you</i>"), googleapi.ChunkSize(0)).Fields("id,webViewLink").Do()
		if err != nil {
			w.Fatal(err)
		}
		return f.WebViewLink
	}
	sentences(t, map[string]func(*world){
		"a file's link leads to its page under the public URL": func(w *world) {
			public := w.behind()
			link := file(w)
			if !strings.HasPrefix(link, public+"/file/d/1") || w.Files(ada)[0].Link() != link {
				w.Fatalf("link %s", link)
			}
			p := w.person().opens(link)
			for _, want := range []string{"&lt;b&gt;notes&lt;/b&gt;", "16 bytes", "hello &lt;i&gt;you&lt;/i&gt;", "ada@example.com"} {
				if p.code != 200 || !strings.Contains(p.page, want) {
					w.Fatalf("%d, no %s: %s", p.code, want, p.page)
				}
			}
		},
		"an event's link, too": func(w *world) {
			public := w.behind()
			e, err := w.calendar(grace).Events.Insert("primary", withMeet("r-1", "hangoutsMeet")).ConferenceDataVersion(1).Do()
			if err != nil || !strings.HasPrefix(e.HtmlLink, public+"/calendar/event?eid=") {
				w.Fatalf("%+v, %v", e, err)
			}
			p := w.person().opens(e.HtmlLink + "&authuser=grace%40example.com")
			for _, want := range []string{"Plan the day", "guest@example.com", "2026-03-01 09:00:00&#43;01:00", e.HangoutLink, "grace@example.com"} {
				if p.code != 200 || !strings.Contains(p.page, want) {
					w.Fatalf("%d, no %s: %s", p.code, want, p.page)
				}
			}
			w.DeleteEvent(grace, e.Id)
			if p.opens(e.HtmlLink); !strings.Contains(p.page, "Deleted") {
				w.Errorf("%s", p.page)
			}
			w.PurgeEvent(grace, e.Id)
			if p.opens(e.HtmlLink); p.code != 404 {
				w.Errorf("purged: %d", p.code)
			}
		},
		"what is another account's is closed to the one that authuser names": func(w *world) {
			w.behind()
			link := file(w)
			for query, want := range map[string]int{"": 200, "?authuser=ada%40example.com": 200, "?authuser=grace%40example.com": 403} {
				if p := w.person().opens(link + query); p.code != want {
					w.Errorf("%s: %d", query, p.code)
				}
			}
		},
		"a link without authuser opens in the browser's first account": func(w *world) {
			public := w.behind()
			link, p := file(w), w.person()
			consent := public + strings.TrimPrefix(w.consentURL("openid", "prompt", "select_account"), w.url)
			p.opens(consent).submits("account", grace)
			p.opens(consent).submits("account", ada)
			for query, want := range map[string]int{"": 403, "?authuser=0": 403, "?authuser=1": 200, "?authuser=99": 200, "?authuser=ada@example.com": 200} {
				if p.opens(link + query); p.code != want {
					w.Errorf("%s: %d", query, p.code)
				}
			}
		},
		"what is not there is not found": func(w *world) {
			public := w.behind()
			for _, path := range []string{"/file/d/1none/view", "/calendar/event?eid=x", "/calendar/event"} {
				if p := w.person().opens(public + path); p.code != 404 || !strings.Contains(p.page, "There is nothing here") {
					w.Errorf("%s: %d", path, p.code)
				}
			}
			link := file(w)
			w.DeleteFile(ada, w.Files(ada)[0].ID)
			if p := w.person().opens(link); p.code != 404 {
				w.Errorf("deleted: %d", p.code)
			}
		},
		"without a public URL the links are Google's": func(w *world) {
			if link := file(w); !strings.HasPrefix(link, "https://drive.google.com/file/d/") {
				w.Errorf("link %s", link)
			}
		},
	})
}
