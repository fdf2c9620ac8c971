package oauthflow

import (
	"errors"
	"testing"
	"time"
)

// inDomain makes a world that lets in example.com, and puts everybody at Google into domain.
func inDomain(t *testing.T, domain string) *world {
	w := newWorld(t, func(c *Config) { c.Domains = []string{"example.org", "example.com"} })
	w.google.EditIDToken(func(claims map[string]any) {
		if domain != "" {
			claims["hd"] = domain
		}
	})
	return w
}

func TestAccountsOfOtherDomainsAreNotLetIn(t *testing.T) {
	for name, way := range map[string]func(w *world) error{
		"by the redirect flow": func(w *world) error {
			p := w.person()
			_, err := p.finish(w.consent(p.begin(Request{Scopes: []string{labels}}), asAda))
			return err
		},
		"by a popup": func(w *world) error {
			_, err := w.FinishPopup(w.t.Context(), w.popup(ada, labels), w.person().Browser)
			return err
		},
		"by an app's user": func(w *world) error {
			_, err := w.Connect(w.t.Context(), victor, w.posted(w.request(victor, labels), asAda))
			return err
		},
		"by an app's popup": func(w *world) error {
			_, err := w.Connect(w.t.Context(), victor, Posted{Code: w.popup(ada, labels), From: fromPopup})
			return err
		},
	} {
		for _, domain := range []string{"", "evil.example", "sub.example.com", "EXAMPLE.COM"} {
			t.Run(name+", hd="+domain, func(t *testing.T) {
				w := inDomain(t, domain)
				if err := way(w); !errors.Is(err, ErrDomain) || w.grant(ada) != nil || w.grant(victor) != nil {
					t.Errorf("%v", err)
				}
				if n := w.google.RefreshTokens(ada); n != 0 {
					t.Error("what Google gave is not revoked")
				}
			})
		}
		t.Run(name+", of a domain that is let in", func(t *testing.T) {
			w := inDomain(t, "example.com")
			if err := way(w); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("what another owner uses is not revoked", func(t *testing.T) {
		w := inDomain(t, "example.com")
		w.connect(victor, ada, labels)
		w.config.Domains = []string{"example.org"}
		p := w.person()
		if _, err := p.finish(w.consent(p.begin(Request{Scopes: []string{labels}}), asAda)); !errors.Is(err, ErrDomain) || w.google.Calls("/revoke") != 0 {
			t.Error(err)
		}
	})
}

func TestDomainsThatAreNarrowedLaterStopForeignGrants(t *testing.T) {
	w := inDomain(t, "example.com")
	p := w.signedIn(ada, labels)
	if err := w.works(ada, labels); err != nil || w.grant(ada).Domain != "example.com" {
		t.Fatal(err)
	}
	back := w.consent(p.begin(Request{Scopes: []string{labels}}), asAda)
	w.config.Domains = []string{"example.org"}
	w.advance(2 * time.Hour)
	if n := w.exchanges(func() {
		if err := w.works(ada, labels); !errors.Is(err, ErrDomain) {
			t.Error(err)
		}
	}); n != 0 {
		t.Error("its token is refreshed first")
	}
	if out, err := p.finish(back); err != nil || out.GoOn {
		t.Errorf("a used or late callback goes on: %+v, %v", out, err)
	}
	w.config.Domains = []string{"example.com"}
	w.google.EditIDToken(func(claims map[string]any) { claims["hd"] = "elsewhere.example" })
	if err := w.works(ada, labels); !errors.Is(err, ErrDomain) {
		t.Errorf("an account that has moved to another domain: %v", err)
	}
}
