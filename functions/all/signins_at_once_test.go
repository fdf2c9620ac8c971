package all_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

// threeProcesses starts two more processes of the service, and returns all three.
func (w *world) threeProcesses(t *testing.T, addr, project string) []*process {
	all := []*process{w.process}
	for range 2 {
		all = append(all, w.another(t, openStore(t, addr, project, w.keyset())))
	}
	return all
}

// TestFaultCallbacksAtOnceLoseNoTokenAndMixNobodyUp has every user come back from Google in all their tabs at
// once, to three processes: 100 users with 10 tabs each with -long.
func TestFaultCallbacksAtOnceLoseNoTokenAndMixNobodyUp(t *testing.T) {
	users, tabs := times(10, 100), times(5, 10)
	addr, project := tokenstoretest.Emulator(t)
	w := newFirestoreWorld(t, addr, project)
	processes := w.threeProcesses(t, addr, project)
	type tab struct {
		user    fakegoogle.User
		browser *browser
		back    string
		final   *answer
	}
	var all []*tab
	for i := range users {
		u := fakegoogle.User{Subject: fmt.Sprint("subject", i), Email: fmt.Sprintf("user%d@example.com", i), Labels: []string{fmt.Sprintf("Label of %d.", i)}}
		w.fake.AddUser(u)
		b := w.browser()
		expect(t, b.get("/listlabels"), http.StatusFound) // this browser's id is for all its tabs
		for j := range tabs {
			at := b.at(processes[(i+j)%len(processes)])
			all = append(all, &tab{user: u, browser: at, back: pathOf(at.callback("/listlabels", fakegoogle.Decision{User: u.Email}))})
		}
	}
	var again atomic.Int64
	begin := time.Now()
	atOnce(len(all), func(i int) {
		for r := all[i].browser.page(all[i].back); ; r = all[i].browser.page("/listlabels") {
			a, err := all[i].browser.reach(r, all[i].user.Email)
			if err != nil {
				t.Error(err)
				return
			}
			if all[i].final = a; a.status != http.StatusServiceUnavailable {
				return
			}
			again.Add(1) // "please try again in a moment"
		}
	})
	took := time.Since(begin)
	label := regexp.MustCompile(`Label of \d+\.`)
	for i, tab := range all {
		if tab.final == nil || tab.final.status != http.StatusOK {
			t.Errorf("tab %d: %+v", i, tab.final)
			continue
		}
		for _, shown := range label.FindAllString(tab.final.body, -1) {
			if shown != tab.user.Labels[0] {
				t.Errorf("%s sees the %s", tab.user.Email, shown)
			}
		}
		if !strings.Contains(tab.final.body, tab.user.Labels[0]) || !strings.Contains(tab.final.body, tab.user.Email) {
			t.Errorf("%s does not see their own", tab.user.Email)
		}
		if i%tabs > 0 {
			continue
		}
		g, err := w.store.Store.Get(t.Context(), tab.user.Subject)
		if err != nil || !g.Usable() || g.Email != tab.user.Email || !w.redeems(g.RefreshToken) {
			t.Errorf("%s: the stored grant: %v", tab.user.Email, err)
		}
		expect(t, tab.browser.get("/listlabels"), http.StatusOK, tab.user.Labels[0])
	}
	t.Logf("%d callbacks of %d users at once to %d processes in %.0f s: %d were told to come again", len(all), users, len(processes), took.Seconds(), again.Load())
}

// TestFaultADozenSignInsOfOneUserAtOnceAllGetIn has them change the same document: each that loses has to
// read again and to try again, in time.
func TestFaultADozenSignInsOfOneUserAtOnceAllGetIn(t *testing.T) {
	addr, project := tokenstoretest.Emulator(t)
	w := newFirestoreWorld(t, addr, project)
	processes := w.threeProcesses(t, addr, project)
	w.signedIn(ada)
	browsers := make([]*browser, 12)
	backs := make([]string, len(browsers))
	for i := range browsers {
		browsers[i] = w.browserAt(processes[i%len(processes)])
		backs[i] = pathOf(browsers[i].callback("/listlabels", fakegoogle.Decision{User: ada}))
	}
	atOnce(len(browsers), func(i int) {
		if a := browsers[i].get(backs[i]); a.status != http.StatusSeeOther {
			t.Errorf("sign-in %d: %d", i, a.status)
		}
	})
	for i, b := range browsers {
		if a := b.get("/listlabels"); a.status != http.StatusOK {
			t.Errorf("browser %d is not signed in: %d", i, a.status)
		}
	}
	g := w.grant(ada)
	distinct := map[string]bool{}
	for _, s := range g.Sessions {
		distinct[s.Hash] = true
	}
	if len(distinct) != len(browsers)+1 || g.HasSession(seal.HashID("")) {
		t.Errorf("%d sessions, want %d", len(distinct), len(browsers)+1)
	}
}
