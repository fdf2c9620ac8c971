package httpfunc

import (
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// drainTimeout is how long a process finishes requests after SIGTERM. Cloud Run kills it after
	// 10 s [Cloud Run: container runtime contract].
	drainTimeout = 9 * time.Second
	// drainGrace is how long new requests are still served after the signal, since some were on their way to this
	// process when it came.
	drainGrace = 250 * time.Millisecond
)

// requests counts the requests being served.
type requests struct {
	stop   atomic.Bool // the process was told to end
	mu     sync.Mutex
	n      int
	closed bool
	idle   chan struct{} // closed when closed and n is 0
}

// inFlight are the requests of the whole process, which ends for all functions in it at once.
var inFlight = &requests{idle: make(chan struct{})}

// enter counts a request in, or returns false once the process takes no more.
func (q *requests) enter() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.n++
	return true
}

func (q *requests) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n--; q.n == 0 && q.closed {
		close(q.idle)
	}
}

// stopping reports whether the process was told to end. Work that can be resumed stops then.
func (q *requests) stopping() bool { return q.stop.Load() }

// close lets nobody else in and returns a channel that is closed when all have left.
func (q *requests) close() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed = true; q.n == 0 {
		close(q.idle)
	}
	return q.idle
}

// DrainOnSignal makes the process finish its requests at SIGTERM or an interrupt, and then exit with 0. The
// Functions Framework would drop them.
func DrainOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-signals
		signal.Stop(signals)
		inFlight.stop.Store(true)
		time.Sleep(drainGrace)
		select {
		case <-inFlight.close():
		case <-time.After(drainTimeout - drainGrace):
		}
		os.Exit(0)
	}()
}
