package oauthflow

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

func TestNothingThatWasGrantedIsForgotten(t *testing.T) {
	holds := func(t *testing.T, w *world, scopes ...string) {
		t.Helper()
		if g := w.grant(ada); !covers(g.Scopes, scopes) {
			t.Errorf("forgotten: %v", lacking(g.Scopes, scopes))
		}
		if err := w.works(ada, scopes...); err != nil {
			t.Errorf("it does not work: %v", err)
		}
	}
	t.Run("two tabs come back in the other order, and the late one has the refresh token", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		late := w.consent(p.begin(Request{Scopes: []string{labels}}), fakegoogle.Decision{User: ada})
		w.advance(time.Second)
		p.visit(Request{Scopes: []string{calendar}}, fakegoogle.Decision{User: ada})
		w.advance(time.Second)
		stored := w.grant(ada).RefreshToken
		if n := w.exchanges(func() {
			out, err := p.finish(late)
			if err != nil || len(out.Missing) > 0 || !p.hasSession() {
				t.Errorf("%+v, %v", out, err)
			}
		}); n != 1 {
			t.Errorf("%d calls of the token endpoint for an answer that is known to be late", n)
		}
		if w.grant(ada).RefreshToken != stored {
			t.Error("the late answer's refresh token took the place of the stored one")
		}
		holds(t, w, labels, calendar)
	})
	t.Run("a popup asks for less", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.signedIn(ada, labels, calendar)
		code := w.popup(ada, "")
		w.narrowOnce("openid email")
		out, err := p.FinishPopup(t.Context(), code, p.Browser)
		if err != nil || out.Grant == nil {
			t.Fatal(err)
		}
		holds(t, w, labels, calendar)
	})
	t.Run("a popup asks for less, and the refresh that proves the stored token names as little", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.signedIn(ada, labels, calendar)
		code := w.popup(ada, "")
		w.google.EditTokenResponse(func(m map[string]any) { m["scope"] = "openid email" })
		if _, err := p.FinishPopup(t.Context(), code, p.Browser); err != nil {
			t.Fatal(err)
		}
		w.google.EditTokenResponse(nil)
		if g := w.grant(ada); g.Narrower {
			t.Error("marked as narrower")
		}
		holds(t, w, labels, calendar)
	})
	t.Run("a sign-in for identity only asks for less", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		w.narrowOnce("openid email")
		out := w.person().visit(Request{IdentityOnly: true}, fakegoogle.Decision{User: ada})
		if out.Session == "" || len(out.Missing) > 0 {
			t.Errorf("%+v", out)
		}
		holds(t, w, labels)
	})
	t.Run("a narrower answer after a withdrawal is taken", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels, calendar)
		w.google.Revoke(ada)
		w.advance(time.Second)
		w.signedIn(ada, labels)
		if g := w.grant(ada); covers(g.Scopes, []string{calendar}) {
			t.Errorf("what was withdrawn is still there: %v", g.Scopes)
		}
		holds(t, w, labels)
	})
	t.Run("a narrower answer while the token endpoint fails leaves all as it is", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		p := w.person()
		back := w.consent(p.begin(Request{IdentityOnly: true}), fakegoogle.Decision{User: ada})
		w.narrowOnce("openid email")
		w.send = w.failRefreshes()
		if out, err := p.finish(back); err != nil || out.Session == "" {
			t.Fatalf("%+v, %v", out, err)
		}
		w.send = nil
		holds(t, w, labels)
	})
	t.Run("twenty tabs, each for another scope, in any order", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		var backs []map[string][]string
		var scopes []string
		for i := range 20 {
			scope := "https://www.googleapis.com/auth/scope." + string(rune('a'+i))
			scopes = append(scopes, scope)
			w.advance(time.Second)
			backs = append(backs, w.consent(p.begin(Request{Scopes: []string{scope}}), fakegoogle.Decision{User: ada}))
		}
		for _, i := range []int{19, 3, 0, 7, 18, 1, 2, 4, 5, 6, 8, 17, 16, 9, 10, 15, 11, 14, 12, 13} {
			out, err := p.finish(backs[i])
			if err == nil && out.Consent != "" {
				out = p.follow(out.Consent, fakegoogle.Decision{User: ada})
			}
			if err != nil || len(out.Missing) > 0 {
				t.Fatalf("tab %d: %+v, %v", i, out, err)
			}
		}
		holds(t, w, scopes...)
	})
	t.Run("a wider answer adds to the grant, and keeps the refresh token", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.signedIn(ada, labels)
		stored := w.grant(ada).RefreshToken
		p.visit(Request{Scopes: []string{calendar}}, fakegoogle.Decision{User: ada})
		if w.grant(ada).RefreshToken != stored || !w.audited("consent extended "+ada) {
			t.Error(w.audit)
		}
		holds(t, w, labels, calendar)
	})
	t.Run("an answer that brings nothing new is a sign-in to the audit", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.signedIn(ada, labels)
		p.visit(Request{Scopes: []string{labels}}, fakegoogle.Decision{User: ada})
		if !w.audited("consent given "+ada) || !w.audited("signed in "+ada) || w.audited("consent extended") {
			t.Error(w.audit)
		}
	})
}

func TestARefreshTokenIsAskedForWhereNoneWorksAndOnceOnly(t *testing.T) {
	t.Run("no grant is stored", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		if err := w.store.Delete(t.Context(), w.grant(ada)); err != nil {
			t.Fatal(err)
		}
		p := w.person()
		out, err := p.finish(w.consent(p.begin(Request{Scopes: []string{labels}}), fakegoogle.Decision{User: ada}))
		if err != nil || query(t, out.Consent).Get("prompt") != "consent" || query(t, out.Consent).Get("login_hint") != "ada@example.com" {
			t.Fatalf("%+v, %v", out, err)
		}
		if out = p.follow(out.Consent, fakegoogle.Decision{}); out.Session == "" || len(out.Missing) > 0 {
			t.Errorf("%+v", out)
		}
	})
	t.Run("the stored one is narrower", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		old := w.grant(ada).RefreshToken
		w.change(ada, func(g *tokenstore.Grant) { g.Narrower = true })
		w.signedIn(ada, labels) // nobody was signed in: only the answer shows whose grant it is
		if g := w.grant(ada); g.Narrower || g.RefreshToken == old {
			t.Error("no new refresh token was asked for")
		}
	})
	t.Run("none comes with prompt=consent either", func(t *testing.T) {
		w := newWorld(t, nil)
		w.google.EditTokenResponse(func(body map[string]any) { delete(body, "refresh_token") })
		p := w.person()
		out, err := p.finish(w.consent(p.begin(Request{}), fakegoogle.Decision{User: ada}))
		if err != nil {
			t.Fatal(err)
		}
		if out, err = p.finish(w.consent(out.Consent, fakegoogle.Decision{User: ada})); err != errNoRefreshToken {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("a popup brought none", func(t *testing.T) {
		w := newWorld(t, nil)
		w.google.EditTokenResponse(func(body map[string]any) { delete(body, "refresh_token") })
		_, err := w.FinishPopup(t.Context(), w.popup(ada, labels), w.person().Browser)
		if consent := consentError(t, err); !consent.Renew || !slices.Equal(consent.Missing, []string{labels}) || w.grant(ada) != nil {
			t.Errorf("%+v", consent)
		}
	})
	t.Run("at the 150th sign-in the stored one still works", func(t *testing.T) {
		w := newWorld(t, nil)
		for range 150 {
			w.signedIn(ada, labels)
		}
		if err := w.works(ada, labels); err != nil || len(w.grant(ada).Sessions) != tokenstore.MaxSessions {
			t.Error(err)
		}
	})
}

// failRefreshes lets codes pass and has every refresh fail.
func (w *world) failRefreshes() func(string, url.Values) (*http.Response, error) {
	return func(_ string, form url.Values) (*http.Response, error) {
		if form.Get("grant_type") == "refresh_token" {
			return nil, errors.New("no connection")
		}
		return nil, nil
	}
}

// narrowOnce has the next answer to a code name scope and nothing else.
func (w *world) narrowOnce(scope string) {
	done := false
	w.google.EditTokenResponse(func(body map[string]any) {
		if !done {
			body["scope"] = scope
		}
		done = true
	})
}
