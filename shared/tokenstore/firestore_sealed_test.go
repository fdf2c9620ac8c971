package tokenstore_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestStoredTokens(t *testing.T) {
	t.Run("raw documents hold no token in clear", func(t *testing.T) {
		addr, project := tokenstoretest.Emulator(t)
		f := openFirestore(t, addr, project, newKeyset(t))
		g := tokenstoretest.Full("alice")
		g.RefreshToken, g.AccessToken, g.Apart.Token = "canary-refresh", "canary-access", "canary-apart"
		put(t, f, g)
		raw := tokenstoretest.RawDocuments(t, addr, project)
		if bytes.Contains(raw, []byte("canary")) {
			t.Errorf("a token in clear: %s", raw)
		}
		if !bytes.Contains(raw, []byte(g.Email)) {
			t.Errorf("the search finds nothing at all: %s", raw)
		}
		tokenstoretest.RawPatch(t, addr, project, "grants/alice", `{"access_token": {"bytesValue": "Y2FuYXJ5"}}`)
		if !bytes.Contains(tokenstoretest.RawDocuments(t, addr, project), []byte("canary")) {
			t.Error("the search finds no bytes in clear")
		}
	})

	t.Run("a sealed field copied to another user or another field does not open", func(t *testing.T) {
		addr, project := tokenstoretest.Emulator(t)
		f := openFirestore(t, addr, project, newKeyset(t))
		for _, owner := range []string{"alice", "bob", "carol"} {
			put(t, f, tokenstoretest.Full(owner))
		}
		alice := tokenstoretest.RawDocument(t, addr, project, "grants/alice")
		carol := tokenstoretest.RawDocument(t, addr, project, "grants/carol")
		tokenstoretest.RawPatch(t, addr, project, "grants/bob", fmt.Sprintf(`{"refresh_token": %s}`, alice["refresh_token"]))
		tokenstoretest.RawPatch(t, addr, project, "grants/carol", fmt.Sprintf(`{"refresh_token": %s}`, carol["access_token"]))
		for _, owner := range []string{"bob", "carol"} {
			g := get(t, f, owner)
			wantDamaged(t, g)
			if g.RefreshToken != "" {
				t.Errorf("%s has a refresh token that is not its own", owner)
			}
		}
		if !get(t, f, "alice").Usable() {
			t.Error("alice's own grant is lost")
		}

		put(t, f, tokenstoretest.Full("dave"))
		put(t, f, tokenstoretest.Full("erin"))
		tokenstoretest.RawPatch(t, addr, project, "grants/dave", fmt.Sprintf(`{"apart": %s}`, alice["apart"]))
		erin := tokenstoretest.RawDocument(t, addr, project, "grants/erin")
		tokenstoretest.RawPatch(t, addr, project, "grants/erin", fmt.Sprintf(`{"apart": {"mapValue": {"fields": {"token": %s}}}}`, erin["access_token"]))
		for _, owner := range []string{"dave", "erin"} {
			g := get(t, f, owner)
			wantDamaged(t, g)
			if g.Apart.Token != "" {
				t.Errorf("%s has a token apart that is not its own", owner)
			}
			if g.RefreshToken != tokenstoretest.Full(owner).RefreshToken {
				t.Errorf("%s has lost the refresh token, too", owner)
			}
		}
	})
}

func TestKeyRotation(t *testing.T) {
	addr, project := tokenstoretest.Emulator(t)
	old := newKeyset(t)
	both, err := old.Rotated()
	if err != nil {
		t.Fatal(err)
	}
	before := openFirestore(t, addr, project, old)
	during := openFirestore(t, addr, project, both)
	after := openFirestore(t, addr, project, primaryOnly(t, both))
	put(t, before, tokenstoretest.Full("alice"))
	put(t, before, tokenstoretest.Full("bob"))
	put(t, after, tokenstoretest.Full("carol"))

	t.Run("an old value opens and the next write uses the new key", func(t *testing.T) {
		g := get(t, during, "alice")
		if g.RefreshToken != tokenstoretest.Full("alice").RefreshToken {
			t.Error("another token")
		}
		put(t, during, g)
		if !get(t, after, "alice").Usable() {
			t.Error("not sealed with the new key")
		}
	})

	t.Run("a key that was removed is ErrUnknownKey and nothing changes", func(t *testing.T) {
		raw := tokenstoretest.RawDocuments(t, addr, project)
		g, err := after.Get(t.Context(), "bob")
		if g != nil || !errors.Is(err, seal.ErrUnknownKey) || errors.Is(err, tokenstore.ErrNotFound) {
			t.Errorf("Get = %v, %v", g, err)
		}
		if !bytes.Equal(raw, tokenstoretest.RawDocuments(t, addr, project)) {
			t.Error("the documents changed")
		}
		if !get(t, before, "bob").Usable() {
			t.Error("the grant is lost for those who have the key")
		}
	})

	t.Run("a token apart whose key was removed is ErrUnknownKey, too", func(t *testing.T) {
		raw := tokenstoretest.RawDocument(t, addr, project, "grants/bob")
		tokenstoretest.RawPatch(t, addr, project, "grants/bob", `{"refresh_token": null, "access_token": null, "status": {"stringValue": "needs_consent"}}`)
		if g, err := after.Get(t.Context(), "bob"); g != nil || !errors.Is(err, seal.ErrUnknownKey) {
			t.Errorf("Get = %v, %v", g, err)
		}
		tokenstoretest.RawPatch(t, addr, project, "grants/bob", fmt.Sprintf(`{"refresh_token": %s, "access_token": %s, "status": %s}`, raw["refresh_token"], raw["access_token"], raw["status"]))
	})

	t.Run("a Google account's grants are found with a stand-in in its place", func(t *testing.T) {
		google := tokenstoretest.Full("bob").Google
		own := tokenstoretest.Full(google)
		own.Google = ""
		put(t, before, own)
		found, err := after.ByGoogle(t.Context(), google)
		if err != nil || len(found) != 2 {
			t.Fatalf("ByGoogle = %v, %v", found, err)
		}
		for i, owner := range []string{"bob", google} {
			g := found[i]
			if g.Owner != owner || g.Account() != google || g.Reason != tokenstore.ReasonUnknownKey || g.Usable() {
				t.Errorf("%+v in the place of %s", g, owner)
			}
			if err := after.Delete(t.Context(), g); !errors.Is(err, tokenstore.ErrConflict) {
				t.Errorf("Delete of the stand-in: %v", err)
			}
		}
		if err := before.Delete(t.Context(), own); err != nil {
			t.Fatal(err)
		}
		twice := tokenstoretest.Full(google)
		twice.Google = google
		put(t, before, twice)
		if found, err := after.ByGoogle(t.Context(), google); err != nil || len(found) != 2 {
			t.Errorf("of an owner who says it twice: ByGoogle = %v, %v", found, err)
		}
		if err := before.Delete(t.Context(), twice); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("a job's page goes on behind it with a stand-in that cannot be put", func(t *testing.T) {
		page, err := after.ByJob(t.Context(), "weekly", "", 10)
		if err != nil || len(page) != 3 {
			t.Fatalf("ByJob = %v, %v", page, err)
		}
		standIn := page[1]
		if !page[0].Usable() || !page[2].Usable() || standIn.Usable() {
			t.Error("usable is what should not be, or the other way round")
		}
		if standIn.Owner != "bob" || standIn.Reason != tokenstore.ReasonUnknownKey {
			t.Errorf("the stand-in of %s has the reason %q", standIn.Owner, standIn.Reason)
		}
		if err := after.Put(t.Context(), standIn); !errors.Is(err, seal.ErrUnknownKey) {
			t.Errorf("Put of the stand-in: %v", err)
		}
		standIn.Reason = tokenstore.ReasonRevoked
		if err := after.Put(t.Context(), standIn); !errors.Is(err, tokenstore.ErrConflict) {
			t.Errorf("Put of the altered stand-in: %v", err)
		}
	})
}

// primaryOnly returns the keyset without its older keys.
func primaryOnly(t *testing.T, keyset *seal.Keyset) *seal.Keyset {
	t.Helper()
	var file struct {
		Primary uint32           `json:"primaryKeyId"`
		Keys    []map[string]any `json:"key"`
	}
	if err := json.Unmarshal([]byte(keyset.JSON()), &file); err != nil {
		t.Fatal(err)
	}
	for _, key := range file.Keys {
		if key["keyId"] == float64(file.Primary) {
			file.Keys = []map[string]any{key}
			break
		}
	}
	b, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	keyset, err = seal.Parse(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return keyset
}
