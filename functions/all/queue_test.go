package all_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/api/calendar/v3"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

// TestFaultQueueMakesEveryUserExactlyOneEvent has three processes do the daily job for the pages that a queue hands
// out, over midnight. One process after the other is killed with -9, one answer in ten is lost wherever answers are
// given, one task in twenty is handed to two processes at once, one user in twenty fails once.
func TestFaultQueueMakesEveryUserExactlyOneEvent(t *testing.T) {
	users, nobodies := times(300, 10_000), times(30, 1_000)
	addr, project := tokenstoretest.Emulator(t)
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	store := openStore(t, addr, project, keys)
	waitFor(t, "a new emulator is fast enough", func() bool { return store.UseOnce(t.Context(), seal.NewID(), time.Now()) == nil })

	c := &calendarFaults{midnightAt: int64(users / 4), killEach: int64(users / 5), kill: make(chan bool), kills: times(4, 60)}
	balancer := newBalancer(t)
	w, queue := newQueueWorld(t, store, map[string]string{
		"TOKEN_KEYSET": string(keys.JSON()), "TOKEN_STORE": "firestore", "GOOGLE_CLOUD_PROJECT": project, "FIRESTORE_EMULATOR_HOST": addr,
		"BASE_URL": balancer.url,
	}, c.front)
	queue.lost = func() bool { return rand.N(10) == 0 }

	// Shortly before midnight in Berlin, and long enough before it while the users are made. Midnight comes in the midst of
	// the work, however fast that is.
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	year, month, day := time.Now().In(berlin).Date()
	midnight := time.Date(year, month, day+1, 0, 0, 0, 0, berlin)
	w.clock.advance(time.Until(midnight.Add(-50 * time.Minute)))
	on, off := w.grants(c, users, "on", "dailyevent"), w.grants(c, nobodies, "off")
	w.clock.advance(midnight.Add(-5 * time.Minute).Sub(w.clock.now()))
	w.clockFile = filepath.Join(t.TempDir(), "clock")
	w.shareClock()
	c.midnight = func() {
		w.clock.advance(6 * time.Minute)
		w.shareClock()
	}
	slot := midnight.Add(-10 * time.Minute)

	processes := make([]*exec.Cmd, 3)
	for i := range processes {
		processes[i] = w.startProcess(t, balancer.addrs[i])
	}
	killed := make(chan int)
	stop := make(chan struct{})
	go func() {
		n := 0
		for ; n < c.kills; n++ {
			select {
			case <-stop:
				killed <- n
				return
			case <-c.kill:
			}
			i := n % len(processes)
			processes[i].Process.Kill()
			processes[i].Wait()
			processes[i] = w.startProcess(t, balancer.addrs[i])
		}
		<-stop
		killed <- n
	}()
	began := time.Now()
	waitFor(t, "the scheduler is heard", func() bool {
		r, err := w.scheduled(w.process, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Host = strings.TrimPrefix(balancer.url, "http://")
		r.Header.Set("X-CloudScheduler-ScheduleTime", slot.UTC().Format(time.RFC3339))
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusAccepted
	})
	queue.work(8)
	close(stop)
	kills := <-killed

	want := slot.AddDate(0, 0, 1).Format(time.DateOnly)
	for _, sub := range on {
		if events := w.fake.Events(sub); len(events) != 1 || events[0].Start.Date != want {
			t.Errorf("%s has %d events, %+v; want one on %s", sub, len(events), events, want)
		}
	}
	for _, sub := range off {
		if n := len(w.fake.Events(sub)); n != 0 {
			t.Errorf("%s, who did not ask, has %d events", sub, n)
		}
	}
	before, after, refused, lost := c.before.Load(), c.after.Load(), c.refused.Load(), c.lost.Load()
	again := 0
	for _, pause := range queue.created {
		if pause > 0 {
			again++
		}
	}
	if kills == 0 || again == 0 || before == 0 || after == 0 || refused == 0 || lost == 0 || queue.failed == 0 {
		t.Errorf("nothing to stand: %d kills, %d tasks for users, %d calls before midnight and %d after, %d refused, %d lost, %d attempts failed", kills, again, before, after, refused, lost, queue.failed)
	}
	if log := w.log.String(); !strings.Contains(log, "every page of the job's slot was handed out") || strings.Contains(log, "panic") {
		t.Errorf("the log: %.2000s", log)
	}
	t.Logf("%d users in %.1f s: %d kills, %d tasks, %d of them for users once more, in %d attempts of which %d failed, %d calls of Calendar before midnight and %d after, of which %d were refused and %d answers lost",
		users, time.Since(began).Seconds(), kills, len(queue.created), again, queue.handed, queue.failed, before, after, refused, lost)
}

// calendarFaults are what calls of Calendar meet.
type calendarFaults struct {
	unlucky    sync.Map  // by Authorization header: *atomic.Int64, how many of the user's next calls fail
	midnightAt int64     // after so many calls it becomes midnight,
	midnight   func()    // by this
	killEach   int64     // after so many calls, each time, a process is killed,
	kill       chan bool // if none is being killed,
	kills      int       // and at most so many

	before, after, refused, lost atomic.Int64
}

// front refuses the first calls of unlucky users, as often as one turn tries, and loses one answer in ten.
func (c *calendarFaults) front(w http.ResponseWriter, r *http.Request, google http.Handler) {
	if !strings.HasPrefix(r.URL.Path, "/calendar/") {
		google.ServeHTTP(w, r)
		return
	}
	time.Sleep(20 * time.Millisecond)
	switch n := c.before.Load(); {
	case n >= c.midnightAt:
		c.after.Add(1)
	case c.before.Add(1) == c.midnightAt:
		c.midnight()
	}
	if (c.before.Load()+c.after.Load())%c.killEach == 0 {
		select {
		case c.kill <- true:
		default:
		}
	}
	if left, ok := c.unlucky.Load(r.Header.Get("Authorization")); ok && left.(*atomic.Int64).Add(-1) >= 0 {
		c.refused.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	answer := httptest.NewRecorder()
	google.ServeHTTP(answer, r)
	if rand.N(10) == 0 {
		c.lost.Add(1)
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// grants makes n users of Google who gave permission, with these jobs on. One in twenty is unlucky.
func (w *world) grants(c *calendarFaults, n int, name string, jobs ...string) []string {
	w.t.Helper()
	tokens := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, r.Header.Get("Authorization")) }))
	defer tokens.Close()
	subjects := make([]string, n)
	for i := range n {
		subjects[i] = fmt.Sprintf("%s%05d", name, i)
		w.fake.AddUser(fakegoogle.User{Subject: subjects[i], Email: subjects[i] + "@example.com"})
	}
	var next atomic.Int64
	atOnce(16, func(int) {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			res, err := w.fake.UserClient(tokens.URL, subjects[i], calendar.CalendarEventsOwnedScope).Get(tokens.URL)
			if err != nil {
				w.t.Error(err)
				return
			}
			header, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if i%20 == 0 {
				left := new(atomic.Int64)
				left.Store(3) // as often as one turn tries
				if i == 0 {
					left.Store(int64(3 * (c.kills + 2))) // so that no kill makes all forget that somebody is to be tried again
				}
				c.unlucky.Store(string(header), left)
			}
			g := &tokenstore.Grant{Owner: subjects[i], Email: subjects[i] + "@example.com", Status: tokenstore.Active, Client: "test-client", RefreshToken: "1//0",
				AccessToken: seal.Secret(strings.TrimPrefix(string(header), "Bearer ")), Expiry: w.clock.now().Add(59 * time.Minute), Consented: w.clock.now(),
				Scopes: []string{calendar.CalendarEventsOwnedScope}, Jobs: jobs}
			for tries := 0; ; tries++ {
				if err = w.store.Store.Put(w.t.Context(), g.Clone()); err == nil || tries == 5 {
					break
				}
			}
			if err != nil {
				w.t.Error(err)
				return
			}
		}
	})
	return subjects
}

// A balancer passes each request on to one of three addresses.
type balancer struct {
	url   string
	addrs [3]string
}

func newBalancer(t *testing.T) *balancer {
	b := &balancer{}
	for i := range b.addrs {
		b.addrs[i] = freeAddr(t)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: b.addrs[rand.N(len(b.addrs))]})
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

// shareClock has the processes of startProcess go by the world's clock.
func (w *world) shareClock() {
	if err := os.WriteFile(w.clockFile+".new", []byte(time.Duration(w.clock.ahead.Load()).String()), 0o600); err != nil {
		w.t.Error(err)
	}
	if err := os.Rename(w.clockFile+".new", w.clockFile); err != nil {
		w.t.Error(err)
	}
}

// startProcess starts this test's binary as a process that serves every function at addr, with the world's environment
// and clock. It ends when its standard input does: with us.
func (w *world) startProcess(t *testing.T, addr string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestServeAsProcess$")
	cmd.Stdout, cmd.Stderr = w.log, w.log
	cmd.Env = append(os.Environ(), "SERVE_AT="+addr, "SERVE_CLOCK="+w.clockFile)
	for name, value := range w.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Error(err)
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return cmd
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

// TestServeAsProcess is no test: it is what startProcess runs.
func TestServeAsProcess(t *testing.T) {
	addr := os.Getenv("SERVE_AT")
	if addr == "" {
		t.Skip("this is what another test starts")
	}
	now := func() time.Time {
		b, err := os.ReadFile(os.Getenv("SERVE_CLOCK"))
		if err != nil {
			t.Error(err)
		}
		ahead, err := time.ParseDuration(string(b))
		if err != nil {
			t.Error(err)
		}
		return time.Now().Add(ahead)
	}
	app, err := httpfunc.New(httpfunc.Options{Getenv: os.Getenv, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, name := range httpfunc.Names() {
		mux.Handle("/"+name, app.Handler(name))
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	http.Serve(listener, mux)
}
