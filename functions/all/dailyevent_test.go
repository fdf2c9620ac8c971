package all_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

const scheduler = "scheduler@project.iam.gserviceaccount.com"

// runDaily calls the job as Cloud Scheduler does, with the claims changed by edit.
func (w *world) runDaily(p *process, edit func(claims map[string]any)) *answer {
	w.t.Helper()
	r, err := w.scheduled(p, edit)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.browserAt(p).do(r)
}

func (w *world) scheduled(p *process, edit func(claims map[string]any)) (*http.Request, error) {
	claims := map[string]any{"aud": p.env["BASE_URL"] + "/dailyevent", "email": scheduler, "email_verified": true, "sub": "1"}
	if edit != nil {
		edit(claims)
	}
	r, err := http.NewRequest("POST", p.url+"/dailyevent", strings.NewReader(`{"time_zone":"Europe/Berlin"}`))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+w.fake.SignIDToken(claims))
	r.Header.Set("Content-Type", "application/json")
	return r, nil
}

func TestDailyEvent(t *testing.T) {
	enabled := func(on string) url.Values { return url.Values{"enabled": {on}} }
	newDaily := func(t *testing.T) (*world, *browser) {
		w := newWorld(t, tokenstore.NewMemory(), nil)
		b := w.browser()
		expect(t, b.visit("/dailyevent", ada), http.StatusOK, "It is off")
		return w, b
	}

	t.Run("asks for Calendar, then is turned on and off", func(t *testing.T) {
		w, b := newDaily(t)
		if scopes := w.fake.GrantedScopes(subjectOf(t, w.fake, ada), "test-client"); !strings.Contains(strings.Join(scopes, " "), eventsOwned) {
			t.Errorf("granted %v", scopes)
		}
		expect(t, b.post("/dailyevent", enabled("true")), http.StatusOK, "It is on")
		expect(t, b.get("/dailyevent"), http.StatusOK, "It is on")
		expect(t, b.get("/account"), http.StatusOK, "Plan every day in the background")
		expect(t, b.postJSON("/dailyevent", map[string]any{"enabled": false}), http.StatusOK, `"enabled":false`)
		expect(t, b.getJSON("/dailyevent"), http.StatusOK, `"enabled":false`)
		expect(t, b.post("/dailyevent", enabled("perhaps")), http.StatusBadRequest, "true or false")
		expect(t, w.browser().post("/dailyevent", enabled("true")), http.StatusUnauthorized, "Give permission")
	})
	t.Run("says on the account page for which day it was done last, also while a later run is not through", func(t *testing.T) {
		w, b := newDaily(t)
		expect(t, b.post("/dailyevent", enabled("true")), http.StatusOK)
		const done = "on, last done for 2 March 2026"
		if page := b.get("/account"); strings.Contains(page.body, "last done") {
			t.Error("done before the first run")
		}
		expect(t, w.runAt("2026-03-01T23:30:00Z"), http.StatusOK) // which is the next day in Berlin
		expect(t, b.get("/account"), http.StatusOK, done)
		w.fake.Fail("/calendar/", 9, fakegoogle.Failure{Status: http.StatusServiceUnavailable, RetryAfter: time.Minute})
		expect(t, w.runAt("2026-03-02T23:30:00Z"), http.StatusServiceUnavailable, "incomplete")
		expect(t, b.get("/account"), http.StatusOK, done)
	})
	t.Run("is turned off without consent", func(t *testing.T) {
		w, b := newDaily(t)
		expect(t, b.post("/dailyevent", enabled("true")), http.StatusOK)
		w.fake.Revoke(subjectOf(t, w.fake, ada))
		w.clock.advance(time.Hour)
		expect(t, w.runDaily(w.process, nil), http.StatusOK, `"done":0,"skipped":1,"failed":0`)
		expect(t, b.post("/dailyevent", enabled("true")), http.StatusUnauthorized)
		expect(t, b.post("/dailyevent", enabled("false")), http.StatusOK, "It is off")
		if w.grant(ada).HasJob("dailyevent") {
			t.Error("still on")
		}
	})
	t.Run("makes tomorrow's event once for whoever turned it on, and for nobody else", func(t *testing.T) {
		w, b := newDaily(t)
		expect(t, b.post("/dailyevent", enabled("true")), http.StatusOK)
		other := w.browser()
		expect(t, other.visit("/dailyevent", grace), http.StatusOK)
		for range 2 {
			expect(t, w.runDaily(w.process, nil), http.StatusOK, `"done":1,"skipped":0,"failed":0`)
		}
		berlin, _ := time.LoadLocation("Europe/Berlin")
		events := w.fake.Events(subjectOf(t, w.fake, ada))
		if len(events) != 1 || events[0].Summary != "Plan the day" || events[0].Start.Date != time.Now().In(berlin).AddDate(0, 0, 1).Format(time.DateOnly) {
			t.Errorf("events: %+v", events)
		}
		if n := len(w.fake.Events(subjectOf(t, w.fake, grace))); n != 0 {
			t.Errorf("%d events in a calendar whose owner did not ask", n)
		}
	})
}

// TestDailyEventForManyUsers has 120 users with the job on, which are two pages, and 20 without; the run that reaches about
// a fourth of them is killed, and the next one serves all others. Three users fail, each in another way.
func TestDailyEventForManyUsers(t *testing.T) {
	addr, project := tokenstoretest.Emulator(t)
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	store, err := tokenstore.OpenFirestore(tokenstore.FirestoreConfig{Project: project, Emulator: addr, Keyset: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	env := map[string]string{
		"TOKEN_KEYSET": string(keys.JSON()), "TOKEN_STORE": "firestore",
		"GOOGLE_CLOUD_PROJECT": project, "FIRESTORE_EMULATOR_HOST": addr,
	}
	w := newWorld(t, store, env)

	on, off := w.populate(120, "on", true), w.populate(20, "off", false)
	revoked, damaged, broken := on[40], on[70], on[110]
	w.fake.ExpireAccessTokens()
	w.fake.Revoke(revoked)
	tokenstoretest.RawPatch(t, addr, project, "grants/"+damaged, `{"refresh_token": {"stringValue": "garbage"}}`)
	w.fake.SetRefreshError(broken, "unauthorized_client", "")

	w.killedRun(t, 30)

	expect(t, w.runDaily(w.process, nil), http.StatusOK, `"done":117,"skipped":3,"failed":0`)
	for _, sub := range on {
		want := 1
		if sub == revoked || sub == damaged || sub == broken {
			want = 0
		}
		if n := len(w.fake.Events(sub)); n != want {
			t.Errorf("%s has %d events, want %d", sub, n, want)
		}
	}
	for _, sub := range off {
		if n := len(w.fake.Events(sub)); n != 0 {
			t.Errorf("%s, who did not ask, has %d events", sub, n)
		}
	}
	for sub, want := range map[string]tokenstore.Reason{revoked: tokenstore.ReasonRevoked, damaged: tokenstore.ReasonDamaged, broken: tokenstore.ReasonRevoked} {
		if g, err := store.Get(t.Context(), sub); err != nil || g.Reason != want {
			t.Errorf("%s: %v, reason %q, want %q", sub, err, g.Reason, want)
		}
	}
}

// killedRun starts the job in a process of its own, which it kills once calls events were asked for.
func (w *world) killedRun(t *testing.T, calls int) {
	t.Helper()
	p, cmd := w.startLocal(t, freeAddr(t))
	w.fake.ResetCalls()
	ended := make(chan *answer, 1)
	go func() {
		defer close(ended)
		r, err := w.scheduled(p, nil)
		if err != nil {
			return
		}
		if res, err := http.DefaultClient.Do(r); err == nil {
			body, _ := io.ReadAll(res.Body)
			res.Body.Close()
			ended <- &answer{status: res.StatusCode, body: string(body)}
		}
	}()
	waitFor(t, "the run is under way", func() bool {
		select {
		case a := <-ended:
			t.Fatalf("the run ended before it was killed: %+v; log: %s", a, p.log)
		default:
		}
		return w.fake.Calls("/calendar/") >= calls
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if a := <-ended; a != nil {
		t.Fatalf("the run ended with %d before it was killed", a.status)
	}
}

// populate signs in n new users of Google and, if on, has each turn the job on.
func (w *world) populate(n int, name string, on bool) []string {
	w.t.Helper()
	subjects := make([]string, n)
	group := new(errgroup.Group)
	group.SetLimit(8)
	for i := range n {
		u := fakegoogle.User{Subject: fmt.Sprintf("%s%04d", name, i), Email: fmt.Sprintf("%s%d@example.com", name, i)}
		w.fake.AddUser(u)
		subjects[i] = u.Subject
		group.Go(func() error {
			b := w.browser()
			expect(w.t, b.visit("/dailyevent", u.Email), http.StatusOK)
			if on {
				expect(w.t, b.post("/dailyevent", url.Values{"enabled": {"true"}}), http.StatusOK)
			}
			return nil
		})
	}
	group.Wait()
	return subjects
}

func freeAddr(t testing.TB) string {
	t.Helper()
	addr, err := tokenstoretest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// waitFor polls until done.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited that %s", what)
		}
	}
}
