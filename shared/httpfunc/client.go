package httpfunc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

const (
	maxRetries = 2
	// maxWait is the longest pause before a retry. Google asks for a longer one: the caller gets to know.
	maxWait = 5 * time.Second
)

// client returns a client that acts for the grant's user.
//
// A request answered 401 is sent once more with a new access token. One answered 429, 5xx, a rate
// limit's 403 or nothing at all is sent at most twice more, if it is safe to: GET and HEAD are, and
// what carries an id that makes a repeat harmless says so with an Idempotency-Key or
// X-Idempotency-Key header, nil for one that is not sent, as for net/http's Transport.
func (a *App) client(g *tokenstore.Grant) *http.Client {
	return &http.Client{
		Transport:     &userTransport{base: a.base, flow: a.flow, now: a.now, grant: g},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type userTransport struct {
	base http.RoundTripper
	flow *oauthflow.Flow
	now  func() time.Time

	mu    sync.Mutex
	grant *tokenstore.Grant
}

func (t *userTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	token, err := t.token(ctx, "")
	if err != nil {
		closeBody(r)
		return nil, err
	}
	body, retries, renewed := r.Body, 0, false
	for {
		sent := new(http.Request)
		*sent = *r
		sent.Body, sent.Header = body, r.Header.Clone()
		sent.Header.Set("Authorization", "Bearer "+string(token))
		res, err := t.base.RoundTrip(sent)
		switch {
		case err == nil && res.StatusCode == http.StatusUnauthorized && !renewed && replayable(r):
			renewed = true
			discard(res)
			if token, err = t.token(ctx, token); err != nil {
				return nil, err
			}
		case retries < maxRetries && repeatable(r) && replayable(r) && isTransient(res, err) && t.pause(ctx, res, retries):
			retries++
		case err == nil:
			res.Body = answerBody{res.Body}
			return res, nil
		default:
			return nil, err
		}
		if body, err = bodyAgain(r); err != nil {
			return nil, err
		}
	}
}

// errCut means that an answer broke off.
var errCut = errors.New("httpfunc: answer cut")

// answerBody tells a fault of an answer's body from any other: HTTP/2 has errors of its own for it.
type answerBody struct{ io.ReadCloser }

func (b answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", errCut, err)
	}
	return n, err
}

// token returns an access token other than refused.
func (t *userTransport) token(ctx context.Context, refused seal.Secret) (seal.Secret, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, err := t.grant, error(nil)
	if refused != "" && g.AccessToken == refused {
		g, err = t.flow.Refresh(ctx, g)
	} else {
		g, err = t.flow.Token(ctx, g)
	}
	if err != nil {
		return "", err
	}
	t.grant = g
	return g.AccessToken, nil
}

// pause waits before a retry and reports whether there is to be one.
func (t *userTransport) pause(ctx context.Context, res *http.Response, retries int) bool {
	wait := 100*time.Millisecond<<retries + rand.N(200*time.Millisecond)
	if res != nil {
		if asked := parseRetryAfter(res.Header, t.now()); asked > 0 {
			wait = asked + rand.N(100*time.Millisecond)
		}
	}
	if deadline, ok := ctx.Deadline(); wait > maxWait || ok && time.Until(deadline) < wait+time.Second {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	}
	if res != nil {
		discard(res)
	}
	return true
}

// repeatable reports whether sending r twice does what sending it once does.
func repeatable(r *http.Request) bool {
	_, key := r.Header["Idempotency-Key"]
	_, xKey := r.Header["X-Idempotency-Key"]
	return key || xKey || r.Method == http.MethodGet || r.Method == http.MethodHead
}

// replayable reports whether r's body can be had again.
func replayable(r *http.Request) bool {
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}

func bodyAgain(r *http.Request) (io.ReadCloser, error) {
	if r.GetBody == nil {
		return r.Body, nil
	}
	return r.GetBody()
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

// isTransient reports whether the same request may well succeed a little later.
func isTransient(res *http.Response, err error) bool {
	switch {
	case err != nil:
		return true
	case res.StatusCode == http.StatusTooManyRequests, res.StatusCode >= 500:
		return true
	}
	return res.StatusCode == http.StatusForbidden && namesRateLimit(res)
}

// namesRateLimit looks into the body of a 403 and leaves it as it was.
func namesRateLimit(res *http.Response) bool {
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(b), res.Body), res.Body}
	var body struct {
		Error struct {
			Errors []struct{ Reason string }
		}
	}
	if err != nil || json.Unmarshal(b, &body) != nil {
		return false
	}
	for _, e := range body.Error.Errors {
		if rateLimits[e.Reason] {
			return true
		}
	}
	return false
}

func discard(res *http.Response) {
	io.CopyN(io.Discard, res.Body, 64<<10)
	res.Body.Close()
}

// parseRetryAfter returns how long Retry-After asks to wait [RFC 9110 §10.2.3], or 0.
func parseRetryAfter(h http.Header, now time.Time) time.Duration {
	s := h.Get("Retry-After")
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < 1<<20 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
