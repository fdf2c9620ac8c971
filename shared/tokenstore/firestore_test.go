package tokenstore_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestFirestore(t *testing.T) {
	keyset := newKeyset(t)
	tokenstoretest.Conformance(t, func(t *testing.T) tokenstore.Store {
		addr, project := tokenstoretest.Emulator(t)
		return openFirestore(t, addr, project, keyset)
	})
}

func TestOpenFirestore(t *testing.T) {
	t.Run("refuses a configuration that cannot work", func(t *testing.T) {
		keyset := newKeyset(t)
		for _, c := range []tokenstore.FirestoreConfig{
			{Keyset: keyset},
			{Project: "p"},
			{Project: "p", Keyset: keyset, Prefix: "a/b"},
		} {
			if _, err := tokenstore.OpenFirestore(c); err == nil {
				t.Errorf("%+v was taken", c)
			}
		}
	})

	t.Run("does not look at the environment", func(t *testing.T) {
		addr, project := tokenstoretest.Emulator(t)
		t.Setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
		put(t, openFirestore(t, addr, project, newKeyset(t)), tokenstoretest.Full("alice"))
	})

	t.Run("keeps prefixes and databases apart", func(t *testing.T) {
		addr, project := tokenstoretest.Emulator(t)
		c := tokenstore.FirestoreConfig{Project: project, Emulator: addr, Keyset: newKeyset(t)}
		prefixed, named := c, c
		prefixed.Prefix = "test-"
		named.Database = "another"
		for _, c := range []tokenstore.FirestoreConfig{c, prefixed, named} {
			f := open(t, c)
			if _, err := f.Get(t.Context(), "alice"); !errors.Is(err, tokenstore.ErrNotFound) {
				t.Errorf("Get = %v, want ErrNotFound", err)
			}
			put(t, f, tokenstoretest.Full("alice"))
			if err := f.UseOnce(t.Context(), "id", time.Now()); err != nil {
				t.Error(err)
			}
			if err := f.SetCursor(t.Context(), "weekly", "alice"); err != nil {
				t.Error(err)
			}
			if page, err := f.ByJob(t.Context(), "weekly", "", 10); len(page) != 1 || err != nil {
				t.Errorf("ByJob = %v, %v", page, err)
			}
		}
		raw := tokenstoretest.RawDocuments(t, addr, project)
		for _, name := range []string{"/grants/alice", "/test-grants/alice", "/test-flows/id", "/test-jobs/weekly"} {
			if !bytes.Contains(raw, []byte(name)) {
				t.Errorf("no document %s", name)
			}
		}
	})

	t.Run("an empty owner is an error and not a missing grant", func(t *testing.T) {
		addr, project := tokenstoretest.Emulator(t)
		f := openFirestore(t, addr, project, newKeyset(t))
		if g, err := f.Get(t.Context(), ""); g != nil || err == nil || errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("Get = %v, %v", g, err)
		}
	})
}

func BenchmarkFirestoreGet(b *testing.B) {
	addr, project := tokenstoretest.Emulator(b)
	f := openFirestore(b, addr, project, newKeyset(b))
	put(b, f, tokenstoretest.Full("alice"))
	for b.Loop() {
		if _, err := f.Get(b.Context(), "alice"); err != nil {
			b.Fatal(err)
		}
	}
}

var zero time.Time

func newKeyset(t testing.TB) *seal.Keyset {
	t.Helper()
	keyset, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	return keyset
}

func open(t testing.TB, c tokenstore.FirestoreConfig) *tokenstore.Firestore {
	t.Helper()
	f, err := tokenstore.OpenFirestore(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func openFirestore(t testing.TB, addr, project string, keyset *seal.Keyset) *tokenstore.Firestore {
	t.Helper()
	return open(t, tokenstore.FirestoreConfig{Project: project, Emulator: addr, Keyset: keyset})
}

func put(t testing.TB, s tokenstore.Store, g *tokenstore.Grant) {
	t.Helper()
	if err := s.Put(t.Context(), g); err != nil {
		t.Fatalf("Put(%q): %v", g.Owner, err)
	}
}

func get(t testing.TB, s tokenstore.Store, owner string) *tokenstore.Grant {
	t.Helper()
	g, err := s.Get(t.Context(), owner)
	if err != nil {
		t.Fatalf("Get(%q): %v", owner, err)
	}
	return g
}

func wantDamaged(t testing.TB, g *tokenstore.Grant) {
	t.Helper()
	if g.Status != tokenstore.NeedsConsent || g.Reason != tokenstore.ReasonDamaged || g.Usable() {
		t.Errorf("%s is %s (%s)", g.Owner, g.Status, g.Reason)
	}
}
