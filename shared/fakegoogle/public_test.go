package fakegoogle

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// behind serves the world's server under /google/ of another server as well and returns its public URL.
func (w *world) behind() string {
	w.Helper()
	mux := http.NewServeMux()
	mux.Handle("/google/", w.Server)
	front := httptest.NewServer(mux)
	w.Cleanup(front.Close)
	w.SetPublic(front.URL + "/google/")
	return front.URL + "/google"
}

// submits presses a button of the page's own form, at its own target.
func (p *person) submits(name, value string, boxes ...string) *person {
	p.Helper()
	actions := submatches(`<form method="post" action="([^"]+)"`, p.page)
	if len(actions) != 1 {
		p.Fatalf("no form on %s", p.page)
	}
	to, err := p.at.Parse(strings.ReplaceAll(actions[0], "&amp;", "&"))
	if err != nil {
		p.Fatal(err)
	}
	p.at = to
	return p.presses(name, value, boxes...)
}

func TestBehindAnotherServer(t *testing.T) {
	sentences(t, map[string]func(*world){
		"the pages' forms, links and cookie stay under the prefix": func(w *world) {
			public := w.behind()
			consent := public + strings.TrimPrefix(w.consentURL("openid "+gmailLabels), w.url)
			p := w.person().opens(consent).submits("account", ada)
			if links := submatches(`<a class="chip" href="([^"]+)"`, p.page); len(links) != 1 || !strings.HasPrefix(links[0], "/google/o/oauth2/v2/auth?") {
				w.Errorf("links %q", links)
			}
			if q := p.submits("decision", "allow", gmailLabels).sentBack(); q.Get("code") == "" {
				w.Errorf("answer %v", q)
			}
			app, _ := url.Parse(strings.TrimSuffix(public, "/google") + "/listlabels")
			if c := p.http.Jar.Cookies(app); len(c) != 0 {
				w.Errorf("the other server gets %v", c)
			}
		},
		"the script is served there": func(w *world) {
			if p := w.person().opens(w.behind() + "/gsi/client"); p.code != 200 || !strings.Contains(p.page, "initCodeClient") {
				w.Errorf("%d %s", p.code, p.page)
			}
		},
		"Authorize takes a consent URL with the prefix": func(w *world) {
			public := w.behind()
			if q := w.consent(public+strings.TrimPrefix(w.consentURL("openid"), w.url), Decision{}); q.Get("code") == "" {
				w.Errorf("answer %v", q)
			}
		},
		"requests are answered with and without the prefix, and count as one path": func(w *world) {
			public := w.behind()
			client := w.UserClient(public, ada, gmailLabels)
			for range 2 {
				resp, err := client.Get("https://gmail.googleapis.com/gmail/v1/users/me/labels")
				if err != nil || resp.StatusCode != 200 {
					w.Fatalf("%v, %v", resp, err)
				}
				resp.Body.Close()
				client = w.UserClient(w.url, ada, gmailLabels)
			}
			if n := w.Calls("/gmail/"); n != 2 {
				w.Errorf("%d calls", n)
			}
		},
	})
	t.Run("what is no URL is refused", func(t *testing.T) {
		for _, public := range []string{"", "/google", "localhost", "http://localhost/?q"} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("took %q", public)
					}
				}()
				New(Options{}).SetPublic(public)
			}()
		}
	})
}
