// Package userclient is the HTTP client that acts for one user at Google's APIs: it brings the access
// token, sends again what may be sent again, and tells what a refusal means.
package userclient

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/googleapis/gax-go/v2"

	"functions.local/oauth/shared/seal"
)

const (
	maxRetries = 2
	// maxWait is the longest pause before a retry. When Google asks for a longer one, the caller is told
	// at once.
	maxWait = 5 * time.Second
	// maxError bounds what is read of an answer that refuses, in bytes.
	maxError = 64 << 10
)

// New returns a client that acts for one user. Token yields an access token other than refused, which
// is "" at first; its errors are returned as they are, inside a *url.Error. The client follows no
// redirect.
//
// A request answered 401 is sent once more with a new access token. One that got no answer, 5xx or a
// rate limit is sent at most twice more, if its body can be had again and it is a GET, a HEAD or marked
// by [SafeToRepeat]; not, however, if the pause that Google asks for is longer than 5 seconds or does
// not fit into the context's deadline.
//
// Where an API answers 2xx, its JSON is an object: anything else is [ErrBadAnswer], and so are more than 4 MiB that are
// no download.
func New(base http.RoundTripper, token func(ctx context.Context, refused seal.Secret) (seal.Secret, error), now func() time.Time) *http.Client {
	return &http.Client{
		Transport:     &transport{base: base, token: token, now: now, sleep: gax.Sleep},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// SafeToRepeat marks a call whose repeat does no harm because it carries an id of its own. The header
// is never sent: net/http's Transport reads it as well, and then repeats a request whose idle
// connection turned out to be closed.
func SafeToRepeat(h http.Header) { h["X-Idempotency-Key"] = nil }

type transport struct {
	base  http.RoundTripper
	token func(ctx context.Context, refused seal.Secret) (seal.Secret, error)
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	token, err := t.token(ctx, "")
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	replayable := r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
	body, retries, renewed := r.Body, 0, false
	for {
		sent := new(http.Request)
		*sent = *r
		sent.Body, sent.Header = body, r.Header.Clone()
		sent.Header.Set("Authorization", "Bearer "+string(token))
		res, err := t.base.RoundTrip(sent)
		switch {
		case err == nil && res.StatusCode == http.StatusUnauthorized && !renewed && replayable:
			renewed = true
			discard(res)
			if token, err = t.token(ctx, token); err != nil {
				return nil, err
			}
		case retries < maxRetries && replayable && repeatable(r) && t.pause(ctx, res, retries):
			retries++
			if res != nil {
				discard(res)
			}
		case err != nil:
			return nil, err
		default:
			return checkAnswer(r, res)
		}
		if r.GetBody != nil {
			if body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// pause waits before a retry, and reports whether to make one. res is nil if no answer came.
func (t *transport) pause(ctx context.Context, res *http.Response, retries int) bool {
	wait := 100*time.Millisecond<<retries + rand.N(200*time.Millisecond)
	if res != nil {
		if s := res.StatusCode; s != http.StatusForbidden && s != http.StatusTooManyRequests && s < 500 {
			return false
		}
		refusal := readAnswer(res.StatusCode, res.Header, peek(res), t.now())
		if refusal.Kind != RateLimited && refusal.Kind != BadAnswer {
			return false
		}
		if refusal.asked > 0 {
			wait = refusal.asked + rand.N(100*time.Millisecond)
		}
	}
	if deadline, ok := ctx.Deadline(); wait > maxWait || ok && time.Until(deadline) < wait+time.Second {
		return false
	}
	return t.sleep(ctx, wait) == nil
}

// repeatable reports whether sending r twice does what sending it once does.
func repeatable(r *http.Request) bool {
	_, marked := r.Header["X-Idempotency-Key"]
	return marked || r.Method == http.MethodGet || r.Method == http.MethodHead
}

// peek returns the beginning of an answer's body, and leaves the body as it was.
func peek(res *http.Response) string {
	b, _ := io.ReadAll(io.LimitReader(res.Body, maxError))
	res.Body = readCloser{io.MultiReader(bytes.NewReader(b), res.Body), res.Body}
	return string(b)
}

type readCloser struct {
	io.Reader
	io.Closer
}

// discard reads the rest of an answer, so that its connection can be used for another request.
func discard(res *http.Response) {
	io.CopyN(io.Discard, res.Body, maxError)
	res.Body.Close()
}
