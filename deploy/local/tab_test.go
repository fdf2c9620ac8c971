package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// goes runs actions that lead to another page, and waits until that is there.
func (b *tab) goes(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, actions...); err != nil {
		b.t.Fatalf("%v\non %s", err, b.describe())
	}
}

// open visits a path of the runner.
func (b *tab) open(path string) {
	b.t.Helper()
	b.goes(chromedp.Navigate(b.url + path))
}

// named finds the link or button that contains the text.
func named(text string) string {
	return fmt.Sprintf(`//*[(self::a or self::button) and contains(., %q)]`, text)
}

// press clicks the link or button that contains the text, and waits for the page that it leads to.
func (b *tab) press(text string) {
	b.t.Helper()
	b.goes(chromedp.Click(named(text), chromedp.BySearch, chromedp.NodeVisible))
}

// click clicks the link or button that contains the text, on a page that stays or a window that closes.
func (b *tab) click(text string) {
	b.t.Helper()
	b.do(chromedp.Click(named(text), chromedp.BySearch, chromedp.NodeVisible))
}

// pressForTab clicks what opens a new tab or window, and returns that.
func (b *tab) pressForTab(text string) *tab {
	b.t.Helper()
	opened := chromedp.WaitNewTarget(b.ctx, func(*target.Info) bool { return true })
	b.do(chromedp.Click(named(text), chromedp.BySearch, chromedp.NodeVisible))
	select {
	case id := <-opened:
		ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
		b.t.Cleanup(cancel)
		return watch(b.t, b.url, ctx)
	case <-time.After(patience):
		b.t.Fatalf("%q opened nothing", text)
		return nil
	}
}

// write fills the field with that name in the form.
func (b *tab) write(name, text string) {
	b.t.Helper()
	b.do(chromedp.SetValue(`[name="`+name+`"]`, text, chromedp.ByQuery, chromedp.NodeVisible))
}

// read returns what the field with that name holds.
func (b *tab) read(name string) string {
	b.t.Helper()
	var text string
	b.do(chromedp.Value(`[name="`+name+`"]`, &text, chromedp.ByQuery))
	return text
}

// link returns where the link with that text leads.
func (b *tab) link(text string) string {
	b.t.Helper()
	var href string
	b.do(chromedp.AttributeValue(named(text), "href", &href, nil, chromedp.BySearch))
	return href
}

// untick unticks the box of a scope on the consent page.
func (b *tab) untick(scope string) {
	b.t.Helper()
	b.do(chromedp.Click(`input[value="`+scope+`"]`, chromedp.ByQuery, chromedp.NodeVisible))
}

// sees waits until the page, or the one that it goes on to, shows each of the texts.
func (b *tab) sees(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		expression := fmt.Sprintf(`document.body !== null && document.body.innerText.includes(%q)`, text)
		deadline := time.Now().Add(patience)
		for seen := false; !seen; {
			err := b.try(chromedp.Evaluate(expression, &seen))
			if !seen && time.Now().After(deadline) {
				b.t.Fatalf("no %q (%v) on %s", text, err, b.describe())
			}
			if !seen {
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
}

// lacks fails the test if the page shows any of the texts now.
func (b *tab) lacks(texts ...string) {
	b.t.Helper()
	var all string
	b.do(chromedp.Evaluate(`document.body.innerText`, &all))
	for _, text := range texts {
		if strings.Contains(all, text) {
			b.t.Fatalf("%q on %s", text, b.describe())
		}
	}
}

// hasStatus fails the test unless the page came with that status.
func (b *tab) hasStatus(want int64) {
	b.t.Helper()
	if got := b.lastStatus(); got != want {
		b.t.Fatalf("status %d, want %d, on %s", got, want, b.describe())
	}
}

// isAt fails the test unless the page is that path of the runner.
func (b *tab) isAt(path string) {
	b.t.Helper()
	if at := b.location(); at != b.url+path {
		b.t.Fatalf("at %s, want %s", at, b.url+path)
	}
}

func (b *tab) location() string {
	b.t.Helper()
	var at string
	b.do(chromedp.Location(&at))
	return at
}

// forget deletes the runner's cookie, as a browser does that was told to.
func (b *tab) forget() {
	b.t.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(b.url, "http://"), ":")
	b.do(network.DeleteCookies("session_" + port).WithURL(b.url))
}

// close closes the tab, as its user does.
func (b *tab) close() {
	b.t.Helper()
	if err := chromedp.Cancel(b.ctx); err != nil && !errors.Is(err, context.Canceled) {
		b.t.Fatal(err)
	}
}
