package bench_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

// The programs that are compared, in this order.
const (
	ours  = "ours"
	least = "least" // the least program that does the job
	plain = "plain" // the plain program of the same packages
)

var programs = []string{ours, least, plain}

// mainSource is what the Go buildpack generates for a function, but on loopback.
const mainSource = `package main

import (
	"log"
	"os"

	_ "functions.local/oauth"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

func main() {
	log.Fatal(funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")))
}
`

var built struct {
	sync.Mutex
	dir string // removed when the tests are over
	of  map[string]string
}

// binary builds the program for a function, once, and returns its file.
func binary(tb testing.TB, name, function string) string {
	tb.Helper()
	built.Lock()
	defer built.Unlock()
	key := name
	if name == ours {
		key += "-" + function
	}
	if file, ok := built.of[key]; ok {
		return file
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		tb.Fatal(err)
	}
	file, dir, target := filepath.Join(built.dir, key+".program"), root, "./deploy/bench/"+name
	if name == ours {
		dir, target = filepath.Join(built.dir, key), "./serverless_function_app"
		command(tb, root, "go", "run", "./deploy/stage", function, dir)
		if err := os.Mkdir(filepath.Join(dir, target), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, target, "main.go"), []byte(mainSource), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	command(tb, dir, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", file, target)
	built.of[key] = file
	return file
}

func command(tb testing.TB, dir string, args ...string) {
	tb.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// A process is a program that serves HTTP on loopback.
type process struct {
	name string
	url  string
	// first is the time from the start of the process to its first answer.
	first  time.Duration
	cmd    *exec.Cmd
	stderr *bytes.Buffer // to be read when the process is over
	client *http.Client
}

const anyStatus = 0

// start starts a binary and asks for path until it answers, with the status want. It is gone at the end
// of the test.
func start(tb testing.TB, name, binary string, env []string, header http.Header, path string, want int) *process {
	tb.Helper()
	addr, err := tokenstoretest.FreeAddr()
	if err != nil {
		tb.Fatal(err)
	}
	p := &process{name: name, url: "http://" + addr, cmd: exec.Command(binary), stderr: &bytes.Buffer{}}
	p.client = &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       5 * time.Minute,
	}
	_, port, _ := net.SplitHostPort(addr)
	p.cmd.Env = append([]string{"PORT=" + port}, env...)
	p.cmd.Stderr = p.stderr
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.stop)
	for {
		status, body, err := p.do(p.request(tb, "GET", path, nil, header))
		if err == nil {
			p.first = time.Since(began)
			if want != anyStatus && status != want {
				p.stop()
				tb.Fatalf("%s: status %d, want %d: %s\n%s", name, status, want, body, p.stderr)
			}
			return p
		}
		if time.Since(began) > time.Minute || !errors.As(err, new(*net.OpError)) {
			p.stop()
			tb.Fatalf("%s: %v\n%s", name, err, p.stderr)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func (p *process) stop() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.client.CloseIdleConnections()
}

func (p *process) request(tb testing.TB, method, path string, body io.Reader, header http.Header) *http.Request {
	r, err := http.NewRequest(method, p.url+path, body)
	if err != nil {
		tb.Fatal(err)
	}
	if header != nil {
		r.Header = header.Clone()
	}
	return r
}

func (p *process) do(r *http.Request) (status int, body []byte, err error) {
	res, err := p.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

// cpu returns the processor time that the process has used, in user and system mode [proc_pid_stat(5)].
func (p *process) cpu(tb testing.TB) time.Duration {
	tb.Helper()
	const tick = time.Second / 100
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(after)
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err := errors.Join(err1, err2); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(user+system) * tick
}

// memory returns the resident memory that the process has, and the most that it had since its start or
// since forgetPeak, in MiB [proc_pid_status(5)].
func (p *process) memory(tb testing.TB) (now, peak float64) {
	tb.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch name {
		case "VmRSS":
			now = kib / 1024
		case "VmHWM":
			peak = kib / 1024
		}
	}
	return now, peak
}

func (p *process) forgetPeak(tb testing.TB) {
	tb.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0); err != nil {
		tb.Fatal(err)
	}
}
