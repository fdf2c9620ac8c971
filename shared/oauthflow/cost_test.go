package oauthflow

import (
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
)

func TestWhatEachStepCosts(t *testing.T) {
	w := newWorld(t, nil)
	p := w.signedIn(ada, labels)
	back := w.consent(p.begin(Request{Scopes: []string{labels}}), asAda)
	other := w.consent(p.begin(Request{SelectAccount: true}), fakegoogle.Decision{User: grace})
	code, grant := w.popup(ada, labels), w.grant(ada)
	step := func(what string, want [3]int64, do func() error) {
		t.Helper()
		got := w.spent(func() {
			if err := do(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
		if got != want {
			t.Errorf("%s: %v token calls, reads and writes, want %v", what, got, want)
		}
	}
	authorize := func() error {
		_, err := w.Authorize(t.Context(), grant, needLabels)
		return err
	}
	step("the use of a grant", [3]int64{0, 0, 0}, authorize)
	step("a sign-in", [3]int64{1, 1, 2}, func() error { _, err := p.finish(back); return err })
	step("a callback that comes again", [3]int64{0, 1, 1}, func() error { _, err := p.finish(back); return err })
	step("a change of account", [3]int64{1, 2, 3}, func() error { _, err := p.finish(other); return err })
	step("a popup", [3]int64{1, 1, 2}, func() error { _, err := w.FinishPopup(t.Context(), code, w.person().Browser); return err })
	w.advance(2 * time.Hour)
	grant = w.grant(ada)
	step("a refresh", [3]int64{1, 0, 1}, authorize)
	step("the next request of the same version", [3]int64{0, 0, 0}, authorize)
}
