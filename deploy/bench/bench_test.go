// Package bench measures the functions as processes, beside the least program that does the same job
// and the plain program of the same packages. The three take turns, so that noise meets all alike.
package bench_test

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// b.N is the number of rounds: in each, every program has its turn. -benchtime=5x makes five.

func BenchmarkColdStart(b *testing.B) {
	b.Run("oauth2init", func(b *testing.B) { coldSignIn(b, 20*b.N) })
	b.Run("listlabels", func(b *testing.B) { coldLabels(b, 20*b.N) })
}

func BenchmarkListLabels(b *testing.B) {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		for _, at := range []int{1, 16, 80} {
			b.Run("at="+strconv.Itoa(at)+"/google="+delay.String(), func(b *testing.B) {
				n := map[int]int{1: 500, 16: 2000, 80: 2400}[at]
				if delay > 0 {
					n = at * 20
				}
				listLabels(b, "JSON", at, delay, b.N, n)
			})
		}
	}
	b.Run("page/at=80/google=0s", func(b *testing.B) { listLabels(b, "a page", 80, 0, b.N, 2400) })
}

func BenchmarkCreateFile(b *testing.B) {
	b.Run("1MiB", func(b *testing.B) { createFile(b, "1 MiB", 1<<20, b.N, 50) })
	// The whole request may have 32 MiB.
	b.Run("32MiB", func(b *testing.B) { createFile(b, "32 MiB", 32<<20-1<<10, b.N, 4) })
}

func BenchmarkRefreshStorm(b *testing.B) { refreshStorm(b, b.N, 80) }

func BenchmarkForEveryUser(b *testing.B) { forEveryUser(b, b.N, 1000) }

func BenchmarkQuota(b *testing.B) { quota(b, b.N, 20_000) }

func BenchmarkCallback(b *testing.B) { callback(b, b.N, 400) }

func BenchmarkSize(b *testing.B) { size(b) }

// coldSignIn measures from the start of a deployed process to its first redirect to Google. There is
// neither a Firestore nor a Google: it needs none, and an emulator that has just started would compete.
func coldSignIn(tb testing.TB, rounds int) {
	w := &world{tb: tb, emulator: "127.0.0.1:1", project: "project", google: &process{}, keys: newKeys(tb)}
	cold(tb, "oauth2init", "cold start to the first redirect", w.deployed("oauth2init"), with(nil, "Accept", "text/html"), "/oauth2init", http.StatusFound, rounds)
}

// coldLabels measures to the first page for a signed-in user: one read, one call.
func coldLabels(tb testing.TB, rounds int) {
	w := newWorld(tb)
	header := w.user("ada", time.Now().Add(time.Hour))
	cold(tb, "listlabels", "cold start to the first labels", w.environment("listlabels"), header, "/listlabels?user=ada", http.StatusOK, rounds)
}

func cold(tb testing.TB, function, what string, env []string, header http.Header, path string, want, rounds int) {
	times := map[string][]time.Duration{}
	for range rounds {
		for _, name := range programs {
			p := start(tb, name, binary(tb, name, function), env, header, path, want)
			times[name] = append(times[name], p.first)
			p.stop()
		}
	}
	figures := map[string]float64{}
	for name, all := range times {
		figures[name] = milliseconds(percentile(all, 0.5))
	}
	report(tb, what+", median", "ms", figures)
}

// listLabels measures warm requests of one signed-in user, at at once. The other programs, which have no
// pages, always answer with the bare names.
func listLabels(tb testing.TB, as string, at int, delay time.Duration, rounds, n int) map[string]*sample {
	w := newWorld(tb)
	header := w.user("ada", time.Now().Add(time.Hour))
	header.Set("Accept", map[string]string{"JSON": "application/json", "a page": "text/html"}[as])
	w.setDelay(tb, delay)
	all := w.each("listlabels")
	samples := map[string]*sample{}
	for round := -1; round < rounds; round++ {
		for _, p := range all {
			if round <= 0 { // the first round warms up
				samples[p.name] = &sample{}
			}
			samples[p.name].load(tb, w, p, at, n, http.StatusOK, func(int) *http.Request {
				return p.request(tb, "GET", "/listlabels?user=ada", nil, header)
			})
		}
	}
	what := "listlabels as " + as + ", " + strconv.Itoa(at) + " at once, Google in " + delay.String()
	report(tb, what, "requests/s", of(samples, (*sample).perSecond))
	report(tb, what, "p50 ms", of(samples, func(s *sample) float64 { return s.percentile(0.5) }))
	report(tb, what, "p99 ms", of(samples, func(s *sample) float64 { return s.percentile(0.99) }))
	report(tb, what, "CPU s/1000", of(samples, func(s *sample) float64 { return s.perThousand(s.cpu.Seconds()) }))
	report(tb, what, "connections/1000", of(samples, func(s *sample) float64 { return s.perThousand(float64(s.connections)) }))
	for _, p := range all {
		_, samples[p.name].peak = p.memory(tb)
	}
	report(tb, what, "peak MiB", of(samples, func(s *sample) float64 { return s.peak }))
	return samples
}

func peaks(tb testing.TB, all []*process) map[string]float64 {
	figures := map[string]float64{}
	for _, p := range all {
		_, figures[p.name] = p.memory(tb)
	}
	return figures
}

// createFile measures uploads of a file of this size, one after the other, and the memory that they add.
func createFile(tb testing.TB, what string, size int64, rounds, n int) map[string]float64 {
	w := newWorld(tb)
	header := with(w.user("ada", time.Now().Add(time.Hour)), "Accept", "application/json")
	all := w.each("createfile")
	post := func(p *process) func(int) *http.Request {
		return func(int) *http.Request {
			body, contentType := upload(size)
			r := p.request(tb, "POST", "/createfile?user=ada", body, header)
			r.ContentLength = body.size()
			r.Header.Set("Content-Type", contentType)
			return r
		}
	}
	samples, added := map[string]*sample{}, map[string]float64{}
	for round := range rounds {
		for _, p := range all {
			if round == 0 {
				samples[p.name] = &sample{}
			}
			before, _ := p.memory(tb)
			p.forgetPeak(tb)
			samples[p.name].load(tb, w, p, 1, n, http.StatusOK, post(p))
			_, peak := p.memory(tb)
			added[p.name] = max(added[p.name], peak-before)
		}
	}
	report(tb, "createfile, "+what, "MiB/s", of(samples, func(s *sample) float64 { return s.perSecond() * float64(size) / (1 << 20) }))
	report(tb, "createfile, "+what, "MiB added", added)
	return added
}

// refreshStorm counts the token calls that at requests at once on an expired access token lead to.
func refreshStorm(tb testing.TB, rounds, at int) map[string]float64 {
	w := newWorld(tb)
	samples, calls := map[string]*sample{}, map[string]float64{}
	all := w.each("listlabels")
	for round := range rounds {
		for _, p := range all {
			if round == 0 {
				samples[p.name] = &sample{}
			}
			subject := p.name + strconv.Itoa(round)
			header := w.user(subject, time.Now().Add(-time.Hour))
			before := w.count(tb).Calls["/token"]
			samples[p.name].load(tb, w, p, at, at, http.StatusOK, func(int) *http.Request {
				return p.request(tb, "GET", "/listlabels?user="+subject, nil, header)
			})
			calls[p.name] = max(calls[p.name], float64(w.count(tb).Calls["/token"]-before))
		}
	}
	report(tb, strconv.Itoa(at)+" at once on an expired token", "token calls", calls)
	report(tb, strconv.Itoa(at)+" at once on an expired token", "p99 ms", of(samples, func(s *sample) float64 { return s.percentile(0.99) }))
	return calls
}

// forEveryUser measures a run of dailyevent for n users, and returns what a run of ours answered.
func forEveryUser(tb testing.TB, rounds, n int) (answer string) {
	w := newWorld(tb)
	w.users(n, "dailyevent")
	all := w.each("dailyevent")
	elapsed := map[string]time.Duration{}
	for range rounds {
		for _, p := range all {
			r := p.request(tb, "POST", "/dailyevent", strings.NewReader(`{"time_zone":"Etc/UTC"}`), w.runHeader("dailyevent"))
			before, began := w.count(tb), time.Now()
			status, body, err := p.do(r)
			elapsed[p.name] += time.Since(began)
			made := w.count(tb).Calls[eventsPath] - before.Calls[eventsPath]
			if err != nil || status != http.StatusOK || made != n {
				tb.Fatalf("%s: %d of %d users: %d %s %v", p.name, made, n, status, body, err)
			}
			if p.name == ours {
				answer = string(body)
			}
		}
	}
	figures := map[string]float64{}
	for name, d := range elapsed {
		figures[name] = float64(rounds*n) / d.Seconds()
	}
	what := "dailyevent for " + strconv.Itoa(n) + " users"
	report(tb, what, "users/s", figures)
	report(tb, what, "peak MiB", peaks(tb, all))
	return answer
}

// quota measures how near a run of dailyevent comes to Calendar's quota, where Google takes 200 ms, and how its memory grows
// on the way. It fails where the rate is off by more than 5 %, or the second half of the users takes more memory than the first.
func quota(b *testing.B, rounds, n int) {
	const perSecond, mayGrow = 10_000.0 / 60, 2.0 // users, MiB
	w := newWorld(b)
	w.users(n, "dailyevent")
	w.setDelay(b, 200*time.Millisecond)
	p := start(b, ours, binary(b, ours, "dailyevent"), w.environment("dailyevent"), nil, "/", anyStatus)
	cpu := p.cpu(b)
	for range rounds {
		before, began := w.count(b).Calls[eventsPath], time.Now()
		made := func() int { return w.count(b).Calls[eventsPath] - before }
		halves := make(chan float64, 1)
		go func() { // the most memory of the first half
			for made() < n/2 {
				time.Sleep(time.Second)
			}
			_, peak := p.memory(b)
			p.forgetPeak(b)
			halves <- peak
		}()
		status, answer, err := p.do(p.request(b, "POST", "/dailyevent", strings.NewReader(`{"time_zone":"Etc/UTC"}`), w.runHeader("dailyevent")))
		rate := float64(n) / time.Since(began).Seconds()
		if err != nil || status != http.StatusOK || made() != n {
			b.Fatalf("%d of %d users: %d %s %v", made(), n, status, answer, err)
		}
		first := <-halves
		_, second := p.memory(b)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(rate, "users/s")
		b.ReportMetric(first, "first-half-peak-MiB")
		b.ReportMetric(second, "second-half-peak-MiB")
		if rate < 0.95*perSecond || rate > 1.05*perSecond || second > first+mayGrow {
			b.Errorf("%.1f users a second, at most %.1f MiB in the first half and %.1f in the second", rate, first, second)
		}
	}
	b.ReportMetric(milliseconds(p.cpu(b)-cpu)/float64(rounds*n), "cpu-ms/user")
}

const eventsPath = "/calendar/v3/calendars/primary/events"

// callback measures sign-ins, 16 at once, each of another user.
func callback(tb testing.TB, rounds, n int) {
	w := newWorld(tb)
	all := w.each("oauth2callback")
	samples := map[string]*sample{}
	for round := -1; round < rounds; round++ {
		for _, p := range all {
			if round <= 0 {
				samples[p.name] = &sample{}
			}
			samples[p.name].load(tb, w, p, min(16, n), n, http.StatusSeeOther, func(i int) *http.Request {
				path, header := w.callback(strconv.Itoa(round+1) + "-" + strconv.Itoa(i))
				return p.request(tb, "GET", path, nil, header)
			})
		}
	}
	report(tb, "oauth2callback, 16 at once", "requests/s", of(samples, (*sample).perSecond))
	report(tb, "oauth2callback, 16 at once", "CPU s/1000", of(samples, func(s *sample) float64 { return s.perThousand(s.cpu.Seconds()) }))
}

// size is that of the stripped binary.
func size(tb testing.TB) map[string]float64 {
	figures := map[string]float64{}
	for _, name := range programs {
		info, err := os.Stat(binary(tb, name, "listlabels"))
		if err != nil {
			tb.Fatal(err)
		}
		figures[name] = float64(info.Size()) / 1e6
	}
	report(tb, "binary of listlabels, stripped", "MB", figures)
	return figures
}
