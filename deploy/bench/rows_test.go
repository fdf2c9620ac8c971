package bench_test

import (
	"strings"
	"testing"
	"time"
)

// TestRows runs every row with little to do. What it asks for does not depend on the machine's speed.
func TestRows(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and starts programs")
	}
	t.Run("a cold start answers", func(t *testing.T) {
		coldSignIn(t, 1)
		coldLabels(t, 1)
	})
	t.Run("80 requests at once reuse their connections to Google and take at most 40 MiB", func(t *testing.T) {
		const at = 80
		s := listLabels(t, "a page", at, 10*time.Millisecond, 1, 5*at)[ours]
		if s.connections > len(s.latencies)/10 { // a call may find all connections busy for a moment
			t.Errorf("%d new connections for %d requests", s.connections, len(s.latencies))
		}
		if s.peak > 40 {
			t.Errorf("%.1f MiB", s.peak)
		}
	})
	t.Run("an upload is not held in memory", func(t *testing.T) {
		if added := createFile(t, "32 MiB", 32<<20-1<<10, 1, 1)[ours]; added > 10 {
			t.Errorf("%.1f MiB added", added)
		}
	})
	t.Run("80 requests at once on an expired token refresh it once", func(t *testing.T) {
		if n := refreshStorm(t, 1, 80)[ours]; n != 1 {
			t.Errorf("%v token calls", n)
		}
	})
	t.Run("a job serves every user", func(t *testing.T) {
		if answer := forEveryUser(t, 1, 130); !strings.Contains(answer, `"done":130,"skipped":0,"failed":0`) {
			t.Error(answer)
		}
	})
	t.Run("a sign-in succeeds", func(t *testing.T) { callback(t, 1, 2) })
	t.Run("a binary has at most 25 MB", func(t *testing.T) {
		if mb := size(t)[ours]; mb > 25 {
			t.Errorf("%.1f MB", mb)
		}
	})
}
