package httpfunc

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

var failure503 = fakegoogle.Failure{Status: http.StatusServiceUnavailable}

const scheduler = "scheduler@project.iam.gserviceaccount.com"

// A job remembers whose turn it had, and for which slot.
type testJob struct {
	*handler
	mu    sync.Mutex
	done  []string
	slots []time.Time
	fails map[string]error // by user
}

func newJob() *testJob {
	j := &testJob{fails: map[string]error{}}
	j.handler = &handler{serve: (*exchange).serveJob, formPage: (*exchange).switchPage, methods: []string{"GET", "HEAD", "POST"}, Function: Function{
		Name: "job", Title: "Work", Scopes: Scopes{{someScope}}, Does: "Works.", Quota: 600_000, Timeout: time.Minute,
		EachUser: func(c *Call) error {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.slots = append(j.slots, c.Slot)
			if err := j.fails[c.User.Email]; err != nil {
				return err
			}
			j.done = append(j.done, c.User.Email)
			return nil
		},
	}}
	return j
}

// run calls the job as Cloud Scheduler does.
func (k *kit) run(j *testJob, account, body string, headers ...string) *httptest.ResponseRecorder {
	token := k.google.SignIDToken(map[string]any{"aud": baseURL + "/job", "email": account, "email_verified": true, "sub": "1"})
	return k.serve(j.handler, request("POST", "/job", body, append([]string{"Authorization", "Bearer " + token, "Content-Type", jsonType}, headers...)...))
}

func TestJobSwitch(t *testing.T) {
	k := newKit(t)
	_, c := k.grant(ada, someScope)
	cookie := c.Name + "=" + c.Value
	j := newJob()
	on := func() bool {
		g, err := k.store.Get(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		return g.HasJob("job")
	}
	page := k.serve(j.handler, request("GET", "/job", "", "Cookie", cookie))
	want(t, page, 200, "Works.", "It is off", "Work</h1>")
	mark := markOn(t, page.Body.String())
	if to := location(t, k.serve(j.handler, request("POST", "/job", "enabled=true&form="+mark, "Cookie", cookie)), http.StatusSeeOther); to != baseURL+"/job?enabled=true" || !on() {
		t.Errorf("%s, on %t", to, on())
	}
	want(t, k.serve(j.handler, request("GET", "/job", "", "Cookie", cookie)), 200, "It is on")
	want(t, k.serve(j.handler, request("POST", "/job", "enabled=perhaps&form="+mark, "Cookie", cookie)), 400, "true or false", "It is on")
	want(t, k.serve(j.handler, request("POST", "/job", `{"enabled":false}`, "Cookie", cookie, "Content-Type", jsonType, "Accept", jsonType)), 200, `{"enabled":false}`)
	if on() {
		t.Error("still on")
	}
	want(t, k.serve(j.handler, request("POST", "/job", "enabled=true", "Accept", jsonType)), 401, "consent_required")
	if len(j.done) != 0 {
		t.Errorf("ran for %v", j.done)
	}
}

// A store in which a session ends between the reading of a grant and its next writing.
type endingStore struct {
	tokenstore.Store
	session string
}

func (s *endingStore) Put(ctx context.Context, g *tokenstore.Grant) error {
	if session := s.session; session != "" {
		s.session = ""
		if _, err := tokenstore.Update(ctx, s.Store, g.Owner, func(g *tokenstore.Grant) error { g.EndSession(session); return nil }); err != nil {
			return err
		}
	}
	return s.Store.Put(ctx, g)
}

func TestASwitchWhoseSessionEndsMeanwhileTurnsNothingOn(t *testing.T) {
	k := newKit(t)
	g, c := k.grant(ada, someScope)
	j := newJob()
	k.store = &endingStore{k.store, g.Sessions[0].Hash}
	want(t, k.serve(j.handler, request("POST", "/job", `{"enabled":true}`, "Cookie", c.Name+"="+c.Value, "Content-Type", jsonType, "Accept", jsonType)), 401, "consent_required")
	if g, err := k.store.Get(t.Context(), ada); err != nil || g.HasJob("job") {
		t.Errorf("%+v, %v", g, err)
	}
}

func TestJobRun(t *testing.T) {
	newRun := func(t *testing.T) (*kit, *testJob) {
		k := newKit(t, "SCHEDULER_ACCOUNT", scheduler)
		for _, email := range []string{ada, grace, "emmy@example.com"} {
			g, _ := k.grant(email, someScope)
			g.SetJob("job", email != grace)
			if err := k.store.Put(t.Context(), g); err != nil {
				t.Fatal(err)
			}
		}
		return k, newJob()
	}
	t.Run("is once for whoever turned it on, for the slot's time in the zone", func(t *testing.T) {
		k, j := newRun(t)
		want(t, k.run(j, scheduler, `{"time_zone":"Asia/Tokyo"}`, "X-CloudScheduler-ScheduleTime", "2026-03-01T18:00:00Z"), 200, `{"done":2,"skipped":0,"failed":0}`)
		if slices.Sort(j.done); !slices.Equal(j.done, []string{ada, "emmy@example.com"}) || j.slots[0].Format(time.RFC3339) != "2026-03-02T03:00:00+09:00" {
			t.Errorf("%v at %v", j.done, j.slots)
		}
		if !strings.Contains(k.logged.String(), "complete=true") {
			t.Error(k.logged)
		}
	})
	t.Run("is started by nobody but the scheduler, and by POST", func(t *testing.T) {
		k, j := newRun(t)
		want(t, k.run(j, "other@project.iam.gserviceaccount.com", `{}`), 403, `"error":"forbidden"`)
		token := k.google.SignIDToken(map[string]any{"aud": baseURL + "/job", "email": scheduler, "email_verified": true, "sub": "1"})
		want(t, k.serve(j.handler, request("GET", "/job", "", "Authorization", "Bearer "+token)), 405)
		if len(j.done) != 0 {
			t.Error(j.done)
		}
	})
	t.Run("refuses a zone or a time that is none", func(t *testing.T) {
		k, j := newRun(t)
		for _, zone := range []string{"Mars/Base", "Local", "../etc", ""} {
			want(t, k.run(j, scheduler, `{"time_zone":"`+zone+`"}`), 400, "time_zone")
		}
		want(t, k.run(j, scheduler, `{"time_zone":"UTC"}`, "X-CloudScheduler-ScheduleTime", "tomorrow"), 400, "ScheduleTime")
		if len(j.done) != 0 {
			t.Error(j.done)
		}
	})
	t.Run("tries again who failed in a way that may pass, and nobody else", func(t *testing.T) {
		k, j := newRun(t)
		slot := []string{"X-CloudScheduler-ScheduleTime", "2026-03-01T18:00:00Z"}
		j.fails[ada] = tokenstore.ErrUnavailable
		w := k.run(j, scheduler, `{"time_zone":"UTC"}`, slot...)
		if want(t, w, 503, `{"done":1,"skipped":0,"failed":1,"error":"incomplete"}`); w.Header().Get("Retry-After") == "" {
			t.Error("the scheduler is not told to try again")
		}
		if !strings.Contains(k.logged.String(), "complete=false") {
			t.Error(k.logged)
		}
		delete(j.fails, ada)
		want(t, k.run(j, scheduler, `{"time_zone":"UTC"}`, slot...), 200, `{"done":1,"skipped":0,"failed":0}`)
		if !slices.Equal(j.done, []string{"emmy@example.com", ada}) {
			t.Error(j.done)
		}
	})
	t.Run("goes on where one fails for good or panics", func(t *testing.T) {
		k, j := newRun(t)
		j.fails[ada] = errors.New("never")
		want(t, k.run(j, scheduler, `{"time_zone":"UTC"}`), 200, `{"done":1,"skipped":0,"failed":1}`)
		each := j.EachUser
		j.EachUser = func(c *Call) error {
			if c.User.Email == ada {
				panic(canary)
			}
			return each(c)
		}
		want(t, k.run(j, scheduler, `{"time_zone":"UTC"}`), 200, `{"done":1,"skipped":0,"failed":1}`)
		if log := k.logged.String(); strings.Contains(log, canary) || strings.Contains(log, ada) {
			t.Error(log)
		}
	})
	t.Run("skips who has to act first, and says why in the log", func(t *testing.T) {
		k, j := newRun(t)
		g, err := k.store.Get(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		g.Status, g.Reason = tokenstore.NeedsConsent, tokenstore.ReasonRevoked
		if err := k.store.Put(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		want(t, k.run(j, scheduler, `{"time_zone":"UTC"}`), 200, `{"done":1,"skipped":1,"failed":0}`)
		if !strings.Contains(k.logged.String(), "job skipped") {
			t.Error(k.logged)
		}
	})
}

// The limiter stands alone here: a run at the pace of a quota would take its time.
func TestRunKeepsToItsQuota(t *testing.T) {
	k := newKit(t)
	x := &exchange{App: k.App, f: &handler{Function: Function{Quota: 600, Timeout: time.Minute}}, r: request("POST", "/job", "")}
	limit := x.newRun(k.at()).limit
	began := time.Now()
	for _, turn := range []struct {
		what  string
		after time.Duration
		n     int
		may   bool
	}{
		{"the first turn begins at once", 0, 1, true},
		{"the second waits for the quota", 0, 1, false},
		{"what a pause of a second left undone is caught up on", time.Second, 10, true},
		{"and no more than that", time.Second, 1, false},
		{"of a long pause, little is", time.Hour, runParallel + 1, false},
	} {
		if may := limit.AllowN(began.Add(turn.after), turn.n); may != turn.may {
			t.Errorf("%s: %t", turn.what, may)
		}
	}
}
