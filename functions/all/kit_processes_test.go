package all_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

// long asks for the runs of some minutes: go test ./functions/all -run Fault -long -timeout 30m -v
var long = flag.Bool("long", false, "run the fault tests with their full counts")

// times returns how often to do something: short, or full with -long.
func times(short, full int) int {
	if *long {
		return full
	}
	return short
}

// TestMain fails if anything of ours still runs when every test has ended.
func TestMain(m *testing.M) {
	code := m.Run()
	if local.dir != "" {
		os.RemoveAll(local.dir)
	}
	http.DefaultClient.CloseIdleConnections()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ours := ourGoroutines()
		if len(ours) == 0 {
			break
		}
		if time.Now().After(deadline) {
			fmt.Printf("%d goroutines are left, such as\n%s\n", len(ours), ours[0])
			code = max(code, 1)
			break
		}
	}
	os.Exit(code)
}

// ourGoroutines returns the stacks that our code is in or has begun, but the caller's.
func ourGoroutines() []string {
	stacks := make([]byte, 16<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var ours []string
	for i, stack := range bytes.Split(stacks, []byte("\n\n")) {
		if i > 0 && bytes.Contains(stack, []byte("functions.local/oauth/")) {
			ours = append(ours, string(stack))
		}
	}
	return ours
}

// local is the local runner, built once.
var local struct {
	sync.Once
	dir, path string
	err       error
}

// startLocal starts every function in a process of its own at addr and waits until it serves. Its Google
// and its store are those of the world; what it writes goes to the log. It is gone at the end of the test.
func (w *world) startLocal(t testing.TB, addr string) (*process, *exec.Cmd) {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds and starts the local run")
	}
	local.Do(func() {
		if local.dir, local.err = os.MkdirTemp("", "functions-"); local.err != nil {
			return
		}
		local.path = filepath.Join(local.dir, "local")
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", local.path, "functions.local/oauth/deploy/local").CombinedOutput(); err != nil {
			local.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if local.err != nil {
		t.Fatal(local.err)
	}
	p := &process{url: "http://" + addr, log: &syncBuffer{}, env: maps.Clone(w.env)}
	p.env["BASE_URL"] = p.url
	client := fakegoogle.Client{ID: "test-client", Secret: "canary-client-secret", RedirectURIs: []string{p.url + "/oauth2callback"}}
	w.fake.AddClient(client)
	p.env["OAUTH_CLIENT_JSON"] = client.JSON()
	cmd := exec.Command(local.path, "-addr", addr)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.Env = os.Environ()
	for name, value := range p.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() // has no effect on one that was waited for
		cmd.Wait()
	})
	waitFor(t, "the process serves", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return p, cmd
}

// atOnce runs f n times at once, with 0 to n-1, and waits.
func atOnce(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

// A hooked store calls put before it writes a grant.
type hooked struct {
	tokenstore.Store
	put func()
}

func (h *hooked) Put(ctx context.Context, g *tokenstore.Grant) error {
	h.put()
	return h.Store.Put(ctx, g)
}

// another starts one more process of the same service, with a store of its own.
func (w *world) another(t testing.TB, store tokenstore.Store) *process {
	t.Helper()
	return w.startOn(t, store, w.env)
}

// keyset returns the keys of the world's first process.
func (w *world) keyset() *seal.Keyset {
	keys, err := seal.Parse(w.env["TOKEN_KEYSET"])
	if err != nil {
		w.t.Fatal(err)
	}
	return keys
}

// envWith returns the world's environment with one variable changed.
func (w *world) envWith(name, value string) map[string]string {
	env := maps.Clone(w.env)
	env[name] = value
	return env
}

// at returns the browser, as the same one, at another process.
func (b *browser) at(p *process) *browser {
	c := *b
	c.url = p.url
	return &c
}

// reach makes a request as user, at the browser's process, and goes through all redirects and consent
// pages. The connection may break.
func (b *browser) reach(r *http.Request, user string) (*answer, error) {
	for range 10 {
		a, err := b.try(r)
		if err != nil {
			return nil, err
		}
		next := a.location()
		switch a.status {
		case http.StatusFound:
			if next, err = b.w.fake.Authorize(next, fakegoogle.Decision{User: user}); err != nil {
				return nil, err
			}
		case http.StatusSeeOther:
		default:
			return a, nil
		}
		r = b.request("GET", pathOf(next), nil, "Accept", r.Header.Get("Accept"))
	}
	return nil, errors.New("redirects without end")
}

// page makes a request for a page.
func (b *browser) page(path string) *http.Request {
	return b.request("GET", path, nil, "Accept", "text/html")
}

// formRequest makes a POST of a form, as a browser does or, if json, as a program does.
func formRequest(b *browser, path string, json bool, fields url.Values) *http.Request {
	accept := "text/html"
	if json {
		accept = "application/json"
	}
	fields = maps.Clone(fields)
	if accept == "text/html" {
		fields.Set("form", b.mark(path))
	}
	return b.request("POST", path, strings.NewReader(fields.Encode()), "Accept", accept,
		"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
}
