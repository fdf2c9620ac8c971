package httpfunc

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"
)

// What all requests of a process together may have in memory at once, in bytes. Reading makes about four times as much of
// a body, and decoding and showing about twenty times as much of an answer of Google's.
const (
	maxBodies  = 24 << 20
	maxAnswers = 6 << 20
	// freeAnswer is what every request may have of answers besides. It is the user who decides how much there is to
	// answer: Gmail lets them have 10,000 labels.
	freeAnswer = 32 << 10
)

// reserveStep is how much is reserved at a time, in bytes.
const reserveStep = 64 << 10

// A reserve is what one request has of the process's bytes.
type reserve struct {
	of   *semaphore.Weighted
	free int64 // bytes that may come before more have to be reserved

	mu       sync.Mutex
	reserved int64
}

// take counts n bytes more, and reserves bytes for them until the request ends. It waits for the first of these for
// half of bodyTimeout at most, and for no further ones: requests that wait for each other would never end. It returns
// an error of ctx, or context.DeadlineExceeded.
func (m *reserve) take(ctx context.Context, n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free -= n
	if m.free >= 0 {
		return nil
	}
	more := (-m.free + reserveStep - 1) / reserveStep * reserveStep
	if m.reserved == 0 {
		ctx, cancel := context.WithTimeout(ctx, bodyTimeout/2)
		defer cancel()
		if err := m.of.Acquire(ctx, more); err != nil {
			return err
		}
	} else if !m.of.TryAcquire(more) {
		return context.DeadlineExceeded
	}
	m.free += more
	m.reserved += more
	return nil
}

// release gives back what was taken.
func (m *reserve) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of.Release(m.reserved)
	m.reserved = 0
}

// A meter is the transport of a function's calls of Google's APIs. It reserves the memory for what they answer.
type meter struct{ x *exchange }

func (m meter) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := m.x.base.RoundTrip(r)
	if err == nil && strings.Contains(r.URL.RawQuery, "alt=json") { // as in every call of an API client but a download
		res.Body = meteredBody{res.Body, m.x}
	}
	return res, err
}

type meteredBody struct {
	io.ReadCloser
	x *exchange
}

func (b meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if full := b.x.answered.take(b.x.r.Context(), int64(n)); full != nil {
		return n, full
	}
	return n, err
}
