package tokenstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestMemory(t *testing.T) {
	tokenstoretest.Conformance(t, func(*testing.T) tokenstore.Store { return tokenstore.NewMemory() })
}

func TestMemoryMarks(t *testing.T) {
	m := tokenstore.NewMemory()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m.Now = func() time.Time { return now }
	if err := m.UseOnce(t.Context(), "alive", now.Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 {
		now = now.Add(time.Second)
		if err := m.UseOnce(t.Context(), fmt.Sprint(i), now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if n := m.Marks(); n > 200 {
		t.Errorf("%d marks are kept, of which 61 are alive", n)
	}
	if err := m.UseOnce(t.Context(), "alive", now); !errors.Is(err, tokenstore.ErrUsed) {
		t.Errorf("a mark that is alive: %v", err)
	}
}
