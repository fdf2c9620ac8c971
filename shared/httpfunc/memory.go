package httpfunc

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"functions.local/oauth/shared/userclient"
)

// How much of Google's answers a call of a function may have in memory, in bytes, and how many calls at once may have
// that much. It is the user who decides what there is to answer: Gmail lets them have 10,000 labels. Decoding and showing
// a list make more than ten times as much of it.
const (
	fewAnswers  = 32 << 10 // every call
	someAnswers = 256 << 10
	maxSome     = 12
	mostAnswers = 4 << 20
	maxMost     = 1
)

// answerMemory is what the process has for Google's answers: places for calls.
type answerMemory struct{ some, most *semaphore.Weighted }

func newAnswerMemory() answerMemory {
	return answerMemory{semaphore.NewWeighted(maxSome), semaphore.NewWeighted(maxMost)}
}

// A meter counts what Google's APIs answer one call of a function, until the call's context ends.
type meter struct {
	answerMemory
	base http.RoundTripper
	ctx  context.Context

	mu         sync.Mutex
	came, room int // bytes; room is what a place was taken for
}

func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := m.base.RoundTrip(r)
	if err == nil && strings.Contains(r.URL.RawQuery, "alt=json") { // as in every call of an API client but a download
		res.Body = meteredBody{res.Body, m}
	}
	return res, err
}

type meteredBody struct {
	io.ReadCloser
	meter *meter
}

func (b meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if full := b.meter.count(n); full != nil {
		return n, full
	}
	return n, err
}

// count makes room for n bytes that came. It waits a while for a place that another call has.
func (m *meter) count(n int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.came += n; m.came > max(m.room, fewAnswers); {
		places, room := m.some, someAnswers
		switch m.room {
		case someAnswers:
			places, room = m.most, mostAnswers
		case mostAnswers:
			return fmt.Errorf("%w: more than %d bytes for one call", userclient.ErrBadAnswer, mostAnswers)
		}
		if err := m.take(places); err != nil {
			return err
		}
		m.room = room
	}
	return nil
}

func (m *meter) take(places *semaphore.Weighted) error {
	ctx, cancel := context.WithTimeout(m.ctx, bodyTimeout/2)
	defer cancel()
	if err := places.Acquire(ctx, 1); err != nil {
		return err
	}
	context.AfterFunc(m.ctx, func() { places.Release(1) })
	return nil
}
