package httpfunc

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

var accounts = &handler{Function: Function{Name: accountName, Title: "My account"}, serve: (*exchange).serveAccount, formPage: (*exchange).accountPage, methods: []string{"GET", "HEAD", "POST"}}

func TestAccount(t *testing.T) {
	t.Run("says when the permission ends, and that of an app in Testing mode why", func(t *testing.T) {
		for days, says := range map[time.Duration]string{0: "", 7: "this service is being tested", 30: "then you are asked again."} {
			k := newKit(t)
			g, c := k.grant(ada, someScope)
			if days > 0 {
				g.RefreshExpiry = k.clock.Add(days * 24 * time.Hour)
			}
			if err := k.store.Put(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			w := k.serve(accounts, request("GET", "/account", "", "Cookie", c.Name+"="+c.Value))
			if page := w.Body.String(); !strings.Contains(page, says) || strings.Contains(page, "Your permission ends on") != (days > 0) || strings.Contains(page, "being tested") != (days == 7) {
				t.Errorf("%d days: %s", days, page)
			}
		}
	})
	t.Run("shows what is kept, the newest session first", func(t *testing.T) {
		k := newKit(t)
		g, c := k.grant(ada, someScope, "https://www.googleapis.com/auth/youtube.readonly")
		g.Sessions = append([]tokenstore.Session{{Hash: seal.HashID("other"), Start: k.clock.Add(-50 * time.Hour), Browser: "Firefox on Linux"}}, g.Sessions...)
		g.SetJob("gone", true)
		if err := k.store.Put(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		w := k.serve(accounts, request("GET", "/account", "", "Cookie", c.Name+"="+c.Value))
		want(t, w, 200, ada, "youtube readonly", "<strong>This browser</strong>", "Firefox on Linux", "2 days ago", "just now", ">gone</a>")
		if page := w.Body.String(); strings.Index(page, "This browser") > strings.Index(page, "Firefox on Linux") {
			t.Error("the newest session is not the first")
		}
	})
	t.Run("says why consent is needed again", func(t *testing.T) {
		k := newKit(t)
		g, c := k.grant(ada, someScope)
		for reason, says := range map[tokenstore.Reason]string{tokenstore.ReasonAdmin: "administrator", tokenstore.ReasonExpired: "7 days", tokenstore.ReasonDamaged: "cannot be read", tokenstore.ReasonRevoked: "was withdrawn"} {
			g.Status, g.Reason = tokenstore.NeedsConsent, reason
			if err := k.store.Put(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			want(t, k.serve(accounts, request("GET", "/account", "", "Cookie", c.Name+"="+c.Value)), 200, says, "Give permission again")
		}
	})
	for action, tt := range map[string]struct {
		says     string
		sessions int
	}{"sign_out": {"This browser is signed out", 1}, "sign_out_everywhere": {"Every browser is signed out", 0}} {
		t.Run(action+" ends sessions and nothing else", func(t *testing.T) {
			k := newKit(t)
			g, c := k.grant(ada, someScope)
			g.AddSession(tokenstore.Session{Hash: "other"})
			if err := k.store.Put(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			cookie := c.Name + "=" + c.Value
			mark := markOn(t, k.serve(accounts, request("GET", "/account", "", "Cookie", cookie)).Body.String())
			w := k.serve(accounts, request("POST", "/account", "action="+action+"&form="+mark, "Cookie", cookie))
			to := location(t, w, http.StatusSeeOther)
			out := w.Result().Cookies()[0]
			want(t, k.serve(accounts, request("GET", to, "", "Cookie", out.Name+"="+out.Value)), 200, tt.says)
			want(t, k.serve(accounts, request("GET", "/account", "", "Cookie", cookie, "Accept", jsonType)), 401)
			if g, err := k.store.Get(t.Context(), ada); err != nil || len(g.Sessions) != tt.sessions || !g.Usable() {
				t.Errorf("%+v, %v", g, err)
			}
		})
	}
	t.Run("says of nothing but a disconnect that the permission is withdrawn", func(t *testing.T) {
		for action, revoked := range map[string]bool{"sign_out": false, "sign_out_everywhere": false, "end_session": false, "disconnect": true} {
			k := newKit(t)
			g, c := k.grant(ada, someScope)
			w := k.serve(accounts, request("POST", "/account", "action="+action+"&session="+g.Sessions[0].Hash, "Cookie", c.Name+"="+c.Value, "Accept", jsonType))
			want(t, w, 200, fmt.Sprintf(`"revoked":%t`, revoked))
		}
		for _, key := range []string{"not_confirmed", "held"} {
			if endings[key].Revoked {
				t.Error(key)
			}
		}
	})
	t.Run("disconnect deletes all, and says so where Google did not confirm it", func(t *testing.T) {
		k := newKit(t)
		_, c := k.grant(ada, someScope)
		cookie := c.Name + "=" + c.Value
		k.google.Fail("/revoke", 9, failure503)
		want(t, k.serve(accounts, request("POST", "/account", "action=disconnect", "Cookie", cookie, "Accept", jsonType)), 200, `"done":"disconnect"`, `"revoked":false`)
		if _, err := k.store.Get(t.Context(), ada); !isNotFound(err) {
			t.Error(err)
		}
	})
	t.Run("end_session ends the one that it names, and shows those that are left", func(t *testing.T) {
		k := newKit(t)
		g, c := k.grant(ada, someScope)
		g.AddSession(tokenstore.Session{Hash: "other", Start: k.clock, Browser: "Firefox on Linux"})
		g.AddSession(tokenstore.Session{Hash: "third", Start: k.clock})
		if err := k.store.Put(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		cookie := c.Name + "=" + c.Value
		page := k.serve(accounts, request("GET", "/account", "", "Cookie", cookie))
		want(t, page, 200, `<button class="quiet small" name="session" value="other" aria-label="End Firefox on Linux, signed in just now">End</button>`)
		w := k.serve(accounts, request("POST", "/account", "action=end_session&session=other&form="+markOn(t, page.Body.String()), "Cookie", cookie))
		if to := location(t, w, http.StatusSeeOther); to != baseURL+"/account" {
			t.Error(to)
		}
		w = k.serve(accounts, request("POST", "/account", "action=end_session&session=third", "Cookie", cookie, "Accept", jsonType))
		if want(t, w, 200, `"sessions":[{"session":"`+g.Sessions[0].Hash); strings.Contains(w.Body.String(), "third") {
			t.Error(w.Body)
		}
		want(t, k.serve(accounts, request("POST", "/account", "action=end_session&session=nobody's", "Cookie", cookie, "Accept", jsonType)), 200)
		want(t, k.serve(accounts, request("POST", "/account", "action=end_session&session="+g.Sessions[0].Hash, "Cookie", cookie, "Accept", jsonType)), 200, `"done":"sign_out"`)
		want(t, k.serve(accounts, request("GET", "/account", "", "Cookie", cookie, "Accept", jsonType)), 401)
	})
	t.Run("says of each job whether it is on, and why somebody is skipped", func(t *testing.T) {
		Know(Function{Name: "tidy", Title: "Tidy up", Does: "Tidies.", Scopes: Scopes{{someScope}}}, Function{Name: "water", Title: "Water the plants", Does: "Waters.", Scopes: Scopes{{"plants"}}})
		defer func() { others = nil }()
		k := newKit(t)
		g, c := k.grant(ada, someScope)
		get := func(texts ...string) {
			t.Helper()
			if err := k.store.Put(t.Context(), g); err != nil {
				t.Fatal(err)
			}
			want(t, k.serve(accounts, request("GET", "/account", "", "Cookie", c.Name+"="+c.Value)), 200, texts...)
		}
		get(`/tidy">Tidy up</a> <span class="soft">off</span></li>`)
		g.SetJob("tidy", true)
		g.SetJob("water", true)
		g.SetJob("gone", true)
		get(`/tidy">Tidy up</a> <span class="soft">on</span></li>`, `/water">Water the plants</a> <span class="soft">on</span><p class="fault">You are skipped: this needs a permission`,
			`/gone">gone</a> <span class="soft">on</span><p class="fault">You are skipped: this service does not do it any more.`)
		g.Status, g.Reason = tokenstore.NeedsConsent, tokenstore.ReasonRevoked
		get(`/tidy">Tidy up</a> <span class="soft">on</span><p class="fault">You are skipped: your permission has to be given again.`)
	})
	t.Run("disconnect asks once, on a page of its own, also from a session that was left", func(t *testing.T) {
		k := newKit(t)
		_, c := k.grant(ada, someScope)
		page := k.serve(accounts, request("GET", "/account?confirm=disconnect", "", "Cookie", c.Name+"="+c.Value))
		want(t, page, 200, "Disconnect this account?", `name="action" value="disconnect"`)
		later := k.anew(ada)
		w := k.serve(accounts, request("POST", "/account", "action=disconnect&form="+markOn(t, page.Body.String()), "Cookie", later.Name+"="+later.Value))
		want(t, w, 409, "You signed in anew", "Disconnect this account?", `name="action" value="disconnect"`)
		if _, err := k.store.Get(t.Context(), ada); err != nil {
			t.Error(err)
		}
		want(t, k.serve(accounts, request("GET", "/account?confirm=disconnect", "", "Cookie", later.Name+"="+later.Value, "Accept", jsonType)), 200, `"email":"`+ada)
	})
	t.Run("says to whoever is signed out that they are, and a program what it lacks", func(t *testing.T) {
		k := newKit(t)
		w := k.serve(accounts, request("POST", "/account", "action=disconnect"))
		if want(t, w, 401, "You are signed out", "nothing was done", "identity=only&amp;return_to=/account"); strings.Contains(shown(w), "send") || strings.Contains(shown(w), "ermission") {
			t.Error(shown(w))
		}
		want(t, k.serve(accounts, request("POST", "/account", "action=disconnect", "Accept", jsonType)), 401, "consent_required")
	})
	t.Run("any other action is a mistake", func(t *testing.T) {
		k := newKit(t)
		_, c := k.grant(ada, someScope)
		want(t, k.serve(accounts, request("POST", "/account", "action=delete", "Cookie", c.Name+"="+c.Value, "Accept", jsonType)), 400, "none of sign_out")
	})
}

func TestAge(t *testing.T) {
	for age, want := range map[time.Duration]string{
		-time.Second: "just now", 59 * time.Second: "just now", time.Minute: "1 minute ago", 59 * time.Minute: "59 minutes ago",
		time.Hour: "1 hour ago", 23 * time.Hour: "23 hours ago", 47 * time.Hour: "1 day ago", 50 * time.Hour: "2 days ago",
	} {
		if got := ageOf(age); got != want {
			t.Errorf("%v is %q, want %q", age, got, want)
		}
	}
}
