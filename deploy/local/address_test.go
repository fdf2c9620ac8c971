package main

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	t.Run("localhost is taken whole", func(t *testing.T) {
		r := start(t, nil)
		_, port, _ := net.SplitHostPort(strings.TrimPrefix(r.url, "http://"))
		for _, host := range []string{"127.0.0.1", "::1"} {
			if !isThere(host) {
				continue
			}
			if l, err := net.Listen("tcp", net.JoinHostPort(host, port)); err == nil {
				l.Close()
				t.Errorf("another program can take %s of port %s, and gets our visitors and their codes", host, port)
			}
			r.expect(http.StatusOK, "List my labels")(r.send(client(), "GET", "http://"+net.JoinHostPort(host, port)+"/", ""))
		}
	})
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run("it ends and names the port where another program has it at "+host, func(t *testing.T) {
			l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
			if err != nil {
				t.Skip(err)
			}
			defer l.Close()
			if said := fails(t, nil, "-addr", "localhost:"+port(l)); !strings.Contains(said, port(l)) || !strings.Contains(said, "in use") {
				t.Errorf("it says %q", said)
			}
		})
	}
	t.Run("an address that browsers do not share with localhost is taken alone", func(t *testing.T) {
		l, err := net.Listen("tcp", "[::1]:0")
		if err != nil {
			t.Skip(err)
		}
		defer l.Close()
		start(t, nil, "-addr", "127.0.0.1:"+port(l))
	})
}

// Pages of the Internet can have a name of theirs lead to this machine (54).
func TestOwnHostNamesOnly(t *testing.T) {
	t.Parallel()
	r := inProcess(t)
	ask := func(at, host string) int {
		t.Helper()
		req, err := http.NewRequest("GET", at, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host, req.Header["Accept"] = host, []string{"text/html"}
		res, err := client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	for _, at := range []string{r.url + "/", r.frontEnd} {
		for _, host := range []string{"localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080"} {
			if got := ask(at, host); got != http.StatusOK {
				t.Errorf("%s as %s: %d", at, host, got)
			}
		}
	}
	for _, path := range []string{"/", "/listlabels", "/google/app/jwks", "/popup.js", "/nothing"} {
		for _, host := range []string{"rebound.example", "rebound.example:8080", "localhost.rebound.example", "127.0.0.1.rebound.example", "10.0.0.1", ""} {
			if got := ask(r.url+path, host); host != "" && got != http.StatusMisdirectedRequest {
				t.Errorf("%s as %s: %d", path, host, got)
			}
		}
	}
	if got := ask(r.frontEnd, "rebound.example"); got != http.StatusMisdirectedRequest {
		t.Errorf("the front end's page as rebound.example: %d", got)
	}
}

// In Cloud Shell, in Codespaces and behind ssh -L the browser is on another machine, which reaches one port
// of this one under an address of its own.
func TestBehindAProxy(t *testing.T) {
	t.Parallel()
	for name, keepsHost := range map[string]bool{"that keeps the host": true, "that names localhost": false} {
		t.Run(name, func(t *testing.T) {
			proxy := httptest.NewUnstartedServer(nil)
			public := "http://localhost:" + port(proxy.Listener)
			r := start(t, []string{"BASE_URL=" + public})
			_, own, _ := net.SplitHostPort(strings.TrimPrefix(openedAt(r), "http://"))
			target, _ := url.Parse("http://127.0.0.1:" + own)
			proxy.Config.Handler = &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(target)
				if keepsHost {
					p.Out.Host = p.In.Host
				}
			}}
			proxy.Start()
			defer proxy.Close()

			b := newTab(t, r)
			b.press("List my labels")
			b.isUnder(public + "/google/")
			b.press("Ada Lovelace")
			b.isUnder(public + "/google/")
			b.press("Continue")
			b.isAt("/listlabels")
			b.sees("10 label(s) found:")
			b.open("/popup")
			w := b.pressForTab("Add Calendar")
			w.isUnder(public + "/google/")
			w.click("Continue")
			b.sees(calendarEvents)
		})
	}
	t.Run("on https, sends nobody to an address of this machine", func(t *testing.T) {
		const public = "https://8080-cs-1234.cloudshell.dev"
		r := start(t, []string{"BASE_URL=" + public})
		own := openedAt(r)
		_, header, _ := r.send(client(), "GET", own+"/listlabels", "", "Accept", "text/html")
		if to := header.Get("Location"); !strings.HasPrefix(to, public+"/google/o/oauth2/v2/auth?") {
			t.Errorf("consent is at %s", to)
		}
		if cookie := header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-session=") || !strings.Contains(cookie, "Secure") {
			t.Errorf("the cookie is %s", cookie)
		}
		_, _, page := r.send(client(), "GET", own+"/popup", "", "Accept", "text/html")
		if !strings.Contains(page, `src="`+public+`/google/gsi/client"`) || strings.Contains(page, "localhost") || strings.Contains(page, "127.0.0.1") {
			t.Errorf("the popup's page is %s", page)
		}
	})
}

// openedAt is the address of the runner's own, where BASE_URL is another.
func openedAt(r *runner) string {
	r.t.Helper()
	for line := range strings.Lines(r.out.String()) {
		if at, ok := strings.CutPrefix(line, "  Listens "); ok {
			return "http://" + strings.TrimSpace(at)
		}
	}
	r.t.Fatalf("no address in %s", r.out)
	return ""
}

// isUnder fails the test unless the page's address begins so.
func (b *tab) isUnder(prefix string) {
	b.t.Helper()
	if at := b.location(); !strings.HasPrefix(at, prefix) {
		b.t.Fatalf("at %s, want %s…", at, prefix)
	}
}

func TestTrailingSlash(t *testing.T) {
	t.Parallel()
	r := inProcess(t)
	c := client()
	r.signIn(c, "/listlabels", ada)
	r.expect(http.StatusOK, "label(s) found:")(r.send(c, "GET", "/listlabels/", "", "Accept", "text/html"))
	r.expect(http.StatusNotFound)(r.send(c, "GET", "/listlabels/more", "", "Accept", "text/html"))
}

// A machine may have no IPv4 at all.
func TestWithoutIPv4(t *testing.T) {
	t.Parallel()
	without := []string{"-rn", "sh", "-c", `ip link set lo up && ip addr del 127.0.0.1/8 dev lo && exec "$@"`, "sh"}
	if err := exec.Command("unshare", append(without, "true")...).Run(); err != nil {
		t.Skipf("no network namespace can be made here: %v", err)
	}
	cmd := exec.Command("unshare", append(without, binary(t), "-addr", "localhost:0")...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := &output{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	watchdog := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer watchdog.Stop()
	defer cmd.Process.Signal(syscall.SIGTERM)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "Ctrl-C") { // it answers, and so does its Google
			return
		}
	}
	t.Errorf("it ends: %s", said)
}
