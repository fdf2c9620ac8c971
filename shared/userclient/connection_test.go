package userclient

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"functions.local/oauth/shared/seal"
)

// silencer passes on what comes, until it falls silent: connections made before then stay open and carry
// nothing any more.
type silencer struct {
	net.Listener
	to    string
	epoch atomic.Int64
	mu    sync.Mutex
	open  []net.Conn
}

func newSilencer(t *testing.T, to string) *silencer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &silencer{Listener: l, to: to}
	go s.serve()
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.open {
			c.Close()
		}
	})
	return s
}

func (s *silencer) serve() {
	for {
		down, err := s.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", s.to)
		if err != nil {
			down.Close()
			return
		}
		s.mu.Lock()
		s.open = append(s.open, down, up)
		s.mu.Unlock()
		born := s.epoch.Load()
		pass := func(to io.Writer, from io.Reader) {
			for b := make([]byte, 32<<10); ; {
				n, err := from.Read(b)
				if err != nil {
					return
				}
				if s.epoch.Load() == born {
					to.Write(b[:n])
				}
			}
		}
		go pass(up, down)
		go pass(down, up)
	}
}

func TestConnection(t *testing.T) {
	token := func(context.Context, seal.Secret) (seal.Secret, error) { return "t", nil }
	t.Run("one whose peer fell silent costs a request a moment, and the next nothing", func(t *testing.T) {
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Error(r.Proto)
			}
			io.WriteString(w, "{}")
		}))
		server.EnableHTTP2 = true
		server.StartTLS()
		t.Cleanup(server.Close)
		proxy := newSilencer(t, server.Listener.Addr().String())
		base := NewTransport(nil).(*http.Transport)
		base.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
		base.HTTP2.SendPingTimeout, base.HTTP2.PingTimeout = base.HTTP2.SendPingTimeout/100, base.HTTP2.PingTimeout/30
		client := New(base, token, time.Now)
		t.Cleanup(client.CloseIdleConnections)
		for i := range 4 {
			if i == 1 {
				proxy.epoch.Add(1)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+proxy.Addr().String()+"/", nil)
			res, err := client.Do(r)
			if err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			cancel()
		}
	})
	t.Run("a retry goes over the same one", func(t *testing.T) {
		var calls, opened atomic.Int64
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch calls.Add(1) {
			case 1:
				w.WriteHeader(http.StatusServiceUnavailable)
			case 2:
				w.WriteHeader(http.StatusUnauthorized)
			}
			io.WriteString(w, `{"a":"`+strings.Repeat("x", 60000)+`"}`)
		}))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				opened.Add(1)
			}
		}
		server.Start()
		t.Cleanup(server.Close)
		client := New(server.Client().Transport, token, time.Now)
		client.Transport.(*transport).sleep = func(context.Context, time.Duration) error { return nil }
		res, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if calls.Load() != 3 || opened.Load() != 1 {
			t.Errorf("%d calls, %d connections", calls.Load(), opened.Load())
		}
	})
	t.Run("a dead one is found out well within a request's 30 seconds", func(t *testing.T) {
		c := NewTransport(nil).(*http.Transport).HTTP2
		if found := c.SendPingTimeout + c.PingTimeout; c.SendPingTimeout == 0 || c.PingTimeout == 0 || found > 10*time.Second {
			t.Errorf("%v", found)
		}
	})
	t.Run("the stand-in gets what is meant for Google, path and query as they were", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"at":"`+r.Host+r.URL.String()+`"}`)
		}))
		t.Cleanup(server.Close)
		to, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://gmail.googleapis.com/gmail/v1/x?alt=json", nil)
		res, err := New(NewTransport(to), token, time.Now).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		want := `{"at":"` + to.Host + `/gmail/v1/x?alt=json"}`
		if b, _ := io.ReadAll(res.Body); string(b) != want || r.URL.Host != "gmail.googleapis.com" {
			t.Errorf("%s, want %s; the request names %s", b, want, r.URL.Host)
		}
	})
}
