package all_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

// sendEvent posts a security event token as Google does.
func (w *world) sendEvent(token string) (status int) {
	w.t.Helper()
	status, err := fakegoogle.SendSecurityEvent(w.t.Context(), w.url+"/securityevents", token)
	if err != nil {
		w.t.Fatal(err)
	}
	return status
}

func TestSecurityEvents(t *testing.T) {
	signedOut := func(b *browser) {
		b.t.Helper()
		a := b.get("/listlabels")
		expect(b.t, a, http.StatusFound)
		if !strings.Contains(a.location(), "/o/oauth2/v2/auth?") {
			b.t.Error("not sent to Google")
		}
	}
	signedIn := func(b *browser) {
		b.t.Helper()
		expect(b.t, b.get("/listlabels"), http.StatusOK, "label(s) found:")
	}

	t.Run("of a hijacked account sign out every browser that was signed in before, at its next request, and no other", func(t *testing.T) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		before, thief, other := w.signedIn(ada), w.signedIn(ada), w.signedIn(grace)
		w.clock.advance(time.Minute)
		event := w.fake.SecurityEvent(ada, "account-disabled", "hijacking", nil)
		w.clock.advance(time.Minute)
		after := w.signedIn(ada)
		if status := w.sendEvent(event); status != http.StatusAccepted {
			t.Fatalf("status %d", status)
		}
		signedOut(before)
		signedOut(thief)
		signedIn(after)
		signedIn(other)
		t.Run("also when they come again", func(t *testing.T) {
			if status := w.sendEvent(event); status != http.StatusAccepted {
				t.Fatalf("status %d", status)
			}
			signedIn(after)
		})
		if log := w.log.String(); strings.Contains(log, event) || !strings.Contains(log, "signed out by a security event") {
			t.Errorf("the log: %s", log)
		}
	})

	t.Run("turn off the jobs that a stranger may have turned on", func(t *testing.T) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		thief := w.browser()
		expect(t, thief.visit("/dailyevent", ada), http.StatusOK)
		expect(t, thief.post("/dailyevent", url.Values{"enabled": {"true"}}), http.StatusOK, "It is on")
		w.clock.advance(time.Minute)
		if status := w.sendEvent(w.fake.SecurityEvent(ada, "sessions-revoked", "", nil)); status != http.StatusAccepted {
			t.Fatalf("status %d", status)
		}
		expect(t, w.runDaily(w.process, nil), http.StatusOK, `"done":0,"skipped":0,"failed":0`)
	})

	for name, c := range map[string]struct {
		event func(w *world) string
		want  int
	}{
		"forged": {func(w *world) string {
			other := fakegoogle.New(fakegoogle.Options{Now: w.clock.now})
			other.RotateKeys()
			return other.SecurityEvent(subjectOf(t, w.fake, ada), "account-disabled", "hijacking", func(c map[string]any) { c["aud"] = "test-client" })
		}, http.StatusBadRequest},
		"an ID token": {func(w *world) string {
			return w.fake.SignIDToken(map[string]any{"aud": "test-client", "sub": subjectOf(t, w.fake, ada), "jti": "1"})
		}, http.StatusBadRequest},
		"for another project": {func(w *world) string {
			return w.fake.SecurityEvent(ada, "account-disabled", "hijacking", func(c map[string]any) { c["aud"] = "other-client" })
		}, http.StatusBadRequest},
		"without an end to its length": {func(w *world) string {
			return w.fake.SecurityEvent(ada, "account-disabled", "hijacking", nil) + strings.Repeat(" ", 64<<10)
		}, http.StatusBadRequest},
		"nothing": {func(w *world) string { return "" }, http.StatusBadRequest},
		"late, of a time before the sign-in": {func(w *world) string {
			return w.fake.SecurityEvent(ada, "account-disabled", "hijacking", func(c map[string]any) { c["iat"] = w.clock.now().Add(-time.Hour).Unix() })
		}, http.StatusAccepted},
		"Google's test of the connection": {func(w *world) string { return w.fake.SecurityEvent(ada, "verification", "state", nil) }, http.StatusAccepted},
	} {
		t.Run("change nothing where one is "+name, func(t *testing.T) {
			w := newWorld(t, tokenstore.NewMemory(), nil)
			b := w.signedIn(ada)
			w.clock.advance(time.Minute)
			w.store.reset()
			if status := w.sendEvent(c.event(w)); status != c.want || w.store.writes.Load() > 0 {
				t.Errorf("status %d, want %d; %d writes", status, c.want, w.store.writes.Load())
			}
			signedIn(b)
		})
	}

	t.Run("are not accepted where they could not be carried out", func(t *testing.T) {
		store := &unwritable{Store: tokenstore.NewMemory()}
		w := newWorld(t, store, nil)
		b := w.signedIn(ada)
		w.clock.advance(time.Minute)
		event := w.fake.SecurityEvent(ada, "tokens-revoked", "", nil)
		store.broken = true
		if status := w.sendEvent(event); status != http.StatusServiceUnavailable {
			t.Errorf("the store is down: status %d", status)
		}
		store.broken = false
		signedIn(b)
		if status := w.sendEvent(event); status != http.StatusAccepted {
			t.Errorf("sent again: status %d", status)
		}
		signedOut(b)
	})

	t.Run("ask nobody who they are, and are taken by POST only", func(t *testing.T) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		b := w.signedIn(ada)
		w.clock.advance(time.Minute)
		event := w.fake.SecurityEvent(ada, "sessions-revoked", "", nil)
		w.store.reset()
		expect(t, b.do(b.request("POST", "/securityevents", strings.NewReader("x"), "Authorization", "Bearer x")), http.StatusBadRequest, `"error":"invalid_request"`)
		if n := w.store.gets.Load(); n > 0 {
			t.Errorf("%d reads for a cookie", n)
		}
		a := b.do(b.request("POST", "/securityevents", strings.NewReader(event), "Content-Type", "application/secevent+jwt"))
		expect(t, a, http.StatusAccepted)
		if a.body != "" || a.header.Get("Set-Cookie") != "" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q, %v", a.body, a.header)
		}
		a = b.get("/securityevents")
		expect(t, a, http.StatusMethodNotAllowed)
		if allow := a.header.Get("Allow"); allow != "POST" {
			t.Errorf("Allow: %s", allow)
		}
	})
}

// An unwritable store is down for whoever wants to write a grant, once it is broken.
type unwritable struct {
	tokenstore.Store
	broken bool
}

func (s *unwritable) Put(ctx context.Context, g *tokenstore.Grant) error {
	if s.broken {
		return tokenstore.ErrUnavailable
	}
	return s.Store.Put(ctx, g)
}
