package main

import (
	_ "embed"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"functions.local/oauth/shared/fakegoogle"
)

//go:embed frontend/README.md
var callersPage string

// blocks returns the code of a language in the page.
func blocks(language string) []string {
	var found []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(callersPage, -1) {
		found = append(found, m[1])
	}
	return found
}

// The page's script does what the page says, in a browser, with Firebase's two functions played.
func TestDocsOnTheWeb(t *testing.T) {
	t.Parallel()
	r := inProcess(t)
	b := newAppTab(t, r)
	b.click("Mary Somerville")
	b.sees("mary@app.example", "No Google account is connected yet.") // the page has had its answers, and writes no more
	script := regexp.MustCompile(`(?m)^import .*\n`).ReplaceAllString(blocks("js")[0], "")
	script = strings.ReplaceAll(script, "https://REGION-PROJECT.cloudfunctions.net", r.url)
	script = `(async () => {
		const {connect} = await import("/connect.js");
		const initializeApp = () => {}, getAuth = () => ({}), getIdToken = () => sessionStorage.getItem("idToken");
		const onAuthStateChanged = (auth, changed) => changed({});
		document.body.replaceChildren();
		` + script + `
	})()`
	run := func() { b.do(chromedp.Evaluate(script, nil)) }
	run()
	b.sees("No Google account is connected yet.")
	b.press("Connect my Google account")
	b.press("Ada Lovelace")
	b.press("Continue")
	b.isAt("/")
	b.sees("Connected with " + ada)
	run()
	b.sees("INBOX, SENT")
	if lines := strings.Count(blocks("js")[0], "\n"); lines > 25 {
		t.Errorf("the script has %d lines", lines)
	}
}

func TestDocsInTheShell(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip(err)
	}
	r := inProcess(t)
	code, err := r.google.DeviceCode("local.apps.googleusercontent.com", "openid email "+gmailLabels, fakegoogle.Decision{User: ada})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{ada, `"revoked":true`} {
		cmd := exec.Command("sh", "-c", blocks("sh")[n])
		cmd.Env = append(os.Environ(), "BASE_URL="+r.url, "ID_TOKEN="+r.google.AppToken("mary-7f3a", nil), "SERVER_AUTH_CODE="+code)
		if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %s, want %s", err, out, want)
		}
	}
	r.expect(http.StatusUnauthorized, "No Google account is connected yet.")(r.asApp("mary-7f3a", "GET", "/listlabels", ""))
	if n := r.google.RefreshTokens(ada); n != 0 {
		t.Errorf("%d refresh tokens are left", n)
	}
}
