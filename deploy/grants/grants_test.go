package main

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestGrants(t *testing.T) {
	addr, project := tokenstoretest.Emulator(t)
	keyset, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	store, err := tokenstore.OpenFirestore(tokenstore.FirestoreConfig{Project: project, Emulator: addr, Keyset: keyset})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	client := fakegoogle.Client{ID: "id", Secret: "secret"}
	google := httptest.NewServer(fakegoogle.New(fakegoogle.Options{Clients: []fakegoogle.Client{client}}))
	t.Cleanup(google.Close)
	env := map[string]string{"BASE_URL": "http://localhost:8080", "OAUTH_CLIENT_JSON": client.JSON(), "TOKEN_KEYSET": string(keyset.JSON()),
		"GOOGLE_CLOUD_PROJECT": project, "FIRESTORE_EMULATOR_HOST": addr, "GOOGLE_BASE_URL": google.URL}
	do := func(t *testing.T, args ...string) (string, error) {
		t.Helper()
		var out strings.Builder
		err := run(t.Context(), args, func(name string) string { return env[name] }, &out)
		for _, secret := range []string{"canary", "hash-"} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("shows %s:\n%s", secret, &out)
			}
		}
		return out.String(), err
	}

	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	put := func(g *tokenstore.Grant) {
		t.Helper()
		if err := store.Put(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	put(&tokenstore.Grant{Owner: "1", Email: "ada@example.com", Domain: "example.com", Status: tokenstore.Active, RefreshToken: "canary-refresh", AccessToken: "canary-access",
		Scopes: []string{"openid", "email"}, Jobs: []string{"dailyevent"}, Zones: map[string]string{"dailyevent": "Europe/Berlin"}, Created: began, Consented: began,
		RefreshExpiry: began.AddDate(0, 0, 7), Sessions: []tokenstore.Session{{Hash: "hash-1", Start: began, Browser: "Firefox on Linux"}}})
	put(&tokenstore.Grant{Owner: "app:x:2", Google: "1", Email: "ada@example.com", Status: tokenstore.Active, RefreshToken: "canary-refresh", Created: began})
	put(&tokenstore.Grant{Owner: "3", Email: "grace@example.com", Status: tokenstore.NeedsConsent, Reason: tokenstore.ReasonRevoked, Created: began})

	t.Run("are counted by status", func(t *testing.T) {
		out, err := do(t)
		want := "grants          3\nactive          2\nneeds consent   1 revoked\nending          1 that Google ends by themselves: the app is in Testing, or the users chose a time\n"
		if err != nil || out != want {
			t.Errorf("%v\n%s\nwant\n%s", err, out, want)
		}
	})
	t.Run("are shown by owner, with all that is kept but tokens and session ids", func(t *testing.T) {
		out, err := do(t, "show", "1")
		want := "owner           1\nGoogle account  1 ada@example.com example.com\nstatus          active \nmay             openid email\njob             dailyevent Europe/Berlin\n" +
			"session         since 2026-03-01T12:00:00Z Firefox on Linux\nfirst consent   2026-03-01T12:00:00Z\nlast consent    2026-03-01T12:00:00Z\nends            2026-03-08T12:00:00Z\n"
		if err != nil || out != want {
			t.Errorf("%v\n%s\nwant\n%s", err, out, want)
		}
	})
	t.Run("are found by email address, all of them", func(t *testing.T) {
		out, err := do(t, "show", "ada@example.com")
		if err != nil || !strings.Contains(out, "owner           1\n") || !strings.Contains(out, "owner           app:x:2\n") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	for _, args := range [][]string{{"show", "nobody@example.com"}, {"disconnect", "ada@example.com"}} {
		t.Run("are not made up: "+strings.Join(args, " "), func(t *testing.T) {
			if out, err := do(t, args...); err == nil || !strings.HasPrefix(err.Error(), "no grant of ") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	t.Run("are disconnected one at a time: an account that another owner holds is not withdrawn", func(t *testing.T) {
		for _, step := range [][2]string{{"1", "held"}, {"app:x:2", "revoked"}} {
			out, err := do(t, "disconnect", step[0])
			if want := "deleted         " + step[0] + "; at Google: " + step[1] + "\n"; err != nil || out != want {
				t.Errorf("%v, %s, want %s", err, out, want)
			}
			if _, err := store.Get(t.Context(), step[0]); !errors.Is(err, tokenstore.ErrNotFound) {
				t.Errorf("%s: %v", step[0], err)
			}
		}
	})
	t.Run("are disconnected all", func(t *testing.T) {
		out, err := do(t, "disconnect-all")
		if c, _ := store.Count(t.Context()); err != nil || c == nil || c.All != 0 || !strings.HasPrefix(out, "deleted         3;") {
			t.Errorf("%v, %v\n%s", err, c, out)
		}
	})
}

func TestRefuses(t *testing.T) {
	for what, test := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"what it does not know": {[]string{"delete", "1"}, nil, "usage:"},
		"a bad configuration":   {nil, map[string]string{}, "BASE_URL"},
	} {
		t.Run(what, func(t *testing.T) {
			err := run(t.Context(), test.args, func(name string) string { return test.env[name] }, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
