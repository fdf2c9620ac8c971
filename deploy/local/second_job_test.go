package main

import (
	"net/http"
	"sync/atomic"
	"testing"

	"google.golang.org/api/calendar/v3"

	"functions.local/oauth/shared/httpfunc"
)

// secondRuns counts the turns of a job that somebody adds.
var secondRuns atomic.Int64

func init() {
	httpfunc.ForEveryUser(httpfunc.Function{
		Name: "secondjob", Title: "Water the plants", Does: "Waters the plants.", Permission: "see and edit events on calendars that you own",
		Scopes: httpfunc.Scopes{{calendar.CalendarEventsOwnedScope}}, EachUser: func(*httpfunc.Call) error { secondRuns.Add(1); return nil },
	})
}

func TestSecondJob(t *testing.T) {
	t.Parallel()
	r := inProcess(t)
	r.expect(http.StatusOK, `action="`+r.url+`/schedule/secondjob"`, "Run now: Water the plants")(r.send(client(), "GET", "/", "", "Accept", "text/html"))
	c := client()
	r.signIn(c, "/secondjob", ada)
	r.expect(http.StatusOK, `"enabled":true`)(r.send(c, "POST", "/secondjob", `{"enabled":true}`, "Content-Type", "application/json"))
	r.expect(http.StatusOK, `{"done":0,"skipped":0,"failed":0}`)(r.schedule("same-origin")) // the other one
	r.expect(http.StatusOK, `{"done":1,"skipped":0,"failed":0}`, "it called <code>secondjob</code>")(
		r.send(client(), "POST", "/schedule/secondjob", "", "Accept", "text/html", "Sec-Fetch-Site", "same-origin"))
	if n := secondRuns.Load(); n != 1 {
		t.Errorf("%d turns", n)
	}
}
