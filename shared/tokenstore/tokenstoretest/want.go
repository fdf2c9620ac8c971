package tokenstoretest

import (
	"errors"
	"reflect"
	"slices"
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

func get(t *testing.T, s tokenstore.Store, owner string) *tokenstore.Grant {
	t.Helper()
	g, err := s.Get(t.Context(), owner)
	if err != nil {
		t.Fatalf("Get(%q): %v", owner, err)
	}
	return g
}

func remove(t *testing.T, s tokenstore.Store, owner string) {
	t.Helper()
	g, err := s.Get(t.Context(), owner)
	if errors.Is(err, tokenstore.ErrNotFound) {
		g, err = &tokenstore.Grant{Owner: owner}, nil
	}
	if err == nil {
		err = s.Delete(t.Context(), g)
	}
	if err != nil {
		t.Fatalf("Delete(%q): %v", owner, err)
	}
}

func wantStored(t *testing.T, s tokenstore.Store, want *tokenstore.Grant) {
	t.Helper()
	wantSame(t, get(t, s, want.Owner), want)
}

// wantAccount checks that these are the grants of the Google account, in any order.
func wantAccount(t *testing.T, s tokenstore.Store, google string, want ...*tokenstore.Grant) {
	t.Helper()
	found, err := s.ByGoogle(t.Context(), google)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(want) {
		t.Errorf("%d grants of the account %q, want %d", len(found), google, len(want))
	}
	for _, w := range want {
		i := slices.IndexFunc(found, func(g *tokenstore.Grant) bool { return g.Owner == w.Owner })
		if i < 0 {
			t.Errorf("the account %q misses the grant of %q", google, w.Owner)
			continue
		}
		wantSame(t, found[i], w)
	}
}

// wantSame compares the exported fields. An empty list or map equals none.
func wantSame(t *testing.T, got, want *tokenstore.Grant) {
	t.Helper()
	a, b := reflect.ValueOf(got).Elem(), reflect.ValueOf(want).Elem()
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if !field.IsExported() || (a.Field(i).Kind() == reflect.Slice || a.Field(i).Kind() == reflect.Map) && a.Field(i).Len() == 0 && b.Field(i).Len() == 0 {
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

func wantNotFound(t *testing.T, s tokenstore.Store, owner string) {
	t.Helper()
	if g, err := s.Get(t.Context(), owner); g != nil || !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("Get(%q) = %v, %v, want ErrNotFound", owner, g, err)
	}
}

func wantConflict(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, tokenstore.ErrConflict) {
		t.Errorf("%v, want ErrConflict", err)
	}
}

func wantOwners(t *testing.T, s tokenstore.Store, job, after string, want ...string) {
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
