package all_test

import (
	"context"
	"encoding/json"
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
	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/tokenstore"
)

// taskWork is what the job of these tests does for a user at the moment.
var taskWork atomic.Pointer[func(c *httpfunc.Call) error]

func init() {
	for _, name := range []string{"taskjob", "othertaskjob"} {
		httpfunc.ForEveryUser(httpfunc.Function{Name: name, Title: "Do what a test wants", Does: "Does what a test wants.",
			EachUser: func(c *httpfunc.Call) error { return (*taskWork.Load())(c) }})
	}
}

// A taskWorld has users who turned the job on, and counts how often it was done for each.
type taskWorld struct {
	*world
	queue *queue
	mu    sync.Mutex
	done  map[string]int
	slots map[string]bool
}

// newTaskWorld makes n users; work is done for each before it counts.
func newTaskWorld(t *testing.T, n int, work func(c *httpfunc.Call) error) *taskWorld {
	t.Helper()
	store := tokenstore.NewMemory()
	w := &taskWorld{done: map[string]int{}, slots: map[string]bool{}}
	w.world, w.queue = newQueueWorld(t, store, nil, nil)
	for i := range n {
		g := &tokenstore.Grant{Owner: fmt.Sprintf("user%04d", i), Status: tokenstore.Active, RefreshToken: "1//0", AccessToken: "ya29.a0",
			Expiry: time.Now().Add(48 * time.Hour), Jobs: []string{"taskjob"}}
		if err := store.Put(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	f := func(c *httpfunc.Call) error {
		if work != nil {
			if err := work(c); err != nil {
				return err
			}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.done[c.User.ID]++
		w.slots[c.Slot.String()] = true
		return nil
	}
	taskWork.Store(&f)
	return w
}

const slot = "2026-03-02T17:00:00Z"

// post calls the job as a service account of ours does.
func (w *taskWorld) post(job, body string) *answer {
	w.t.Helper()
	token := w.fake.SignIDToken(map[string]any{"aud": w.url + "/" + job, "email": scheduler, "email_verified": true, "sub": "1"})
	return w.browser().do(w.browser().request("POST", "/"+job, strings.NewReader(body), "Authorization", "Bearer "+token,
		"Content-Type", "application/json", "X-CloudScheduler-ScheduleTime", slot))
}

// begin calls the job as the scheduler does.
func (w *taskWorld) begin() {
	w.t.Helper()
	expect(w.t, w.post("taskjob", `{"time_zone":"Europe/Berlin"}`), http.StatusAccepted, `{"queued":true}`)
}

// one returns the only task that is in the queue.
func (w *taskWorld) one() string {
	w.t.Helper()
	names := w.queue.names()
	if len(names) != 1 {
		w.t.Fatalf("%d tasks, want 1", len(names))
	}
	return names[0]
}

// wantDone checks how often the job was done for how many users.
func (w *taskWorld) wantDone(want map[int]int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := map[int]int{}
	for _, n := range w.done {
		got[n]++
	}
	if !maps.Equal(got, want) {
		w.t.Errorf("done so often for so many users: %v, want %v", got, want)
	}
}

func TestTasks(t *testing.T) {
	t.Run("are begun by the scheduler's call, which does nothing else", func(t *testing.T) {
		w := newTaskWorld(t, 250, nil)
		for range 2 { // the scheduler may call twice for one slot
			w.begin()
		}
		w.wantDone(map[int]int{})
		if body := w.queue.body(w.one()); strings.Contains(body, "user") || strings.Contains(body, "2026") {
			t.Errorf("the task is not sealed: %s", body)
		}
	})
	t.Run("go through all users, each page after it has handed out the next", func(t *testing.T) {
		w := newTaskWorld(t, 250, nil)
		w.begin()
		for page, users := range []int{100, 100, 50, 0} {
			a := w.queue.hand(w.one())
			expect(t, a, http.StatusOK, fmt.Sprintf(`{"done":%d,"skipped":0,"failed":0}`, users))
			if done := strings.Contains(w.log.String(), "every page of the job's slot was handed out"); done != (page == 3) {
				t.Errorf("page %d: the log says that every page was handed out: %t", page, done)
			}
		}
		if names := w.queue.names(); len(names) > 0 {
			t.Errorf("left: %v", names)
		}
		w.wantDone(map[int]int{1: 250})
		if want := map[string]bool{"2026-03-02 18:00:00 +0100 CET": true}; !maps.Equal(w.slots, want) {
			t.Errorf("slots %v, want %v", w.slots, want)
		}
		for _, line := range []string{`msg="job slot begins"`, `msg="job page"`} {
			if !strings.Contains(w.log.String(), line) {
				t.Errorf("no %s in the log", line)
			}
		}
	})
	t.Run("that come twice and out of order hand nothing out twice", func(t *testing.T) {
		w := newTaskWorld(t, 250, nil)
		w.begin()
		first := w.one()
		w.queue.lost = func() bool { return true } // so that it keeps every task
		for range 2 {
			expect(t, w.queue.hand(first), http.StatusOK)
		}
		names := w.queue.names()
		if len(names) != 2 {
			t.Fatalf("%d tasks", len(names))
		}
		second := names[slices.IndexFunc(names, func(name string) bool { return name != first })]
		expect(t, w.queue.hand(second), http.StatusOK)
		expect(t, w.queue.hand(first), http.StatusOK)
		if n := len(w.queue.names()); n != 3 {
			t.Errorf("%d tasks", n)
		}
	})
	t.Run("that cannot hand out the next page are not done, and have begun nothing", func(t *testing.T) {
		w := newTaskWorld(t, 150, nil)
		w.begin()
		w.queue.down = true
		a := w.queue.hand(w.one())
		expect(t, a, http.StatusServiceUnavailable)
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		w.wantDone(map[int]int{})
		expect(t, w.post("taskjob", ""), http.StatusServiceUnavailable, `"error":"unavailable"`)
		if n := strings.Count(w.log.String(), `msg="job slot begins"`); n != 1 {
			t.Errorf("the log says %d times that the slot begins", n)
		}
	})
	t.Run("have users whose turn failed in a way that may pass tried again, and nobody else, in one task for their page", func(t *testing.T) {
		var broken atomic.Pointer[string]
		whose := func(suffix string) { broken.Store(&suffix) }
		whose("7")
		w := newTaskWorld(t, 150, func(c *httpfunc.Call) error {
			switch {
			case strings.HasSuffix(c.User.ID, *broken.Load()):
				return fmt.Errorf("%w: today", oauthflow.ErrUnavailable)
			case c.User.ID == "user0001":
				return fmt.Errorf("always")
			}
			return nil
		})
		w.begin()
		expect(t, w.queue.hand(w.one()), http.StatusOK, `{"done":89,"skipped":0,"failed":11}`)
		if n := len(w.queue.names()); n != 2 {
			t.Fatalf("%d tasks, want the next page and one for the users", n)
		}
		var pauses []time.Duration
		next := w.queue.names()[0] // the next page is due at once
		again := w.queue.names()[1]
		for range 9 {
			pauses = append(pauses, w.queue.created[again].Round(time.Minute))
			expect(t, w.queue.hand(again), http.StatusOK, `{"done":0,"skipped":0,"failed":10}`)
			again = slices.DeleteFunc(w.queue.names(), func(name string) bool { return name == next })[0]
		}
		want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}
		for i := range want {
			want[i] *= time.Minute
		}
		if !slices.Equal(pauses, want) {
			t.Errorf("pauses %v, want %v", pauses, want)
		}
		whose("57")
		expect(t, w.queue.hand(again), http.StatusOK, `{"done":9,"skipped":0,"failed":1}`)
		again = slices.DeleteFunc(w.queue.names(), func(name string) bool { return name == next })[0]
		whose("nobody")
		expect(t, w.queue.hand(again), http.StatusOK, `{"done":1,"skipped":0,"failed":0}`)
		if w.one() != next {
			t.Error("a task for users handed out a page")
		}
		w.wantDone(map[int]int{1: 99})
	})
	t.Run("give users up after a day, and say so", func(t *testing.T) {
		w := newTaskWorld(t, 3, func(*httpfunc.Call) error { return oauthflow.ErrUnavailable })
		w.begin()
		for len(w.queue.names()) > 0 {
			for _, name := range w.queue.names() {
				expect(t, w.queue.hand(name), http.StatusOK)
			}
		}
		var all time.Duration
		for _, pause := range w.queue.created {
			all += pause
		}
		if all < 22*time.Hour || all > 24*time.Hour || !strings.Contains(w.log.String(), `msg="job given up for users of a slot"`) {
			t.Errorf("tried for %s", all)
		}
	})
	t.Run("that meet what is wrong for everybody are not done, and try no user by name", func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		w := newTaskWorld(t, 50, func(*httpfunc.Call) error {
			if broken.Load() {
				return oauthflow.ErrInvalidClient
			}
			return nil
		})
		w.begin()
		first := w.one()
		expect(t, w.queue.hand(first), http.StatusServiceUnavailable, `"error":"incomplete"`)
		if n := len(w.queue.names()); n != 2 {
			t.Errorf("%d tasks, want this page and the next", n)
		}
		broken.Store(false)
		expect(t, w.queue.hand(first), http.StatusOK, `{"done":50,"skipped":0,"failed":0}`)
	})
	t.Run("leave out whoever turned the job off or disconnected meanwhile", func(t *testing.T) {
		w := newTaskWorld(t, 3, func(c *httpfunc.Call) error { return oauthflow.ErrUnavailable })
		w.begin()
		expect(t, w.queue.hand(w.one()), http.StatusOK, `"failed":3`)
		if _, err := tokenstore.Update(t.Context(), w.store, "user0001", func(g *tokenstore.Grant) error { g.SetJob("taskjob", false); return nil }); err != nil {
			t.Fatal(err)
		}
		g, err := w.store.Get(t.Context(), "user0002")
		if err == nil {
			err = w.store.Delete(t.Context(), g)
		}
		if err != nil {
			t.Fatal(err)
		}
		expect(t, w.queue.hand(w.queue.names()[1]), http.StatusOK, `{"done":0,"skipped":2,"failed":1}`)
	})
	t.Run("are sealed for their job", func(t *testing.T) {
		w := newTaskWorld(t, 3, nil)
		w.begin()
		page := w.queue.body(w.one())
		expect(t, w.post("othertaskjob", page), http.StatusBadRequest, "no page of this job")
		for _, body := range []string{`{"page":""}`, `{"page":null}`, `{"page":[]}`, `{"page":"x"}`} {
			expect(t, w.post("taskjob", body), http.StatusBadRequest, "no page of this job")
		}
		b := w.browser()
		for _, header := range []string{"", "Bearer x"} {
			if a := b.do(b.request("POST", "/taskjob", strings.NewReader(page), "Content-Type", "application/json", "Authorization", header)); a.status != http.StatusUnauthorized {
				t.Errorf("%q: %d %s", header, a.status, a.body)
			}
		}
		w.wantDone(map[int]int{})
		w.one()
	})
	t.Run("call the job where the scheduler called it", func(t *testing.T) {
		w := newTaskWorld(t, 3, nil)
		address := strings.Replace(w.url, "127.0.0.1", "localhost", 1) + "/taskjob"
		expect(t, w.post("taskjob", `{"time_zone":"Europe/Berlin","address":"`+address+`"}`), http.StatusAccepted)
		expect(t, w.queue.hand(w.one()), http.StatusOK, `"done":3`)
		if task := w.queue.tasks[w.one()].HttpRequest; task.Url != address || task.OidcToken.Audience != w.url+"/taskjob" {
			t.Errorf("%s for %s", task.Url, task.OidcToken.Audience)
		}
		for _, address := range []string{"taskjob", "ftp://host/taskjob", "https://user@host/taskjob", "https:///taskjob", "https://host/#x"} {
			expect(t, w.post("taskjob", `{"time_zone":"Europe/Berlin","address":"`+address+`"}`), http.StatusBadRequest, "address")
		}
	})
}

func TestUsersByName(t *testing.T) {
	t.Run("have the job run for those of them who turned it on, at once and for the slot", func(t *testing.T) {
		w := newTaskWorld(t, 10, nil)
		expect(t, w.post("taskjob", `{"users":["user0003","user0005","nobody"],"time_zone":"Europe/Berlin"}`), http.StatusOK, `{"done":2,"skipped":1,"failed":0}`)
		expect(t, w.post("othertaskjob", `{"users":["user0003"]}`), http.StatusOK, `{"done":0,"skipped":1,"failed":0}`)
		expect(t, w.post("taskjob", `{"users":"user0003"}`), http.StatusOK, `"done":1`)
		w.wantDone(map[int]int{1: 1, 2: 1})
		if !w.slots["2026-03-02 18:00:00 +0100 CET"] {
			t.Errorf("slots %v", w.slots)
		}
	})
	t.Run("are nobody where the list is empty, and not everybody", func(t *testing.T) {
		w := newTaskWorld(t, 10, nil)
		for _, body := range []string{`{"users":[]}`, `{"users":null}`, `{"users":[null]}`} {
			expect(t, w.post("taskjob", body), http.StatusOK, `{"done":0,"skipped":0,"failed":0}`)
		}
		if names := w.queue.names(); len(names) > 0 {
			t.Errorf("%d tasks", len(names))
		}
	})
	t.Run("are at most a page", func(t *testing.T) {
		w := newTaskWorld(t, 1, nil)
		body, _ := json.Marshal(map[string][]string{"users": make([]string, httpfunc.UsersAPage+1)})
		expect(t, w.post("taskjob", string(body)), http.StatusBadRequest, "100 users")
	})
	t.Run("are asked for once more by whoever named them, where that may help", func(t *testing.T) {
		w := newTaskWorld(t, 2, func(c *httpfunc.Call) error {
			if c.User.ID == "user0001" {
				return context.DeadlineExceeded
			}
			return nil
		})
		expect(t, w.post("taskjob", `{"users":["user0001","user0000"]}`), http.StatusServiceUnavailable, `{"done":1,"skipped":0,"failed":1,"error":"incomplete"}`)
	})
}

func TestARunWithoutAQueueTriesUsersAgainForItsSlot(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	w := newTaskWorld(t, 250, func(c *httpfunc.Call) error {
		if broken.Load() && strings.HasSuffix(c.User.ID, "42") {
			return oauthflow.ErrUnavailable
		}
		return nil
	})
	env := w.envWith("TASK_QUEUE", "")
	delete(env, "BASE_URL")
	w.process = w.start(t, env)
	expect(t, w.post("taskjob", ""), http.StatusServiceUnavailable, `{"done":247,"skipped":0,"failed":3,"error":"incomplete"}`)
	expect(t, w.post("taskjob", ""), http.StatusServiceUnavailable, `{"done":0,"skipped":0,"failed":3,"error":"incomplete"}`)
	broken.Store(false)
	if _, err := tokenstore.Update(t.Context(), w.store, "user0042", func(g *tokenstore.Grant) error { g.SetJob("taskjob", false); return nil }); err != nil {
		t.Fatal(err)
	}
	expect(t, w.post("taskjob", ""), http.StatusOK, `{"done":2,"skipped":1,"failed":0}`)
	w.wantDone(map[int]int{1: 249})
	if cursor, err := w.store.Cursor(t.Context(), "taskjob"); err != nil || cursor != `{"last":"2026-03-02T17:00:00Z"}` {
		t.Errorf("cursor %q, %v", cursor, err)
	}
}
