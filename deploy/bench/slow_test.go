package bench_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkSlowClient measures how long clients that are slow on purpose hold a place among the requests that a process
// serves at once: until the process closes their connection. b.N of each kind come at once. It fails where one holds a place
// for longer than 20 s, or where an upload that makes progress is cut off.
func BenchmarkSlowClient(b *testing.B) {
	w := newWorld(b)
	ada := w.user("ada", time.Now().Add(time.Hour))
	// Google has so much to tell that no buffer of the system's holds a page of it.
	long := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, `{"labels":[{"name":"a"}`+strings.Repeat(`,{"name":"`+strings.Repeat("a", 200)+`"}`, 80_000)+`]}`)
	}))
	defer long.Close()
	processes := map[string]*process{}
	for _, name := range []string{"listlabels", "createevent", "createfile"} {
		env := w.environment(name)
		if name == "listlabels" {
			env = w.environment(name, "GOOGLE_BASE_URL="+long.URL)
		}
		processes[name] = start(b, ours, binary(b, ours, name), env, nil, "/", anyStatus)
	}
	const (
		form = "Content-Type: " + formType + "\r\nContent-Length: 60000\r\n"
		json = "Content-Type: " + jsonType + "\r\nContent-Length: 60000\r\n"
		file = "Content-Type: " + partsType + "\r\nTransfer-Encoding: chunked\r\n"
	)
	for _, c := range []struct {
		name, function, head string
		header               http.Header
		send                 func(io.Writer) error
		want                 string // the answer's status, where it is read
	}{
		{"a stranger's form that does not come", "createevent", "POST", nil, body(form, nothing), "503"},
		{"a stranger's form, a byte a second", "createevent", "POST", nil, body(form, drops), "503"},
		{"a stranger's file, a byte a second", "createfile", "POST", nil, body(file, chunks(60)), "401"},
		{"a user's form, a byte a second", "createevent", "POST", ada, body(form, drops), "503"},
		{"a user's text where files are taken, a byte a second", "createfile", "POST", ada, body(json, drops), "503"},
		{"a user's file that stops", "createfile", "POST", ada, body(file, chunks(0)), "503"},
		{"a user's file, a byte a second for 25 seconds", "createfile", "POST", ada, body(file, chunks(25)), "200"},
		{"a user who does not read the answer", "listlabels", "GET", ada, body("", nothing), ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportMetric(0, "ns/op")
			p := processes[c.function]
			var all sync.WaitGroup
			var mu sync.Mutex
			longest := time.Duration(0)
			for range b.N {
				all.Go(func() {
					held, status := hold(b, p, c.head+" /"+c.function+" HTTP/1.1\r\nHost: localhost:8080\r\nAccept: application/json\r\n"+
						"Cookie: "+strings.Join(c.header.Values("Cookie"), "; ")+"\r\n", c.send, c.want != "")
					if status != c.want {
						b.Errorf("status %q, want %q", status, c.want)
					}
					mu.Lock()
					longest = max(longest, held)
					mu.Unlock()
				})
			}
			all.Wait()
			b.ReportMetric(longest.Seconds(), "s-held")
			if longest > 20*time.Second && c.want != "200" {
				b.Errorf("a place is held for %v", longest)
			}
		})
	}
}

// hold sends a request, and returns how long the process keeps its connection, and the status of the answer if it is
// read.
func hold(tb testing.TB, p *process, head string, send func(io.Writer) error, reads bool) (held time.Duration, status string) {
	dialer := net.Dialer{}
	c, err := dialer.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		tb.Error(err)
		return 0, ""
	}
	defer c.Close()
	c.(*net.TCPConn).SetReadBuffer(4 * kib)
	began := time.Now()
	if _, err := io.WriteString(c, head+"Connection: close\r\n"); err != nil {
		tb.Error(err)
	}
	go send(c) // fails when the process has enough of it
	if reads {
		if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			tb.Error(err)
		} else {
			status = res.Status[:3]
			io.Copy(io.Discard, res.Body)
		}
	}
	for serves(tb, c) && time.Since(began) < time.Minute {
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began), status
}

// serves reports whether the process at the other end of c has it open [proc(5): /proc/net/tcp].
func serves(tb testing.TB, c net.Conn) bool {
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		tb.Error(err)
	}
	ends := fmt.Sprintf(":%04X 0100007F:%04X ", c.RemoteAddr().(*net.TCPAddr).Port, c.LocalAddr().(*net.TCPAddr).Port)
	_, state, found := strings.Cut(string(b), ends)
	return found && (strings.HasPrefix(state, "01") || strings.HasPrefix(state, "08")) // ESTABLISHED, CLOSE_WAIT
}

// body returns what sends the rest of a head, and a body.
func body(head string, rest func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		if _, err := io.WriteString(w, head+"\r\n"); err != nil {
			return err
		}
		return rest(w)
	}
}

func nothing(io.Writer) error { return nil }

// drops sends a byte a second for a minute.
func drops(w io.Writer) error {
	for range 60 {
		if _, err := io.WriteString(w, "a"); err != nil {
			return err
		}
		time.Sleep(time.Second)
	}
	return nil
}

// chunks sends a form with a file that has a byte a second, and its end if it has any.
func chunks(n int) func(io.Writer) error {
	return func(w io.Writer) error {
		chunk := func(s string) error {
			_, err := fmt.Fprintf(w, "%x\r\n%s\r\n", len(s), s)
			return err
		}
		head, tail, _ := strings.Cut(filePart(1), "\r\n\r\na\r\n")
		err := chunk(head + "\r\n\r\n")
		for range n {
			if err == nil {
				err = chunk("a")
				time.Sleep(time.Second)
			}
		}
		if err != nil || n == 0 {
			return err
		}
		if err := chunk("\r\n" + tail); err != nil {
			return err
		}
		_, err = io.WriteString(w, "0\r\n\r\n")
		return err
	}
}
