package all_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

// TestFaultKillAtAnyMomentLeavesEveryDocumentWhole kills a process of ours over and over, while it
// signs users in and refreshes tokens. Each document is the old one or the new one: none goes, none is
// damaged, each has a refresh token that Google takes and the session of whoever was told to be signed in.
func TestFaultKillAtAnyMomentLeavesEveryDocumentWhole(t *testing.T) {
	addr, project := tokenstoretest.Emulator(t)
	w := newFirestoreWorld(t, addr, project)
	type user struct {
		fakegoogle.User
		browser *browser // signed in
		stored  *tokenstore.Grant
	}
	var users []*user
	for i := range 6 {
		u := &user{User: fakegoogle.User{Subject: fmt.Sprint("subject", i), Email: fmt.Sprintf("user%d@example.com", i), Labels: []string{fmt.Sprintf("Label of %d.", i)}}}
		w.fake.AddUser(u.User)
		users = append(users, u)
	}
	w.fake.EditTokenResponse(func(body map[string]any) { body["expires_in"] = 1 }) // each request refreshes
	at, kills := freeAddr(t), times(3, 200)
	var served, cut, checked atomic.Int64
	for within := time.Second; kills > 0; kills-- {
		p, cmd := w.startLocal(t, at)
		stop := time.AfterFunc(rand.N(within), func() { cmd.Process.Kill() })
		atOnce(len(users), func(i int) {
			u := users[i]
			for n := 0; ; n++ {
				b := u.browser
				if b == nil || n%3 == 2 {
					b = w.browserAt(p)
				}
				var a *answer
				var err error
				if b == u.browser {
					a, err = b.try(b.page("/listlabels")) // signed in: no redirect
				} else {
					a, err = b.reach(b.page("/listlabels"), u.Email)
				}
				if err != nil {
					cut.Add(1)
					return
				}
				if a.status != http.StatusOK || !strings.Contains(a.body, u.Labels[0]) {
					t.Errorf("%s: %d, Location %q", u.Email, a.status, a.location())
				}
				served.Add(1)
				u.browser = b
			}
		})
		stop.Stop()
		cmd.Process.Kill()
		cmd.Wait()
		if log := p.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "damaged") {
			t.Errorf("the log: %s", log)
		}
		for _, u := range users {
			g, err := w.store.Store.Get(t.Context(), u.Subject)
			switch {
			case errors.Is(err, tokenstore.ErrNotFound) && u.stored == nil && u.browser == nil:
				continue
			case err != nil:
				t.Fatalf("%s: %v", u.Email, err)
			case !g.Usable() || g.Email != u.Email || g.Reason != "" || len(g.Sessions) == 0 || g.AccessToken == "" || g.Created.IsZero():
				t.Errorf("%s: not whole: %s %s, %d sessions", u.Email, g.Status, g.Reason, len(g.Sessions))
			case !w.redeems(g.RefreshToken):
				t.Errorf("%s: Google does not take the refresh token", u.Email)
			}
			u.stored = g
			checked.Add(1)
		}
		if served.Load() == 0 && within < time.Minute { // on a busy machine nobody is through so soon
			within *= 2
			kills++
		}
	}
	if cut.Load() == 0 || served.Load() == 0 {
		t.Errorf("%d requests cut off, %d served", cut.Load(), served.Load())
	}
	t.Logf("%d requests served, %d cut off, %d documents checked", served.Load(), cut.Load(), checked.Load())
}

// redeems reports whether Google gives an access token for the refresh token.
func (w *world) redeems(token seal.Secret) bool {
	w.t.Helper()
	res, err := http.PostForm(w.env["GOOGLE_BASE_URL"]+"/token", map[string][]string{"grant_type": {"refresh_token"},
		"refresh_token": {string(token)}, "client_id": {"test-client"}, "client_secret": {"canary-client-secret"}})
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}
