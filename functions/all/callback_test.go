package all_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// refusedUnheard expects that a callback was refused with the status before the code was exchanged, and
// that it left neither a grant of Ada's nor a session.
func refusedUnheard(t *testing.T, w *world, b *browser, callback string, status int) {
	t.Helper()
	w.fake.ResetCalls()
	expect(t, b.get(callback), status)
	if n := w.fake.Calls("/token"); n != 0 {
		t.Errorf("%d token calls", n)
	}
	noTrace(t, w, b)
}

func noTrace(t *testing.T, w *world, b *browser) {
	t.Helper()
	if g, err := w.store.Store.Get(context.Background(), subjectOf(t, w.fake, ada)); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("stored: %+v, %v", g, err)
	}
	if a := b.getJSON("/account"); a.status != http.StatusUnauthorized {
		t.Errorf("a session was made: %d %s", a.status, a.body)
	}
}

func set(name string, values ...string) func(url.Values) {
	return func(q url.Values) { q[name] = values }
}

func TestForgedOrAbsentStateIsRefusedBeforeTheExchange(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.browser()
	callback := b.callback("/listlabels", fakegoogle.Decision{User: ada})
	state := queryOf(t, callback).Get("state")
	keys, err := seal.Parse(w.env["TOKEN_KEYSET"])
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := keys.OpenString("cookie", "", b.cookie())
	if err != nil {
		t.Fatal(err)
	}
	var browser struct {
		ID string `json:"b"`
	}
	if err := json.Unmarshal(cookie, &browser); err != nil {
		t.Fatal(err)
	}
	// forgery lacks nothing but the right seal.
	forgery := fmt.Sprintf(`{"f":"flow","n":"nonce","v":"verifier","b":%q,"t":%q}`, seal.HashID(browser.ID), time.Now().Format(time.RFC3339))
	sealed := func(k *seal.Keyset, purpose, owner string) string {
		s, err := k.SealString(purpose, owner, []byte(forgery))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	stranger, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(url.Values){
		"absent":              func(q url.Values) { q.Del("state") },
		"empty":               set("state", ""),
		"garbage":             set("state", "garbage"),
		"cut":                 set("state", state[:len(state)-4]),
		"altered":             set("state", state[:20]+flip(state[20:])),
		"of another keyset":   set("state", sealed(stranger, "state", "")),
		"a cookie's value":    set("state", b.cookie()),
		"of another purpose":  set("state", sealed(keys, "cookie", "")),
		"of another owner":    set("state", sealed(keys, "state", "x")),
		"in base64 only":      set("state", base64.RawURLEncoding.EncodeToString([]byte(forgery))),
		"the raw JSON":        set("state", forgery),
		"absent, with error":  func(q url.Values) { q.Del("state"); q.Del("code"); q.Set("error", "access_denied") },
		"garbage, with error": func(q url.Values) { q.Set("state", "garbage"); q.Del("code"); q.Set("error", "access_denied") },
	} {
		t.Run(name, func(t *testing.T) {
			w.store.reset()
			refusedUnheard(t, w, b, with(callback, change), http.StatusBadRequest)
			if n := w.store.writes.Load(); n != 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
	t.Run("over ten minutes old", func(t *testing.T) {
		w.clock.advance(10*time.Minute + time.Second)
		refusedUnheard(t, w, b, callback, http.StatusFound) // the flow starts once more
		w.clock.advance(-2 * time.Second)
		expect(t, b.get(callback), http.StatusSeeOther)
	})
}

func TestGoodStateInAnotherBrowserIsNotExchanged(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	stolen := w.browser().callback("/listlabels", fakegoogle.Decision{User: ada})

	t.Run("without our cookie: once more from a page of ours, then 400", func(t *testing.T) {
		b := w.browser()
		refusedUnheard(t, w, b, stolen, http.StatusOK)
		retry := regexp.MustCompile(`content="0; url=([^"]+)"`).FindStringSubmatch(b.get(stolen).body)
		if retry == nil || b.cookie() != "" {
			t.Fatalf("no way on, or a cookie: %v", retry)
		}
		again := b.get(html.UnescapeString(retry[1])) // starts once more, and sets a cookie that this browser does not keep
		expect(t, again, http.StatusFound)
		forgetful := w.browser()
		retry = regexp.MustCompile(`content="0; url=([^"]+)"`).FindStringSubmatch(forgetful.get(b.consent(again.location(), fakegoogle.Decision{User: ada})).body)
		expect(t, forgetful.get(html.UnescapeString(retry[1])), http.StatusBadRequest, "cookie")
		if n := w.fake.Calls("/token"); n != 0 {
			t.Errorf("%d token calls", n)
		}
	})
	t.Run("with our cookie: starts again, once", func(t *testing.T) {
		b, other := w.browser(), w.browser()
		b.get("/listlabels")
		other.get("/listlabels")
		refusedUnheard(t, w, b, stolen, http.StatusFound)

		again := b.consent(b.get(stolen).location(), fakegoogle.Decision{User: grace})
		refusedUnheard(t, w, other, again, http.StatusBadRequest)
		expect(t, b.get(again), http.StatusSeeOther)
		expect(t, b.get("/listlabels"), http.StatusOK, grace)
	})
}

func TestAmbiguousCallbackIsRefusedBeforeTheExchange(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.browser()
	callback := b.callback("/listlabels", fakegoogle.Decision{User: ada})
	q := queryOf(t, callback)
	code, state := q.Get("code"), q.Get("state")
	for name, change := range map[string]func(url.Values){
		"two codes":       set("code", code, "other"),
		"one code twice":  set("code", code, code),
		"two states":      set("state", state, "other"),
		"one state twice": set("state", state, state),
		"two errors":      func(q url.Values) { q.Del("code"); q["error"] = []string{"a", "b"} },
		"code and error":  set("error", "access_denied"),
		"neither":         func(q url.Values) { q.Del("code") },
	} {
		t.Run(name, func(t *testing.T) {
			w.store.reset()
			refusedUnheard(t, w, b, with(callback, change), http.StatusBadRequest)
			if n := w.store.writes.Load(); n != 0 {
				t.Errorf("%d writes", n)
			}
		})
	}
	t.Run("a query that does not parse", func(t *testing.T) {
		refusedUnheard(t, w, b, callback+"&%zz", http.StatusBadRequest)
	})
	expect(t, b.get(callback), http.StatusSeeOther)
}

func TestWrongIssuerInTheCallbackIsRefusedBeforeTheExchange(t *testing.T) {
	for name, change := range map[string]func(url.Values){
		"wrong":            set("iss", "https://evil.example"),
		"without a scheme": set("iss", "accounts.google.com"),
		"empty":            set("iss", ""),
		"twice":            set("iss", "https://accounts.google.com", "https://accounts.google.com"),
		"with an error": func(q url.Values) {
			q.Set("iss", "https://evil.example")
			q.Del("code")
			q.Set("error", "access_denied")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tokenstore.NewMemory(), nil)
			b := w.browser()
			refusedUnheard(t, w, b, with(b.callback("/listlabels", fakegoogle.Decision{User: ada}), change), http.StatusBadRequest)
		})
	}
	t.Run("absent is accepted", func(t *testing.T) {
		b := newWorld(t, tokenstore.NewMemory(), nil).browser()
		callback := b.callback("/listlabels", fakegoogle.Decision{User: ada})
		expect(t, b.get(with(callback, func(q url.Values) { q.Del("iss") })), http.StatusSeeOther)
	})
}

func queryOf(t testing.TB, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// flip changes the first character to another one of base64url.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}
