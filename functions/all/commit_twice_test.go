package all_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

// TestFaultCommitSentTwiceEndsInTheSameState goes through all that writes, and loses another reply of
// Firestore each time: first that to the first call, then that to the second, and so on.
func TestFaultCommitSentTwiceEndsInTheSameState(t *testing.T) {
	const (
		replies = 27 // of Firestore, in the whole story; more where a busy machine has calls made again
		atATime = 3
	)
	each := 3 // the others, too, in the whole check
	if *long || os.Getenv("CI") == "true" {
		each = 1
	}
	atOnce(atATime, func(first int) {
		for lose := first; lose <= replies; lose += atATime * each {
			t.Run(fmt.Sprint("reply ", lose), func(t *testing.T) {
				if !loseReply(t, lose) && lose < replies {
					t.Error("no reply was lost: the story has fewer")
				}
			})
		}
	})
}

// loseReply goes through the story and reports whether there was a reply to lose.
func loseReply(t *testing.T, lose int) bool {
	addr, project := tokenstoretest.Emulator(t)
	w := newFirestoreWorld(t, addr, project)
	proxy := tokenstoretest.NewProxy(t, addr)
	p := w.another(t, openStore(t, proxy.Addr, project, w.keyset()))
	b := w.browserAt(p)
	proxy.LoseReplies(lose, 1)

	wantOK := func(r *http.Request, text string) {
		t.Helper()
		a, err := b.reach(r, ada)
		for tries := 0; err == nil && a.status == http.StatusServiceUnavailable && strings.Contains(p.log.String(), "DeadlineExceeded") && tries < 5; tries++ {
			again := r.Clone(r.Context()) // no reply was lost: the machine is busy, and Firestore took too long
			if r.GetBody != nil {
				again.Body, _ = r.GetBody()
			}
			a, err = b.reach(again, ada)
		}
		if err != nil {
			t.Fatalf("%s %s: %v; log: %s", r.Method, r.URL.Path, err, p.log)
		}
		if a.status != http.StatusOK || !strings.Contains(a.body, text) {
			t.Fatalf("%s %s: %d %s; log: %s", r.Method, r.URL.Path, a.status, a.shown(), p.log)
		}
	}
	wantOK(b.page("/dailyevent"), "It is off")
	if g := w.grant(ada); !g.Usable() || len(g.Sessions) != 1 {
		t.Errorf("after the sign-in: %s, %d sessions", g.Status, len(g.Sessions))
	}
	w.clock.advance(2 * time.Hour)
	wantOK(b.page("/listlabels"), "label(s) found:")
	w.clock.advance(2 * time.Hour)
	wantOK(b.page("/listlabels"), "label(s) found:")
	wantOK(formRequest(b, "/dailyevent", false, url.Values{"enabled": {"true"}}), "It is on")
	other := w.signedIn(ada).at(p)
	wantOK(formRequest(b, "/account", false, url.Values{"action": {"sign_out"}}), "You are signed out")
	if g := w.grant(ada); !g.Usable() || len(g.Sessions) != 1 || len(g.Jobs) != 1 || !g.Expiry.After(w.clock.now()) {
		t.Errorf("after the sign-out: %s, %d sessions, jobs %v, expiry %v", g.Status, len(g.Sessions), g.Jobs, g.Expiry)
	}
	b = other
	wantOK(formRequest(b, "/account", false, url.Values{"action": {"disconnect"}}), "You are disconnected")
	if _, err := w.store.Store.Get(t.Context(), subjectOf(t, w.fake, ada)); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("after the disconnection: %v", err)
	}
	return proxy.Lost() == 1
}
