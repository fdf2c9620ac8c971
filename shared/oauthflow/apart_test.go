package oauthflow

import (
	"errors"
	"slices"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

var needCloud = Scopes{{cloud}}

func TestAPermissionThatIsKeptApart(t *testing.T) {
	given := func(t *testing.T) (*world, *person) {
		w := newWorld(t, nil)
		p := w.signedIn(ada, labels)
		out := p.visit(Request{Scopes: []string{cloud}}, asAda)
		if len(out.Missing) > 0 || out.Session == "" {
			t.Fatalf("%+v", out)
		}
		return w, p
	}
	t.Run("is written beside the grant, with a new session and nothing else", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.signedIn(ada, labels)
		before := w.grant(ada)
		p.visit(Request{Scopes: []string{cloud}}, asAda)
		after := w.grant(ada)
		if !slices.Equal(after.Apart.Scopes, []string{cloud}) || after.Apart.Token == "" || !p.hasSession() {
			t.Errorf("%+v", after.Apart)
		}
		if after.RefreshToken != before.RefreshToken || after.AccessToken != before.AccessToken || !slices.Equal(after.Scopes, before.Scopes) || !after.Consented.Equal(before.Consented) {
			t.Error("the grant itself has changed")
		}
	})
	t.Run("works for its hour and is never refreshed", func(t *testing.T) {
		w, _ := given(t)
		a, err := w.Authorize(t.Context(), w.grant(ada), needCloud)
		if err != nil {
			t.Fatal(err)
		}
		token, err := a.Token(t.Context(), "")
		if err != nil || token != w.grant(ada).Apart.Token {
			t.Fatal(err)
		}
		if n := w.exchanges(func() {
			_, err := a.Token(t.Context(), token)
			if consent := consentError(t, err); !slices.Equal(consent.Missing, []string{cloud}) {
				t.Error(consent)
			}
			w.advance(time.Hour)
			if _, err := w.Authorize(t.Context(), w.grant(ada), needCloud); !slices.Equal(consentError(t, err).Missing, []string{cloud}) {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%d calls of the token endpoint", n)
		}
	})
	t.Run("is judged by itself alone", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		w.change(ada, func(g *tokenstore.Grant) { g.Scopes = append(g.Scopes, cloud) })
		if _, err := w.Authorize(t.Context(), w.grant(ada), needCloud); err == nil {
			t.Error("the grant's own scopes were taken for it")
		}
	})
	t.Run("ends with the grant, and the reason is told", func(t *testing.T) {
		w, _ := given(t)
		w.change(ada, func(g *tokenstore.Grant) { g.Status, g.Reason = tokenstore.NeedsConsent, tokenstore.ReasonRevoked })
		_, err := w.Authorize(t.Context(), w.grant(ada), needCloud)
		if consent := consentError(t, err); consent.Reason != tokenstore.ReasonRevoked || !slices.Equal(consent.Missing, []string{cloud}) {
			t.Errorf("%+v", consent)
		}
	})
	t.Run("whose end is the end of nothing else: no later consent holds it", func(t *testing.T) {
		w, p := given(t)
		for range 3 {
			w.advance(17 * time.Hour)
			if err := w.works(ada, labels); err != nil {
				t.Fatal(err)
			}
			p.visit(Request{Scopes: []string{calendar}}, asAda)
			if g := w.grant(ada); slices.Contains(g.Scopes, cloud) || !covers(g.Scopes, []string{labels, calendar}) {
				t.Fatalf("%v", g.Scopes)
			}
		}
	})
	t.Run("given before by somebody who signs in anew does not come along either", func(t *testing.T) {
		w, _ := given(t)
		stored := w.grant(ada).RefreshToken
		p := w.person()
		out, err := p.finish(w.consent(p.begin(Request{Scopes: []string{calendar}}), asAda))
		if err != nil || out.Consent == "" || query(t, out.Consent).Has("include_granted_scopes") || query(t, out.Consent).Has("prompt") {
			t.Fatalf("%+v, %v", out, err)
		}
		if out = p.follow(out.Consent, asAda); len(out.Missing) > 0 {
			t.Errorf("%+v", out)
		}
		if g := w.grant(ada); slices.Contains(g.Scopes, cloud) || !covers(g.Scopes, []string{labels, calendar}) || g.RefreshToken != stored {
			t.Errorf("%v", g.Scopes)
		}
	})
	t.Run("asked for by a newcomer comes after a sign-in", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		out := p.visit(Request{Scopes: []string{cloud}, ReturnTo: "/listprojects"}, asAda)
		if out.ReturnTo != "/listprojects" || len(out.Missing) > 0 || !w.usable(w.grant(ada)) {
			t.Fatalf("%+v", out)
		}
		if p.visit(Request{Scopes: []string{cloud}}, asAda); w.works(ada) != nil {
			t.Error("the sign-in does not work")
		}
		if _, err := w.Authorize(t.Context(), w.grant(ada), needCloud); err != nil {
			t.Error(err)
		}
	})
	t.Run("given by another account that was never here signs that one in first", func(t *testing.T) {
		w, p := given(t)
		before := w.grant(ada)
		out := p.visit(Request{Scopes: []string{cloud}, ReturnTo: "/listprojects"}, fakegoogle.Decision{User: grace})
		if out.Grant.Owner != grace || out.ReturnTo != "/listprojects" || slices.Contains(out.Grant.Scopes, cloud) || w.grant(ada).Apart.Token != before.Apart.Token {
			t.Errorf("%+v", out.Grant.Scopes)
		}
	})
	t.Run("whose box is left unticked is missing", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.signedIn(ada, labels)
		out := p.visit(Request{Scopes: []string{cloud}}, fakegoogle.Decision{User: ada, Untick: []string{cloud}})
		if !slices.Equal(out.Missing, []string{cloud}) || out.Session == "" || w.grant(ada).Apart.Token != "" {
			t.Errorf("%+v", out)
		}
	})
	t.Run("in the code of a popup is refused and not stored", func(t *testing.T) {
		w := newWorld(t, nil)
		if _, err := w.FinishPopup(t.Context(), w.popup(ada, cloud), w.person().Browser); !errors.Is(err, ErrInvalidGrant) || w.grant(ada) != nil {
			t.Error(err)
		}
		if _, err := w.Connect(t.Context(), victor, Posted{Code: w.popup(ada, cloud), From: fromPopup}); !errors.Is(err, ErrInvalidGrant) || w.grant(victor) != nil {
			t.Error(err)
		}
	})
	t.Run("in the code of an app's user is asked for without it, and not stored", func(t *testing.T) {
		w := newWorld(t, nil)
		w.google.EditTokenResponse(func(body map[string]any) { body["scope"] = "openid email " + labels + " " + cloud })
		_, err := w.Connect(t.Context(), victor, w.posted(w.request(victor, labels), asAda))
		if consent := consentError(t, err); !consent.Renew || !slices.Equal(consent.Missing, []string{labels}) || w.grant(victor) != nil {
			t.Error(err)
		}
	})
	t.Run("of an app's user is connected by its own post", func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect(victor, ada, labels)
		before := w.grant(victor)
		out := w.connect(victor, ada, cloud)
		if g := w.grant(victor); len(out.Missing) > 0 || g.RefreshToken != before.RefreshToken || g.Apart.Token == "" {
			t.Errorf("%+v", out)
		}
		if _, err := w.Authorize(t.Context(), w.grant(victor), needCloud); err != nil {
			t.Error(err)
		}
		post := w.posted(w.request(victor, cloud), fakegoogle.Decision{User: grace})
		if _, err := w.Connect(t.Context(), victor, post); !errors.As(err, new(*OtherAccountError)) {
			t.Errorf("with another account: %v", err)
		}
		w.connect(mallory, ada, calendar) // whose first answer holds what victor gave
		if g := w.grant(mallory); slices.Contains(g.Scopes, cloud) || w.works(mallory, calendar) != nil {
			t.Errorf("%v", g.Scopes)
		}
	})
}
