package all_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

// TestFaultLostReplyOnACreateMakesExactlyOne creates files and events while one reply of Google in five
// is lost, or half of it, after the work was done. Whoever is told that it did not work sends the same again.
func TestFaultLostReplyOnACreateMakesExactlyOne(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	creates := times(100, 2000)
	paths := []string{"/createfile", "/createevent"}
	for _, path := range paths {
		expect(t, b.visit(path, ada), http.StatusOK)
	}
	var lost, again atomic.Int64
	b = b.at(w.start(t, w.envWith("GOOGLE_BASE_URL", lossyGoogle(t, w.fake, 5, &lost))))
	ids := make([]string, creates)
	var next atomic.Int64
	atOnce(8, func(int) {
		for i := int(next.Add(1)) - 1; i < creates; i = int(next.Add(1)) - 1 {
			path := paths[i%2]
			fresh := b.getJSON(path)
			for fresh.status != http.StatusOK { // no id yet: nothing that could be made twice
				fresh = b.getJSON(path)
			}
			ids[i] = fresh.member(t, "id").(string)
			body := map[string]any{"id": ids[i], "name": fmt.Sprint("file ", i), "content": "text",
				"title": fmt.Sprint("event ", i), "start": "2026-03-01T15:00:00Z", "end": "2026-03-01T16:00:00Z", "time_zone": "UTC"}
			for {
				a := b.postJSON(path, body)
				if a.status == http.StatusOK {
					if id := a.member(t, "id"); id != ids[i] {
						t.Errorf("made %v, not %s", id, ids[i])
					}
					break
				}
				if a.status != http.StatusServiceUnavailable && a.status != http.StatusBadGateway {
					t.Errorf("%s: %d %s", path, a.status, a.body)
					return
				}
				again.Add(1)
			}
		}
	})
	made := map[string]int{}
	for _, f := range w.fake.Files(ada) {
		made[f.ID]++
	}
	for _, e := range w.fake.Events(ada) {
		made[e.ID]++
	}
	for i, id := range ids {
		if made[id] != 1 {
			t.Errorf("create %d made %d", i, made[id])
		}
	}
	if len(made) != creates {
		t.Errorf("%d things were made, want %d", len(made), creates)
	}
	t.Logf("%d creates, %d replies lost, %d requests told to come again: exactly one each", creates, lost.Load(), again.Load())
	if lost.Load() < int64(creates)/10 {
		t.Errorf("just %d replies were lost", lost.Load())
	}
}

// TestFaultLostReplyOnAnUploadMakesExactlyOne is about a body that is sent only once.
func TestFaultLostReplyOnAnUploadMakesExactlyOne(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	expect(t, b.visit("/createfile", ada), http.StatusOK)
	id := b.getJSON("/createfile").member(t, "id").(string)
	upload := func() *answer {
		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		m.WriteField("id", id)
		part, err := m.CreateFormFile("file", "large.txt")
		if err != nil {
			t.Fatal(err)
		}
		part.Write(content)
		m.Close()
		return b.do(b.request("POST", "/createfile", &body, "Content-Type", m.FormDataContentType(), "Accept", "application/json"))
	}
	w.fake.Fail("/upload/", 1, fakegoogle.Failure{Drop: true})
	expect(t, upload(), http.StatusServiceUnavailable)
	expect(t, upload(), http.StatusOK, id)
	if files := w.fake.Files(ada); len(files) != 1 || files[0].Size != int64(len(content)) {
		t.Errorf("%d files", len(files))
	}
}

// lossyGoogle serves Google, does all that it is asked for, and loses one reply in n, all of it or the
// second half. It returns its URL.
func lossyGoogle(t *testing.T, google http.Handler, n int, lost *atomic.Int64) string {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if rand.N(n) > 0 {
			google.ServeHTTP(rw, r)
			return
		}
		lost.Add(1)
		reply := httptest.NewRecorder()
		google.ServeHTTP(reply, r)
		if rand.N(2) == 0 {
			maps.Copy(rw.Header(), reply.Header())
			rw.Header().Set("Content-Length", strconv.Itoa(reply.Body.Len()))
			rw.WriteHeader(reply.Code)
			rw.Write(reply.Body.Bytes()[:reply.Body.Len()/2])
			http.NewResponseController(rw).Flush()
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
