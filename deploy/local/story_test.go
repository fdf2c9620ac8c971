package main

import (
	"strings"
	"testing"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

const (
	ada   = "ada@example.com"
	grace = "grace@example.com"

	gmailLabels    = "https://www.googleapis.com/auth/gmail.labels"
	calendarEvents = "https://www.googleapis.com/auth/calendar.events.owned"
)

func TestNewcomer(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	newcomer(t, r)
	if !strings.Contains(r.out.String(), "in memory, gone when this ends") {
		t.Errorf("the runner says %s", r.out)
	}
}

func TestNewcomerWithFirestore(t *testing.T) {
	t.Parallel()
	addr, project := tokenstoretest.Emulator(t)
	r := start(t, []string{"FIRESTORE_EMULATOR_HOST=" + addr, "TOKEN_KEYSET=" + keyset(t)}, "-project", project)
	newcomer(t, r)

	stored := string(tokenstoretest.RawDocuments(t, addr, project))
	for _, want := range []string{"/grants/", "/flows/", ada, grace, gmailLabels} {
		if !strings.Contains(stored, want) {
			t.Errorf("no %s in what is stored", want)
		}
	}
	// What the stand-in's tokens begin with, as Google's do.
	for _, secret := range []string{"ya29.", "1//", "GOCSPX"} {
		if strings.Contains(stored, secret) {
			t.Errorf("%s… is stored in clear", secret)
		}
	}
}

func keyset(t *testing.T) string {
	t.Helper()
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	return string(keys.JSON())
}

// newcomer goes through what there is, as somebody does who just started the runner.
func newcomer(t *testing.T, r *runner) {
	b := newTab(t, r)
	b.sees("Not signed in", "A stand-in plays Google")

	b.press("List my labels")
	b.sees("Choose an account", "Ada Lovelace", "Grace Hopper")
	b.press("Ada Lovelace")
	b.sees("wants access to your Google Account", "gmail.labels")
	b.press("Continue")
	b.isAt("/listlabels")
	b.sees("10 label(s) found:", "Analytical Engine", "Signed in as "+ada)

	b.press("All functions")
	b.press("Create a file")
	b.sees("drive.file")
	b.lacks("gmail.labels", "Choose an account")
	b.press("Continue")
	b.isAt("/createfile")
	b.write("name", "notes.txt")
	b.write("content", "Hello")
	b.press("Create file")
	b.hasStatus(200)
	b.sees("Your file is in your Drive", "notes.txt")
	if link := b.link("Open it in Drive"); !strings.HasPrefix(link, r.url+"/google/file/") {
		t.Errorf("the file is at %q", link)
	}

	b.press("All functions")
	b.press("Create an appointment")
	b.sees("calendar.events.owned")
	b.lacks("drive.file")
	b.press("Continue")
	b.write("title", "Tea with Grace")
	b.write("start", "2030-03-01T09:00")
	b.write("end", "2030-03-01T10:00")
	b.write("time_zone", "Europe/Berlin")
	b.press("Make appointment")
	b.sees("Your appointment is in your calendar", "Tea with Grace")
	if link := b.link("Open it in Calendar"); !strings.HasPrefix(link, r.url+"/google/calendar/") {
		t.Errorf("the event is at %q", link)
	}

	b.press("All functions")
	b.press("List my Google Cloud projects")
	b.press("Continue")
	b.sees("Notes on Bernoulli")

	b.press("All functions")
	b.press("Run now")
	b.sees(`{"done":0,"skipped":0,"failed":0}`, "Nobody has turned the job on yet")
	b.press("Turn it on")
	b.sees("It is off.")
	b.press("Turn it on")
	b.sees("It is on.")
	b.press("All functions")
	b.press("Run now")
	b.sees(`{"done":1,"skipped":0,"failed":0}`)
	b.press("Run it again")
	b.sees(`{"done":1,"skipped":0,"failed":0}`)
	b.open("/dailyevent")
	b.press("Turn it off")
	b.sees("It is off.")

	b.open("/account")
	b.press("Use another account")
	b.sees("Choose an account")
	b.press("Grace Hopper")
	b.press("Continue")
	b.isAt("/account")
	b.sees("You are now using "+grace, "You are signed in as "+grace)
}

// signIn signs the tab in with the account of that name.
func (b *tab) signIn(name string) {
	b.t.Helper()
	b.open("/listlabels")
	b.press(name)
	b.press("Continue")
	b.sees("label(s) found:")
}
