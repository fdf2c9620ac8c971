package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"functions.local/oauth/shared/fakegoogle"
)

// newAppTab opens the front end's page in a browser of its own.
func newAppTab(t testing.TB, r *runner) *tab {
	t.Helper()
	b := newTab(t, r)
	b.url = strings.TrimSuffix(r.frontEnd, "/")
	b.open("/")
	return b
}

func TestFrontEnd(t *testing.T) {
	t.Parallel()
	t.Run("has a user's labels listed after consent on Google's page", func(t *testing.T) {
		b := newAppTab(t, inProcess(t))
		b.passes()
		b.click("Mary Somerville")
		b.sees("Signed in to your app as mary@app.example")
		b.passes()
		b.click("List my labels")
		b.sees("No Google account is connected yet.")
		b.passes()
		b.press("Give permission on Google’s page")
		b.press("Ada Lovelace")
		b.sees("gmail.labels")
		b.press("Continue")
		b.isAt("/") // with neither code nor state in the address
		b.sees(`"INBOX"`, "mary@app.example")
		b.passes()
	})
	t.Run("asks in a window, for Calendar when it is needed, and has a job done in the background", func(t *testing.T) {
		r := inProcess(t)
		b := newAppTab(t, r)
		b.click("Charles Babbage")
		b.click("List my labels")
		w := b.pressForTab("Give permission in a window")
		w.press("Grace Hopper")
		w.lacks("calendar")
		w.click("Continue")
		b.sees(`"INBOX"`)

		b.click("Create an appointment")
		b.sees("a permission that you have not given yet")
		w = b.pressForTab("Give permission in a window")
		w.sees("calendar.events.owned")
		w.lacks("gmail.labels")
		w.click("Continue")
		b.sees(`"id":`)

		b.click("Turn on: Plan every day")
		b.sees(`"enabled": true`)
		r.expect(http.StatusOK, `{"done":1,"skipped":0,"failed":0}`)(r.schedule("same-origin"))
		if events := r.google.Events(grace); len(events) != 1 {
			t.Errorf("the calendar holds %+v", events)
		}
		b.click("Show it")
		b.sees(grace, `"jobs": [`)

		b.click("Disconnect")
		b.sees("Google has withdrawn the permission")
		b.click("List my labels")
		b.sees("No Google account is connected yet.")
		r.expect(http.StatusOK, `{"done":0,"skipped":0,"failed":0}`)(r.schedule("same-origin"))
	})
	t.Run("tells of a consent that was not given", func(t *testing.T) {
		b := newAppTab(t, inProcess(t))
		b.click("Mary Somerville")
		b.click("List my labels")
		b.press("Give permission on Google’s page")
		b.press("Ada Lovelace")
		b.press("Cancel")
		b.isAt("/")
		b.sees("Google did not give permission (access_denied).")
		b.click("List my labels")
		w := b.pressForTab("Give permission in a window")
		w.click("Cancel")
		b.sees("Google did not give permission (access_denied).")
	})
	t.Run("takes another Google account only when the user says so", func(t *testing.T) {
		r := inProcess(t)
		b := newAppTab(t, r)
		b.click("Mary Somerville")
		b.click("List my labels")
		b.press("Give permission on Google’s page")
		b.press("Ada Lovelace")
		b.press("Continue")
		b.sees("Analytical Engine") // a label of Ada's
		b.click("Create an appointment")
		w := b.pressForTab("Give permission in a window")
		w.press(ada) // the account that Google takes, which can be changed
		w.press("Grace Hopper")
		w.click("Continue")
		b.sees("Another Google account is connected, so nothing was changed.")
		b.passes()
		b.press("Use another account from now on")
		b.press("Grace Hopper")
		// Google gave its one refresh token to the window, where it was not wanted.
		b.sees("Google gave no lasting permission this time")
		b.press("Use another account from now on")
		b.press("Grace Hopper")
		b.press("Continue")
		b.sees(`"id":`)
		b.click("Show it")
		b.sees(grace)
	})
}

func TestOneTap(t *testing.T) {
	t.Parallel()
	r := inProcessWith(t, map[string]string{"AUTH_ISSUER": "https://accounts.google.com"})
	b := newAppTab(t, r)
	b.sees("With Google’s One Tap")
	var shown bool
	b.do(chromedp.Evaluate(`document.querySelector("iframe") !== null`, &shown))
	if !shown {
		t.Errorf("One Tap is not shown on %s", b.describe())
	}
	w := b.pressForTab("Sign in with Google")
	w.click("Ada Lovelace")
	b.sees("Signed in to your app as " + ada)
	b.click("List my labels")
	b.press("Give permission on Google’s page")
	b.press("Ada Lovelace")
	b.press("Continue")
	b.sees(`"INBOX"`)

	b.url = r.url // the same person with the cookie has the same grant
	b.open("/listlabels")
	b.isAt("/listlabels")
	b.sees("10 label(s) found:")
}

// asApp calls a function as an app's user.
func (r *runner) asApp(user, method, path, body string, headers ...string) (int, http.Header, string) {
	r.t.Helper()
	headers = append(headers, "Authorization", "Bearer "+r.google.AppToken(user, nil))
	if body != "" {
		headers = append(headers, "Content-Type", "application/json")
	}
	return r.send(client(), method, path, body, headers...)
}

// consentLink is what an app's user who has no grant is sent to Google with.
func (r *runner) consentLink(user, path string) string {
	r.t.Helper()
	_, _, body := r.asApp(user, "GET", path, "")
	var answer struct {
		URL string `json:"consent_url"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.URL == "" {
		r.t.Fatalf("no consent_url (%v) in %s", err, body)
	}
	return answer.URL
}

// Mallory, who is Charles to the app, and Victor, who is Mary, each with a browser of their own (62).
func TestFixation(t *testing.T) {
	t.Parallel()
	unchanged := func(t *testing.T, r *runner) {
		t.Helper()
		if n := r.google.Calls("/token"); n != 0 {
			t.Errorf("%d exchanges", n)
		}
		for _, user := range []string{"mary-7f3a", "charles-21c8"} {
			r.expect(http.StatusUnauthorized, "consent_required")(r.asApp(user, "GET", "/listlabels", ""))
		}
	}
	t.Run("Mallory's link does not get her Victor's labels", func(t *testing.T) {
		r := inProcess(t)
		link := r.consentLink("charles-21c8", "/listlabels")
		victor := newAppTab(t, r)
		victor.click("Mary Somerville")
		victor.sees("mary@app.example")
		victor.goes(chromedp.Navigate(link))
		victor.press("Ada Lovelace")
		victor.press("Continue")
		victor.sees("This sign-in was begun in another browser")
		unchanged(t, r)
	})
	t.Run("nor where Victor is signed out of the app", func(t *testing.T) {
		r := inProcess(t)
		link := r.consentLink("charles-21c8", "/listlabels")
		victor := newAppTab(t, r)
		victor.goes(chromedp.Navigate(link))
		victor.press("Ada Lovelace")
		victor.press("Continue")
		victor.sees("Sign in to your app")
		victor.click("Mary Somerville")
		victor.sees("This sign-in was begun in another browser")
		unchanged(t, r)
	})
	t.Run("Mallory's code does not make Victor use her account", func(t *testing.T) {
		r := inProcess(t)
		mallory := newAppTab(t, r)
		mallory.click("Charles Babbage")
		mallory.sees("charles@app.example")
		back, err := r.google.Authorize(r.consentLink("charles-21c8", "/listlabels"), fakegoogle.Decision{User: grace})
		if err != nil {
			t.Fatal(err)
		}
		_, header, _ := r.send(client(), "GET", back, "", "Accept", "text/html")
		handed := header.Get("Location")
		if !strings.HasPrefix(handed, r.frontEnd+"#code=") {
			t.Fatalf("the callback hands on to %s", handed)
		}
		victor := newAppTab(t, r)
		victor.click("Mary Somerville")
		victor.sees("mary@app.example")
		victor.goes(chromedp.Navigate("about:blank"))
		victor.goes(chromedp.Navigate(handed))
		victor.sees("This sign-in was begun in another browser")
		unchanged(t, r)
		mallory.goes(chromedp.Navigate("about:blank"))
		mallory.goes(chromedp.Navigate(handed)) // it is good for herself
		mallory.sees(grace, `"missing_scopes": []`)
		mallory.click("List my labels")
		mallory.sees(`"INBOX"`)
	})
}

// The page is the same, but FRONT_ENDS names another one (66).
func TestForeignFrontEnd(t *testing.T) {
	t.Parallel()
	const page = "http://localhost:1/app"
	r := inProcessWith(t, map[string]string{"FRONT_ENDS": page})
	b := newAppTab(t, r)
	b.refuses = "(blocked by CORS policy|net::ERR_FAILED)"
	b.click("Mary Somerville")
	for n, button := range []string{"List my labels", "Turn on: Plan every day", "Show it", "Disconnect"} {
		b.click(button)
		b.sees("Failed to fetch")
		b.mu.Lock()
		if b.refused <= n {
			t.Errorf("%s: the browser reports nothing", button)
		}
		b.mu.Unlock()
		b.open("/")
		b.sees("Signed in to your app as")
	}
	if n := r.google.Calls("/token"); n != 0 {
		t.Errorf("%d exchanges", n)
	}
	_, header, body := r.asApp("mary-7f3a", "GET", "/listlabels?return_to="+url.QueryEscape(r.frontEnd), "", "Origin", strings.TrimSuffix(r.frontEnd, "/"))
	if header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("it may read %s", body)
	}
	back, err := r.google.Authorize(r.consentLink("mary-7f3a", "/listlabels?return_to="+url.QueryEscape(r.frontEnd)), fakegoogle.Decision{User: ada})
	if err != nil {
		t.Fatal(err)
	}
	if _, header, _ = r.send(client(), "GET", back, "", "Accept", "text/html"); !strings.HasPrefix(header.Get("Location"), page+"#code=") {
		t.Errorf("consent comes back to %s", header.Get("Location"))
	}
}
