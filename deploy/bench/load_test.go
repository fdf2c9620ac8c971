package bench_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A sample is what was seen of one program, over all rounds.
type sample struct {
	latencies   []time.Duration
	elapsed     time.Duration
	cpu         time.Duration
	connections int     // new ones to Google
	peak        float64 // of memory, in MiB
}

// load sends n requests, at most at at once, and adds what it sees to s.
func (s *sample) load(tb testing.TB, w *world, p *process, at, n, want int, request func(i int) *http.Request) {
	tb.Helper()
	requests := make([]*http.Request, n)
	for i := range requests {
		requests[i] = request(i)
	}
	latencies := make([]time.Duration, n)
	var next atomic.Int64
	var failed atomic.Pointer[string]
	before, cpu, began := w.count(tb), p.cpu(tb), time.Now()
	var workers sync.WaitGroup
	for range at {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				sent := time.Now()
				status, body, err := p.do(requests[i])
				latencies[i] = time.Since(sent)
				if err != nil || status != want {
					text := fmt.Sprintf("status %d, want %d: %v: %s", status, want, err, body)
					failed.Store(&text)
				}
			}
		})
	}
	workers.Wait()
	s.elapsed += time.Since(began)
	s.cpu += p.cpu(tb) - cpu
	s.connections += w.count(tb).Connections - before.Connections
	s.latencies = append(s.latencies, latencies...)
	if text := failed.Load(); text != nil {
		tb.Fatalf("%s: %s", p.name, *text)
	}
}

func (s *sample) perSecond() float64 { return float64(len(s.latencies)) / s.elapsed.Seconds() }

// perThousand returns what 1,000 requests take of n.
func (s *sample) perThousand(n float64) float64 { return 1000 * n / float64(len(s.latencies)) }

// percentile returns the latency in ms that the share of requests is not over.
func (s *sample) percentile(share float64) float64 {
	return milliseconds(percentile(s.latencies, share))
}

func percentile(all []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
