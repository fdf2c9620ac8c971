package fakegoogle

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

func (w *world) selectURL(set ...string) string {
	return w.url + "/gsi/select?" + form(url.Values{"client_id": {"app-1"}, "origin": {appPage}, "nonce": {"n-1"}}, set).Encode()
}

func TestOneTap(t *testing.T) {
	sentences(t, map[string]func(*world){
		"gives the page an ID token of the account that was picked": func(w *world) {
			p := w.person().opens(w.selectURL()).submits("account", grace)
			raw := submatches(`"credential":"([^"]+)"`, p.page)
			if p.code != 200 || len(raw) != 1 || !strings.Contains(p.page, `}, "http://localhost:8080");`) {
				w.Fatalf("%d %s", p.code, p.page)
			}
			token, err := w.verify(raw[0], "app-1")
			var claims struct{ Azp, Email string }
			if err != nil || token.Claims(&claims) != nil || token.Subject != grace || token.Nonce != "n-1" || claims.Azp != "app-1" || claims.Email != "grace@example.com" {
				w.Errorf("%+v %+v, %v", token, claims, err)
			}
		},
		"is refused to a page of another origin, and to an unknown client": func(w *world) {
			for _, u := range []string{w.selectURL("origin", "https://evil.example"), w.selectURL("origin", ""), w.selectURL("client_id", "nobody")} {
				if p := w.person().opens(u); p.code < 400 || len(p.accounts()) > 0 {
					w.Errorf("%s: %d %s", u, p.code, p.page)
				}
			}
		},
		"may be framed by the page that is registered, and by no other": func(w *world) {
			resp, err := http.Get(w.selectURL())
			if err != nil {
				w.Fatal(err)
			}
			resp.Body.Close()
			if policy := resp.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "frame-ancestors "+appPage) {
				w.Errorf("policy %q", policy)
			}
		},
	})
}

// TestIdentityServicesInABrowser lets a front end on another port use One Tap and the sign-in button.
func TestIdentityServicesInABrowser(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium here")
	}
	w := newWorld(t)
	public := w.behind()
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		// What Google asks a page's policy to allow [Google Identity Services: set up, Content Security Policy].
		gsi := public + "/gsi/"
		rw.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-n' "+gsi+"client; frame-src "+gsi+"; connect-src "+gsi)
		rw.Write([]byte(`<!doctype html><title>-</title><link rel=icon href="data:,"><div id="button"></div><script src="` + gsi + `client"></script><script nonce="n">
			google.accounts.id.initialize({ client_id: "app-1", nonce: "n-1", callback: (a) => { document.title = a.select_by + " " + a.credential; } });
			google.accounts.id.renderButton(document.getElementById("button"), { text: "continue_with" });
			if (location.pathname === "/tap") google.accounts.id.prompt();</script>`))
	}))
	t.Cleanup(front.Close)
	w.AddClient(Client{ID: "app-1", Secret: "secret-1", Origins: []string{front.URL}})

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 30*time.Second)
	t.Cleanup(stop)

	// signedIn waits for the page's title to hold the token.
	signedIn := func(by, subject string) {
		t.Helper()
		var title string
		if err := chromedp.Run(ctx, chromedp.Poll(`document.title !== "-" && document.title`, &title)); err != nil {
			t.Fatal(err)
		}
		raw, ok := strings.CutPrefix(title, by+" ")
		token, err := w.verify(raw, "app-1")
		if !ok || err != nil || token.Subject != subject || token.Nonce != "n-1" {
			t.Errorf("%s: %+v, %v", title, token, err)
		}
	}
	const account = `//button[contains(., "Ada Lovelace")]`
	if err := chromedp.Run(ctx, chromedp.Navigate(front.URL+"/")); err != nil {
		t.Fatal(err)
	}
	opened := chromedp.WaitNewTarget(ctx, func(*target.Info) bool { return true })
	if err := chromedp.Run(ctx, chromedp.Click(`#button button`, chromedp.ByQuery)); err != nil {
		t.Fatal(err)
	}
	popup, close := chromedp.NewContext(ctx, chromedp.WithTargetID(<-opened))
	defer close()
	if err := chromedp.Run(popup, chromedp.Click(account, chromedp.BySearch, chromedp.NodeVisible)); err != nil {
		t.Fatal(err)
	}
	signedIn("btn", ada)

	var frames bool
	if err := chromedp.Run(ctx, chromedp.Navigate(front.URL+"/tap"),
		chromedp.Click(account, chromedp.BySearch, chromedp.NodeVisible)); err != nil {
		t.Fatal(err)
	}
	signedIn("user", ada)
	if err := chromedp.Run(ctx, chromedp.Evaluate(`document.querySelector("iframe") !== null`, &frames)); err != nil || frames {
		t.Errorf("the frame stays: %t, %v", frames, err)
	}
}
