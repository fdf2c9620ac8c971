package tokenstore_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestDamagedDocument(t *testing.T) {
	addr, project := tokenstoretest.Emulator(t)
	f := openFirestore(t, addr, project, newKeyset(t))
	put(t, f, tokenstoretest.Full("alice"))
	sealed := tokenstoretest.RawDocument(t, addr, project, "grants/alice")["refresh_token"]

	for name, test := range map[string]struct {
		patch string
		lost  func(*tokenstore.Grant) // clears what cannot be understood
	}{
		"a status of another type":           {patch: `{"status": {"integerValue": "7"}}`},
		"a status that nobody knows":         {patch: `{"status": {"stringValue": "on"}}`},
		"no status":                          {patch: `{"status": null}`},
		"no refresh token":                   {patch: `{"refresh_token": null}`},
		"a refresh token that is nothing":    {patch: `{"refresh_token": {"nullValue": null}}`},
		"a refresh token in clear":           {patch: `{"refresh_token": {"stringValue": "1//refresh"}}`},
		"a refresh token in clear, as bytes": {patch: `{"refresh_token": {"bytesValue": "MS8vcmVmcmVzaA=="}}`},
		"a refresh token of no bytes":        {patch: `{"refresh_token": {"bytesValue": ""}}`},
		"a refresh token cut to its header":  {patch: patchBytes(t, "refresh_token", sealed, func(b []byte) []byte { return b[:5] })},
		"a refresh token cut short":          {patch: patchBytes(t, "refresh_token", sealed, func(b []byte) []byte { return b[:len(b)-1] })},
		"a refresh token with one other bit": {patch: patchBytes(t, "refresh_token", sealed, func(b []byte) []byte { b[20] ^= 1; return b })},
		"an access token of another type":    {patch: `{"access_token": {"mapValue": {}}}`},
		"an access token that does not open": {patch: `{"access_token": {"bytesValue": "AAAA"}}`},
		"an email of another type":           {patch: `{"email": {"bytesValue": "AAAA"}}`, lost: func(g *tokenstore.Grant) { g.Email = "" }},
		"scopes that are no list":            {patch: `{"scopes": {"stringValue": "openid email"}}`, lost: func(g *tokenstore.Grant) { g.Scopes = nil }},
		"a scope that is no text":            {patch: `{"scopes": {"arrayValue": {"values": [{"integerValue": "1"}, {"stringValue": "openid"}]}}}`, lost: func(g *tokenstore.Grant) { g.Scopes = []string{"openid"} }},
		"jobs that are no list":              {patch: `{"jobs": {"booleanValue": true}}`, lost: func(g *tokenstore.Grant) { g.Jobs = nil }},
		"sessions that are no list":          {patch: `{"sessions": {"mapValue": {}}}`, lost: func(g *tokenstore.Grant) { g.Sessions = nil }},
		"a session without a hash":           {patch: `{"sessions": {"arrayValue": {"values": [{"mapValue": {}}, {"stringValue": "x"}, {"nullValue": null}]}}}`, lost: func(g *tokenstore.Grant) { g.Sessions = nil }},
		"a Google account that is a number":  {patch: `{"google": {"integerValue": "1234"}}`, lost: func(g *tokenstore.Grant) { g.Google = "" }},
		"a domain that is a list":            {patch: `{"domain": {"arrayValue": {}}}`, lost: func(g *tokenstore.Grant) { g.Domain = "" }},
		"a client that is a map":             {patch: `{"client": {"mapValue": {}}}`, lost: func(g *tokenstore.Grant) { g.Client = "" }},
		"narrower as a text":                 {patch: `{"narrower": {"stringValue": "true"}}`, lost: func(g *tokenstore.Grant) { g.Narrower = false }},
		"what is apart as a list":            {patch: `{"apart": {"arrayValue": {}}}`, lost: func(g *tokenstore.Grant) { g.Apart = tokenstore.Apart{} }},
		"a token apart in clear":             {patch: `{"apart": {"mapValue": {"fields": {"token": {"stringValue": "ya29.apart"}}}}}`, lost: func(g *tokenstore.Grant) { g.Apart = tokenstore.Apart{} }},
		"a token apart that does not open": {
			patch: `{"apart": {"mapValue": {"fields": {"token": {"bytesValue": "AAAA"}, "scopes": {"arrayValue": {"values": [{"stringValue": "a"}]}}}}}}`,
			lost:  func(g *tokenstore.Grant) { g.Apart = tokenstore.Apart{Scopes: []string{"a"}} },
		},
		"scopes and an expiry apart of another type": {
			patch: `{"apart": {"mapValue": {"fields": {"scopes": {"stringValue": "a"}, "expiry": {"stringValue": "2026-01-02"}}}}}`,
			lost:  func(g *tokenstore.Grant) { g.Apart = tokenstore.Apart{} },
		},
		"a browser that is a number": {
			patch: `{"sessions": {"arrayValue": {"values": [{"mapValue": {"fields": {"hash": {"stringValue": "h"}, "browser": {"integerValue": "1"}}}}]}}}`,
			lost:  func(g *tokenstore.Grant) { g.Sessions = []tokenstore.Session{{Hash: "h"}} },
		},
		"zones that are a list": {patch: `{"zones": {"arrayValue": {}}}`, lost: func(g *tokenstore.Grant) { g.Zones = nil }},
		"a zone that is a number": {
			patch: `{"zones": {"mapValue": {"fields": {"weekly": {"integerValue": "1"}, "dailyevent": {"stringValue": "Asia/Tokyo"}}}}}`,
			lost:  func(g *tokenstore.Grant) { g.Zones = map[string]string{"dailyevent": "Asia/Tokyo"} },
		},
		"an expiry that is a number":          {patch: `{"expiry": {"integerValue": "1700000000"}}`, lost: func(g *tokenstore.Grant) { g.Expiry = zero }},
		"a time of creation that is a text":   {patch: `{"created": {"stringValue": "2026-01-02"}}`, lost: func(g *tokenstore.Grant) { g.Created = zero }},
		"a time of consent that is a list":    {patch: `{"consented": {"arrayValue": {}}}`, lost: func(g *tokenstore.Grant) { g.Consented = zero }},
		"an end of consent that is a boolean": {patch: `{"refresh_expiry": {"booleanValue": false}}`, lost: func(g *tokenstore.Grant) { g.RefreshExpiry = zero }},
	} {
		t.Run(name+" comes back as needing consent and is replaced", func(t *testing.T) {
			owner := base64.RawURLEncoding.EncodeToString([]byte(name))
			whole := tokenstoretest.Full(owner)
			put(t, f, whole.Clone())
			tokenstoretest.RawPatch(t, addr, project, "grants/"+owner, test.patch)

			g := get(t, f, owner)
			wantDamaged(t, g)
			want := whole.Clone()
			if strings.Contains(name, "refresh token") {
				want.RefreshToken = ""
			}
			if strings.Contains(name, "access token") {
				want.AccessToken = ""
			}
			want.Status, want.Reason = tokenstore.NeedsConsent, tokenstore.ReasonDamaged
			if test.lost != nil {
				test.lost(want)
			}
			if got := tokenstore.Exported(g); !reflect.DeepEqual(got, tokenstore.Exported(want)) {
				t.Errorf("%+v, want %+v", got, tokenstore.Exported(want))
			}

			found, err := f.ByGoogle(t.Context(), g.Account())
			if err != nil || len(found) != 1 {
				t.Fatalf("ByGoogle = %v, %v", found, err)
			}
			wantDamaged(t, found[0])

			g.RefreshToken, g.Status = "1//new", tokenstore.Active
			put(t, f, g)
			if !get(t, f, owner).Usable() {
				t.Error("the new consent is not usable")
			}
		})
	}

	t.Run("a document of nothing but a job is found by the job", func(t *testing.T) {
		tokenstoretest.RawPatch(t, addr, project, "grants/empty", `{"jobs": {"arrayValue": {"values": [{"stringValue": "lonely"}]}}}`)
		page, err := f.ByJob(t.Context(), "lonely", "", 10)
		if err != nil || len(page) != 1 || page[0].Owner != "empty" {
			t.Fatalf("ByJob = %v, %v", page, err)
		}
		wantDamaged(t, page[0])
	})

	t.Run("a document that no Put wrote is no grant of a job", func(t *testing.T) {
		tokenstoretest.RawPatch(t, addr, project, "grants/a%2562", `{"jobs": {"arrayValue": {"values": [{"stringValue": "foreign"}]}}}`) // the id is a%62
		page, err := f.ByJob(t.Context(), "foreign", "", 10)
		if err != nil || len(page) != 0 {
			t.Fatalf("ByJob = %v, %v", page, err)
		}
	})

	t.Run("a document of before the later fields is read as it was", func(t *testing.T) {
		want := tokenstoretest.Full("before")
		put(t, f, want.Clone())
		tokenstoretest.RawPatch(t, addr, project, "grants/before", `{"google": null, "domain": null, "client": null, "narrower": null, "apart": null, "zones": null,
			"sessions": {"arrayValue": {"values": [{"mapValue": {"fields": {"hash": {"stringValue": "one"}}}}]}}}`)
		want.Google, want.Domain, want.Client, want.Narrower, want.Apart, want.Zones = "", "", "", false, tokenstore.Apart{}, nil
		want.Sessions = []tokenstore.Session{{Hash: "one"}}
		if got := get(t, f, "before"); !reflect.DeepEqual(tokenstore.Exported(got), tokenstore.Exported(want)) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})

	t.Run("an empty grant's document has no field but its status", func(t *testing.T) {
		put(t, f, &tokenstore.Grant{Owner: "bare", Status: tokenstore.NeedsConsent})
		if raw := tokenstoretest.RawDocument(t, addr, project, "grants/bare"); len(raw) != 1 || raw["status"] == nil {
			t.Errorf("%s", raw)
		}
	})

	t.Run("what a newer version may have added inside is no damage", func(t *testing.T) {
		put(t, f, tokenstoretest.Full("newer"))
		tokenstoretest.RawPatch(t, addr, project, "grants/newer", `{"added": {"mapValue": {}}, "apart": {"mapValue": {"fields": {"added": {"integerValue": "1"}}}},
			"sessions": {"arrayValue": {"values": [{"mapValue": {"fields": {"hash": {"stringValue": "one"}, "added": {"booleanValue": true}}}}]}}}`)
		if g := get(t, f, "newer"); !g.Usable() || !g.HasSession("one") {
			t.Errorf("%+v", g)
		}
	})

	t.Run("a field of another format does not survive the next put", func(t *testing.T) {
		put(t, f, tokenstoretest.Full("old"))
		tokenstoretest.RawPatch(t, addr, project, "grants/old", `{"token": {"stringValue": "canary"}}`)
		g := get(t, f, "old")
		if !g.Usable() {
			t.Error("a field that nobody knows is damage")
		}
		put(t, f, g)
		if bytes.Contains(tokenstoretest.RawDocuments(t, addr, project), []byte("canary")) {
			t.Error("the field is still there")
		}
	})
}

// patchBytes alters a REST bytes value.
func patchBytes(t *testing.T, field string, raw json.RawMessage, alter func([]byte) []byte) string {
	t.Helper()
	var value struct {
		Bytes []byte `json:"bytesValue"`
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{%q: {"bytesValue": %q}}`, field, base64.StdEncoding.EncodeToString(alter(value.Bytes)))
}
