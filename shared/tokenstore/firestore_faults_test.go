package tokenstore_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestDeadFirestore(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for the store's time limit")
	}
	t.Parallel()
	closed := listen(t)
	closed.Close()
	for name, addr := range map[string]string{
		"nobody listens": closed.Addr().String(),
		"nobody answers": listen(t).Addr().String(),
	} {
		t.Run(name+" is ErrUnavailable in time", func(t *testing.T) {
			t.Parallel()
			wantUnavailable(t, openFirestore(t, addr, "p", newKeyset(t)))
		})
	}

	t.Run("one whose answers break off is ErrUnavailable in time", func(t *testing.T) {
		t.Parallel()
		addr, project := tokenstoretest.Emulator(t)
		p := tokenstoretest.NewProxy(t, addr)
		f := openFirestore(t, p.Addr, project, newKeyset(t))
		put(t, f, tokenstoretest.Full("alice"))
		p.LoseReplies(0, 1<<20)
		wantUnavailable(t, f)
	})

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

func TestSlowFirestore(t *testing.T) {
	t.Parallel()
	addr, project := tokenstoretest.Emulator(t)
	keyset := newKeyset(t)
	f := openFirestore(t, addr, project, keyset)
	g := tokenstoretest.Full("alice")
	put(t, f, g)
	stale := g.Clone()
	put(t, f, g)
	if err := f.UseOnce(t.Context(), "id", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for method, call := range map[string]func(tokenstore.Store) error{
		"Delete":   func(s tokenstore.Store) error { return s.Delete(t.Context(), stale) },
		"UseOnce":  func(s tokenstore.Store) error { return s.UseOnce(t.Context(), "id", time.Now().Add(time.Hour)) },
		"ByGoogle": func(s tokenstore.Store) error { _, err := s.ByGoogle(t.Context(), "1234"); return err },
	} {
		t.Run("the two calls of "+method+" together are ErrUnavailable", func(t *testing.T) {
			t.Parallel()
			p := tokenstoretest.NewProxy(t, addr)
			f := openFirestore(t, p.Addr, project, keyset)
			get(t, f, "alice")
			p.Delay(2200 * time.Millisecond) // one call ends within its 4 s
			if err := call(f); !errors.Is(err, tokenstore.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
}

func TestLostReply(t *testing.T) {
	// of makes a call whose reply is lost after as many others.
	of := func(t *testing.T, after int, call func(*tokenstore.Firestore) error) (*tokenstore.Firestore, error) {
		addr, project := tokenstoretest.Emulator(t)
		p := tokenstoretest.NewProxy(t, addr)
		f := openFirestore(t, p.Addr, project, newKeyset(t))
		put(t, f, tokenstoretest.Full("alice"))
		p.LoseReplies(after, 1)
		err := call(f)
		if p.Lost() != 1 {
			t.Fatalf("%d replies were lost; %v", p.Lost(), err)
		}
		return f, err
	}

	t.Run("of a put ends in the same state", func(t *testing.T) {
		f, err := of(t, 1, func(f *tokenstore.Firestore) error {
			g := get(t, f, "alice")
			g.Email = "new@example.com"
			return f.Put(t.Context(), g)
		})
		if !errors.Is(err, tokenstore.ErrConflict) {
			t.Errorf("Put = %v", err)
		}
		if got := get(t, f, "alice"); got.Email != "new@example.com" || !got.Usable() {
			t.Errorf("stored is %+v", got)
		}
	})

	t.Run("of a first put ends in the same state", func(t *testing.T) {
		f, err := of(t, 0, func(f *tokenstore.Firestore) error { return f.Put(t.Context(), tokenstoretest.Full("bob")) })
		if !errors.Is(err, tokenstore.ErrConflict) {
			t.Errorf("Put = %v", err)
		}
		if !get(t, f, "bob").Usable() {
			t.Error("the grant is not there")
		}
	})

	for name, after := range map[string]int{"of an update's read": 0, "of an update": 1} {
		t.Run(name+" ends in the same state and is a success", func(t *testing.T) {
			f, err := of(t, after, func(f *tokenstore.Firestore) error {
				_, err := tokenstore.Update(t.Context(), f, "alice", func(g *tokenstore.Grant) error {
					g.Email = "new@example.com"
					return nil
				})
				return err
			})
			if got := get(t, f, "alice").Email; got != "new@example.com" || err != nil {
				t.Errorf("Email = %s, %v", got, err)
			}
		})
	}

	t.Run("of a first use is a success and the next use is not", func(t *testing.T) {
		use := func(f *tokenstore.Firestore) error { return f.UseOnce(t.Context(), "id", time.Now().Add(time.Hour)) }
		f, err := of(t, 0, use)
		if err != nil {
			t.Errorf("first use: %v", err)
		}
		if err := use(f); !errors.Is(err, tokenstore.ErrUsed) {
			t.Errorf("next use: %v", err)
		}
	})

	t.Run("of a delete is a success", func(t *testing.T) {
		f, err := of(t, 1, func(f *tokenstore.Firestore) error { return f.Delete(t.Context(), get(t, f, "alice")) })
		if err != nil {
			t.Error(err)
		}
		if _, err := f.Get(t.Context(), "alice"); !errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("Get = %v", err)
		}
	})
}

// within is the store's time limit of 4 s, and what a busy machine takes.
const within = 8 * time.Second

// wantUnavailable calls every method of s at once.
func wantUnavailable(t *testing.T, s tokenstore.Store) {
	t.Helper()
	var all sync.WaitGroup
	for method, call := range map[string]func() error{
		"Get":       func() error { _, err := s.Get(t.Context(), "alice"); return err },
		"Put":       func() error { return s.Put(t.Context(), tokenstoretest.Full("bob")) },
		"Delete":    func() error { return s.Delete(t.Context(), &tokenstore.Grant{Owner: "nobody"}) },
		"UseOnce":   func() error { return s.UseOnce(t.Context(), "id", time.Now()) },
		"ByJob":     func() error { _, err := s.ByJob(t.Context(), "weekly", "", 1); return err },
		"ByGoogle":  func() error { _, err := s.ByGoogle(t.Context(), "1234"); return err },
		"Cursor":    func() error { _, err := s.Cursor(t.Context(), "weekly"); return err },
		"SetCursor": func() error { return s.SetCursor(t.Context(), "weekly", "alice") },
	} {
		all.Go(func() {
			begin := time.Now()
			err := call()
			if took := time.Since(begin); !errors.Is(err, tokenstore.ErrUnavailable) || took > within {
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

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}
