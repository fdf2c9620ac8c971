package deploy_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

// mainSource is what the Go buildpack generates for a function, but on loopback.
const mainSource = `package main

import (
	"log"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	_ "functions.local/oauth"
)

func main() {
	if err := funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")); err != nil {
		log.Fatalf("funcframework.Start: %v\n", err)
	}
}
`

// layOutAll lays out every function, and the one that is all of them, in stages.
var layOutAll = sync.OnceValues(func() (string, error) {
	for _, what := range []string{"app", "all"} { // the settings of the last are kept
		if out, err := script(environment("REGION=region", "STAGES="+stages), "stage.sh", what); err != nil {
			return out, err
		}
	}
	return "", nil
})

var built = map[string]string{} // by the function's name

// build builds a function as it is laid out, without changing its go.mod and go.sum, into a program, once. Without the
// folder's name in it (-trimpath), what the functions share is compiled once for all of them.
func build(t *testing.T, name string) (program string) {
	t.Helper()
	stagedAll(t)
	if program, ok := built[name]; ok {
		return program
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(stages, name))); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "serverless_function_app"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "serverless_function_app/main.go"), []byte(mainSource), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, dir, "go", "mod", "tidy", "-diff") // fails if tidy would change anything
	program = filepath.Join(stages, name+".program")
	command(t, dir, "env", "CGO_ENABLED=0", "go", "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", program, "./serverless_function_app")
	built[name] = program
	return program
}

// command runs a program in dir and returns what it printed.
func command(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// deployedEnvironment is what a deployed function finds, with the variables given as NAME=value.
func deployedEnvironment(t *testing.T, name string, more ...string) []string {
	t.Helper()
	keys, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{
		"K_SERVICE=" + name, "FUNCTION_TARGET=" + name,
		"BASE_URL=https://region-project.cloudfunctions.net",
		`OAUTH_CLIENT_JSON={"web":{"client_id":"id","client_secret":"canary-client-secret"}}`,
		"TOKEN_KEYSET=" + string(keys.JSON()),
		"GOOGLE_CLOUD_PROJECT=project", "FIRESTORE_EMULATOR_HOST=127.0.0.1:1",
		"SCHEDULER_ACCOUNT=scheduler@project.iam.gserviceaccount.com",
	}, more...)
}

// A process is a program that serves HTTP.
type process struct {
	url    string
	cmd    *exec.Cmd
	stderr *lockedBuffer
}

// start starts a program and waits until it serves. It is gone at the end of the test.
func start(t *testing.T, program string, env []string) *process {
	t.Helper()
	addr, err := tokenstoretest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{"http://" + addr, exec.Command(program), &lockedBuffer{}}
	_, port, _ := net.SplitHostPort(addr)
	p.cmd.Env = append(slices.Clone(env), "PORT="+port)
	p.cmd.Stderr = p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill() // has no effect on one that was waited for
		p.cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; { // without a pause: tests want the very first moment
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return p
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v\n%s", err, p.stderr)
		}
	}
}

// get asks as a browser that follows no redirect.
func (p *process) get(ctx context.Context, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", p.url, nil)
	if err != nil {
		return nil, err
	}
	r.Header = header.Clone()
	r.Header.Set("Accept", "text/html")
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		res.Body.Close()
	}
	return res, err
}

// eventually calls try until it succeeds.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
