package httpfunc

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A watchedConn tells when its reads and writes have to be done.
type watchedConn struct {
	net.Conn
	mu          sync.Mutex
	read, write time.Time
}

func (c *watchedConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.read = t
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

func (c *watchedConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	if !t.IsZero() { // it ends with the request
		c.write = t
	}
	c.mu.Unlock()
	return c.Conn.SetWriteDeadline(t)
}

func (c *watchedConn) deadlines() (read, write time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read, c.write
}

type watchedListener struct {
	net.Listener
	conns chan *watchedConn
}

func (l *watchedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &watchedConn{Conn: c}
	l.conns <- w
	return w, nil
}

// Net/http reads the body that nobody asked for before it sends the answer to a preflight.
func TestPreflightDeadline(t *testing.T) {
	k := newKit(t, "FRONT_ENDS", "https://app.example/")
	served := k.Show("page", func(*http.Request) (*View, error) { return ValuePage.View("x"), nil })
	read := make(chan time.Time, 1)
	l := &watchedListener{conns: make(chan *watchedConn, 1)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.ServeHTTP(w, r)
		at, _ := (<-l.conns).deadlines()
		read <- at
	}))
	l.Listener = server.Listener
	server.Listener = l
	server.Start()
	defer server.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "OPTIONS /page HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: GET\r\nContent-Length: 1\r\n\r\n")
	if at := <-read; at.IsZero() {
		t.Error("the body of a preflight may take for ever")
	}
}

// While a function works, net/http reads on to see the client hang up: a deadline for that read would end the
// request. A body that has yet to come has one, and so has the reader of an answer.
func TestDeadlines(t *testing.T) {
	k := newKit(t)
	_, cookie := k.grant(ada, someScope)
	var conn *watchedConn
	check := func(c *Call) (*View, error) {
		if read, _ := conn.deadlines(); !read.IsZero() {
			t.Errorf("%s %s: the read has to be done by %v", c.Method, c.Header.Get("Content-Type"), read)
		}
		return ValuePage.View("done"), nil
	}
	h := forUser(Function{Name: "probe", Scopes: Scopes{{someScope}}, Get: check, Post: check, File: true})
	l := &watchedListener{conns: make(chan *watchedConn, 9)}
	server := httptest.NewUnstartedServer(k.handle(h))
	l.Listener = server.Listener
	server.Listener = l
	server.Start()
	defer server.Close()
	dial := func(head string) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		conn = <-l.conns
		io.WriteString(c, head)
		return c
	}
	status := func(c net.Conn) string {
		t.Helper()
		answer := make([]byte, len("HTTP/1.1 200"))
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Fatal(err)
		}
		return string(answer[9:])
	}
	headers := " /probe HTTP/1.1\r\nHost: x\r\nCookie: " + cookie.Name + "=" + cookie.Value + "\r\nAccept: application/json\r\n"

	t.Run("none while a function works", func(t *testing.T) {
		for _, body := range []string{"",
			"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\na=b",
			"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
			"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 82\r\n\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhello\r\n--x--\r\n  ",
		} {
			method := "POST"
			if body == "" {
				method, body = "GET", "\r\n"
			}
			if got := status(dial(method + headers + body)); got != "200" {
				t.Errorf("%.40q: %s", body, got)
			}
		}
	})
	t.Run("one for a body that has yet to come, and for whoever reads the answer", func(t *testing.T) {
		c := dial("POST" + headers + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{")
		within := func(what string, deadline func() time.Time, most time.Duration) {
			t.Helper()
			for end := time.Now().Add(5 * time.Second); deadline().IsZero() && time.Now().Before(end); time.Sleep(time.Millisecond) {
			}
			if left := time.Until(deadline()); left <= 0 || left > most {
				t.Errorf("%s: %v are left", what, left)
			}
		}
		within("the body", func() time.Time { read, _ := conn.deadlines(); return read }, bodyTimeout)
		io.WriteString(c, "}")
		if got := status(c); got != "200" {
			t.Error(got)
		}
		within("the answer", func() time.Time { _, write := conn.deadlines(); return write }, answerTimeout)
	})
	t.Run("a body that does not come is given up, and the connection with it", func(t *testing.T) {
		c := dial("POST" + strings.Replace(headers, "POST", "", 1) + "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
		for read, _ := conn.deadlines(); read.IsZero(); read, _ = conn.deadlines() {
			time.Sleep(time.Millisecond)
		}
		conn.Conn.SetReadDeadline(time.Now()) // as if the time were up
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || answer.StatusCode != http.StatusServiceUnavailable || !answer.Close {
			t.Errorf("%v, %+v", err, answer)
		}
	})
}

func TestUploadEndsWithItsTime(t *testing.T) {
	r := request("POST", "/probe", "a")
	ctx, cancel := context.WithDeadline(r.Context(), time.Now().Add(-time.Second))
	defer cancel()
	body := &boundedBody{x: &exchange{r: r.WithContext(ctx), w: httptest.NewRecorder()}, left: 9, streamed: true}
	if b, err := io.ReadAll(body); len(b) > 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%q, %v", b, err)
	}
}

type deadlineRecorder struct {
	*httptest.ResponseRecorder
	read []time.Time
}

func (w *deadlineRecorder) SetReadDeadline(t time.Time) error {
	w.read = append(w.read, t)
	return nil
}

func TestUploadThatGoesOnIsGivenTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
		body := &boundedBody{x: &exchange{r: request("POST", "/probe", "abc"), w: w}, left: 9, streamed: true}
		var want []time.Time
		for _, pause := range []time.Duration{0, time.Second, time.Millisecond} { // once a second is enough
			time.Sleep(pause)
			if pause != time.Second {
				want = append(want, time.Now().Add(bodyTimeout))
			}
			if n, err := body.Read(make([]byte, 1)); n != 1 {
				t.Fatal(err)
			}
		}
		if !slices.Equal(w.read, want) {
			t.Errorf("read deadlines %v, want %v", w.read, want)
		}
	})
}
