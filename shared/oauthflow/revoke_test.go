package oauthflow

import (
	"errors"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

func TestDisconnect(t *testing.T) {
	t.Run("revokes and deletes", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		if revocation, err := w.Disconnect(t.Context(), w.grant(ada)); err != nil || revocation != Revoked || w.grant(ada) != nil || w.google.RefreshTokens(ada) != 0 {
			t.Errorf("%s, %v", revocation, err)
		}
	})
	t.Run("deletes even where Google does not confirm, and says so", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		w.google.Fail("/revoke", 1, fakegoogle.Failure{Status: 503})
		if revocation, err := w.Disconnect(t.Context(), w.grant(ada)); err != nil || revocation != NotConfirmed || w.grant(ada) != nil {
			t.Errorf("%s, %v", revocation, err)
		}
	})
	t.Run("of what was withdrawn at Google already is confirmed", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		w.google.Revoke(ada)
		if revocation, err := w.Disconnect(t.Context(), w.grant(ada)); err != nil || revocation != Revoked || w.grant(ada) != nil {
			t.Errorf("%s, %v", revocation, err)
		}
	})
	t.Run("of what cannot be read is not confirmed", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		w.change(ada, func(g *tokenstore.Grant) {
			g.RefreshToken, g.AccessToken, g.Status, g.Reason = "", "", tokenstore.NeedsConsent, tokenstore.ReasonDamaged
		})
		if revocation, err := w.Disconnect(t.Context(), w.grant(ada)); err != nil || revocation != NotConfirmed || w.grant(ada) != nil {
			t.Errorf("%s, %v", revocation, err)
		}
	})
	t.Run("does not revoke where the store cannot say who else there is", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		g := w.grant(ada)
		w.store.failByGoogle = tokenstore.ErrUnavailable
		if _, err := w.Disconnect(t.Context(), g); !errors.Is(err, tokenstore.ErrUnavailable) || w.google.Calls("/revoke") != 0 || w.grant(ada) == nil {
			t.Error(err)
		}
	})
}

// Whatever happens at the same moment: afterwards the grant is there and works, or it is gone, or it is there with a
// dead token and the next use asks for consent. (Requirement 48.)
func TestDisconnectAtTheSameMomentAs(t *testing.T) {
	consents := func(w *world) { w.signedIn(ada, labels) }
	for name, meanwhile := range map[string]func(w *world){
		"a consent": consents,
		"a popup": func(w *world) {
			w.FinishPopup(w.t.Context(), w.popup(ada, labels), w.person().Browser)
		},
		"a refresh": func(w *world) {
			w.advance(2 * time.Hour)
			w.Authorize(w.t.Context(), w.grant(ada), needLabels)
		},
		"the switch of a job": func(w *world) {
			w.change(ada, func(g *tokenstore.Grant) { g.SetJob("dailyevent", true) })
		},
		"another disconnect": func(w *world) { w.Disconnect(w.t.Context(), w.grant(ada)) },
	} {
		t.Run(name+", before the delete", func(t *testing.T) {
			w := newWorld(t, nil)
			w.signedIn(ada, labels)
			w.store.beforeDelete = func() { meanwhile(w) }
			revocation, err := w.Disconnect(t.Context(), w.grant(ada))
			if err != nil || revocation != Revoked || w.grant(ada) != nil || w.google.RefreshTokens(ada) != 0 {
				t.Errorf("%s, %v; stored: %t, alive at Google: %d", revocation, err, w.grant(ada) != nil, w.google.RefreshTokens(ada))
			}
		})
	}
	t.Run("a consent that is stored after the delete", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		g := w.grant(ada)
		w.store.beforePut = func() {
			if _, err := w.Disconnect(t.Context(), g); err != nil {
				t.Error(err)
			}
		}
		p := w.person()
		if out, err := p.finish(w.consent(p.begin(Request{Scopes: []string{labels}}), asAda)); err != nil {
			t.Fatalf("%+v, %v", out, err)
		}
		if g := w.grant(ada); g != nil && w.works(ada, labels) != nil {
			consentError(t, w.works(ada, labels))
		}
	})
	t.Run("a refresh that is stored after the delete stays deleted", func(t *testing.T) {
		w := later(t, nil)
		g := w.grant(ada)
		w.store.beforePut = func() { w.Disconnect(t.Context(), g) }
		if _, err := w.Authorize(t.Context(), g, needLabels); consentError(t, err) == nil || w.grant(ada) != nil {
			t.Error(err)
		}
	})
	t.Run("a failure of the store, which can no longer tell whether another owner holds the account", func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect(victor, ada, labels)
		w.connect(mallory, ada, labels)
		w.store.beforeDelete = func() { w.store.failByGoogle = tokenstore.ErrUnavailable }
		revocation, err := w.Disconnect(t.Context(), w.grant(victor))
		if err != nil || revocation != NotConfirmed || w.grant(victor) != nil || !w.audited("disconnected "+victor) || w.google.RefreshTokens(ada) != 2 {
			t.Errorf("%s, %v; audit %v", revocation, err, w.audit)
		}
	})
	t.Run("the disconnect of the account's other owner: the last one revokes", func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect(victor, ada, labels)
		w.connect(mallory, ada, labels)
		w.store.beforeDelete = func() {
			if revocation, err := w.Disconnect(t.Context(), w.grant(mallory)); err != nil || revocation != Held {
				t.Errorf("the other owner: %s, %v", revocation, err)
			}
		}
		if revocation, err := w.Disconnect(t.Context(), w.grant(victor)); err != nil || revocation != Revoked || w.google.RefreshTokens(ada) != 0 {
			t.Errorf("%s, %v", revocation, err)
		}
	})
}

func TestAStaleRefreshLeavesANewerConsent(t *testing.T) {
	w := later(t, nil)
	stale := w.grant(ada)
	w.store.beforePut = func() {
		w.person().visit(Request{Scopes: []string{labels}, Renew: true}, asAda)
	}
	if _, err := w.Authorize(t.Context(), stale, needLabels); err != nil {
		t.Fatal(err)
	}
	if g := w.grant(ada); g.RefreshToken == stale.RefreshToken {
		t.Error("the stale refresh has overwritten the newer consent")
	}
}
