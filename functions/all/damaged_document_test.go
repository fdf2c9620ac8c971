package all_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

// TestFaultDamagedDocumentAsksToSignInAgain covers what decode tells of damage, seen from outside.
func TestFaultDamagedDocumentAsksToSignInAgain(t *testing.T) {
	addr, project := tokenstoretest.Emulator(t)
	w := newFirestoreWorld(t, addr, project)
	document := "grants/" + subjectOf(t, w.fake, ada)
	for name, c := range map[string]struct {
		patch     func(whole map[string]json.RawMessage) string
		signedOut bool // there is no telling who asks
	}{
		"a truncated sealed field": {patch: func(whole map[string]json.RawMessage) string {
			return `{"refresh_token": ` + half(whole["refresh_token"]) + `}`
		}},
		"fields of another type": {patch: func(map[string]json.RawMessage) string {
			return `{"status": {"integerValue": "1"}, "scopes": {"stringValue": "openid"}, "expiry": {"booleanValue": true}}`
		}},
		"garbage in every field": {signedOut: true, patch: func(whole map[string]json.RawMessage) string {
			garbage := map[string]json.RawMessage{}
			for field := range whole {
				garbage[field] = json.RawMessage(`{"geoPointValue": {"latitude": 1, "longitude": 2}}`)
			}
			b, err := json.Marshal(garbage)
			if err != nil {
				panic(err)
			}
			return string(b)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.browser()
			for _, path := range []string{"/listlabels", "/createevent"} {
				expect(t, b.visit(path, ada), http.StatusOK)
			}
			tokenstoretest.RawPatch(t, addr, project, document, c.patch(tokenstoretest.RawDocument(t, addr, project, document)))
			logged := len(w.log.String())

			page := b.get("/listlabels")
			expect(t, page, http.StatusFound)
			if !strings.Contains(page.location(), "/o/oauth2/v2/auth?") {
				t.Errorf("sent to %s", page.location())
			}
			says := "cannot be read any more"
			if c.signedOut {
				says = "not signed in"
			}
			expect(t, b.getJSON("/listlabels"), http.StatusUnauthorized, "consent_required", says)
			expect(t, b.post("/createevent", url.Values{"title": {"Kept"}}), http.StatusUnauthorized, "Kept", says)
			log := w.log.String()[logged:]
			if !strings.Contains(log, "stored grant is damaged") || strings.Contains(log, "panic") {
				t.Errorf("the log: %s", log)
			}

			expect(t, b.visit("/listlabels", ada), http.StatusOK, "label(s) found:")
			if g := w.grant(ada); !g.Usable() || g.Reason != "" || g.AccessToken == "" {
				t.Errorf("the sign-in did not replace it: %s %s", g.Status, g.Reason)
			}
			w.clock.advance(2 * time.Hour)
			expect(t, b.get("/listlabels"), http.StatusOK, "label(s) found:")
		})
	}
}

func TestFaultKeyRotationOpensTheOldAndWritesTheNew(t *testing.T) {
	addr, project := tokenstoretest.Emulator(t)
	w := newFirestoreWorld(t, addr, project)
	document := "grants/" + subjectOf(t, w.fake, ada)
	raw := func() string {
		return string(tokenstoretest.RawDocument(t, addr, project, document)["refresh_token"])
	}
	with := func(keys *seal.Keyset) *process {
		return w.startOn(t, openStore(t, addr, project, keys), w.envWith("TOKEN_KEYSET", string(keys.JSON())))
	}
	old := w.keyset()
	added, err := old.Added()
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := added.Rotated()
	if err != nil {
		t.Fatal(err)
	}
	adding, both, alone := with(added), with(rotated), with(onlyPrimary(t, rotated))

	b := w.signedIn(ada)
	stale := b.copy().at(alone)
	was := raw()
	expect(t, b.at(both).get("/listlabels"), http.StatusOK, "label(s) found:")
	if raw() != was {
		t.Error("reading alone wrote")
	}
	w.clock.advance(2 * time.Hour)
	expect(t, b.at(both).get("/listlabels"), http.StatusOK, "label(s) found:")
	if raw() == was {
		t.Fatal("the refresh did not write")
	}

	t.Run("so that the old key can be removed", func(t *testing.T) {
		expect(t, b.at(alone).get("/listlabels"), http.StatusOK, "label(s) found:") // the cookie was reissued, too
	})
	t.Run("and a process that has yet to get the new primary reads on", func(t *testing.T) {
		expect(t, b.at(adding).get("/listlabels"), http.StatusOK, "label(s) found:")
	})
	t.Run("and a cookie of a removed key is signed out", func(t *testing.T) {
		expect(t, stale.get("/listlabels"), http.StatusFound)
		expect(t, stale.getJSON("/account"), http.StatusUnauthorized, "not signed in")
	})
	t.Run("and a grant of a removed key is 503, and nothing is deleted", func(t *testing.T) {
		b := w.browserAt(both)
		if a, err := b.reach(b.page("/dailyevent"), ada); err != nil || a.status != http.StatusOK {
			t.Fatal(err, a)
		}
		expect(t, b.send("/dailyevent", url.Values{"enabled": {"true"}}), http.StatusSeeOther)
		subject := subjectOf(t, w.fake, ada)
		keep := func(*tokenstore.Grant) error { return nil }
		if _, err := tokenstore.Update(t.Context(), openStore(t, addr, project, added), subject, keep); err != nil { // writes with the old key
			t.Fatal(err)
		}
		before := tokenstoretest.RawDocuments(t, addr, project)
		lost := b.at(alone)
		for name, r := range map[string]*http.Request{
			"page": lost.page("/listlabels"), "program": lost.request("GET", "/account", nil, "Accept", "application/json"),
			"form":       formRequest(lost, "/account", false, url.Values{"action": {"disconnect"}}),
			"sign-in":    lost.page("/oauth2init"),
			"job switch": formRequest(lost, "/dailyevent", true, url.Values{"enabled": {"false"}}),
		} {
			if a := lost.do(r); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.location() != "" {
				t.Errorf("%s: %d, Location %q, %s", name, a.status, a.location(), a.body)
			}
		}
		if after := tokenstoretest.RawDocuments(t, addr, project); !bytes.Equal(before, after) {
			t.Error("documents changed")
		}
		expect(t, w.runDaily(alone, nil), http.StatusServiceUnavailable, `"done":0,"skipped":0,"failed":1`)
		if !w.grant(ada).HasJob("dailyevent") {
			t.Error("the run turned the job off")
		}
		newcomer := w.browserAt(alone)
		expect(t, newcomer.get(pathOf(newcomer.callback("/listlabels", fakegoogle.Decision{User: ada}))), http.StatusServiceUnavailable)
		expect(t, b.get("/listlabels"), http.StatusOK, "label(s) found:")
	})
}

// onlyPrimary returns the keys without any but the primary, as after an old one was removed.
func onlyPrimary(t *testing.T, keys *seal.Keyset) *seal.Keyset {
	t.Helper()
	var set struct {
		Primary json.Number      `json:"primaryKeyId"`
		Keys    []map[string]any `json:"key"`
	}
	d := json.NewDecoder(strings.NewReader(string(keys.JSON())))
	d.UseNumber()
	if err := d.Decode(&set); err != nil {
		t.Fatal(err)
	}
	set.Keys = slices.DeleteFunc(set.Keys, func(k map[string]any) bool { return k["keyId"] != set.Primary })
	b, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	one, err := seal.Parse(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return one
}

// half returns the first half of a REST bytes value.
func half(raw json.RawMessage) string {
	var value struct {
		Bytes []byte `json:"bytesValue"`
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		panic(err)
	}
	value.Bytes = value.Bytes[:len(value.Bytes)/2]
	b, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(b)
}
