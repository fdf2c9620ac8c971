package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
)

// inProcess serves a site of the runner in this process, with Google in reach.
func inProcess(t *testing.T) *runner {
	t.Helper()
	return inProcessWith(t, nil)
}

// inProcessWith is inProcess with an environment.
func inProcessWith(t *testing.T, env map[string]string) *runner {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	addr := server.Listener.Addr().String()
	out := &output{}
	site, err := newSite(&settings{addr: addr}, func(name string) string { return env[name] }, out)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = site.handler()
	server.Start()
	t.Cleanup(server.Close)
	return &runner{t: t, url: server.URL, frontEnd: site.frontEnd, google: site.google, out: out}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	r := inProcess(t)
	r.expect(http.StatusOK, `{"done":0,"skipped":0,"failed":0}`, "Nobody has turned the job on yet")(r.schedule("same-origin"))

	c := client()
	r.signIn(c, "/dailyevent", ada)
	r.expect(http.StatusOK, `"enabled":true`)(r.send(c, "POST", "/dailyevent", `{"enabled":true}`, "Content-Type", "application/json"))
	for range 2 {
		r.expect(http.StatusOK, `{"done":1,"skipped":0,"failed":0}`, "scheduler@local.iam.gserviceaccount.com")(r.schedule("same-origin"))
	}
	if events := r.google.Events(r.google.Users()[0].Subject); len(events) != 1 || events[0].Summary != "Plan the day" {
		t.Errorf("the calendar holds %+v, want the event once", events)
	}

	r.google.Fail("/calendar/", 1, fakegoogle.Failure{Status: http.StatusForbidden})
	r.expect(http.StatusOK, `{"done":0,"skipped":0,"failed":1}`)(r.schedule("same-origin"))

	r.google.Fail("/oauth2/v3/certs", 1, fakegoogle.Failure{Drop: true}) // the keys are known by now
	r.expect(http.StatusOK, `{"done":1,"skipped":0,"failed":0}`)(r.schedule("same-origin"))
}

func TestScheduleRefusesAnotherSite(t *testing.T) {
	t.Parallel()
	r := inProcess(t)
	r.expect(http.StatusForbidden, "another website")(r.schedule("cross-site"))
	r.expect(http.StatusMethodNotAllowed)(r.send(client(), "GET", "/schedule/dailyevent", "", "Accept", "text/html"))
	if n := r.google.Calls("/"); n != 0 {
		t.Errorf("%d calls to Google", n)
	}
}

func TestScheduleIsForTheStandInOnly(t *testing.T) {
	t.Parallel()
	r, _ := startWithGoogle(t)
	r.expect(http.StatusNotFound)(r.schedule("same-origin"))
	_, _, index := r.send(client(), "GET", "/", "", "Accept", "text/html")
	if strings.Contains(index, "Run now") || strings.Contains(index, "A stand-in plays Google") {
		t.Errorf("the index offers what is not there: %s", index)
	}
}

// schedule presses the button, on a page of the site named.
func (r *runner) schedule(site string) (int, http.Header, string) {
	r.t.Helper()
	return r.send(client(), "POST", "/schedule/dailyevent", "", "Accept", "text/html", "Sec-Fetch-Site", site)
}
