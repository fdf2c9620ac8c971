package all_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestCookiePlantedBeforeASignInIsWorthNothing(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	attacker := w.browser()
	attacker.get("/listlabels")
	victim := attacker.copy()
	expect(t, victim.visit("/listlabels", ada), http.StatusOK, ada)
	expect(t, attacker.get("/listlabels"), http.StatusFound)
}

func TestStepUpThatReturnsAnotherAccountLeavesTheFirstAlone(t *testing.T) {
	addr, project := tokenstoretest.Emulator(t)
	w := newFirestoreWorld(t, addr, project)
	b := w.signedIn(ada)
	// document is the raw document but its sessions, with the tokens opened: each write seals them anew.
	document := func() map[string]string {
		fields := map[string]string{}
		for name, raw := range tokenstoretest.RawDocument(t, addr, project, "grants/"+subjectOf(t, w.fake, ada)) {
			fields[name] = string(raw)
		}
		delete(fields, "sessions")
		g := w.grant(ada)
		fields["refresh_token"], fields["access_token"] = seal.HashID(string(g.RefreshToken)), seal.HashID(string(g.AccessToken))
		return fields
	}
	before := document()
	if len(before) < 6 {
		t.Fatalf("just the fields %v", before)
	}
	page := b.visit("/createfile", grace)
	expect(t, page, http.StatusOK, "You are now using", grace, "Nothing of the other account was changed")
	after := document()
	for name := range before {
		if after[name] != before[name] {
			t.Errorf("%s of the first account was %s, is %s", name, before[name], after[name])
		}
	}
	if len(after) != len(before) {
		t.Errorf("fields %v, were %v", after, before)
	}
	if n := len(w.grant(ada).Sessions); n != 0 {
		t.Errorf("%d sessions of the first account, want this browser's ended", n)
	}
	if strings.Contains(strings.Join(w.grant(ada).Scopes, " "), driveFile) {
		t.Error("the first account got the permission")
	}
}

func TestTwentyTabsFinishInAnyOrder(t *testing.T) {
	const tabs = 20
	for name, firstVisit := range map[string]bool{"of a browser that is new": true, "of a browser that was here": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tokenstore.NewMemory(), nil)
			b := w.browser()
			if !firstVisit {
				b.get("/listlabels")
			}
			begun, before := make([]string, tabs), b.cookie()
			var all sync.WaitGroup
			for i := range tabs {
				all.Go(func() { begun[i] = b.get("/oauth2init?return_to=/listlabels?tab=" + string(rune('a'+i))).location() })
			}
			all.Wait()
			if !firstVisit && b.cookie() != before {
				t.Error("beginning changed the cookie")
			}
			size := 0
			for i := range tabs {
				tab := (i*7 + 3) % tabs
				a := b.get(b.consent(begun[tab], fakegoogle.Decision{User: ada}))
				// Where the cookie of another tab's first visit won, the flow starts again, and asks for the
				// refresh token that went with the code of the first attempt.
				for hops := 0; firstVisit && a.status == http.StatusFound && hops < 2; hops++ {
					a = b.get(b.consent(a.location(), fakegoogle.Decision{User: ada}))
				}
				expect(t, a, http.StatusSeeOther)
				if want := w.url + "/listlabels?tab=" + string(rune('a'+tab)); a.location() != want {
					t.Errorf("tab %d ends at %s, want %s", tab, a.location(), want)
				}
				expect(t, b.get(a.location()), http.StatusOK, ada)
				if got := len(b.cookie()); size == 0 {
					size = got
				} else if got > size+16 || got > 600 {
					t.Errorf("the cookie grew from %d to %d bytes", size, got)
				}
			}
			if n := len(w.grant(ada).Sessions); n != 1 {
				t.Errorf("%d sessions, want 1", n)
			}
		})
	}
}
