//go:build unix

package tokenstore_test

import (
	"syscall"
	"testing"

	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestStoppedFirestore(t *testing.T) {
	t.Parallel()
	addr, process := tokenstoretest.EmulatorProcess(t)
	f := openFirestore(t, addr, "p", newKeyset(t))
	put(t, f, tokenstoretest.Full("alice"))

	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wantUnavailable(t, f)
	if err := process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { _, err := f.Get(t.Context(), "alice"); return err == nil })
}
