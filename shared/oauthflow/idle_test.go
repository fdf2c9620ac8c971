package oauthflow

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// While an instance is frozen, the other side closes what is idle; the next call finds out and is sent again.
func TestCallOnAConnectionThatWasClosedMeanwhile(t *testing.T) {
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Values("X-Idempotency-Key") != nil {
			t.Error("the mark is sent")
		}
		if calls.Add(1) == 2 {
			c, _, _ := w.(http.Hijacker).Hijack()
			c.Close()
		}
	}))
	defer server.Close()
	client := &http.Client{Transport: wholeBody{&http.Transport{}}}
	for range 2 {
		res, err := client.Post(server.URL, "text/plain", strings.NewReader("code"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if n := calls.Load(); n != 3 {
		t.Errorf("%d calls", n)
	}
}
