package bench_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	formType  = "application/x-www-form-urlencoded"
	jsonType  = "application/json"
	partsType = "multipart/form-data; boundary=b"
	kib       = 1 << 10
	mib       = 1 << 20
)

// A badBody is a kind of body that is made to hurt.
type badBody struct {
	name, contentType string
	// of returns one that is as large as is read where a function takes text bytes of text.
	of func(text int) string
}

var bodies = []badBody{
	{"plain text", formType, func(text int) string { return "title=" + strings.Repeat("a", text-kib) }},
	{"escaped text", formType, func(text int) string { return "title=" + strings.Repeat("%61", text-kib) }},
	{"text of escapes", jsonType, func(text int) string { return `{"title":"` + strings.Repeat(`\u0061`, text/2-kib) + `"}` }},
	{"a list", jsonType, func(text int) string { return `{"guests":[""` + strings.Repeat(`,""`, text-kib) + `]}` }},
	{"a list of as many as can be", jsonType, func(text int) string {
		one := `,"` + strings.Repeat("a", (text-kib)/1000) + `"`
		return `{"guests":[` + strings.Repeat(one, 999)[1:] + `]}`
	}},
	{"members", jsonType, func(text int) string {
		var b strings.Builder
		for i := 0; b.Len() < 3*text-kib; i++ {
			fmt.Fprintf(&b, `,"m%d":0`, i)
		}
		return "{" + b.String()[1:] + "}"
	}},
	{"fields", formType, func(text int) string { return strings.Repeat("&a=", text) }},
	{"commas", formType, func(text int) string { return "guests=" + strings.Repeat(",", text-kib) }},
	{"addresses", formType, func(text int) string { return "guests=" + strings.Repeat("a@b.c,", text/6-kib) }},
	{"quotes", formType, func(text int) string { return "title=" + strings.Repeat(`"`, text-kib) }},
	{"quotes that are shown again", formType, func(text int) string { return "title=" + strings.Repeat(`"`, min(text, 100*kib)-kib) }},
	{"empty parts", partsType, func(text int) string {
		return strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n", (text+64*kib)/52) + "--b--\r\n"
	}},
	{"a long name", formType, func(text int) string { return strings.Repeat("a", text-kib) + "=1" }},
	{"a part's long name", partsType, func(text int) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + strings.Repeat("a", text) + "\"\r\n\r\n1\r\n--b--\r\n"
	}},
	{"a part's huge head", partsType, func(text int) string {
		return "--b\r\n" + strings.Repeat("A: b\r\n", text/6) + "Content-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"
	}},
	{"a part's many parameters", partsType, func(text int) string {
		return "--b\r\nContent-Disposition: form-data; name=\"a\"" + parameters(text) + "\r\n\r\n1\r\n--b--\r\n"
	}},
	{"a MIME type's many parameters", partsType, func(text int) string {
		return "--b\r\nContent-Disposition: form-data; name=\"mime_type\"\r\n\r\ntext/plain" + parameters(text-kib) + "\r\n--b--\r\n"
	}},
	{"deep lists", jsonType, func(text int) string { return `{"a":` + strings.Repeat("[", 3*text-kib) }},
	{"deep objects", jsonType, func(text int) string { return strings.Repeat(`{"a":`, 3*text/5-kib) }},
	{"white space", jsonType, func(text int) string { return strings.Repeat(" ", 3*text-kib) + "{}" }},
	{"32 MiB of text", formType, func(int) string { return "title=" + strings.Repeat("a", 32*mib-kib) }},
	{"a file of 1 MiB", partsType, func(int) string { return filePart(mib) }},
	{"a file of 32 MiB", partsType, func(int) string { return filePart(32*mib - kib) }},
}

// parameters are those of a header value, n bytes of them; each is one that has to be put together of its pieces
// [RFC 2231 §3].
func parameters(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, ";%x*0=1", i)
	}
	return b.String()[:n]
}

func filePart(size int) string {
	return "--b\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n1abc\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + strings.Repeat("a", size) + "\r\n--b--\r\n"
}

// takers are the functions that get the bodies, with the text that each takes and the memory that a process may
// need, in MiB. The rest of an instance's 256 and 512 MiB is for what a measurement does not foresee.
var takers = []struct {
	name string
	text int
	most float64
}{
	{"createevent", 128 * kib, 200},
	{"createfile", 2 * mib, 400},
}

// textOf is how much text is read of who is sending.
func textOf(who string, text int) int {
	if who == stranger {
		return 64 * kib
	}
	return text
}

const stranger = "a stranger"

// BenchmarkWorstBody measures what bad bodies cost a process that was just started: the most memory that it had, and
// its processor time a request. It fails where a process needs more memory than it may.
func BenchmarkWorstBody(b *testing.B) {
	w := newWorld(b)
	senders := w.senders()
	for _, f := range takers {
		for who, header := range senders {
			for _, body := range bodies {
				for _, at := range []int{1, 80} {
					b.Run(fmt.Sprintf("%s/%s/%s/at=%d", f.name, who, body.name, at), func(b *testing.B) {
						r := post{header, body.contentType, body.of(textOf(who, f.text))}
						rounds := b.N
						if at == 1 {
							rounds *= 20 // or their time is too short to be measured
						}
						cost := w.send(f.name, slices.Repeat([]post{r}, at), rounds)
						b.ReportMetric(0, "ns/op")
						b.ReportMetric(cost.peak, "peak-MiB")
						b.ReportMetric(cost.cpu, "cpu-ms/request")
						if b.Log(cost.answers); cost.peak > f.most {
							b.Errorf("%.0f MiB, want at most %.0f", cost.peak, f.most)
						}
					})
				}
			}
		}
	}
}

// TestWorstBodies sends a process every bad body of every sender at once.
func TestWorstBodies(t *testing.T) {
	w := newWorld(t)
	senders := w.senders()
	for _, f := range takers {
		t.Run(f.name+" takes bad bodies in bounded memory", func(t *testing.T) {
			var posts []post
			for who, header := range senders {
				for _, body := range bodies {
					posts = append(posts, post{header, body.contentType, body.of(textOf(who, f.text))})
				}
			}
			rand.Shuffle(len(posts), func(i, j int) { posts[i], posts[j] = posts[j], posts[i] })
			if cost := w.send(f.name, posts, 1); cost.peak > f.most {
				t.Errorf("%.0f MiB, want at most %.0f: %v", cost.peak, f.most, cost.answers)
			}
		})
	}
}

// BenchmarkLongList measures what as long a list of labels costs as Gmail lets a user have. It fails where a process needs
// more memory than it may, or where nobody is answered.
func BenchmarkLongList(b *testing.B) {
	w := newWorld(b)
	ada := w.user("ada", time.Now().Add(time.Hour))
	for as, accept := range map[string]string{"page": "text/html", "JSON": jsonType} {
		for _, at := range []int{1, 2, 80} {
			b.Run(fmt.Sprintf("%s/at=%d", as, at), func(b *testing.B) {
				w.set(b, "delay=300ms&list=long")
				cost := w.sendAll("listlabels", at, 10*b.N, func(p *process, _ int) *http.Request {
					return p.request(b, "GET", "/listlabels", nil, with(ada, "Accept", accept))
				})
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(cost.peak, "peak-MiB")
				b.ReportMetric(float64(cost.answers[http.StatusOK])/float64(10*b.N), "answered")
				if b.Log(cost.answers); cost.peak > 200 || cost.answers[http.StatusOK] == 0 {
					b.Errorf("%.0f MiB, want at most 200: %v", cost.peak, cost.answers)
				}
			})
		}
	}
}

// senders returns the headers of those who send bodies. A browser's are shown to it again, a program's are what the
// function works on.
func (w *world) senders() map[string]http.Header {
	ada := w.user("ada", time.Now().Add(time.Hour))
	return map[string]http.Header{
		stranger:    with(nil, "Accept", "text/html"),
		"a browser": ada,
		"a program": with(ada, "Accept", jsonType),
	}
}

// A post is a request with a body.
type post struct {
	header      http.Header
	contentType string
	body        string
}

type bodyCost struct {
	peak    float64     // MiB
	cpu     float64     // ms a request
	answers map[int]int // by status; 0 where the connection was cut
}

// send sends a new process all posts at once, and that for some rounds. Google takes its time, so that all of them are
// in memory together.
func (w *world) send(function string, posts []post, rounds int) *bodyCost {
	w.setDelay(w.tb, 300*time.Millisecond)
	return w.sendAll(function, len(posts), rounds, func(p *process, i int) *http.Request {
		one := posts[i]
		return p.request(w.tb, "POST", "/"+function, strings.NewReader(one.body), with(one.header, "Content-Type", one.contentType))
	})
}

// sendAll sends a new process n requests at once, and that for some rounds.
func (w *world) sendAll(function string, n, rounds int, request func(p *process, i int) *http.Request) *bodyCost {
	p := start(w.tb, ours, binary(w.tb, ours, function), w.environment(function), nil, "/", anyStatus)
	defer p.stop()
	cost := &bodyCost{answers: map[int]int{}}
	var mu sync.Mutex
	cpu := p.cpu(w.tb)
	for range rounds {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				status, _, _ := p.do(request(p, i))
				mu.Lock()
				cost.answers[status]++
				mu.Unlock()
			})
		}
		all.Wait()
	}
	cost.cpu = milliseconds(p.cpu(w.tb)-cpu) / float64(n*rounds)
	_, cost.peak = p.memory(w.tb)
	return cost
}
