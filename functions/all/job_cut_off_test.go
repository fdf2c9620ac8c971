package all_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/tokenstore"
)

const (
	monday  = "2026-03-02T06:00:00Z"
	tuesday = "2026-03-03T06:00:00Z"
)

// jobWork is what the job of these tests does for a user at the moment.
var jobWork atomic.Pointer[func(ctx context.Context, subject string) error]

func init() {
	httpfunc.ForEveryUser(httpfunc.Function{Name: "faultjob", Title: "Do what a test wants", Does: "Does what a test wants.", EachUser: func(c *httpfunc.Call) error {
		return (*jobWork.Load())(c.Context(), c.User.ID)
	}})
}

// A jobWorld has users who turned the job on, and counts how often it was done for each.
type jobWorld struct {
	*world
	mu   sync.Mutex
	done map[string]int
}

// newJobWorld makes n users; work is done for each before it counts.
func newJobWorld(t *testing.T, store tokenstore.Store, n int, work func(w *jobWorld, ctx context.Context, subject string) error) *jobWorld {
	t.Helper()
	w := &jobWorld{world: newWorld(t, store, nil), done: map[string]int{}}
	for i := range n {
		g := &tokenstore.Grant{Owner: fmt.Sprintf("user%04d", i), Status: tokenstore.Active, RefreshToken: "1//0", AccessToken: "ya29.a0",
			Expiry: time.Now().Add(24 * time.Hour), Jobs: []string{"faultjob"}}
		if err := store.Put(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	f := func(ctx context.Context, subject string) error {
		if err := work(w, ctx, subject); err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.done[subject]++
		return nil
	}
	jobWork.Store(&f)
	return w
}

// run calls the job as the scheduler does for the slot.
func (w *jobWorld) run(slot string) *answer { return w.browser().do(w.runRequest(slot)) }

func (w *jobWorld) runRequest(slot string) *http.Request {
	token := w.fake.SignIDToken(map[string]any{"aud": w.url + "/faultjob", "email": scheduler, "email_verified": true, "sub": "1"})
	return w.browser().request("POST", "/faultjob", nil, "Authorization", "Bearer "+token, "X-CloudScheduler-ScheduleTime", slot)
}

// times returns how often the job was done for how many users.
func (w *jobWorld) times() map[int]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	times := map[int]int{}
	for _, n := range w.done {
		times[n]++
	}
	return times
}

func (w *jobWorld) wantTimes(what string, want map[int]int) {
	w.t.Helper()
	if got := w.times(); !maps.Equal(got, want) {
		w.t.Errorf("%s: done so often for so many users: %v, want %v", what, got, want)
	}
}

func TestFaultJobRunThatItsDeadlineCutOffGoesOnWhereItWas(t *testing.T) {
	const users = 250
	var slow atomic.Int64 // after so many users the clock is past the run's time
	slow.Store(70)
	w := newJobWorld(t, tokenstore.NewMemory(), users, func(w *jobWorld, _ context.Context, _ string) error {
		if slow.Add(-1) == 0 {
			w.clock.advance(30 * time.Minute)
		}
		return nil
	})
	cut := w.run(monday)
	expect(t, cut, http.StatusServiceUnavailable, `"error":"incomplete"`)
	if cut.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	first := w.times()[1]
	if first < 70 || first > 70+64 || cut.member(t, "done") != float64(first) {
		t.Errorf("done for %d users before the cut, reported %v", first, cut.member(t, "done"))
	}
	t.Run("at a retry of the same slot, with nobody served twice or left out", func(t *testing.T) {
		expect(t, w.run(monday), http.StatusOK, fmt.Sprintf(`"done":%d,"skipped":0,"failed":0`, users-first))
		w.wantTimes("after the retry", map[int]int{1: users})
	})
	t.Run("and a whole run leaves no cursor", func(t *testing.T) {
		expect(t, w.run(monday), http.StatusOK, fmt.Sprintf(`"done":%d`, users))
		w.wantTimes("after one more", map[int]int{2: users})
	})
	t.Run("but the next slot begins anew", func(t *testing.T) {
		slow.Store(70)
		expect(t, w.run(tuesday), http.StatusServiceUnavailable)
		expect(t, w.run("2026-03-04T06:00:00Z"), http.StatusOK, fmt.Sprintf(`"done":%d,"skipped":0,"failed":0`, users))
	})
}

func TestFaultJobRunThatTheStoreCutOffGoesOnWhereItWas(t *testing.T) {
	const users = 250
	store := &paged{Store: tokenstore.NewMemory()}
	w := newJobWorld(t, store, users, func(*jobWorld, context.Context, string) error { return nil })
	store.failAt.Store(2)
	expect(t, w.run(monday), http.StatusServiceUnavailable, `"done":100,"skipped":0,"failed":0,"error":"incomplete"`)
	expect(t, w.run(monday), http.StatusOK, `"done":150,"skipped":0,"failed":0}`)
	w.wantTimes("after the retry", map[int]int{1: users})
}

func TestFaultJobRunWhoseCallerHungUpLeavesNobodyOut(t *testing.T) {
	const users = 200
	ctx, hangUp := context.WithCancel(t.Context())
	begun := make(chan struct{}, 3*users)
	w := newJobWorld(t, tokenstore.NewMemory(), users, func(_ *jobWorld, job context.Context, _ string) error {
		begun <- struct{}{}
		if len(begun) >= 16 {
			hangUp()
		}
		<-ctx.Done()
		// What a call to Google does: it ends with its context.
		select {
		case <-job.Done():
			return job.Err()
		case <-time.After(50 * time.Millisecond):
			return nil
		}
	})
	if _, err := w.browser().try(w.runRequest(monday).WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	waitFor(t, "the run ends", func() bool { return strings.Contains(w.log.String(), "job run") })
	expect(t, w.run(monday), http.StatusOK)
	if got := len(w.done); got != users {
		t.Errorf("done for %d of %d users", got, users)
	}
}

func TestFaultOneUsersFailureDoesNotStopTheOthers(t *testing.T) {
	var nobody *jobWorld
	faults := []func(context.Context) error{
		func(context.Context) error { return errors.New("canary-error") },
		func(context.Context) error { panic("canary-panic") },
		func(context.Context) error { panic(errors.New("canary-panic")) },
		func(context.Context) error { nobody.done["x"]++; return nil },
		func(context.Context) error { return context.Canceled },
	}
	w := newJobWorld(t, tokenstore.NewMemory(), 50, func(_ *jobWorld, ctx context.Context, subject string) error {
		var i int
		fmt.Sscanf(subject, "user%d", &i)
		if i%10 == 0 {
			return faults[i/10](ctx)
		}
		return nil
	})
	for round := range 2 {
		expect(t, w.run([]string{monday, tuesday}[round]), http.StatusOK, `"done":45,"skipped":0,"failed":5`)
		w.wantTimes("round", map[int]int{round + 1: 45})
	}
	if log := w.log.String(); strings.Contains(log, "canary-panic") || strings.Count(log, "job failed for a user") != 10 {
		t.Errorf("the log: %s", log)
	}
}

// TestFaultJobHoldsFewUsersInMemory blocks the first users and looks how far the run goes.
func TestFaultJobHoldsFewUsersInMemory(t *testing.T) {
	const users = 1000
	store := &paged{Store: tokenstore.NewMemory()}
	var at, most atomic.Int64
	open := make(chan struct{})
	w := newJobWorld(t, store, users, func(*jobWorld, context.Context, string) error {
		n := at.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-open
		at.Add(-1)
		return nil
	})
	ended := make(chan *answer, 1)
	go func() {
		defer close(ended)
		ended <- w.run(monday)
	}()
	waitFor(t, "64 users are served", func() bool { return at.Load() >= 64 })
	if n := store.read.Load(); n > 100 {
		t.Errorf("%d users were read", n)
	}
	close(open)
	expect(t, <-ended, http.StatusOK, fmt.Sprintf(`"done":%d`, users))
	if most.Load() > 64 || slices.Max(store.pages()) > 100 {
		t.Errorf("%d users at once, %v a page", most.Load(), store.pages())
	}
}

// A paged store counts the grants that a job reads, and fails to read one page.
type paged struct {
	tokenstore.Store
	read   atomic.Int64
	failAt atomic.Int64 // the page, from 1
	mu     sync.Mutex
	each   []int
}

func (s *paged) ByJob(ctx context.Context, job, after string, limit int) ([]*tokenstore.Grant, error) {
	if s.failAt.Add(-1) == 0 {
		return nil, tokenstore.ErrUnavailable
	}
	page, err := s.Store.ByJob(ctx, job, after, limit)
	s.read.Add(int64(len(page)))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.each = append(s.each, len(page))
	return page, err
}

func (s *paged) pages() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.each)
}
