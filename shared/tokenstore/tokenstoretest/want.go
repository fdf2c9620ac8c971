package tokenstoretest

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

func put(t *testing.T, s tokenstore.Store, g *tokenstore.Grant) *tokenstore.Grant {
	t.Helper()
	if err := s.Put(t.Context(), g); err != nil {
		t.Fatalf("Put(%q): %v", g.Owner, err)
	}
	return g
}

func get(t *testing.T, s tokenstore.Store, subject string) *tokenstore.Grant {
	t.Helper()
	g, err := s.Get(t.Context(), subject)
	if err != nil {
		t.Fatalf("Get(%q): %v", subject, err)
	}
	return g
}

func remove(t *testing.T, s tokenstore.Store, subject string) {
	t.Helper()
	if err := s.Delete(t.Context(), subject); err != nil {
		t.Fatalf("Delete(%q): %v", subject, err)
	}
}

func wantStored(t *testing.T, s tokenstore.Store, want *tokenstore.Grant) {
	t.Helper()
	wantSame(t, get(t, s, want.Owner), want)
}

// wantSame compares the exported fields; an empty list is as good as none.
func wantSame(t *testing.T, got, want *tokenstore.Grant) {
	t.Helper()
	a, b := reflect.ValueOf(got).Elem(), reflect.ValueOf(want).Elem()
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if !field.IsExported() || a.Field(i).Kind() == reflect.Slice && a.Field(i).Len() == 0 && b.Field(i).Len() == 0 {
			continue
		}
		x, y := a.Field(i).Interface(), b.Field(i).Interface()
		if t1, ok := x.(time.Time); ok && t1.Equal(y.(time.Time)) {
			continue
		}
		if !reflect.DeepEqual(x, y) {
			t.Errorf("%s = %v, want %v", field.Name, x, y)
		}
	}
}

func wantNotFound(t *testing.T, s tokenstore.Store, subject string) {
	t.Helper()
	if g, err := s.Get(t.Context(), subject); g != nil || !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("Get(%q) = %v, %v, want ErrNotFound", subject, g, err)
	}
}

func wantConflict(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("%v, want ErrConflict", err)
	}
}

func wantSubjects(t *testing.T, s tokenstore.Store, job, after string, want ...string) {
	t.Helper()
	page, err := s.ByJob(t.Context(), job, after, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range page {
		got = append(got, g.Owner)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("ByJob(%s, after %q) = %v, want %v", job, after, got, want)
	}
}

func tokenSecret(n int) seal.Secret { return seal.Secret(strings.Repeat("x", n)) }
