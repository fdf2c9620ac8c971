//go:build unix

package all_test

import (
	"net/http"
	"os"
	"syscall"
	"testing"

	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

// TestFaultFirestoreStoppedAndKilled stops the emulator's process, lets it go on, and kills it.
func TestFaultFirestoreStoppedAndKilled(t *testing.T) {
	t.Parallel()
	addr, emulator := tokenstoretest.EmulatorProcess(t)
	w := newFirestoreWorld(t, addr, "stopped")
	b := w.signedIn(ada)
	signal := func(s os.Signal) {
		t.Helper()
		if err := emulator.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []os.Signal{syscall.SIGSTOP, os.Kill} {
		requests := storePaths(w, b)
		signal(s)
		wantUnavailable(t, b, requests)
		if s == syscall.SIGSTOP {
			signal(syscall.SIGCONT)
			waitFor(t, "sign-in works again", func() bool {
				b = w.browser()
				return b.visit("/listlabels", ada).status == http.StatusOK
			})
		}
	}
}
