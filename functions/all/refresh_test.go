package all_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

// A lagging store's first readers get what they read when their gate opens, every other one at the
// second: they act on the same old state, however fast the others are.
type lagging struct {
	tokenstore.Store
	readers int64
	n       atomic.Int64
	gates   [2]chan struct{}
}

func (s *lagging) Get(ctx context.Context, subject string) (*tokenstore.Grant, error) {
	g, err := s.Store.Get(ctx, subject)
	if n := s.n.Add(1); n <= s.readers {
		<-s.gates[n%2]
	}
	return g, err
}

func TestFaultEightyRequestsWithAnExpiredTokenRefreshOnceAProcess(t *testing.T) {
	const requests = 80
	byOurClock := func(w *world) { w.clock.advance(2 * time.Hour) }
	byGoogles := func(w *world) { w.fake.ExpireAccessTokens() }
	for processes, expire := range map[int]func(*world){1: byOurClock, 2: byGoogles} {
		t.Run(fmt.Sprint("in ", processes), func(t *testing.T) {
			t.Parallel()
			addr, project := tokenstoretest.Emulator(t)
			w := newFirestoreWorld(t, addr, project)
			b := w.signedIn(ada)
			gates := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
			var stores []*lagging
			var browsers []*browser
			for range processes {
				s := &lagging{Store: openStore(t, addr, project, w.keyset()), readers: int64(requests / processes), gates: gates}
				stores = append(stores, s)
				browsers = append(browsers, b.at(w.another(t, s)))
			}
			expire(w)
			w.fake.ResetCalls()
			var all sync.WaitGroup
			var answered atomic.Int64
			for i := range requests {
				all.Go(func() {
					expect(t, browsers[i%processes].get("/listlabels"), http.StatusOK, "label(s) found:")
					answered.Add(1)
				})
			}
			for _, s := range stores {
				waitFor(t, "all have read the old token", func() bool { return s.n.Load() >= s.readers })
			}
			close(gates[0])
			waitFor(t, "the first half is answered", func() bool { return answered.Load() >= requests/2 })
			close(gates[1])
			all.Wait()
			if n := w.fake.Calls("/token"); n < 1 || n > processes {
				t.Errorf("%d refreshes in %d processes", n, processes)
			}
		})
	}
}

// TestFaultStaleWriteNeverUndoesANewerOne holds a write of a refresh until something newer was written.
func TestFaultStaleWriteNeverUndoesANewerOne(t *testing.T) {
	newConsent := func(w *world, b *browser) {
		w.fake.Revoke(subjectOf(w.t, w.fake, ada)) // so that Google gives a new refresh token
		expect(w.t, b.visit("/oauth2init?account=new", ada), http.StatusOK, "label(s) found:")
	}
	disconnect := func(w *world, b *browser) {
		expect(w.t, b.post("/account", url.Values{"action": {"disconnect"}}), http.StatusOK, "You are disconnected")
	}
	dies := func(w *world) { w.fake.SetRefreshError(subjectOf(w.t, w.fake, ada), "invalid_grant", "") }
	for name, c := range map[string]struct {
		token         func(*world) // what Google makes of the refresh
		meanwhile     func(*world, *browser)
		status        int
		deleted, last bool
	}{
		"a refreshed token, newer consent":     {nil, newConsent, http.StatusOK, false, true},
		"a refusal of the old token, a delete": {dies, disconnect, http.StatusFound, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, project := tokenstoretest.Emulator(t)
			w := newFirestoreWorld(t, addr, project)
			b := w.signedIn(ada)
			before := w.grant(ada)
			held, open := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(open) })
			defer release()
			slow := w.another(t, &hooked{Store: openStore(t, addr, project, w.keyset()), put: sync.OnceFunc(func() {
				close(held)
				<-open
			})})
			w.clock.advance(2 * time.Hour)
			if c.token != nil {
				c.token(w)
			}
			stale := make(chan *answer, 1)
			go func() {
				defer close(stale)
				stale <- b.copy().at(slow).get("/listlabels")
			}()
			select {
			case <-held:
			case a := <-stale:
				t.Fatalf("nothing was written: %d %s", a.status, a.shown())
			}
			c.meanwhile(w, b.copy())
			newer, err := w.store.Store.Get(t.Context(), before.Owner)
			if errors.Is(err, tokenstore.ErrNotFound) != c.deleted || !c.deleted && err != nil {
				t.Fatal(err)
			}
			release()
			expect(t, <-stale, c.status)
			now, err := w.store.Store.Get(t.Context(), before.Owner)
			if c.deleted {
				if !errors.Is(err, tokenstore.ErrNotFound) {
					t.Errorf("the deleted grant: %v, %v", now, err)
				}
				return
			}
			if err != nil || !now.Usable() || now.RefreshToken != newer.RefreshToken || len(now.Sessions) != len(newer.Sessions) || !now.Consented.Equal(newer.Consented) {
				t.Errorf("the newer grant did not stay: %v", err)
			}
			if c.last == (now.RefreshToken == before.RefreshToken) {
				t.Errorf("consent is new: %v; refresh token is new: %v", c.last, !c.last)
			}
		})
	}
}

// The other write leaves an access token that has not expired, and that an API has refused.
func TestFaultTokenThatAnAPIRefusedDoesNotComeBackWithAnotherWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b, other := w.signedIn(ada), w.signedIn(ada)
	before := w.grant(ada)
	p := w.another(t, &hooked{Store: w.store.Store, put: sync.OnceFunc(func() {
		expect(t, other.post("/account", url.Values{"action": {"sign_out"}}), http.StatusOK)
	})})
	w.fake.Fail("/gmail/", 1, fakegoogle.Failure{Status: 401})
	w.fake.ResetCalls()
	expect(t, b.at(p).get("/listlabels"), http.StatusOK, "label(s) found:")
	if now := w.grant(ada); now.AccessToken == before.AccessToken || len(now.Sessions) != 1 {
		t.Errorf("the token is new: %t, %d sessions, want 1", now.AccessToken != before.AccessToken, len(now.Sessions))
	}
	if n := w.fake.Calls("/token"); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}
