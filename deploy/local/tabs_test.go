package main

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// another opens a path of the runner in another tab of the same browser.
func (b *tab) another(path string) *tab {
	b.t.Helper()
	opened := chromedp.WaitNewTarget(b.ctx, func(*target.Info) bool { return true })
	b.do(chromedp.Evaluate(`open("/", "_blank") && true`, nil, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithUserGesture(true) }))
	select {
	case id := <-opened:
		ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
		b.t.Cleanup(cancel)
		other := watch(b.t, b.url, ctx)
		other.open(path)
		return other
	case <-time.After(patience):
		b.t.Fatal("no other tab was opened")
		return nil
	}
}

// Two tabs ask for different permissions and come back in the other order: neither takes away what the
// other was given.
func TestTwoTabs(t *testing.T) {
	t.Parallel()
	first := newTab(t, start(t, nil))
	first.open("/listlabels")
	first.press("Ada Lovelace")
	first.sees("gmail.labels")
	second := first.another("/createevent")
	second.sees("calendar.events.owned")
	second.press("Continue")
	second.isAt("/createevent")
	first.press("Continue")
	first.isAt("/listlabels")
	first.sees("10 label(s) found:")
	for _, path := range []string{"/createevent", "/listlabels", "/dailyevent"} {
		second.open(path)
		second.isAt(path)
	}
	second.open("/account")
	second.sees("see and edit your Gmail labels", "see and edit events on calendars that you own")
}

func TestCallbackLoadedAgain(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	var mu sync.Mutex
	callback := ""
	chromedp.ListenTarget(b.ctx, func(event any) {
		if e, ok := event.(*network.EventRequestWillBeSent); ok && strings.HasPrefix(e.Request.URL, b.url+"/oauth2callback?") {
			mu.Lock()
			callback = e.Request.URL
			mu.Unlock()
		}
	})
	again := func() {
		t.Helper()
		mu.Lock()
		at := callback
		mu.Unlock()
		b.goes(chromedp.Navigate(at))
	}
	b.signIn("Ada Lovelace")
	again()
	b.isAt("/listlabels")
	b.sees("10 label(s) found:")

	b.open("/account")
	b.press("Sign out")
	b.sees("You are signed out")
	again() // it exchanges nothing, and asks anew what it was for
	b.sees("Choose an account")
	b.press("Ada Lovelace")
	b.isAt("/listlabels")
}

func TestBackAfterSignOut(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.signIn("Ada Lovelace")
	b.open("/account")
	b.press("Sign out")
	b.sees("You are signed out")
	b.goes(chromedp.NavigateBack())
	b.sees("Choose an account") // and nobody is signed in without a choice
	b.open("/")
	b.sees("Not signed in")
}

func TestTabDrawnAnewAfterDisconnect(t *testing.T) {
	t.Parallel()
	old := newTab(t, start(t, nil))
	old.signIn("Ada Lovelace")
	old.open("/account")
	old.press("Disconnect")
	old.press("Disconnect") // it is asked once
	old.sees("You are disconnected")

	other := old.another("/listlabels")
	other.press("Ada Lovelace")
	other.press("Continue")
	other.sees("10 label(s) found:")

	old.goes(chromedp.Reload())
	other.open("/listlabels")
	other.sees("10 label(s) found:") // the new consent is as it was

	old.open("/account?confirm=disconnect")
	other.open("/account")
	other.press("Sign out")
	other.press("Sign in")
	other.press("Ada Lovelace")
	other.sees("You are signed in as")
	old.press("Disconnect") // shown in the session before
	old.hasStatus(http.StatusConflict)
	old.sees("You signed in anew after this page was opened, so nothing was done yet.")
	other.open("/listlabels")
	other.sees("10 label(s) found:")
}
