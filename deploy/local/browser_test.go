package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// chromium is the browser, started once; every test has a profile of its own in it.
var chromium struct {
	sync.Once
	ctx  context.Context
	stop context.CancelFunc
	dir  string
	err  error
}

func startChromium() error {
	chromium.Do(func() {
		path, err := exec.LookPath("chromium")
		if err != nil {
			chromium.err = err
			return
		}
		if chromium.dir, chromium.err = os.MkdirTemp("", "chromium-"); chromium.err != nil {
			return
		}
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(chromium.dir),
			chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "en-US"))
		allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
		chromium.ctx, chromium.stop = chromedp.NewContext(allocator)
		chromium.err = chromedp.Run(chromium.ctx)
	})
	return chromium.err
}

func stopChromium() {
	if chromium.stop != nil {
		chromedp.Cancel(chromium.ctx)
	}
	if chromium.dir != "" {
		os.RemoveAll(chromium.dir)
	}
}

// A tab is a tab of a browser. Whatever its console says, or its pages try against their policy,
// fails the test.
type tab struct {
	t   testing.TB
	ctx context.Context
	url string // of the runner

	mu      sync.Mutex
	status  int64  // of the page's document
	refuses string // an expression for what the browser may report, because the test is about it
	refused int    // how often it did
}

// newTab opens a browser of its own for the runner, at /.
func newTab(t testing.TB, r *runner) *tab {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	if err := startChromium(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no chromium: %v", err)
		}
		t.Skipf("no chromium (apt-get install chromium): %v", err)
	}
	id, err := newWindow()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(chromium.ctx, chromedp.WithTargetID(id))
	t.Cleanup(cancel)
	b := watch(t, r.url, ctx)
	b.open("/")
	return b
}

// newWindow opens a window with a profile of its own, which chromedp itself opens none for.
func newWindow() (target.ID, error) {
	c := chromedp.FromContext(chromium.ctx)
	ctx := cdp.WithExecutor(chromium.ctx, c.Browser)
	profile, err := target.CreateBrowserContext().WithDisposeOnDetach(true).Do(ctx)
	if err != nil {
		return "", err
	}
	return target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(ctx)
}

func watch(t testing.TB, url string, ctx context.Context) *tab {
	t.Helper()
	b := &tab{t: t, ctx: ctx, url: url}
	chromedp.ListenTarget(ctx, b.heard)
	// What the first Run attaches to lives as long as its context, so its time is bounded from without.
	attached := make(chan error, 1)
	go func() { attached <- chromedp.Run(ctx) }()
	select {
	case err := <-attached:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("the tab was gone before it could be watched")
	}
	b.do(network.Enable(), log.Enable(), audits.Enable(), runtime.Enable())
	return b
}

// heard takes an event of the tab.
func (b *tab) heard(event any) {
	fault := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.refuses != "" && regexp.MustCompile(b.refuses).MatchString(text) {
			b.refused++
			return
		}
		b.t.Errorf("the browser reports: %s", text)
	}
	switch e := event.(type) {
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			b.mu.Lock()
			b.status = e.Response.Status
			b.mu.Unlock()
		}
	case *runtime.EventConsoleAPICalled:
		for _, arg := range e.Args {
			fault("console: %s", arg.Value)
		}
	case *runtime.EventExceptionThrown:
		fault("exception: %s", e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		// A page that tells of an error has the status of one.
		if e.Entry.Source != log.SourceNetwork || !strings.Contains(e.Entry.Text, "responded with a status of") {
			fault("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if e.Issue.Code == audits.InspectorIssueCodeContentSecurityPolicyIssue {
			fault("policy: %+v", e.Issue.Details.ContentSecurityPolicyIssueDetails)
		}
	}
}

// do runs actions in bounded time.
func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := b.try(actions...); err != nil {
		b.t.Fatalf("%v\non %s", err, b.describe())
	}
}

func (b *tab) try(actions ...chromedp.Action) error {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, actions...)
}

// describe says what the tab shows.
func (b *tab) describe() string {
	var url, text string
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	err := chromedp.Run(ctx, chromedp.Location(&url), chromedp.Evaluate(`document.body.innerText`, &text))
	return fmt.Sprintf("%s (status %d, %v):\n%s", url, b.lastStatus(), err, text)
}

func (b *tab) lastStatus() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}
