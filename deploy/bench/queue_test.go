package bench_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/api/cloudtasks/v2"

	"functions.local/oauth/shared/httpfunc"
)

// BenchmarkQueue measures a run of dailyevent whose work takes so long for a user: by one process alone, and by one and
// by three behind a queue with the rate that setup gives it, which is Calendar's quota.
func BenchmarkQueue(b *testing.B) {
	for _, work := range []time.Duration{200 * time.Millisecond, 5 * time.Second} {
		for _, processes := range []int{0, 1, 3} {
			name := fmt.Sprintf("work=%s/processes=%d", work, processes)
			if processes == 0 {
				name = fmt.Sprintf("work=%s/no queue", work)
			}
			b.Run(name, func(b *testing.B) { queueRun(b, b.N, 1200, work, processes) })
		}
	}
}

// queueRun measures runs for n users, with a queue if there are processes behind it.
func queueRun(tb testing.TB, rounds, n int, work time.Duration, processes int) {
	w := newWorld(tb)
	w.users(n, "dailyevent")
	var all []*process
	q := &queue{tb: tb, sign: w.sign}
	mux := http.NewServeMux()
	mux.Handle("POST /v2/"+queueName+"/tasks", q)
	mux.HandleFunc("POST "+eventsPath, func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(work)
		q.mu.Lock()
		q.events++
		q.mu.Unlock()
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, `{"id":"1"}`)
	})
	mux.Handle("GET /oauth2/v3/certs", signer())
	google := httptest.NewServer(mux)
	defer google.Close()
	balancer := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		to, err := url.Parse(all[rand.N(len(all))].url)
		if err != nil {
			tb.Error(err)
			return
		}
		r.SetURL(to)
	}})
	defer balancer.Close()
	settings := []string{"GOOGLE_BASE_URL=" + google.URL}
	if processes > 0 {
		settings = append(settings, "TASK_QUEUE="+queueName)
	}
	for range max(processes, 1) {
		all = append(all, start(tb, ours, binary(tb, ours, "dailyevent"), w.environment("dailyevent", settings...), nil, "/", anyStatus))
	}
	var elapsed, cpu time.Duration
	for range rounds {
		before, made := used(tb, all), q.events
		began := time.Now()
		r := all[0].request(tb, "POST", "/dailyevent", strings.NewReader(`{"time_zone":"Etc/UTC","address":"`+balancer.URL+`/dailyevent"}`), w.runHeader("dailyevent"))
		if status, body, err := all[0].do(r); err != nil || status/100 != 2 {
			tb.Fatalf("%d %s %v", status, body, err)
		}
		q.all.Wait()
		elapsed += time.Since(began)
		cpu += used(tb, all) - before
		if q.events-made != n {
			tb.Fatalf("%d users, want %d", q.events-made, n)
		}
	}
	peak := 0.0
	for _, p := range all {
		_, most := p.memory(tb)
		peak = max(peak, most)
	}
	if b, ok := tb.(*testing.B); ok {
		b.ReportMetric(0, "ns/op") // most of it makes the users
		b.ReportMetric(float64(rounds*n)/elapsed.Seconds(), "users/s")
		b.ReportMetric(milliseconds(cpu)/float64(rounds*n), "cpu-ms/user")
		b.ReportMetric(peak, "peak-MiB")
	}
}

func used(tb testing.TB, all []*process) (cpu time.Duration) {
	for _, p := range all {
		cpu += p.cpu(tb)
	}
	return cpu
}

const queueName = "projects/project/locations/europe-west1/queues/jobs"

// A queue plays Cloud Tasks, as fast as Calendar's quota of 10,000 users a minute allows.
type queue struct {
	tb   testing.TB
	sign func(claims map[string]any) string
	all  sync.WaitGroup

	mu     sync.Mutex
	next   time.Time // when it may hand out a task again
	events int       // that were made
}

func (q *queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ Task *cloudtasks.Task }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Task.HttpRequest == nil || body.Task.ScheduleTime != "" {
		q.tb.Errorf("a task to be done now: %+v, %v", body.Task, err)
	}
	q.all.Go(func() { q.hand(body.Task.HttpRequest) })
	fmt.Fprintf(w, `{"name":%q}`, body.Task.Name)
}

func (q *queue) hand(task *cloudtasks.HttpRequest) {
	q.mu.Lock()
	now := time.Now()
	at := q.next
	if at.Before(now) {
		at = now
	}
	q.next = at.Add(httpfunc.UsersAPage * time.Minute / 10_000)
	q.mu.Unlock()
	time.Sleep(time.Until(at))
	body, err := base64.StdEncoding.DecodeString(task.Body)
	if err != nil {
		q.tb.Error(err)
		return
	}
	r, err := http.NewRequest(http.MethodPost, task.Url, bytes.NewReader(body))
	if err != nil {
		q.tb.Error(err)
		return
	}
	r.Header.Set("Content-Type", task.Headers["Content-Type"])
	r.Header.Set("Authorization", "Bearer "+q.sign(map[string]any{"aud": task.OidcToken.Audience, "sub": "1", "email": scheduler, "email_verified": true}))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		q.tb.Error(err)
		return
	}
	defer res.Body.Close()
	if answer, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		q.tb.Errorf("a page: %d %s", res.StatusCode, answer)
	}
}
