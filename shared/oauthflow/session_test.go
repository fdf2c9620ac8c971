package oauthflow

import (
	"errors"
	"testing"
	"time"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// event returns a security event token about the account, issued now.
func (w *world) event(kind, subject string, changes ...any) string {
	event := map[string]any{"subject": map[string]any{"subject_type": "iss-sub", "iss": Issuer, "sub": subject}, "reason": "hijacking"}
	claims := eventClaims(kind, event)
	claims["iat"], claims["exp"] = w.now().Unix(), nil
	for i := 0; i < len(changes); i += 2 {
		claims[changes[i].(string)] = changes[i+1]
	}
	return w.google.SignIDToken(claims)
}

func TestASecurityEventEndsTheSessionsThatBeganBefore(t *testing.T) {
	for _, kind := range []string{accountDisabled, sessionsRevoked, tokensRevoked} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, nil)
			thief, others := w.signedIn(ada, labels), w.signedIn(grace, labels)
			w.connect(victor, ada, labels)
			for _, owner := range []string{ada, victor} {
				w.change(owner, func(g *tokenstore.Grant) {
					g.SetJob("dailyevent", true)
					g.AddSession(tokenstore.Session{Hash: "before", Start: noon.Add(-time.Hour)})
				})
			}
			w.advance(time.Minute)
			event := w.event(kind, ada)
			w.advance(time.Minute)
			after := w.signedIn(ada, labels)
			for range 2 { // the same event may come again
				if err := w.SecurityEvent(t.Context(), event); err != nil {
					t.Fatal(err)
				}
			}
			if thief.hasSession() || !after.hasSession() || !others.hasSession() {
				t.Errorf("before: %t, after: %t, another account's: %t", thief.hasSession(), after.hasSession(), others.hasSession())
			}
			// Ada is here again, and her job with her. Nobody is on Victor's side.
			for owner, on := range map[string]bool{ada: true, victor: false} {
				g := w.grant(owner)
				if g.HasSession("before") || !g.Usable() || g.HasJob("dailyevent") != on {
					t.Errorf("%s: %+v, jobs %v", owner, g.Sessions, g.Jobs)
				}
			}
		})
	}
	for name, c := range map[string]struct {
		event func(w *world) string
		want  error
	}{
		"of another kind":       {func(w *world) string { return w.event("https://example.com/another", ada) }, nil},
		"of an unknown account": {func(w *world) string { return w.event(accountDisabled, "1") }, nil},
		"of another project":    {func(w *world) string { return w.event(accountDisabled, ada, "aud", "client-2") }, ErrSecurityEvent},
		"that is older":         {func(w *world) string { return w.event(accountDisabled, ada, "iat", noon.Unix()-60) }, nil},
		"that is forged": {func(w *world) string {
			return w.google.SignIDTokenWith(forgersKey(), eventClaims(accountDisabled, map[string]any{"subject": map[string]any{"iss": Issuer, "sub": ada}, "reason": "hijacking"}))
		}, ErrSecurityEvent},
	} {
		t.Run("an event "+name+" ends nothing", func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.signedIn(ada, labels)
			w.change(ada, func(g *tokenstore.Grant) { g.SetJob("dailyevent", true) })
			w.advance(time.Minute)
			err := w.SecurityEvent(t.Context(), c.event(w))
			if g := w.grant(ada); !errors.Is(err, c.want) || !p.hasSession() || !g.HasJob("dailyevent") {
				t.Errorf("%v, session alive: %t, jobs %v", err, p.hasSession(), g.Jobs)
			}
		})
	}
	t.Run("an event that is older than the consent leaves the jobs of an app's user on", func(t *testing.T) {
		w := newWorld(t, nil)
		event := w.event(accountDisabled, ada)
		w.advance(time.Minute)
		w.connect(victor, ada, labels)
		w.change(victor, func(g *tokenstore.Grant) { g.SetJob("dailyevent", true) })
		if err := w.SecurityEvent(t.Context(), event); err != nil || !w.grant(victor).HasJob("dailyevent") {
			t.Errorf("%v, jobs %v", err, w.grant(victor).Jobs)
		}
	})
	t.Run("an event that cannot be carried out is no success", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		w.advance(time.Minute)
		event := w.event(accountDisabled, ada)
		w.store.failPut = tokenstore.ErrUnavailable
		if err := w.SecurityEvent(t.Context(), event); !errors.Is(err, tokenstore.ErrUnavailable) {
			t.Error(err)
		}
	})
}

func TestSessionsEndOnTheServer(t *testing.T) {
	w := newWorld(t, nil)
	one, two, three := w.signedIn(ada, labels), w.signedIn(ada, labels), w.signedIn(ada, labels)
	if err := w.EndSession(t.Context(), ada, one.Session); err != nil || one.hasSession() || !two.hasSession() {
		t.Errorf("one: %v", err)
	}
	if err := w.EndSessionByHash(t.Context(), ada, seal.HashID(two.Session)); err != nil || two.hasSession() || !three.hasSession() {
		t.Errorf("another: %v", err)
	}
	if err := w.EndSessions(t.Context(), ada); err != nil || three.hasSession() || w.grant(ada).Status != tokenstore.Active {
		t.Errorf("all: %v", err)
	}
	for _, owner := range []string{ada, "nobody"} {
		if err := w.EndSession(t.Context(), owner, "gone"); err != nil {
			t.Errorf("one that is over: %v", err)
		}
	}
}
