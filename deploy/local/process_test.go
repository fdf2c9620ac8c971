package main

import (
	"bufio"
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
)

func TestMain(m *testing.M) {
	code := m.Run()
	stopChromium()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// built is the runner, built once.
var built struct {
	sync.Once
	dir, path string
	err       error
}

func binary(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds and starts the local run")
	}
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "local-"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "local")
		if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", built.path, ".").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// patience bounds every wait for another process.
const patience = 30 * time.Second

// A runner is a process of the runner.
type runner struct {
	t   testing.TB
	url string // without a slash at the end
	cmd *exec.Cmd
	out *output // all that it wrote

	google   *fakegoogle.Server // where the test has it
	frontEnd string             // URL of the front end's page, likewise
}

// command prepares the runner with the environment variables given, and none else that it knows.
func command(t testing.TB, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(binary(t), args...)
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "SYSTEMROOT"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// start starts the runner on a free port and waits until it says where. At the end of the test it is
// told to end, and has to do so with 0.
func start(t testing.TB, env []string, args ...string) *runner {
	t.Helper()
	r := &runner{t: t, cmd: command(t, env, append([]string{"-addr", "localhost:0"}, args...)...), out: &output{}}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = r.out
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(syscall.SIGTERM) })
	watchdog := time.AfterFunc(patience, func() { r.cmd.Process.Kill() })
	defer watchdog.Stop()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		fmt.Fprintln(r.out, lines.Text())
		if at, ok := strings.CutPrefix(lines.Text(), "  Open    "); ok {
			r.url = strings.TrimSuffix(at, "/")
		}
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			go io.Copy(r.out, stdout)
			return r
		}
	}
	t.Fatalf("the runner ended: %s", r.out)
	return nil
}

// stop ends the runner with a signal. It may be called again.
func (r *runner) stop(signal os.Signal) {
	r.t.Helper()
	if r.cmd.ProcessState != nil {
		return
	}
	watchdog := time.AfterFunc(patience, func() { r.cmd.Process.Kill() })
	defer watchdog.Stop()
	if err := r.cmd.Process.Signal(signal); err != nil {
		r.t.Error(err)
	}
	if err := r.cmd.Wait(); err != nil {
		r.t.Errorf("at %v the runner ended with %v: %s", signal, err, r.out)
	}
}

// fails runs the runner to its end, which has to be an error with a message of its own, and returns
// that.
func fails(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := command(t, env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer watchdog.Stop()
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || stdout.Len() > 0 || !strings.HasPrefix(stderr.String(), "local: ") {
		t.Errorf("%v: exit %d\nstdout: %s\nstderr: %s", args, code, &stdout, &stderr)
	}
	return stderr.String()
}

// output collects what a process writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// client returns a client with a cookie jar of its own that follows no redirect.
func client() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// send makes a request with pairs of headers and returns the status, headers and body of the answer.
func (r *runner) send(c *http.Client, method, target, body string, headers ...string) (int, http.Header, string) {
	r.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = r.url + target
	}
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

// expect returns a check of an answer: its status, and texts in its body.
func (r *runner) expect(status int, texts ...string) func(int, http.Header, string) {
	return func(got int, _ http.Header, body string) {
		r.t.Helper()
		if got != status {
			r.t.Fatalf("status %d, want %d: %s\n%s", got, status, body, r.out)
		}
		for _, text := range texts {
			if !strings.Contains(html.UnescapeString(body), text) {
				r.t.Fatalf("no %q in %s", text, body)
			}
		}
	}
}

// signIn has the user of that address give what path asks for.
func (r *runner) signIn(c *http.Client, path, user string) {
	r.t.Helper()
	_, header, _ := r.send(c, "GET", path, "", "Accept", "text/html")
	back, err := r.google.Authorize(header.Get("Location"), fakegoogle.Decision{User: user})
	if err != nil {
		r.t.Fatal(err)
	}
	status, header, body := r.send(c, "GET", back, "", "Accept", "text/html")
	if status != http.StatusSeeOther || header.Get("Location") != r.url+path {
		r.t.Fatalf("the sign-in ends with %d at %q: %s", status, header.Get("Location"), body)
	}
}

// parameter returns a parameter of a URL's query.
func parameter(t testing.TB, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}
