package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestDeny(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.press("List my labels")
	b.press("Ada Lovelace")
	b.press("Cancel")
	b.hasStatus(403)
	b.sees("Permission was not given", "You chose not to give permission")
	b.press("Try again")
	b.press("Continue")
	b.sees("10 label(s) found:")

	b.open("/createfile")
	b.press("Cancel")
	b.hasStatus(403)
	b.sees("What you granted before is as it was.")
	b.open("/listlabels")
	b.isAt("/listlabels")
	b.sees("10 label(s) found:")
}

func TestUntickedBox(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.press("List my labels")
	b.press("Grace Hopper")
	b.untick(gmailLabels)
	b.press("Continue")
	b.hasStatus(403)
	b.sees("A permission is missing", "(for: List my labels)", "Signed in as "+grace)
	b.press("Give permission")
	b.lacks("Choose an account")
	b.press("Continue")
	b.isAt("/listlabels")
	b.sees("11 label(s) found:")
}

func TestSessionLostOnAForm(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/createfile")
	b.press("Continue")
	b.write("name", "letter.txt")
	b.write("content", "Dear Babbage, …")
	id := b.read("id")
	b.forget()
	b.press("Create file")
	b.hasStatus(401)
	b.sees("You are not signed in yet.", "Not signed in")
	if name, text, again := b.read("name"), b.read("content"), b.read("id"); name != "letter.txt" || text != "Dear Babbage, …" || again != id {
		t.Fatalf("the form comes back with %q, %q, %q", name, text, again)
	}

	consent := b.pressForTab("Give permission in a new tab")
	consent.sees("Go back to your form", "Signed in as "+ada)
	consent.close()

	b.press("Create file")
	b.hasStatus(200)
	b.sees("Your file is in your Drive", "letter.txt")
}

func TestFileTooLarge(t *testing.T) {
	t.Parallel()
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, 34<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/createfile")
	b.press("Continue")
	b.write("name", "large")
	b.do(chromedp.SetUploadFiles(`[name="file"]`, []string{large}, chromedp.ByQuery))
	b.click("Create file")
	b.sees("A request can hold 32 MiB", "please choose something smaller")
	if name := b.read("name"); name != "large" {
		t.Errorf("the name comes back as %q", name)
	}
	b.write("content", "Hello")
	b.press("Create file")
	b.sees("Your file is in your Drive", "large")
}
