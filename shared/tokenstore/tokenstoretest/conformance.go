// Package tokenstoretest tests what every tokenstore.Store must do, and runs the Firestore emulator for tests.
package tokenstoretest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/tokenstore"
)

// Conformance tests every promise of the Store interface. open returns an empty store.
func Conformance(t *testing.T, open func(t *testing.T) tokenstore.Store) {
	for name, test := range map[string]func(*testing.T, tokenstore.Store){
		"a missing grant is ErrNotFound":                                missing,
		"every field comes back as it was put":                          roundTrip,
		"empty fields come back empty":                                  emptyFields,
		"a field that was emptied stays empty":                          emptiedFields,
		"put makes the grant the written version":                       putTwice,
		"a stale version is ErrConflict and writes nothing":             stale,
		"a second new grant of an owner is ErrConflict":                 createTwice,
		"a deleted grant does not come back":                            putDeleted,
		"a deleted grant can be made anew":                              recreate,
		"a version from before a deletion is ErrConflict":               putRecreated,
		"the version that was read is deleted":                          deleteRead,
		"deleting a stale version is ErrConflict and removes nothing":   deleteStale,
		"a new grant does not delete the stored one":                    deleteNew,
		"deleting an absent grant is no error":                          deleteTwice,
		"of a put and a delete of one version one wins":                 deleteRace,
		"a grant that cannot be stored is refused":                      refused,
		"what was put is not shared with the caller":                    aliasingIn,
		"what was read is not shared with the caller":                   aliasingOut,
		"a context that ended is its own error":                         endedContext,
		"two users do not touch each other":                             twoUsers,
		"of 32 puts of one version one wins":                            putRace,
		"of 32 new grants of one owner one wins":                        createRace,
		"an id is used once":                                            useOnce,
		"of 32 uses of an id one wins":                                  useOnceRace,
		"a job's grants come in pages without repeats":                  byJobPages,
		"a job finds only its own grants, each as Get returns it":       byJobGrants,
		"a job that is off or deleted disappears":                       byJobOff,
		"a page begins behind an owner that is gone":                    byJobAfterDeleted,
		"a Google account's own grant and those of app users are found": byGoogle,
		"a grant that is not the account's is not found by it":          byGoogleOthers,
		"a cursor is kept for each job and cleared":                     cursors,
		"owners, ids and jobs may hold any characters":                  oddCharacters,
		"an owner of 255 characters and 20 sessions with 255 scopes":    large,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// epoch is a time that every store keeps as it is.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)

// Full returns a new grant of the owner with every field set.
func Full(owner string) *tokenstore.Grant {
	return &tokenstore.Grant{
		Owner:        owner,
		Google:       "google-of-" + owner,
		Email:        owner + "@example.com",
		Domain:       "example.com",
		Client:       "client.apps.googleusercontent.com",
		RefreshToken: "1//refresh",
		AccessToken:  "ya29.access",
		Expiry:       epoch.Add(time.Hour),
		Scopes:       []string{"openid", "https://www.googleapis.com/auth/gmail.labels"},
		Narrower:     true,
		Apart: tokenstore.Apart{
			Token:  "ya29.apart",
			Expiry: epoch.Add(30 * time.Minute),
			Scopes: []string{"https://www.googleapis.com/auth/cloud-platform.read-only"},
		},
		Sessions:      []tokenstore.Session{{Hash: "one", Start: epoch, Browser: "Firefox on Linux"}, {Hash: "two", Start: epoch.Add(time.Minute)}},
		Jobs:          []string{"dailyevent", "weekly"},
		Zones:         map[string]string{"dailyevent": "America/Santiago", "weekly": "Europe/Berlin"},
		Status:        tokenstore.Active,
		Reason:        tokenstore.ReasonExpired,
		Created:       epoch.Add(-time.Hour),
		Consented:     epoch,
		RefreshExpiry: epoch.Add(7 * 24 * time.Hour),
	}
}

func missing(t *testing.T, s tokenstore.Store) {
	if g, err := s.Get(t.Context(), "nobody"); g != nil || !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("Get = %v, %v", g, err)
	}
	if page, err := s.ByJob(t.Context(), "nojob", "", 10); len(page) != 0 || err != nil {
		t.Errorf("ByJob = %v, %v", page, err)
	}
	if found, err := s.ByGoogle(t.Context(), "nobody"); len(found) != 0 || err != nil {
		t.Errorf("ByGoogle = %v, %v", found, err)
	}
	if cursor, err := s.Cursor(t.Context(), "nojob"); cursor != "" || err != nil {
		t.Errorf("Cursor = %q, %v", cursor, err)
	}
}

func roundTrip(t *testing.T, s tokenstore.Store) {
	full := reflect.ValueOf(*Full("alice"))
	for i := range full.NumField() {
		if field := full.Type().Field(i); field.IsExported() && full.Field(i).IsZero() {
			t.Errorf("the test knows no %s", field.Name)
		}
	}
	put(t, s, Full("alice"))
	wantStored(t, s, Full("alice"))
}

func emptyFields(t *testing.T, s tokenstore.Store) {
	bare := &tokenstore.Grant{Owner: "alice", Status: tokenstore.NeedsConsent}
	put(t, s, bare.Clone())
	wantStored(t, s, bare)
}

func emptiedFields(t *testing.T, s tokenstore.Store) {
	g := put(t, s, Full("alice"))
	g.Google, g.Email, g.Domain, g.Client, g.RefreshToken, g.AccessToken = "", "", "", "", "", ""
	g.Scopes, g.Narrower, g.Apart, g.Sessions, g.Jobs, g.Zones = nil, false, tokenstore.Apart{}, nil, nil, nil
	g.Expiry, g.Created, g.Consented, g.RefreshExpiry = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	g.Status, g.Reason = tokenstore.NeedsConsent, ""
	put(t, s, g)
	wantStored(t, s, &tokenstore.Grant{Owner: "alice", Status: tokenstore.NeedsConsent})
}

func putTwice(t *testing.T, s tokenstore.Store) {
	g := put(t, s, Full("alice"))
	g.Email = "second@example.com"
	put(t, s, g)
	g = get(t, s, "alice")
	g.Email = "third@example.com"
	put(t, s, g)
	if got := get(t, s, "alice").Email; got != "third@example.com" {
		t.Errorf("Email = %q", got)
	}
}

func stale(t *testing.T, s tokenstore.Store) {
	put(t, s, Full("alice"))
	older := get(t, s, "alice")
	newer := get(t, s, "alice")
	newer.RefreshToken = "1//newer"
	put(t, s, newer)
	older.RefreshToken = "1//older"
	wantConflict(t, s.Put(t.Context(), older))
	wantConflict(t, s.Put(t.Context(), older)) // the failure did not make it the current version
	if got := get(t, s, "alice").RefreshToken; got != "1//newer" {
		t.Errorf("the stale grant was written")
	}
}

func createTwice(t *testing.T, s tokenstore.Store) {
	put(t, s, Full("alice"))
	second := Full("alice")
	second.Email = "second@example.com"
	wantConflict(t, s.Put(t.Context(), second))
	wantStored(t, s, Full("alice"))
}

func putDeleted(t *testing.T, s tokenstore.Store) {
	g := put(t, s, Full("alice"))
	remove(t, s, "alice")
	wantConflict(t, s.Put(t.Context(), g))
	wantNotFound(t, s, "alice")
}

func recreate(t *testing.T, s tokenstore.Store) {
	put(t, s, Full("alice"))
	remove(t, s, "alice")
	put(t, s, Full("alice"))
	wantStored(t, s, Full("alice"))
}

func putRecreated(t *testing.T, s tokenstore.Store) {
	g := put(t, s, Full("alice"))
	remove(t, s, "alice")
	put(t, s, Full("alice"))
	g.Email = "stale@example.com"
	wantConflict(t, s.Put(t.Context(), g))
	wantStored(t, s, Full("alice"))
}

func deleteRead(t *testing.T, s tokenstore.Store) {
	put(t, s, Full("bob"))
	g := put(t, s, Full("alice"))
	if err := s.Delete(t.Context(), g); err != nil {
		t.Errorf("Delete of what Put wrote: %v", err)
	}
	wantNotFound(t, s, "alice")
	if err := s.Delete(t.Context(), get(t, s, "bob")); err != nil {
		t.Errorf("Delete of what Get read: %v", err)
	}
	wantNotFound(t, s, "bob")
	for range 2 {
		if err := s.Delete(t.Context(), g); err != nil {
			t.Errorf("Delete once more: %v", err)
		}
	}
}

func deleteStale(t *testing.T, s tokenstore.Store) {
	put(t, s, Full("alice"))
	older := get(t, s, "alice")
	newer := get(t, s, "alice")
	newer.RefreshToken = "1//newer"
	put(t, s, newer)
	wantConflict(t, s.Delete(t.Context(), older))
	wantConflict(t, s.Delete(t.Context(), older)) // the failure did not make it the current version
	want := Full("alice")
	want.RefreshToken = "1//newer"
	wantStored(t, s, want)

	remove(t, s, "alice")
	put(t, s, Full("alice"))
	wantConflict(t, s.Delete(t.Context(), newer)) // from before the deletion
	wantStored(t, s, Full("alice"))
}

func deleteNew(t *testing.T, s tokenstore.Store) {
	put(t, s, Full("alice"))
	wantConflict(t, s.Delete(t.Context(), Full("alice")))
	wantStored(t, s, Full("alice"))
}

func deleteRace(t *testing.T, s tokenstore.Store) {
	for range 5 {
		g := put(t, s, Full("alice"))
		written := g.Clone()
		written.Email = "new@example.com"
		var putErr, deleteErr error
		var both sync.WaitGroup
		both.Go(func() { putErr = s.Put(t.Context(), written) })
		both.Go(func() { deleteErr = s.Delete(t.Context(), g) })
		both.Wait()
		if putErr == nil {
			wantConflict(t, deleteErr)
			if got := get(t, s, "alice").Email; got != "new@example.com" {
				t.Errorf("Email = %q", got)
			}
		} else {
			wantConflict(t, putErr)
			if deleteErr != nil {
				t.Errorf("neither was done: %v", deleteErr)
			}
			wantNotFound(t, s, "alice")
		}
		remove(t, s, "alice")
	}
}

func deleteTwice(t *testing.T, s tokenstore.Store) {
	remove(t, s, "alice")
	put(t, s, Full("alice"))
	remove(t, s, "alice")
	remove(t, s, "alice")
	wantNotFound(t, s, "alice")
}

func refused(t *testing.T, s tokenstore.Store) {
	for name, spoil := range map[string]func(*tokenstore.Grant){
		"no owner":                    func(g *tokenstore.Grant) { g.Owner = "" },
		"no status":                   func(g *tokenstore.Grant) { g.Status = "" },
		"active, no refresh token":    func(g *tokenstore.Grant) { g.RefreshToken = "" },
		"a session without a hash":    func(g *tokenstore.Grant) { g.Sessions[0].Hash = "" },
		"a stand-in that ByJob makes": func(g *tokenstore.Grant) { g.Reason = tokenstore.ReasonUnknownKey },
	} {
		g := Full("alice")
		spoil(g)
		if s.Put(t.Context(), g) == nil {
			t.Errorf("%s: Put took it", name)
		}
	}
	wantNotFound(t, s, "alice")
}

func aliasingIn(t *testing.T, s tokenstore.Store) {
	g := put(t, s, Full("alice"))
	scribble(g)
	wantStored(t, s, Full("alice"))
}

func aliasingOut(t *testing.T, s tokenstore.Store) {
	put(t, s, Full("alice"))
	scribble(get(t, s, "alice"))
	page, err := s.ByJob(t.Context(), "dailyevent", "", 1)
	if err != nil || len(page) != 1 {
		t.Fatalf("ByJob = %v, %v", page, err)
	}
	scribble(page[0])
	wantStored(t, s, Full("alice"))
	found, err := s.ByGoogle(t.Context(), "google-of-alice")
	if err != nil || len(found) != 1 {
		t.Fatalf("ByGoogle = %v, %v", found, err)
	}
	scribble(found[0])
	wantStored(t, s, Full("alice"))
}

// scribble changes everything in g that could be shared.
func scribble(g *tokenstore.Grant) {
	g.Email, g.Scopes[0], g.Jobs[0], g.Sessions[0].Hash, g.Apart.Scopes[0] = "x", "x", "x", "x", "x"
	g.Zones["dailyevent"], g.Zones["x"] = "x", "x"
}

func endedContext(t *testing.T, s tokenstore.Store) {
	g := put(t, s, Full("alice"))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), epoch)
	defer cancel()
	for _, ctx := range []context.Context{cancelled, expired} {
		for method, call := range map[string]func() error{
			"Get":       func() error { _, err := s.Get(ctx, "nobody"); return err },
			"Put":       func() error { return s.Put(ctx, g) },
			"Delete":    func() error { return s.Delete(ctx, g) },
			"UseOnce":   func() error { return s.UseOnce(ctx, "id", time.Now()) },
			"ByJob":     func() error { _, err := s.ByJob(ctx, "dailyevent", "", 1); return err },
			"ByGoogle":  func() error { _, err := s.ByGoogle(ctx, "google-of-alice"); return err },
			"Cursor":    func() error { _, err := s.Cursor(ctx, "dailyevent"); return err },
			"SetCursor": func() error { return s.SetCursor(ctx, "dailyevent", "alice") },
		} {
			if err := call(); !errors.Is(err, ctx.Err()) || errors.Is(err, tokenstore.ErrNotFound) || errors.Is(err, tokenstore.ErrUnavailable) {
				t.Errorf("%s = %v, want %v", method, err, ctx.Err())
			}
		}
	}
	wantStored(t, s, Full("alice"))
}

func twoUsers(t *testing.T, s tokenstore.Store) {
	alice := put(t, s, Full("alice"))
	put(t, s, Full("bob"))
	alice.Email = "new@example.com"
	put(t, s, alice)
	wantStored(t, s, Full("bob"))
	remove(t, s, "alice")
	wantStored(t, s, Full("bob"))
	wantNotFound(t, s, "alice")
}

func putRace(t *testing.T, s tokenstore.Store) {
	put(t, s, Full("alice"))
	read := get(t, s, "alice")
	winner := race(t, tokenstore.ErrConflict, func(i int) error {
		g := read.Clone()
		g.Email = fmt.Sprint(i)
		return s.Put(t.Context(), g)
	})
	if got := get(t, s, "alice").Email; got != fmt.Sprint(winner) {
		t.Errorf("stored is the grant of %s, not of the winner %d", got, winner)
	}
}

func createRace(t *testing.T, s tokenstore.Store) {
	winner := race(t, tokenstore.ErrConflict, func(i int) error {
		g := Full("alice")
		g.Email = fmt.Sprint(i)
		return s.Put(t.Context(), g)
	})
	if got := get(t, s, "alice").Email; got != fmt.Sprint(winner) {
		t.Errorf("stored is the grant of %s, not of the winner %d", got, winner)
	}
}

func useOnce(t *testing.T, s tokenstore.Store) {
	until := time.Now().Add(time.Hour)
	for _, id := range []string{"one", "two"} {
		if err := s.UseOnce(t.Context(), id, until); err != nil {
			t.Errorf("first use of %s: %v", id, err)
		}
		for range 2 {
			if err := s.UseOnce(t.Context(), id, until); !errors.Is(err, tokenstore.ErrUsed) {
				t.Errorf("next use of %s: %v", id, err)
			}
		}
	}
}

func useOnceRace(t *testing.T, s tokenstore.Store) {
	until := time.Now().Add(time.Hour)
	race(t, tokenstore.ErrUsed, func(int) error { return s.UseOnce(t.Context(), "id", until) })
}

// race makes 32 calls at once, of which one must succeed and the others must return lost.
func race(t *testing.T, lost error, call func(i int) error) (winner int) {
	t.Helper()
	errs := make([]error, 32)
	begin := make(chan struct{})
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			<-begin
			errs[i] = call(i)
		})
	}
	close(begin)
	all.Wait()
	winners := 0
	for i, err := range errs {
		switch {
		case err == nil:
			winner = i
			winners++
		case !errors.Is(err, lost):
			t.Errorf("call %d: %v", i, err)
		}
	}
	if winners != 1 {
		t.Errorf("%d winners", winners)
	}
	return winner
}

func byJobPages(t *testing.T, s tokenstore.Store) {
	want := map[string]bool{}
	for i := range 23 {
		owner := fmt.Sprint(i*7 + 1)
		want[owner] = true
		put(t, s, Full(owner))
	}
	for round := range 2 {
		var order []string
		for after := ""; ; {
			page, err := s.ByJob(t.Context(), "weekly", after, 5)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			if len(page) > 5 || len(order) > len(want) {
				t.Fatalf("a page of %d after %v", len(page), order)
			}
			for _, g := range page {
				order = append(order, g.Owner)
			}
			after = order[len(order)-1]
		}
		seen := map[string]bool{}
		for _, owner := range order {
			seen[owner] = true
		}
		if len(order) != len(want) || !reflect.DeepEqual(seen, want) {
			t.Errorf("round %d: %v", round, order)
		}
	}
}

func byJobGrants(t *testing.T, s tokenstore.Store) {
	put(t, s, Full("alice"))
	other := Full("bob")
	other.Jobs = []string{"weekly"}
	put(t, s, other)
	page, err := s.ByJob(t.Context(), "dailyevent", "", 10)
	if err != nil || len(page) != 1 {
		t.Fatalf("ByJob = %v, %v", page, err)
	}
	wantSame(t, page[0], Full("alice"))
	page[0].Email = "job@example.com"
	put(t, s, page[0])
}

func byJobOff(t *testing.T, s tokenstore.Store) {
	for _, owner := range []string{"alice", "bob", "carol"} {
		put(t, s, Full(owner))
	}
	alice := get(t, s, "alice")
	alice.SetJob("weekly", false)
	put(t, s, alice)
	remove(t, s, "bob")
	wantOwners(t, s, "weekly", "", "carol")
	wantOwners(t, s, "dailyevent", "", "alice", "carol")
}

func byJobAfterDeleted(t *testing.T, s tokenstore.Store) {
	for _, owner := range []string{"alice", "bob", "carol"} {
		put(t, s, Full(owner))
	}
	remove(t, s, "bob")
	wantOwners(t, s, "weekly", "bob", "carol")
	wantOwners(t, s, "weekly", "carol")
}

func byGoogle(t *testing.T, s tokenstore.Store) {
	own := Full("1234")
	own.Google = ""
	first, second := Full("app:Ab12cd34Ef56:user/1 ü"), Full("app:Ab12cd34Ef56:1234")
	first.Google, second.Google = "1234", "1234"
	second.Status, second.RefreshToken, second.Reason = tokenstore.NeedsConsent, "", tokenstore.ReasonRevoked
	for _, g := range []*tokenstore.Grant{Full("alice"), own, first, second} {
		put(t, s, g.Clone())
	}
	wantAccount(t, s, "1234", own, first, second)
	remove(t, s, own.Owner)
	wantAccount(t, s, "1234", first, second)
	remove(t, s, first.Owner)
	remove(t, s, second.Owner)
	wantAccount(t, s, "1234")
	put(t, s, own.Clone())
	wantAccount(t, s, "1234", own)

	g := get(t, s, own.Owner)
	g.Google = own.Owner // the account is named twice, and has to be found once
	put(t, s, g)
	own.Google = own.Owner
	wantAccount(t, s, "1234", own)
}

func byGoogleOthers(t *testing.T, s tokenstore.Store) {
	put(t, s, Full("1234"))
	wantAccount(t, s, "1234") // it is connected with another account
	wantAccount(t, s, "google-of-1234", Full("1234"))
	wantAccount(t, s, "google-of-123")
	wantAccount(t, s, "google-of-1234 ")
	g := get(t, s, "1234")
	g.Google = "5678"
	put(t, s, g)
	wantAccount(t, s, "google-of-1234")
	want := Full("1234")
	want.Google = "5678"
	wantAccount(t, s, "5678", want)
}

func cursors(t *testing.T, s tokenstore.Store) {
	for _, step := range []struct{ job, cursor string }{
		{"daily", ""}, {"daily", "alice"}, {"weekly", "carol"}, {"daily", "bob"}, {"daily", ""}, {"daily", ""}, {"daily", "dave"},
	} {
		if err := s.SetCursor(t.Context(), step.job, step.cursor); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Cursor(t.Context(), step.job); got != step.cursor || err != nil {
			t.Errorf("Cursor(%s) = %q, %v, want %q", step.job, got, err, step.cursor)
		}
	}
	if got, err := s.Cursor(t.Context(), "weekly"); got != "carol" || err != nil {
		t.Errorf("Cursor(weekly) = %q, %v", got, err)
	}
}

func oddCharacters(t *testing.T, s tokenstore.Store) {
	odd := []string{".", "..", "__x__", "_", "a/b", "a%2Fb", "%2E", "%", "ä", "a b", "\x00\n", "日本語", "\U0001F600", "`~!@#$^&*()+={}[]|\\:;\"'<>,?", "A", "a"}
	for _, owner := range odd {
		put(t, s, Full(owner))
		if err := s.UseOnce(t.Context(), owner, time.Now().Add(time.Hour)); err != nil {
			t.Errorf("UseOnce(%q): %v", owner, err)
		}
		if err := s.SetCursor(t.Context(), owner, owner); err != nil {
			t.Errorf("SetCursor(%q): %v", owner, err)
		}
	}
	for _, owner := range odd {
		wantStored(t, s, Full(owner))
		wantAccount(t, s, "google-of-"+owner, Full(owner))
		if got, err := s.Cursor(t.Context(), owner); got != owner || err != nil {
			t.Errorf("Cursor(%q) = %q, %v", owner, got, err)
		}
	}
	seen := map[string]bool{}
	for after, n := "", 0; n <= len(odd); n++ {
		page, err := s.ByJob(t.Context(), "weekly", after, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		after = page[0].Owner
		seen[after] = true
	}
	if len(seen) != len(odd) {
		t.Errorf("ByJob found %v", seen)
	}
	for _, owner := range odd {
		remove(t, s, owner)
		wantNotFound(t, s, owner)
	}
}

func large(t *testing.T, s tokenstore.Store) {
	g := Full(strings.Repeat("/", 255))
	g.RefreshToken = "1//" // the longest token that Google sends has 512 bytes [Google: token size]
	g.RefreshToken += tokenSecret(509)
	g.AccessToken = tokenSecret(2048)
	for i := range 2 * tokenstore.MaxSessions {
		g.AddSession(tokenstore.Session{Hash: fmt.Sprint(i), Start: epoch.Add(time.Duration(i) * time.Second)})
	}
	for i := range 255 {
		g.Scopes = append(g.Scopes, fmt.Sprintf("https://www.googleapis.com/auth/%d", i))
	}
	put(t, s, g.Clone())
	wantStored(t, s, g)
	if n := len(get(t, s, g.Owner).Sessions); n != tokenstore.MaxSessions {
		t.Errorf("%d sessions", n)
	}
}
