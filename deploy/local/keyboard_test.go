package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// focused is the text or the name of what has the focus, and whether that can be seen.
const focused = `(() => {
  const e = document.activeElement;
  if (!e || e === document.body) return "";
  const s = getComputedStyle(e);
  const seen = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2;
  return (seen ? "" : "unseen: ") + (e.innerText || e.name || e.id);
})()`

// tabTo presses Tab until the element with that text or name has the focus.
func (b *tab) tabTo(text string) {
	b.t.Helper()
	for range 40 {
		b.do(chromedp.KeyEvent(kb.Tab))
		var at string
		b.do(chromedp.Evaluate(focused, &at))
		if strings.HasPrefix(at, "unseen: ") {
			b.t.Fatalf("the focus on %q cannot be seen, on %s", at, b.describe())
		}
		if strings.Contains(at, text) {
			return
		}
	}
	b.t.Fatalf("Tab never gets to %q on %s", text, b.describe())
}

// enter goes to the link or button with that text and presses it, all by keys.
func (b *tab) enter(text string) {
	b.t.Helper()
	b.tabTo(text)
	b.goes(chromedp.KeyEvent(kb.Enter))
}

func TestNewcomerByKeyboard(t *testing.T) {
	t.Parallel()
	b := newTab(t, start(t, nil))
	b.enter("List my labels")
	b.enter("Ada Lovelace")
	b.enter("Continue")
	b.sees("10 label(s) found:")
	b.enter("All functions")
	b.enter("Create a file")
	b.enter("Continue")
	b.tabTo("name")
	b.do(chromedp.KeyEvent("notes.txt"))
	b.tabTo("content")
	b.do(chromedp.KeyEvent("Hello"))
	b.enter("Create file")
	b.sees("Your file is in your Drive", "notes.txt")
	b.enter("Signed in as")
	b.enter("Sign out")
	b.sees("You are signed out")
}
