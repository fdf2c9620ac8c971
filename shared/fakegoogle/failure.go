package fakegoogle

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Failure is what a request gets instead of its answer. A Delay can stand with any of the others, and comes first.
// Where it stands alone, the request is answered as usual after it.
type Failure struct {
	Status     int           // answer with this HTTP status
	Reason     string        // of that answer, in Google's form; default: the usual one for Status
	Body       string        // of that answer; default: an error in Google's form
	RetryAfter time.Duration // the Retry-After header, in whole seconds
	Delay      time.Duration // wait first, or until the client hangs up
	Drop       bool          // carry out the request, then cut the connection without an answer
	Garbage    bool          // answer 200 with a body that is not JSON, and do not carry out the request
	refusal    refusal
}

type plannedFailure struct {
	prefix string
	left   int
	Failure
}

// Fail lets the next n requests whose path begins with match fail as f says. Failures for the same path are used up in
// the order in which they were planned. Mind that Go's http.Transport repeats a GET by itself when a connection that it
// reuses is cut: for Drop on a GET, use new connections or a larger n.
func (s *Server) Fail(match string, n int, f Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, &plannedFailure{match, n, f})
}

// StopFailing takes back all that Fail planned.
func (s *Server) StopFailing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = nil
}

// takeFailure uses up one planned failure for the path. Callers hold s.mu.
func (s *Server) takeFailure(path string) *Failure {
	for _, p := range s.failures {
		if p.left > 0 && strings.HasPrefix(path, p.prefix) {
			p.left--
			f := p.Failure
			return &f
		}
	}
	return nil
}

func (s *Server) serveFailure(w http.ResponseWriter, r *http.Request, f Failure) {
	if f.Delay > 0 && !wait(r, f.Delay) {
		panic(http.ErrAbortHandler)
	}
	switch {
	case f.Drop:
		s.mux.ServeHTTP(&discardWriter{http.Header{}}, r)
		panic(http.ErrAbortHandler) // net/http cuts the connection and logs nothing
	case f.Garbage:
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		io.WriteString(w, "<!doctype html><title>not what you asked for</title>")
	case f.refusal != nil:
		f.refusal(w, apiOf(r.URL.Path), s.now())
	case f.Status != 0:
		f.answer(w, r.URL.Path)
	default:
		s.mux.ServeHTTP(w, r)
	}
}

// wait returns true after d, or false as soon as the client hangs up. It reads the body first, since net/http does not
// notice before that.
func wait(r *http.Request, d time.Duration) bool {
	const buffered = 1 << 20
	head, err := io.ReadAll(io.LimitReader(r.Body, buffered))
	if err != nil {
		return false
	}
	rest := io.Reader(http.NoBody)
	if len(head) == buffered {
		rest = r.Body
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), rest), r.Body}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// answer writes the status and an error as the API of the path would.
func (f Failure) answer(w http.ResponseWriter, path string) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	oauth := path == "/token" || path == "/revoke"
	switch {
	case f.Body != "":
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(f.Status)
		io.WriteString(w, f.Body)
	case oauth:
		reason := map[int]string{
			http.StatusBadRequest: "invalid_request", http.StatusUnauthorized: "invalid_client",
			http.StatusForbidden: "access_denied", http.StatusTooManyRequests: "rate_limit_exceeded",
		}[f.Status]
		(&tokenError{status: f.Status, code: cmp.Or(f.Reason, reason, "internal_failure"), description: "Backend Error"}).write(w)
	default:
		reason := cmp.Or(f.Reason, map[int]string{
			http.StatusBadRequest: "badRequest", http.StatusUnauthorized: "authError", http.StatusForbidden: "forbidden",
			http.StatusNotFound: "notFound", http.StatusTooManyRequests: "rateLimitExceeded",
		}[f.Status], "backendError")
		e := apiErrorf(f.Status, reason, "%s", http.StatusText(f.Status))
		if reason == "insufficientPermissions" {
			e.info = &errorInfo{reason: "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
		}
		if f.Status == http.StatusUnauthorized {
			e.challenge = `Bearer realm="https://accounts.google.com/", error="invalid_token"`
		}
		writeAPIError(w, e)
	}
}

// A discardWriter takes an answer that is dropped.
type discardWriter struct{ header http.Header }

func (d *discardWriter) Header() http.Header         { return d.header }
func (d *discardWriter) Write(b []byte) (int, error) { return len(b), nil }
func (d *discardWriter) WriteHeader(int)             {}
