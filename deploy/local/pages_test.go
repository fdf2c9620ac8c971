package main

import (
	_ "embed"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"functions.local/oauth/shared/fakegoogle"
)

//go:embed testdata/audit.js
var audit string

// passes audits the page as a desktop and a phone show it, in light and in dark.
func (b *tab) passes() {
	b.t.Helper()
	var url string
	b.do(chromedp.Location(&url))
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1200, 390} {
			var faults []string
			b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				emulation.SetDeviceMetricsOverride(width, 800, 1, width < 500), drawn,
				chromedp.Evaluate(audit, &faults))
			for _, fault := range faults {
				b.t.Errorf("%s, %s, %d px: %s", url, scheme, width, fault)
			}
		}
	}
	b.do(emulation.ClearDeviceMetricsOverride(), drawn)
}

// drawn waits until the page is drawn as it is to be: a click before that misses.
var drawn = chromedp.Evaluate(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, nil,
	func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) })

func TestPages(t *testing.T) {
	b := newTab(t, start(t, nil))
	page := func(texts ...string) {
		t.Helper()
		b.sees(texts...)
		b.passes()
	}
	page("Not signed in")
	b.open("/popup")
	page("Sign in with a popup")

	b.signIn("Ada Lovelace")
	page("10 label(s) found:")
	b.open("/")
	page("Signed in as")
	b.open("/popup")
	page("Sign in with a popup")

	b.open("/createfile")
	b.press("Continue")
	page("Create a file in your Drive")
	b.write("name", " ")
	b.press("Create file")
	page("Give the file a name.")
	b.write("name", "notes.txt")
	b.forget()
	b.press("Create file")
	page("You are not signed in yet.")
	b.open("/createfile")
	b.write("name", "notes.txt")
	b.press("Create file")
	page("Your file is in your Drive")

	b.open("/createevent")
	b.press("Continue")
	page("Make an appointment")
	b.write("title", "Tea")
	b.write("start", "2030-03-01T09:00")
	b.write("end", "2030-03-01T09:00")
	b.press("Make appointment")
	page("The end has to be after the start.")
	b.write("end", "2030-03-01T10:00")
	b.press("Make appointment")
	page("Your appointment is in your calendar")

	b.open("/listprojects")
	b.press("Continue")
	page("Analytical Engine")

	b.open("/")
	b.press("Run now")
	page("Nobody has turned the job on yet")
	b.open("/dailyevent")
	page("It is off.")
	b.press("Turn it on")
	page("It is on.")
	b.open("/")
	b.press("Run now")
	page(`"done":1`)

	b.open("/account")
	page("Your account", "Plan every day in the background")
	b.open("/oauth2init?account=new&return_to=/account")
	b.press("Grace Hopper")
	b.press("Continue")
	page("You are now using")
	b.press("Sign out")
	page("You are signed out")
	b.signOutPage("Disconnect")
	page("You are disconnected")
}

// signOutPage signs in again and ends that with a button of the account page.
func (b *tab) signOutPage(button string) {
	b.t.Helper()
	b.open("/account")
	b.press("Grace Hopper")
	b.press(button)
}

// Every page that tells of an error says what to do next, and who is signed in if it is known.
func TestErrorPages(t *testing.T) {
	r, google := startWithGoogle(t)
	b := newTab(t, r)
	b.signIn("Ada Lovelace")
	post := func(path string) func() {
		return func() {
			b.goes(chromedp.Evaluate(`{const f = document.createElement("form"); f.method = "post"; f.action = "`+path+`"; document.body.append(f); f.submit()}`, nil))
		}
	}
	failing := func(path string, n int, f fakegoogle.Failure) func() {
		return func() {
			google.Fail(path, n, f)
			b.open("/listlabels")
		}
	}
	for name, c := range map[string]struct {
		do     func()
		status int64
		see    []string
		next   string
	}{
		"a callback of nobody": {func() { b.open("/oauth2callback?code=x&state=y") }, http.StatusBadRequest, []string{"Please start again"}, "Start again"},
		"no such page":         {func() { b.open("/nothing") }, http.StatusNotFound, []string{"There is no such page", ada}, "All functions"},
		"a post to a page":     {post("/listlabels"), http.StatusMethodNotAllowed, []string{"This does not work here"}, "Try again"},
		"a post to no page":    {post("/nothing"), http.StatusNotFound, []string{"There is no such page"}, "All functions"},
		"too much at once":     {failing("/gmail/", 3, fakegoogle.Failure{Status: http.StatusTooManyRequests}), http.StatusTooManyRequests, []string{"Too much at once", ada}, "Try again"},
		"a Google with faults": {failing("/gmail/", 3, fakegoogle.Failure{Status: http.StatusInternalServerError}), http.StatusBadGateway, []string{"Google had a problem", "tell whoever runs this service the number"}, "Try again"},
		"a Google of nonsense": {failing("/gmail/", 1, fakegoogle.Failure{Garbage: true}), http.StatusBadGateway, []string{"Google had a problem"}, "Try again"},
		"no Google": {func() {
			google.ExpireAccessTokens()
			google.Fail("/gmail/", 1, fakegoogle.Failure{Status: http.StatusUnauthorized})
			failing("/token", 3, fakegoogle.Failure{Status: http.StatusServiceUnavailable})()
		}, http.StatusServiceUnavailable, []string{"Please try again in a moment", ada}, "Try again"},
		"an API switched off": {failing("/gmail/", 1, fakegoogle.Failure{Status: http.StatusForbidden, Reason: "accessNotConfigured"}), http.StatusInternalServerError, []string{"This went wrong here", ada}, "Try again"},
		"an API that the stand-in lacks": {failing("/gmail/", 1, fakegoogle.Failure{Status: http.StatusNotFound, Reason: "standInUnknownApi"}), http.StatusInternalServerError,
			[]string{"The stand-in for Google does not have this API", "-client-secret client_secret.json", "standin/"}, "Try again"},
		"a fault of ours": {failing("/gmail/", 1, fakegoogle.Failure{Status: http.StatusBadRequest}), http.StatusInternalServerError, []string{"This went wrong here", "the number"}, "Try again"},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			c.do()
			b.hasStatus(c.status)
			b.sees(c.see...)
			b.lacks("Not signed in")
			b.link(c.next)
			b.passes()
			google.StopFailing()
			b.press(c.next)
			b.hasStatus(http.StatusOK)
		})
	}
}
