package all_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"functions.local/oauth/shared/tokenstore"
)

var hiddenID = regexp.MustCompile(`name="id" value="([^"]+)"`)

func TestNewcomer(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.browser()

	expect(t, b.visit("/listlabels", ada), http.StatusOK, "label(s) found:", "Inbox", ada)

	form := b.get("/createfile")
	if form.status != http.StatusFound {
		t.Fatalf("createfile asks for consent with %d", form.status)
	}
	consent, err := url.Parse(form.location())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := consent.Query().Get("scope"), "openid email "+driveFile; got != want {
		t.Errorf("asked for %q, want just what is missing: %q", got, want)
	}
	if got := consent.Query().Get("login_hint"); got != ada {
		t.Errorf("login_hint %q, want the signed-in account", got)
	}
	form = b.visit("/createfile", ada)
	expect(t, form, http.StatusOK, "<form", ada)
	id := hiddenID.FindStringSubmatch(form.body)
	if id == nil {
		t.Fatalf("no id in the form: %s", form.body)
	}
	fields := url.Values{"id": {id[1]}, "name": {"notes.txt"}, "content": {"Hello"}}
	expect(t, b.post("/createfile", fields), http.StatusOK, "notes.txt", "https://drive.google.com/")
	expect(t, b.post("/createfile", fields), http.StatusOK, "notes.txt")
	if files := w.fake.Files(subjectOf(t, w.fake, ada)); len(files) != 1 {
		t.Errorf("%d files, want 1", len(files))
	}

	again := b.get("/oauth2init")
	expect(t, again, http.StatusSeeOther)
	if again.location() != w.url+"/listlabels" {
		t.Errorf("a second visit goes to %s", again.location())
	}

	w.clock.advance(time.Hour)
	w.fake.ResetCalls()
	expect(t, b.get("/listlabels"), http.StatusOK, "label(s) found:")
	if n := w.fake.Calls("/token"); n != 1 {
		t.Errorf("%d token calls an hour later, want one refresh", n)
	}

	w.fake.ResetCalls()
	w.store.reset()
	expect(t, b.get("/listlabels"), http.StatusOK)
	if reads, writes, calls := w.store.gets.Load(), w.store.writes.Load(), w.fake.Calls("/"); reads != 1 || writes != 0 || calls != 1 {
		t.Errorf("warm listlabels costs %d reads, %d writes, %d calls to Google; want 1, 0, 1", reads, writes, calls)
	}
}
