package httpfunc

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"functions.local/oauth/shared/seal"
)

const (
	// maxRequest is the platform's limit for a request [Cloud Run: quotas, HTTP/1 request size].
	maxRequest = 32 << 20
	// requestTimeout bounds everything but uploads, uploadTimeout those.
	requestTimeout = 30 * time.Second
	uploadTimeout  = 10 * time.Minute
	// uploadSize is from where on a request is an upload.
	uploadSize = 1 << 20
	// readGrace has the time of a request be up before that of its body, whose end looks like a client's.
	readGrace = 100 * time.Millisecond
)

// wrap serves next with what every answer of every function has.
func (a *App) wrap(name string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header(), a.config.Secure())
		if !inFlight.enter() {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "This instance is shutting down. Please try again.", http.StatusServiceUnavailable)
			return
		}
		defer inFlight.leave()
		kept := &request{id: seal.NewID(), name: name, again: name, trace: traceID(r.Header)}
		r = r.WithContext(context.WithValue(r.Context(), requestKey, kept))
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		// A body that stalls must not hold up the answer, or what waits for a reader of the body to end.
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(timeLimit(r) + readGrace))
		defer func() {
			if v := recover(); v != nil {
				a.fail(w, r, panicError(v))
			}
		}()
		if err := a.protect.Check(r); err != nil {
			a.fail(w, r, &Error{Status: http.StatusForbidden, Code: "cross_origin",
				Message: "This came from another website, so nothing was done.", Cause: err})
			return
		}
		next(w, r)
	})
}

// timeLimit is what a request has from its start to its end.
func timeLimit(r *http.Request) time.Duration {
	if r.Method == http.MethodPost && (r.ContentLength < 0 || r.ContentLength > uploadSize) {
		return uploadTimeout
	}
	return requestTimeout
}

// headers are of every answer. Their values are shared by all of them.
var headers = http.Header{
	"Cache-Control":           {"no-store"},
	"Content-Security-Policy": {contentSecurityPolicy},
	"X-Content-Type-Options":  {"nosniff"},
	"Referrer-Policy":         {"no-referrer"},
}

func setHeaders(h http.Header, secure bool) {
	maps.Copy(h, headers)
	if secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// timed bounds the time that next may take.
func timed(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeLimit(r))
		defer cancel()
		next(w, r.WithContext(ctx))
	}
}

// only serves the methods named, in bounded time, and answers 405 to others [RFC 9110 §15.5.6].
func (a *App) only(methods []string, next http.HandlerFunc) http.HandlerFunc {
	next = timed(next)
	return func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			a.fail(w, r, &Error{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed",
				Message: "This address takes " + strings.Join(methods, ", ") + " only."})
			return
		}
		next(w, r)
	}
}
