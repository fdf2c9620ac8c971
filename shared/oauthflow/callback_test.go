package oauthflow

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

var asAda = fakegoogle.Decision{User: ada}

const page = "/createevent?title=Lunch"

// restarted checks that out goes to Google once more without an exchange, and returns the consent URL's query.
func restarted(t *testing.T, out *Outcome, err error, cause string) url.Values {
	t.Helper()
	if err != nil || out.Consent == "" || out.Cause != cause || out.Grant != nil || out.GoOn {
		t.Fatalf("%+v, %v; want one more visit at Google: %s", out, err, cause)
	}
	return query(t, out.Consent)
}

func TestTheCallbackLeavesNobodyStanding(t *testing.T) {
	wanted := Request{Scopes: []string{labels}, ReturnTo: page}
	t.Run("a prefetch used the state: the flow starts once more and comes to the page", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(wanted), asAda)
		ahead := *p
		if _, err := ahead.finish(back); err != nil {
			t.Fatal(err)
		}
		var out *Outcome
		var err error
		if n := w.exchanges(func() { out, err = p.finish(back) }); n != 0 {
			t.Errorf("%d exchanges", n)
		}
		restarted(t, out, err, "used before")
		if out = p.follow(out.Consent, asAda); out.Session == "" || out.ReturnTo != page {
			t.Errorf("%+v", out)
		}
	})
	t.Run("the callback is loaded again: the person goes on", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(wanted), asAda)
		if _, err := p.finish(back); err != nil {
			t.Fatal(err)
		}
		out, err := p.finish(back)
		if err != nil || !out.GoOn || out.ReturnTo != page || out.Grant != nil {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("the callback is loaded again where a box was left unticked: Google is asked once more", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(wanted), fakegoogle.Decision{User: ada, Untick: []string{labels}})
		if out, err := p.finish(back); err != nil || len(out.Missing) != 1 || out.Session == "" {
			t.Fatalf("%+v, %v", out, err)
		}
		out, err := p.finish(back)
		if q := restarted(t, out, err, "used before"); q.Get("login_hint") != "ada@example.com" {
			t.Errorf("%v", q)
		}
	})
	t.Run("twelve minutes at Google", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(wanted), asAda)
		w.advance(12 * time.Minute)
		out, err := p.finish(back)
		restarted(t, out, err, "late")
		if out = p.follow(out.Consent, asAda); out.ReturnTo != page {
			t.Errorf("%+v", out)
		}
	})
	t.Run("a day at Google is refused", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(wanted), asAda)
		w.advance(24*time.Hour + time.Minute)
		if out, err := p.finish(back); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), "late") {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("the browser's id has changed meanwhile", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(wanted), asAda)
		p.ID = seal.NewID()
		out, err := p.finish(back)
		if q := restarted(t, out, err, "of another browser"); q.Has("login_hint") || q.Has("prompt") {
			t.Errorf("%v", q)
		}
		p.ID = seal.NewID()
		if out, err := p.finish(w.consent(out.Consent, asAda)); !errors.Is(err, ErrState) || errors.Is(err, ErrNoCookie) || !strings.Contains(err.Error(), "of another browser") {
			t.Errorf("a second restart: %+v, %v", out, err)
		}
	})
	t.Run("restarts of every cause share one count", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(wanted), asAda)
		w.advance(12 * time.Minute)
		out, err := p.finish(back)
		restarted(t, out, err, "late")
		p.ID = seal.NewID()
		if out, err := p.finish(w.consent(out.Consent, asAda)); !errors.Is(err, ErrState) {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("the choice of account survives a restart, and does not go on as who is signed in", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.signedIn(ada, labels)
		back := w.consent(p.begin(Request{Scopes: []string{labels}, SelectAccount: true}), fakegoogle.Decision{User: grace})
		w.advance(12 * time.Minute)
		out, err := p.finish(back)
		if q := restarted(t, out, err, "late"); q.Get("prompt") != "select_account" || q.Has("login_hint") {
			t.Errorf("%v", q)
		}
		if p.follow(out.Consent, fakegoogle.Decision{User: grace}); p.Subject != grace {
			t.Error("the account that was chosen is not the one that is signed in")
		}
	})
	t.Run("a link with somebody's fresh state moves nobody to another account", func(t *testing.T) {
		w := newWorld(t, nil)
		victor := w.signedIn(ada, labels)
		mallory := w.person()
		link := w.consent(mallory.begin(Request{Scopes: []string{labels}, ReturnTo: page}), fakegoogle.Decision{User: grace})
		var out *Outcome
		var err error
		if n := w.exchanges(func() { out, err = victor.finish(link) }); n != 0 || err != nil || !out.GoOn || victor.Subject != ada || w.grant(grace) != nil {
			t.Errorf("%d exchanges, %+v, %v", n, out, err)
		}
		link = w.consent(mallory.begin(Request{Scopes: []string{calendar}}), fakegoogle.Decision{User: grace})
		out, err = victor.finish(link)
		if q := restarted(t, out, err, "of another browser"); q.Get("login_hint") != "ada@example.com" {
			t.Errorf("%v", q)
		}
	})
	t.Run("where somebody signed out, a restart has Google ask for the account", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(wanted), asAda)
		p.ID, p.SignedOut = seal.NewID(), true
		out, err := p.finish(back)
		if q := restarted(t, out, err, "of another browser"); q.Get("prompt") != "select_account" || q.Has("login_hint") {
			t.Errorf("%v", q)
		}
	})
	t.Run("a session that is over does not go on", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(wanted), asAda)
		if _, err := p.finish(back); err != nil {
			t.Fatal(err)
		}
		if err := w.EndSessions(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		out, err := p.finish(back)
		if q := restarted(t, out, err, "used before"); q.Has("login_hint") {
			t.Errorf("%v", q)
		}
	})
	t.Run("a forged state is refused", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(wanted), asAda)
		back.Set("state", back.Get("state")[1:])
		if out, err := p.finish(back); !errors.Is(err, ErrState) || !strings.Contains(err.Error(), "forged") {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestACallbackWithoutACookie(t *testing.T) {
	for name, d := range map[string]fakegoogle.Decision{"with a code": asAda, "with an error": {User: ada, Error: "access_denied"}} {
		t.Run(name+" is called once more from our own page", func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.person()
			back := w.consent(p.begin(Request{Scopes: []string{labels}, ReturnTo: page}), d)
			back.Set("scope", "what Google adds")
			var out *Outcome
			var err error
			if n := w.exchanges(func() { out, err = w.Finish(t.Context(), back, Browser{}) }); n != 0 || err != nil {
				t.Fatal(n, err)
			}
			want := url.Values{"retry": {"1"}, "state": back["state"], "iss": {Issuer}}
			for _, name := range []string{"code", "error"} {
				if back.Has(name) {
					want[name] = back[name]
				}
			}
			if out.Retry != ownOrigin+"/oauth2callback?"+want.Encode() || out.Consent != "" || out.Browser != "" {
				t.Fatalf("%+v", out)
			}
			out, err = p.finish(query(t, out.Retry))
			var denied *DeniedError
			if d.Error == "" && (err != nil || out.Session == "" || out.ReturnTo != page) || d.Error != "" && !errors.As(err, &denied) {
				t.Errorf("with the cookie: %+v, %v", out, err)
			}
		})
	}
	t.Run("that never comes starts once more, and then says so", func(t *testing.T) {
		w := newWorld(t, nil)
		back := w.consent(w.person().begin(Request{Scopes: []string{labels}, ReturnTo: page}), asAda)
		back.Set("retry", "1")
		out, err := w.Finish(t.Context(), back, Browser{})
		restarted(t, out, err, "of another browser")
		if out.Browser == "" {
			t.Error("the browser gets no id")
		}
		again := w.consent(out.Consent, asAda)
		again.Set("retry", "1")
		if _, err := w.Finish(t.Context(), again, Browser{}); !errors.Is(err, ErrNoCookie) || !errors.Is(err, ErrState) {
			t.Error(err)
		}
		if out, err := w.Finish(t.Context(), again, Browser{ID: out.Browser}); err != nil || out.Cause != "" || out.Retry != "" {
			t.Errorf("with the cookie after all: %+v, %v", out, err)
		}
	})
	t.Run("and with a forged state is refused at once", func(t *testing.T) {
		w := newWorld(t, nil)
		if out, err := w.Finish(t.Context(), url.Values{"state": {"x"}, "code": {"y"}}, Browser{}); !errors.Is(err, ErrState) {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestAnErrorInTheCallback(t *testing.T) {
	for code, want := range map[string]error{"server_error": ErrBadResponse, "temporarily_unavailable": ErrUnavailable, "access_denied": nil, "admin_policy_enforced": nil, "<script>": nil} {
		t.Run(code, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.person()
			_, err := p.finish(w.consent(p.begin(Request{ReturnTo: page}), fakegoogle.Decision{User: ada, Error: code}))
			var denied *DeniedError
			if isDenied := errors.As(err, &denied); want == nil {
				if !isDenied || denied.ReturnTo != page || strings.Contains(err.Error(), "<") || !w.audited("consent refused") {
					t.Errorf("%v, audit %v", err, w.audit)
				}
			} else if isDenied || !errors.Is(err, want) || w.audited("consent refused") {
				t.Errorf("nobody refused anything: %v, audit %v", err, w.audit)
			}
		})
	}
	t.Run("late or of another browser is told, and restarts nothing", func(t *testing.T) {
		w := newWorld(t, nil)
		back := w.consent(w.person().begin(Request{ReturnTo: page}), fakegoogle.Decision{User: ada, Error: "access_denied"})
		w.advance(12 * time.Minute)
		_, err := w.signedIn(ada).finish(back)
		if denied := (*DeniedError)(nil); !errors.As(err, &denied) || w.audited("consent refused") {
			t.Error(err)
		}
	})
	t.Run("an account that Google restricts is the administrator's refusal", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		back := w.consent(p.begin(Request{ReturnTo: page}), asAda)
		w.google.Fail("/token", 1, fakegoogle.Failure{Status: 403, Reason: "access_denied"})
		_, err := p.finish(back)
		if denied := (*DeniedError)(nil); !errors.As(err, &denied) || denied.Code != "admin_policy_enforced" || denied.ReturnTo != page || errors.Is(err, ErrInvalidClient) {
			t.Error(err)
		}
	})
}

func TestAnExchangeIsFinishedThoughItsClientHangsUp(t *testing.T) {
	w := newWorld(t, nil)
	p := w.person()
	back := w.consent(p.begin(Request{Scopes: []string{labels}}), asAda)
	ctx, hangUp := context.WithCancel(t.Context())
	w.send = func(path string, _ url.Values) (*http.Response, error) {
		if path == "/token" {
			hangUp()
		}
		return nil, nil
	}
	if out, err := w.Finish(ctx, back, p.Browser); err != nil || out.Session == "" {
		t.Errorf("%+v, %v", out, err)
	}
	if w.grant(ada) == nil {
		t.Error("Google gave tokens, and nothing is stored")
	}
}

func TestOfFiftyCallbacksAtOnceOneExchanges(t *testing.T) {
	w := newWorld(t, nil)
	p := w.person()
	back := w.consent(p.begin(Request{Scopes: []string{labels}}), asAda)
	var mu sync.Mutex
	signedIn, restarts := 0, 0
	if n := w.exchanges(func() {
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				out, err := w.Finish(t.Context(), back, p.Browser)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err != nil:
					t.Error(err)
				case out.Session != "":
					signedIn++
				case out.Consent != "":
					restarts++
				}
			})
		}
		all.Wait()
	}); n != 1 || signedIn != 1 || restarts != 49 {
		t.Errorf("%d exchanges, %d signed in, %d sent to Google once more", n, signedIn, restarts)
	}
}

func TestACodePostedTwice(t *testing.T) {
	t.Run("at once is exchanged once and answered alike", func(t *testing.T) {
		rsaKey() // making it is no part of the test
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.person()
			code := w.popup(ada, labels)
			google := make(chan struct{})
			w.send = func(path string, _ url.Values) (*http.Response, error) {
				if path == "/token" {
					<-google
				}
				return nil, nil
			}
			sessions := make(chan string, 2)
			for range 2 {
				go func() {
					out, err := w.FinishPopup(t.Context(), code, p.Browser)
					if err != nil {
						t.Error(err)
						out = &Outcome{}
					}
					sessions <- out.Session
				}()
			}
			synctest.Wait() // until one waits for Google and the other for the first
			close(google)
			if a, b := <-sessions, <-sessions; a == "" || a != b || len(w.grant(ada).Sessions) != 1 {
				t.Error("the answers differ")
			}
		})
	})
	t.Run("one after the other is refused without an exchange", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		code := w.popup(ada, labels)
		if _, err := w.FinishPopup(t.Context(), code, p.Browser); err != nil {
			t.Fatal(err)
		}
		if n := w.exchanges(func() {
			if _, err := w.FinishPopup(t.Context(), code, p.Browser); !errors.Is(err, ErrInvalidGrant) {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%d exchanges", n)
		}
	})
	t.Run("that is another flow's is nobody's fault but the sender's", func(t *testing.T) {
		w := newWorld(t, nil)
		p := w.person()
		redirected := w.consent(p.begin(Request{}), asAda).Get("code")
		if _, err := w.FinishPopup(t.Context(), redirected, p.Browser); !errors.Is(err, ErrInvalidGrant) || errors.Is(err, ErrInvalidClient) {
			t.Errorf("a redirect flow's code posted as a popup's: %v", err)
		}
		back := w.consent(p.begin(Request{}), asAda)
		back.Set("code", w.popup(ada, labels))
		if _, err := p.finish(back); !errors.Is(err, ErrInvalidGrant) || errors.Is(err, ErrInvalidClient) {
			t.Errorf("a popup's code brought to the callback: %v", err)
		}
	})
}

func TestEverySignInEndsTheBrowsersSessionOfBefore(t *testing.T) {
	w := newWorld(t, nil)
	p := w.signedIn(ada, labels)
	before := *p
	p.visit(Request{Scopes: []string{labels}}, asAda)
	if before.hasSession() || !p.hasSession() || w.grant(ada).Sessions[0].Browser != "a browser" {
		t.Error("the session of before is alive, or the new one is not")
	}
	adas := *p
	jobs := w.grant(ada)
	p.visit(Request{SelectAccount: true}, fakegoogle.Decision{User: grace})
	if adas.hasSession() || p.Subject != grace || !p.hasSession() {
		t.Error("the session of the other account is alive")
	}
	if g := w.grant(ada); g.RefreshToken != jobs.RefreshToken || g.Status != tokenstore.Active {
		t.Error("more than the session list of the other account has changed")
	}
}
