package tokenstore_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestDeadFirestore(t *testing.T) {
	t.Parallel()
	closed := listen(t)
	closed.Close()
	for name, addr := range map[string]string{
		"nobody listens": closed.Addr().String(),
		"nobody answers": listen(t).Addr().String(),
	} {
		t.Run(name+" is ErrUnavailable within 5 s", func(t *testing.T) {
			t.Parallel()
			wantUnavailable(t, openFirestore(t, addr, "p", newKeyset(t)))
		})
	}

	t.Run("the caller's own end is the context's error", func(t *testing.T) {
		t.Parallel()
		f := openFirestore(t, listen(t).Addr().String(), "p", newKeyset(t))
		expiring, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := f.Get(expiring, "alice"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("Get with a short deadline = %v", err)
		}
		cancelled, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if err := f.UseOnce(cancelled, "id", time.Now()); !errors.Is(err, context.Canceled) || errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("UseOnce that is cancelled = %v", err)
		}
	})
}

func TestLostReply(t *testing.T) {
	open := func(t *testing.T) (f *tokenstore.Firestore, p *proxy, document func(string) string) {
		addr, project := tokenstoretest.Emulator(t)
		p = newProxy(t, addr)
		f = openFirestore(t, p.addr, project, newKeyset(t))
		put(t, f, tokenstoretest.Full("alice"))
		return f, p, func(name string) string {
			fields := tokenstoretest.RawDocument(t, addr, project, name)
			return string(fields["email"]) + string(fields["value"])
		}
	}

	t.Run("of a put ends in the same state", func(t *testing.T) {
		f, p, document := open(t)
		g := get(t, f, "alice")
		g.Email = "new@example.com"
		before := document("grants/alice")
		err := p.loseReply(t, func() error { return f.Put(t.Context(), g) }, func() bool { return document("grants/alice") != before })
		if !errors.Is(err, tokenstore.ErrConflict) {
			t.Errorf("Put = %v", err)
		}
		if got := get(t, f, "alice"); got.Email != "new@example.com" || !got.Usable() {
			t.Errorf("stored is %+v", got)
		}
	})

	t.Run("of a first put ends in the same state", func(t *testing.T) {
		f, p, document := open(t)
		err := p.loseReply(t, func() error { return f.Put(t.Context(), tokenstoretest.Full("bob")) }, func() bool { return document("grants/bob") != "" })
		if !errors.Is(err, tokenstore.ErrConflict) {
			t.Errorf("Put = %v", err)
		}
		if !get(t, f, "bob").Usable() {
			t.Error("the grant is not there")
		}
	})

	t.Run("of an update ends in the same state and is a success", func(t *testing.T) {
		f, p, document := open(t)
		before := document("grants/alice")
		update := func() error {
			_, err := tokenstore.Update(t.Context(), f, "alice", func(g *tokenstore.Grant) error {
				if g.Email != "new@example.com" {
					p.mute()
				}
				g.Email = "new@example.com"
				return nil
			})
			return err
		}
		if err := p.cut(t, update, func() bool { return document("grants/alice") != before }); err != nil {
			t.Error(err)
		}
		if got := get(t, f, "alice").Email; got != "new@example.com" {
			t.Errorf("Email = %s", got)
		}
	})

	t.Run("of a first use is a success and the next use is not", func(t *testing.T) {
		f, p, document := open(t)
		use := func() error { return f.UseOnce(t.Context(), "id", time.Now().Add(time.Hour)) }
		if err := p.loseReply(t, use, func() bool { return document("flows/id") != "" }); err != nil {
			t.Errorf("first use: %v", err)
		}
		if err := use(); !errors.Is(err, tokenstore.ErrUsed) {
			t.Errorf("next use: %v", err)
		}
	})

	t.Run("of a delete is a success", func(t *testing.T) {
		f, p, document := open(t)
		if err := p.loseReply(t, func() error { return f.Delete(t.Context(), "alice") }, func() bool { return document("grants/alice") == "" }); err != nil {
			t.Error(err)
		}
		if _, err := f.Get(t.Context(), "alice"); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("Get = %v", err)
		}
	})
}

// wantUnavailable calls every method of s at once.
func wantUnavailable(t *testing.T, s tokenstore.Store) {
	t.Helper()
	var all sync.WaitGroup
	for method, call := range map[string]func() error{
		"Get":       func() error { _, err := s.Get(t.Context(), "alice"); return err },
		"Put":       func() error { return s.Put(t.Context(), tokenstoretest.Full("bob")) },
		"Delete":    func() error { return s.Delete(t.Context(), "nobody") },
		"UseOnce":   func() error { return s.UseOnce(t.Context(), "id", time.Now()) },
		"ByJob":     func() error { _, err := s.ByJob(t.Context(), "weekly", "", 1); return err },
		"Cursor":    func() error { _, err := s.Cursor(t.Context(), "weekly"); return err },
		"SetCursor": func() error { return s.SetCursor(t.Context(), "weekly", "alice") },
	} {
		all.Go(func() {
			begin := time.Now()
			err := call()
			if took := time.Since(begin); !errors.Is(err, tokenstore.ErrUnavailable) || took > 5*time.Second {
				t.Errorf("%s = %v after %v", method, err, took)
			}
		})
	}
	all.Wait()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A proxy passes bytes on to a server, until it is told to lose what the server says.
type proxy struct {
	addr string

	mu    sync.Mutex
	muted bool
	open  []net.Conn
}

func newProxy(t *testing.T, server string) *proxy {
	l := listen(t)
	p := &proxy{addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			backend, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			p.mu.Lock()
			p.open = append(p.open, client)
			p.mu.Unlock()
			go func() {
				io.Copy(backend, client)
				backend.Close()
			}()
			go func() {
				io.Copy(answers{p, client}, backend)
				client.Close()
			}()
		}
	}()
	return p
}

// answers writes what the server says to the client, or nowhere.
type answers struct {
	p      *proxy
	client net.Conn
}

func (a answers) Write(b []byte) (int, error) {
	a.p.mu.Lock()
	muted := a.p.muted
	a.p.mu.Unlock()
	if muted {
		return len(b), nil
	}
	return a.client.Write(b)
}

// mute loses every answer from now on.
func (p *proxy) mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.muted = true
}

// loseReply is cut with every answer lost from the beginning.
func (p *proxy) loseReply(t *testing.T, call func() error, done func() bool) error {
	t.Helper()
	p.mute()
	return p.cut(t, call, done)
}

// cut runs call, and once done reports that the server has done its work, cuts the connections and
// lets new ones speak. It returns what call returned.
func (p *proxy) cut(t *testing.T, call func() error, done func() bool) error {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- call() }()
	eventually(t, done)
	p.mu.Lock()
	for _, client := range p.open {
		client.Close()
	}
	p.open, p.muted = nil, false
	p.mu.Unlock()
	return <-result
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}
