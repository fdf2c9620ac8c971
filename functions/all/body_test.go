package all_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

func TestRequestOver32MiBIsRefusedWhateverItHolds(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.browser()
	expect(t, b.visit("/createfile", ada), http.StatusOK)
	head := "--x\r\nContent-Disposition: form-data; name=\"form\"\r\n\r\n" + b.mark("/createfile") + "\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\ncontent\r\n--x--\r\n"
	for size, status := range map[int]int{32 << 20: http.StatusSeeOther, 32<<20 + 1: http.StatusRequestEntityTooLarge} {
		body := head + strings.Repeat(" ", size-len(head)) // behind the last boundary
		a := b.do(b.request("POST", "/createfile", strings.NewReader(body), "Content-Type", "multipart/form-data; boundary=x"))
		if a.status != status {
			t.Errorf("%d bytes: %d, want %d", size, a.status, status)
		}
	}
	if n := len(w.fake.Files(subjectOf(t, w.fake, ada))); n != 1 {
		t.Errorf("%d files, want 1", n)
	}
}

func TestTextOfAStrangerIsKeptWhileItIsSmall(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	for size, kept := range map[int]bool{60 << 10: true, 100 << 10: false, 3 << 20: false} {
		a := w.browser().post("/createfile", url.Values{"form": {"x"}, "name": {"a"}, "content": {strings.Repeat("x", size)}})
		expect(t, a, http.StatusUnauthorized)
		if strings.Contains(a.body, strings.Repeat("x", size)) != kept || kept == strings.Contains(a.body, "Back button has it") || !kept && len(a.body) > 64<<10 {
			t.Errorf("a text of %d bytes: an answer of %d", size, len(a.body))
		}
	}
}

func TestFormThatFailedShowsTheNumberThatTheLogHas(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.browser()
	expect(t, b.visit("/createfile", ada), http.StatusOK)
	w.fake.Fail("/upload/", 9, fakegoogle.Failure{Garbage: true})
	a := b.post("/createfile", url.Values{"name": {"kept-name"}, "content": {"b"}})
	expect(t, a, http.StatusBadGateway, "kept-name", "the number <code>")
	_, rest, _ := strings.Cut(a.body, "the number <code>")
	if id, _, _ := strings.Cut(rest, "<"); len(id) != 22 || !strings.Contains(w.log.String(), "request="+id) {
		t.Errorf("%q is not in the log", id)
	}
}

// A body that never comes does not hold its request for ever, and not the answer to what needs none.
func TestBodyThatStallsIsGivenUp(t *testing.T) {
	if !*long {
		t.Skip("takes 30 s: -long")
	}
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	for _, name := range []string{"/createfile", "/createevent"} {
		expect(t, b.visit(name, ada), http.StatusOK)
	}
	cookie := b.cookie()
	var all sync.WaitGroup
	defer all.Wait()
	for line, status := range map[string]string{
		"GET /listlabels":   "200",
		"PUT /listlabels":   "405",
		"POST /createevent": "503",
		"POST /account":     "503",
		"POST /createfile":  "503",
		"POST /dailyevent HTTP/1.1\r\nAuthorization: Bearer x": "403",
	} {
		all.Go(func() {
			conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(40 * time.Second))
			if !strings.Contains(line, "HTTP/1.1") {
				line += " HTTP/1.1"
			}
			io.WriteString(conn, line+"\r\nHost: localhost\r\nCookie: session="+cookie+"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 50\r\n\r\na")
			answer := make([]byte, len("HTTP/1.1 200"))
			if _, err := io.ReadFull(conn, answer); err != nil || string(answer[9:]) != status {
				t.Errorf("%s: %q, %v, want %s", line, answer, err, status)
			}
		})
	}
}
