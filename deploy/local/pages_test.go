package main

import (
	_ "embed"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"functions.local/oauth/shared/fakegoogle"
)

//go:embed testdata/audit.js
var audit string

// axe is axe-core, the checks that the field knows best, where .ci/run has put it; else "".
var axe = sync.OnceValue(func() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	found, _ := filepath.Glob(filepath.Join(cache, "axe-core-*", "axe.min.js"))
	if len(found) == 0 {
		return ""
	}
	b, _ := os.ReadFile(found[len(found)-1])
	return string(b)
})

// axeFaults runs axe-core over the page and lists what it finds.
const axeFaults = `axe.run().then((found) => found.violations.flatMap((v) => v.nodes.map((n) => "axe: " + v.id + ": " + n.html + " " + n.failureSummary)))`

// maxPage is what a page may weigh, in characters.
const maxPage = 20_000

// passes audits the page as a phone and a desktop show it, and a desktop with everything twice as large, in light
// and in dark, the dark one for somebody who wants nothing to move.
func (b *tab) passes() {
	b.t.Helper()
	var (
		url    string
		weight int
		more   []string
		ours   bool // a page of the functions, and none of a front end
	)
	b.do(chromedp.Location(&url), chromedp.Evaluate(`!document.querySelector("link[rel=stylesheet]")`, &ours), chromedp.Evaluate(`document.documentElement.outerHTML.length`, &weight),
		chromedp.Evaluate(`performance.getEntriesByType("resource").filter((r) => r.initiatorType !== "xmlhttprequest").map((r) => r.name)`, &more))
	if path := strings.TrimPrefix(url, b.url); ours && path != "/popup" && (weight > maxPage || len(more) > 0) {
		b.t.Errorf("%s has %d characters and loads %v", url, weight, more)
	}
	if axe() != "" {
		b.do(chromedp.Evaluate(axe()+";0", nil))
	}
	for scheme, motion := range map[string]string{"light": "no-preference", "dark": "reduce"} {
		for _, width := range []int64{320, 640, 1280} {
			if few := os.Getenv("CI") != "true" && *pictures == ""; few && scheme+fmt.Sprint(width) != "dark320" && scheme+fmt.Sprint(width) != "light1280" {
				continue // the whole check looks at all
			}
			scale := 1.0
			if width == 640 {
				scale = 2
			}
			var faults, more []string
			b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion}}),
				emulation.SetDeviceMetricsOverride(width, 800, scale, width < 500), drawn,
				chromedp.Evaluate(audit, &faults))
			if axe() != "" {
				b.do(chromedp.Evaluate(axeFaults, &more, promised))
			}
			b.picture(fmt.Sprintf("%s-%d", scheme, width))
			for _, fault := range append(faults, more...) {
				b.t.Errorf("%s, %s, %d px: %s", url, scheme, width, fault)
			}
		}
	}
	b.do(emulation.ClearDeviceMetricsOverride(), drawn)
}

// promised waits for the promise that is evaluated.
func promised(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// drawn waits until the page is drawn as it is to be: a click before that misses.
var drawn = chromedp.Evaluate(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, nil, promised)

func TestPages(t *testing.T) {
	t.Parallel()
	if axe() == "" {
		t.Log("without axe-core, which .ci/run puts into the cache folder: only our own audit is made")
	}
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
	page("Create a file")
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
	page("Create an appointment")
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
	page("My account", "Plan every day in the background")
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
	b.sees("Disconnect this account?")
	b.passes()
	b.press(button)
}

// Every page that tells of an error says what to do next, and who is signed in if it is known.
func TestErrorPages(t *testing.T) {
	t.Parallel()
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
		"no such page":         {func() { b.open("/nothing") }, http.StatusNotFound, []string{"There is no such page"}, "All functions"},
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
