package userclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"google.golang.org/api/gmail/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"functions.local/oauth/shared/seal"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// google answers each request with the next of its answers, and for good with the last.
type google struct {
	answers []answer
	tokens  []string // of Authorization, as they came
	bodies  []string
}

type answer struct {
	status int
	header string // "Name: value"
	body   string
	err    error // in place of an answer
}

func (g *google) RoundTrip(r *http.Request) (*http.Response, error) {
	g.tokens = append(g.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		g.bodies = append(g.bodies, string(b))
	}
	a := g.answers[min(len(g.tokens), len(g.answers))-1]
	if a.err != nil {
		return nil, a.err
	}
	h := http.Header{"Content-Type": {"application/json; charset=UTF-8"}}
	if name, value, ok := strings.Cut(a.header, ": "); ok {
		h.Set(name, value)
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// newClient returns a client of g whose pauses are recorded and take no time. Its tokens count up: a
// refused one is followed by the next.
func newClient(g *google) (c *http.Client, pauses *[]time.Duration) {
	pauses = new([]time.Duration)
	token := func(_ context.Context, refused seal.Secret) (seal.Secret, error) {
		if refused != "" {
			return refused + "+", nil
		}
		return "token", nil
	}
	c = New(g, token, func() time.Time { return noon })
	c.Transport.(*transport).sleep = func(ctx context.Context, d time.Duration) error {
		*pauses = append(*pauses, d)
		return ctx.Err()
	}
	return c, pauses
}

const somewhere = "https://gmail.googleapis.com/x?alt=json"

func post(ctx context.Context, body string, safe bool) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, somewhere, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	if safe {
		SafeToRepeat(r.Header)
	}
	return r
}

func oldFormat(status int, reason, message string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"message":%q,"domain":"global","reason":%q}]}}`, status, message, message, reason)
}

func newFormat(status int, reason, message, metadata string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":"PERMISSION_DENIED","details":[
		{"@type":"type.googleapis.com/google.rpc.Help","links":[{"url":"x"}],"metadata":7},
		{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":%q,"domain":"googleapis.com","metadata":{%s}}]}}`, status, message, reason, metadata)
}

var fine = answer{status: 200, body: `{"a":1}`}

func TestRetry(t *testing.T) {
	lost := answer{err: errors.New("connection lost")}
	limit := func(status int, reason, message string) answer {
		return answer{status: status, body: oldFormat(status, reason, message)}
	}
	for name, c := range map[string]struct {
		answer answer // to the first request, and to the second
		method string // default GET
		safe   bool
		calls  int
		status int // 0 for an error
	}{
		"repeats a GET after a 500":               {answer: answer{status: 500}, calls: 3, status: 200},
		"repeats a GET after a 503":               {answer: answer{status: 503}, calls: 3, status: 200},
		"repeats a GET after a 429":               {answer: answer{status: 429}, calls: 3, status: 200},
		"repeats a GET without an answer":         {answer: lost, calls: 3, status: 200},
		"repeats a HEAD":                          {answer: answer{status: 500}, method: "HEAD", calls: 3, status: 200},
		"repeats after a rate limit's 403":        {answer: limit(403, "rateLimitExceeded", "Rate Limit Exceeded"), calls: 3, status: 200},
		"repeats after a newer rate limit's 403":  {answer: answer{status: 403, body: newFormat(403, "RATE_LIMIT_EXCEEDED", "Quota exceeded", "")}, calls: 3, status: 200},
		"does not repeat another 403":             {answer: limit(403, "forbidden", "Forbidden"), calls: 1, status: 403},
		"does not repeat a 403 without a reason":  {answer: answer{status: 403, body: "<html>"}, calls: 1, status: 403},
		"does not repeat a 400":                   {answer: answer{status: 400}, calls: 1, status: 400},
		"does not repeat a 404":                   {answer: answer{status: 404}, calls: 1, status: 404},
		"does not repeat a POST without an id":    {answer: answer{status: 500}, method: "POST", calls: 1, status: 500},
		"does not repeat a lost POST":             {answer: lost, method: "POST", calls: 1},
		"repeats a POST with an id":               {answer: answer{status: 500}, method: "POST", safe: true, calls: 3, status: 200},
		"repeats a lost POST with an id":          {answer: lost, method: "POST", safe: true, calls: 3, status: 200},
		"does not ask a limit a day again":        {answer: limit(403, "dailyLimitExceeded", "Daily Limit Exceeded"), calls: 1, status: 403},
		"does not ask a limit of hours again":     {answer: limit(403, "quotaExceeded", "Calendar usage limits exceeded."), calls: 1, status: 403},
		"does not ask a project's quota again":    {answer: limit(429, "rateLimitExceeded", "limit 'Queries per day' of service"), calls: 1, status: 429},
		"does not ask a switched off API again":   {answer: limit(503, "accessNotConfigured", "x"), calls: 1, status: 503},
		"honours a pause of an hour":              {answer: answer{status: 429, header: "Retry-After: 3600"}, calls: 1, status: 429},
		"honours a date that is far":              {answer: answer{status: 503, header: "Retry-After: Sun, 01 Mar 2026 12:10:00 GMT"}, calls: 1, status: 503},
		"honours the pause in Gmail's message":    {answer: limit(429, "rateLimitExceeded", "User-rate limit exceeded.  Retry after 2026-03-01T12:15:00.000Z"), calls: 1, status: 429},
		"honours the pause in Google's RetryInfo": {answer: answer{status: 429, body: `{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"36.5s"}]}}`}, calls: 1, status: 429},
		"waits a pause of 2 seconds":              {answer: answer{status: 503, header: "Retry-After: 2"}, calls: 3, status: 200},
		"waits for a date that is near":           {answer: answer{status: 503, header: "Retry-After: Sun, 01 Mar 2026 12:00:02 GMT"}, calls: 3, status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			g := &google{answers: []answer{c.answer, c.answer, fine}}
			client, pauses := newClient(g)
			r := post(t.Context(), "", c.safe)
			if c.method != http.MethodPost {
				r.Method, r.Body = cmp.Or(c.method, "GET"), nil
			}
			res, err := client.Do(r)
			if len(g.tokens) != c.calls || err == nil != (c.status != 0) || err == nil && res.StatusCode != c.status {
				t.Fatalf("%d calls, %v, want %d and status %d; error %v", len(g.tokens), res, c.calls, c.status, err)
			}
			for i, p := range *pauses {
				least := 100 * time.Millisecond << i
				if strings.HasPrefix(name, "waits") {
					least = 2 * time.Second
				}
				if p < least || p > least+200*time.Millisecond {
					t.Errorf("pause %d: %v", i, p)
				}
			}
		})
	}
	for name, c := range map[string]struct{ status, calls int }{
		"gives up after the third answer, whose body can be read": {503, 3},
		"leaves the body of a 403 as it was":                      {403, 1},
	} {
		t.Run(name, func(t *testing.T) {
			body := oldFormat(c.status, "other", strings.Repeat("x", maxError))
			g := &google{answers: []answer{{status: c.status, body: body}}}
			client, _ := newClient(g)
			res, err := client.Get(somewhere)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(res.Body); len(g.tokens) != c.calls || string(b) != body {
				t.Errorf("%d calls, %d bytes, %v", len(g.tokens), len(b), err)
			}
		})
	}
	t.Run("sends the body again", func(t *testing.T) {
		g := &google{answers: []answer{{status: 500}, {status: 401}, fine}}
		client, _ := newClient(g)
		if _, err := client.Do(post(t.Context(), "content", true)); err != nil || !slices.Equal(g.bodies, []string{"content", "content", "content"}) {
			t.Errorf("%q, %v", g.bodies, err)
		}
	})
	t.Run("does not repeat a body that cannot be had again", func(t *testing.T) {
		for _, status := range []int{500, 401} {
			g := &google{answers: []answer{{status: status}, fine}}
			client, _ := newClient(g)
			r := post(t.Context(), "", true)
			r.Body, r.GetBody = io.NopCloser(strings.NewReader("content")), nil
			if res, err := client.Do(r); err != nil || res.StatusCode != status || len(g.tokens) != 1 {
				t.Errorf("%v, %v, %d calls", res, err, len(g.tokens))
			}
		}
	})
	t.Run("returns the error of a body that cannot be had again after all", func(t *testing.T) {
		g := &google{answers: []answer{{status: 500}, fine}}
		client, _ := newClient(g)
		r, gone := post(t.Context(), "x", true), errors.New("gone")
		r.GetBody = func() (io.ReadCloser, error) { return nil, gone }
		if _, err := client.Do(r); !errors.Is(err, gone) {
			t.Error(err)
		}
	})
	t.Run("does not begin a pause that the deadline cuts off", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
		defer cancel()
		g := &google{answers: []answer{{status: 500}, fine}}
		client, pauses := newClient(g)
		if res, err := client.Do(post(ctx, "", true)); err != nil || res.StatusCode != 500 || len(*pauses) != 0 {
			t.Errorf("%v, %v, pauses %v", res, err, *pauses)
		}
	})
	t.Run("follows no redirect", func(t *testing.T) {
		g := &google{answers: []answer{{status: 302, header: "Location: https://other.example/"}, fine}}
		client, _ := newClient(g)
		if res, err := client.Get(somewhere); err != nil || res.StatusCode != 302 || len(g.tokens) != 1 {
			t.Errorf("%v, %v", res, err)
		}
	})
}

func TestToken(t *testing.T) {
	t.Run("a 401 is tried once more with a new token", func(t *testing.T) {
		g := &google{answers: []answer{{status: 401}, fine}}
		client, _ := newClient(g)
		res, err := client.Do(post(t.Context(), "a", false))
		if err != nil || res.StatusCode != 200 || !slices.Equal(g.tokens, []string{"token", "token+"}) {
			t.Errorf("%v, %v, tokens %q", res, err, g.tokens)
		}
	})
	t.Run("a second 401 is the answer", func(t *testing.T) {
		g := &google{answers: []answer{{status: 401}}}
		client, _ := newClient(g)
		if res, err := client.Get(somewhere); err != nil || res.StatusCode != 401 || len(g.tokens) != 2 {
			t.Errorf("%v, %v, tokens %q", res, err, g.tokens)
		}
	})
	t.Run("a 401 uses up no retry", func(t *testing.T) {
		g := &google{answers: []answer{{status: 500}, {status: 401}, {status: 500}, fine}}
		client, _ := newClient(g)
		if res, err := client.Get(somewhere); err != nil || res.StatusCode != 200 || len(g.tokens) != 4 {
			t.Errorf("%v, %v, tokens %q", res, err, g.tokens)
		}
	})
	t.Run("the error of the token comes back, and the body is closed", func(t *testing.T) {
		gone := errors.New("consent withdrawn")
		for refuse := range 2 {
			calls := 0
			client := New(&google{answers: []answer{{status: 401}}}, func(context.Context, seal.Secret) (seal.Secret, error) {
				if calls++; calls > refuse {
					return "", gone
				}
				return "token", nil
			}, time.Now)
			r := post(t.Context(), "", false)
			closed := new(closeRecorder)
			r.Body, r.GetBody = closed, func() (io.ReadCloser, error) { return closed, nil }
			if _, err := client.Do(r); !errors.Is(err, gone) || !closed.closed {
				t.Errorf("%v, body closed: %t", err, closed.closed)
			}
		}
	})
	t.Run("the caller's request stays as it is", func(t *testing.T) {
		g := &google{answers: []answer{fine}}
		client, _ := newClient(g)
		r := post(t.Context(), "", false)
		if _, err := client.Do(r); err != nil || r.Header.Get("Authorization") != "" {
			t.Errorf("%v, %v", r.Header, err)
		}
	})
}

type closeRecorder struct{ closed bool }

func (c *closeRecorder) Read([]byte) (int, error) { return 0, io.EOF }
func (c *closeRecorder) Close() error             { c.closed = true; return nil }

func TestSafeToRepeatSendsNoHeader(t *testing.T) {
	var header http.Header
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		io.WriteString(w, "{}")
	}))
	defer s.Close()
	r := post(t.Context(), "", true)
	r.URL.Scheme, r.URL.Host = "http", s.Listener.Addr().String()
	client := New(http.DefaultTransport, func(context.Context, seal.Secret) (seal.Secret, error) { return "t", nil }, time.Now)
	if _, err := client.Do(r); err != nil {
		t.Fatal(err)
	}
	if _, ok := header["X-Idempotency-Key"]; ok || header.Get("Authorization") != "Bearer t" {
		t.Errorf("%v", header)
	}
}

func TestAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		method, query string // default GET and alt=json
		answer        answer
		bad           bool
	}{
		"an object":                                {answer: fine},
		"an object behind spaces":                  {answer: answer{status: 200, body: " \r\n\t{\"a\":1}"}},
		"null":                                     {answer: answer{status: 200, body: "null"}, bad: true},
		"null, of a POST":                          {method: "POST", answer: answer{status: 200, body: "null"}, bad: true},
		"null behind a space":                      {answer: answer{status: 201, body: "\nnull"}, bad: true},
		"an array":                                 {answer: answer{status: 200, body: "[{}]"}, bad: true},
		"a string":                                 {answer: answer{status: 200, body: `"{"`}, bad: true},
		"HTML":                                     {answer: answer{status: 200, body: "<!doctype html>", header: "Content-Type: text/html"}, bad: true},
		"JSON by its type alone":                   {query: "-", answer: answer{status: 200, body: "null"}, bad: true},
		"an empty success":                         {answer: answer{status: 200}, bad: true},
		"an object behind 5,000 spaces":            {answer: answer{status: 200, body: strings.Repeat(" ", 5000) + "{}"}, bad: true},
		"an empty 204":                             {answer: answer{status: 204}},
		"an empty answer to a DELETE":              {method: "DELETE", answer: answer{status: 200}},
		"an answer to a HEAD":                      {method: "HEAD", answer: answer{status: 200}},
		"the beginning of a resumable upload":      {method: "POST", query: "alt=json&uploadType=resumable", answer: answer{status: 200}},
		"a download of JSON":                       {query: "alt=media", answer: answer{status: 200, body: "null"}},
		"text, where nobody asked for JSON":        {query: "-", answer: answer{status: 200, body: "null", header: "Content-Type: text/plain"}},
		"an error that is no object is no success": {answer: answer{status: 404, body: "null"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := &google{answers: []answer{c.answer}}
			client, _ := newClient(g)
			r := post(t.Context(), "", false)
			if c.method != http.MethodPost {
				r.Method, r.Body = cmp.Or(c.method, "GET"), nil
			}
			if c.query != "" {
				r.URL.RawQuery = strings.Trim(c.query, "-")
			}
			res, err := client.Do(r)
			if c.bad != errors.Is(err, ErrBadAnswer) || len(g.tokens) != 1 {
				t.Fatalf("%v after %d calls", err, len(g.tokens))
			}
			if err == nil {
				if b, err := io.ReadAll(res.Body); err != nil || strings.TrimSpace(string(b)) != strings.TrimSpace(c.answer.body) {
					t.Errorf("%q, %v", b, err)
				}
			}
		})
	}
	t.Run("a page of Gmail that is null is an error of the API client", func(t *testing.T) {
		client, _ := newClient(&google{answers: []answer{{status: 200, body: "null"}}})
		svc, err := gmail.NewService(t.Context(), option.WithHTTPClient(client))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := svc.Users.Labels.List("me").Do(); !errors.Is(err, ErrBadAnswer) {
			t.Error(err)
		}
	})
	t.Run("an answer without an end is read no further than 4 MiB, unless it is a download", func(t *testing.T) {
		long := `{"a":"` + strings.Repeat("a", maxAnswer)
		for query, status := range map[string]int{"alt=json": 200, "alt=json&": 400, "alt=media": 200} {
			client, _ := newClient(&google{answers: []answer{{status: status, body: long}}})
			r := post(t.Context(), "", false)
			r.URL.RawQuery = query
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, res.Body); errors.Is(err, ErrBadAnswer) == (query == "alt=media") {
				t.Errorf("%s, status %d: %v", query, status, err)
			}
		}
	})
	t.Run("an answer that breaks off is told as such", func(t *testing.T) {
		broken := errors.New("stream error: INTERNAL_ERROR") // as HTTP/2 has it
		r := post(t.Context(), "", false)
		for text, atOnce := range map[string]bool{"": true, "{": false} {
			res := &http.Response{StatusCode: 200, Body: io.NopCloser(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)))}
			res, err := checkAnswer(r, res)
			if err == nil && !atOnce {
				_, err = io.ReadAll(res.Body)
			}
			if !errors.Is(err, ErrCut) || !errors.Is(err, ErrBadAnswer) || !errors.Is(err, broken) {
				t.Errorf("after %q: %v", text, err)
			}
		}
	})
}

func TestPages(t *testing.T) {
	t.Run("asks for one page after the other", func(t *testing.T) {
		var asked []string
		err := Pages(t.Context(), func(token string) (string, error) {
			asked = append(asked, token)
			return map[string]string{"": "b", "b": "c"}[token], nil
		})
		if err != nil || !slices.Equal(asked, []string{"", "b", "c"}) {
			t.Errorf("%q, %v", asked, err)
		}
	})
	for name, next := range map[string]map[string]string{
		"that repeats":          {"": "a", "a": "a"},
		"of a circle":           {"": "a", "a": "b", "b": "c", "c": "a"},
		"of a page that it had": {"": "a", "a": "b", "b": "b"},
	} {
		t.Run("refuses a token "+name, func(t *testing.T) {
			calls := 0
			err := Pages(t.Context(), func(token string) (string, error) { calls++; return next[token], nil })
			if !errors.Is(err, ErrBadAnswer) || calls != len(next) {
				t.Errorf("%v after %d calls", err, calls)
			}
		})
	}
	t.Run("refuses a list without an end", func(t *testing.T) {
		calls := 0
		err := Pages(t.Context(), func(string) (string, error) { calls++; return fmt.Sprint(calls), nil })
		if !errors.Is(err, ErrBadAnswer) || calls != maxPages {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
	t.Run("returns the error of a page", func(t *testing.T) {
		failed := &googleapi.Error{Code: 500}
		if err := Pages(t.Context(), func(string) (string, error) { return "a", failed }); !errors.Is(err, failed) {
			t.Error(err)
		}
	})
	t.Run("ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := Pages(ctx, func(string) (string, error) { cancel(); return "a", nil })
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
