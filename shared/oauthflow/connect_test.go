package oauthflow

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

const (
	victor  = "app:issuer12char:victor"
	mallory = "app:issuer12char:mallory"
)

// request is what an app's user is asked.
func (w *world) request(owner string, scopes ...string) Request {
	return Request{Owner: owner, Grant: w.grant(owner), Scopes: scopes, ReturnTo: frontEnd}
}

// posted goes from Begin to what the front end posts.
func (w *world) posted(r Request, d fakegoogle.Decision) Posted {
	w.t.Helper()
	back := w.consent(w.begin(r), d)
	return Posted{Code: back.Get("code"), State: back.Get("state")}
}

// connect connects the Google account of an app's user by the redirect flow, with prompt=consent where that is needed.
func (w *world) connect(owner, user string, scopes ...string) *Outcome {
	w.t.Helper()
	r := w.request(owner, scopes...)
	for range 2 {
		out, err := w.Connect(w.t.Context(), owner, w.posted(r, fakegoogle.Decision{User: user}))
		if err == nil {
			return out
		}
		var consent *ConsentError
		if !errors.As(err, &consent) || !consent.Renew {
			w.t.Fatal(err)
		}
		r.Renew = true
	}
	w.t.Fatal("not even prompt=consent brings a refresh token")
	return nil
}

func TestAnAppsUserIsHandedOn(t *testing.T) {
	w := newWorld(t, nil)
	back := w.consent(w.begin(w.request(victor, labels)), asAda)
	for name, b := range map[string]Browser{"a browser without a cookie": {}, "a browser that knows us": w.signedIn(grace).Browser} {
		t.Run(name+" is sent to the front end with code and state", func(t *testing.T) {
			var out *Outcome
			var err error
			if n := w.exchanges(func() { out, err = w.Finish(t.Context(), back, b) }); n != 0 || err != nil {
				t.Fatal(n, err)
			}
			at, fragment, _ := strings.Cut(out.HandOn, "#")
			values, _ := url.ParseQuery(fragment)
			if at != frontEnd || len(values) != 2 || values.Get("code") != back.Get("code") || values.Get("state") != back.Get("state") || w.grant(ada) != nil {
				t.Errorf("%+v", out)
			}
		})
	}
	t.Run("an error is handed on as well", func(t *testing.T) {
		back := w.consent(w.begin(w.request(victor, labels)), fakegoogle.Decision{User: ada, Error: "access_denied"})
		out, err := w.Finish(t.Context(), back, Browser{})
		if err != nil || !strings.HasPrefix(out.HandOn, frontEnd+"#error=access_denied&state=") {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("to no page but one of FRONT_ENDS", func(t *testing.T) {
		for _, page := range []string{"https://evil.example/", frontEnd + "/", frontEnd + "?x", "/listlabels", ""} {
			r := w.request(victor, labels)
			r.ReturnTo = page
			if out, err := w.Finish(t.Context(), w.consent(w.begin(r), asAda), Browser{}); !errors.Is(err, ErrState) {
				t.Errorf("%q: %+v, %v", page, out, err)
			}
		}
	})
	t.Run("afterwards the app's post connects the account", func(t *testing.T) {
		out, err := w.Connect(t.Context(), victor, Posted{Code: back.Get("code"), State: back.Get("state")})
		if err != nil || out.Grant.Owner != victor || out.Grant.Google != ada || out.Session != "" || len(out.Missing) > 0 {
			t.Errorf("%+v, %v", out, err)
		}
		if err := w.works(victor, labels); err != nil {
			t.Error(err)
		}
		if w.grant(ada) != nil {
			t.Error("the Google account itself has a grant now")
		}
	})
}

func TestAFlowIsFinishedByWhoBeganIt(t *testing.T) {
	w := newWorld(t, nil)
	malice := w.person()
	ofBrowser := func() Posted {
		back := w.consent(malice.begin(Request{Scopes: []string{labels}}), asAda)
		return Posted{Code: back.Get("code"), State: back.Get("state")}
	}
	for name, post := range map[string]Posted{
		"another owner's flow":              w.posted(w.request(mallory, labels), asAda),
		"a browser's flow":                  ofBrowser(),
		"a forged state":                    {Code: "c", State: "forged"},
		"no state":                          {Code: "c"},
		"a state with another kind of code": {Code: "c", State: w.posted(w.request(victor), asAda).State, From: fromPopup},
		"an unknown kind of code":           {Code: "c", From: "x"},
		"no code":                           {From: fromPopup},
	} {
		t.Run(name+" is refused with nothing exchanged or stored", func(t *testing.T) {
			if n := w.exchanges(func() {
				if out, err := w.Connect(t.Context(), victor, post); !errors.Is(err, ErrState) && !errors.Is(err, ErrCallback) {
					t.Errorf("%+v, %v", out, err)
				}
			}); n != 0 || w.grant(victor) != nil {
				t.Errorf("%d exchanges", n)
			}
		})
	}
	t.Run("and is not marked as used", func(t *testing.T) {
		post := w.posted(w.request(mallory, labels), asAda)
		if _, err := w.Connect(t.Context(), victor, post); !errors.Is(err, ErrState) {
			t.Fatal(err)
		}
		if _, err := w.Connect(t.Context(), mallory, post); errors.Is(err, ErrState) {
			t.Error(err)
		}
	})
	t.Run("a late one is refused", func(t *testing.T) {
		post := w.posted(w.request(victor, labels), asAda)
		w.advance(11 * time.Minute)
		if _, err := w.Connect(t.Context(), victor, post); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), "late") {
			t.Error(err)
		}
	})
}

func TestAPostThatComesTwice(t *testing.T) {
	t.Run("at once shares one exchange", func(t *testing.T) {
		rsaKey()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			post := w.posted(w.request(victor, labels), asAda)
			google := make(chan struct{})
			w.send = func(path string, _ url.Values) (*http.Response, error) {
				if path == "/token" {
					<-google
				}
				return nil, nil
			}
			answers := make(chan error, 2)
			for range 2 {
				go func() {
					_, err := w.Connect(t.Context(), victor, post)
					answers <- err
				}()
			}
			synctest.Wait()
			close(google)
			if a, b := <-answers, <-answers; a != nil || b != nil || w.google.Calls("/token") != 1 {
				t.Errorf("%v, %v after %d exchanges", a, b, w.google.Calls("/token"))
			}
		})
	})
	for name, c := range map[string]struct {
		change func(w *world)
		fails  bool
	}{
		"later is answered from the grant":                             {func(w *world) {}, false},
		"after the grant is gone is refused":                           {func(w *world) { w.Disconnect(w.t.Context(), w.grant(victor)) }, true},
		"after the consent was withdrawn is refused":                   {func(w *world) { w.change(victor, func(g *tokenstore.Grant) { g.Status = tokenstore.NeedsConsent }) }, true},
		"after the grant lost what was asked for is refused":           {func(w *world) { w.change(victor, func(g *tokenstore.Grant) { g.Scopes = nil }) }, true},
		"whose grant was stored before the flow began is refused, too": {func(w *world) { w.change(victor, func(g *tokenstore.Grant) { g.Consented = noon.Add(-time.Second) }) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			post := w.posted(w.request(victor, labels), asAda)
			if _, err := w.Connect(t.Context(), victor, post); err != nil {
				t.Fatal(err)
			}
			c.change(w)
			if n := w.exchanges(func() {
				out, err := w.Connect(t.Context(), victor, post)
				if c.fails != errors.Is(err, ErrState) || !c.fails && (err != nil || out.Grant.Google != ada) {
					t.Errorf("%+v, %v", out, err)
				}
			}); n != 0 {
				t.Errorf("%d exchanges", n)
			}
		})
	}
}

func TestCodesOfPopupsAndMobileApps(t *testing.T) {
	for from, redirect := range map[string][]string{fromPopup: {"postmessage"}, fromDevice: {""}} {
		t.Run(from, func(t *testing.T) {
			w := newWorld(t, nil)
			var sent []string
			w.send = func(path string, form url.Values) (*http.Response, error) {
				if path == "/token" && sent == nil {
					sent = slices.Clone(form["redirect_uri"])
					form.Set("redirect_uri", "postmessage") // what the stand-in's code was given for
				}
				return nil, nil
			}
			w.google.EditIDToken(func(claims map[string]any) {
				if from == fromDevice {
					claims["azp"] = "the-mobile-app"
				}
			})
			out, err := w.Connect(t.Context(), victor, Posted{Code: w.popup(ada, labels), From: from})
			if err != nil || out.Grant.Google != ada || !slices.Equal(sent, redirect) {
				t.Errorf("%+v, %v; redirect_uri sent: %q", out, err, sent)
			}
		})
	}
	t.Run("a popup's ID token is for our client alone", func(t *testing.T) {
		w := newWorld(t, nil)
		w.google.EditIDToken(func(claims map[string]any) { claims["azp"] = "the-mobile-app" })
		if _, err := w.Connect(t.Context(), victor, Posted{Code: w.popup(ada, labels), From: fromPopup}); !errors.Is(err, ErrIDToken) || w.grant(victor) != nil {
			t.Error(err)
		}
	})
}

func TestTwoOwnersOfOneGoogleAccount(t *testing.T) {
	w := newWorld(t, nil)
	w.connect(victor, ada, labels)
	r := w.request(mallory, labels)
	_, err := w.Connect(t.Context(), mallory, w.posted(r, asAda))
	if consent := consentError(t, err); !consent.Renew || !slices.Equal(consent.Missing, []string{labels}) || w.grant(mallory) != nil {
		t.Errorf("the second owner's consent brought no refresh token: %+v", consent)
	}
	w.connect(mallory, ada, labels)
	if revocation, err := w.Disconnect(t.Context(), w.grant(victor)); err != nil || revocation != Held {
		t.Errorf("%s, %v", revocation, err)
	}
	if err := w.works(mallory, labels); err != nil || w.grant(victor) != nil || w.google.Calls("/revoke") != 0 {
		t.Errorf("the other owner: %v", err)
	}
	if revocation, err := w.Disconnect(t.Context(), w.grant(mallory)); err != nil || revocation != Revoked {
		t.Errorf("the last owner: %s, %v", revocation, err)
	}
}

func TestAnotherGoogleAccountThanTheConnectedOne(t *testing.T) {
	connected := func(t *testing.T) *world {
		w := newWorld(t, nil)
		w.connect(victor, ada, labels)
		w.change(victor, func(g *tokenstore.Grant) { g.SetJob("dailyevent", true) })
		return w
	}
	asGrace := fakegoogle.Decision{User: grace}
	t.Run("changes nothing", func(t *testing.T) {
		w := connected(t)
		before := w.grant(victor)
		_, err := w.Connect(t.Context(), victor, w.posted(w.request(victor, labels), asGrace))
		var other *OtherAccountError
		if g := w.grant(victor); !errors.As(err, &other) || !slices.Equal(other.Scopes, []string{labels}) || g.Google != ada || g.AccessToken != before.AccessToken {
			t.Errorf("%v", err)
		}
		if w.google.Calls("/revoke") != 0 {
			t.Error("what Google gave is revoked, and with it all that Grace gave to anybody here")
		}
	})
	replace := func(w *world) (*Outcome, error) {
		r := w.request(victor, labels)
		r.SelectAccount = true
		post := w.posted(r, asGrace)
		post.Replace = true
		return w.Connect(w.t.Context(), victor, post)
	}
	t.Run("takes its place when that is said, with the jobs off and the old token revoked", func(t *testing.T) {
		w := connected(t)
		old := w.grant(victor)
		out, err := replace(w)
		if err != nil || out.Grant.Google != grace || len(out.Grant.Jobs) != 0 || out.Grant.Email != "grace@example.com" {
			t.Fatalf("%+v, %v", out, err)
		}
		if w.google.RefreshTokens(ada) != 0 {
			t.Error("the old account's token is alive")
		}
		if err := w.works(victor, labels); err != nil || w.grant(victor).RefreshToken == old.RefreshToken {
			t.Error(err)
		}
	})
	t.Run("whose old account another owner uses is not revoked", func(t *testing.T) {
		w := connected(t)
		w.connect(mallory, ada, labels)
		if _, err := replace(w); err != nil {
			t.Fatal(err)
		}
		if err := w.works(mallory, labels); err != nil {
			t.Error(err)
		}
	})
	t.Run("needs a refresh token of its own", func(t *testing.T) {
		w := connected(t)
		w.google.EditTokenResponse(func(body map[string]any) { delete(body, "refresh_token") })
		if _, err := replace(w); !consentError(t, err).Renew || w.grant(victor).Google != ada {
			t.Error(err)
		}
	})
	t.Run("never takes the place of an owner who is a Google account", func(t *testing.T) {
		w := newWorld(t, nil)
		w.signedIn(ada, labels)
		r := w.request(ada, labels)
		post := w.posted(r, asGrace)
		post.Replace = true
		_, err := w.Connect(t.Context(), ada, post)
		if other := (*OtherAccountError)(nil); !errors.As(err, &other) || w.grant(ada).Account() != ada {
			t.Error(err)
		}
	})
	t.Run("an owner who is that Google account shares the grant with the cookie", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.signedIn(ada, labels)
		if out := w.connect(ada, ada, calendar); out.Grant.Google != "" || !p.hasSession() {
			t.Errorf("%+v", out.Grant)
		}
		if err := w.works(ada, labels, calendar); err != nil {
			t.Error(err)
		}
	})
}
