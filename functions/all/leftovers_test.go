package all_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/tokenstore"
)

// TestFaultNothingIsLeftOfARequest makes 1,000 requests of all kinds and counts the goroutines before
// and after. TestMain does so for the whole suite.
func TestFaultNothingIsLeftOfARequest(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	stranger := w.browser()
	kinds := []func(){
		func() { b.get("/listlabels") },
		func() { b.getJSON("/account") },
		func() { b.get("/oauth2init") },
		func() { b.get("/createfile") },
		func() { stranger.get("/listlabels") },
		func() { stranger.get("/oauth2callback?state=x&code=y") },
		func() { stranger.postJSON("/createevent", map[string]string{"title": "x"}) },
		func() { w.signedIn(grace) },
		func() {
			w.fake.ExpireAccessTokens()
			w.fake.Fail("/gmail/", 1, fakegoogle.Failure{Drop: true})
			b.get("/listlabels")
		},
		func() { // the caller hangs up while Google takes its time
			w.fake.Fail("/gmail/", 1, fakegoogle.Failure{Delay: time.Minute})
			asked := w.fake.Calls("/gmail/")
			ctx, hangUp := context.WithCancel(t.Context())
			go func() {
				defer hangUp()
				waitFor(t, "Google is asked", func() bool { return w.fake.Calls("/gmail/") > asked })
			}()
			if _, err := b.try(b.page("/listlabels").WithContext(ctx)); !errors.Is(err, context.Canceled) {
				t.Errorf("hung up: %v", err)
			}
			w.fake.StopFailing()
		},
	}
	count := func(rounds int) int {
		for range rounds {
			for _, ask := range kinds {
				ask()
			}
		}
		http.DefaultClient.CloseIdleConnections()
		return runtime.NumGoroutine()
	}
	before := count(5)
	count(100)
	const slack = 10 // connections that come and go
	waitFor(t, "no more goroutines than before run", func() bool { return runtime.NumGoroutine() <= before+slack })
}
