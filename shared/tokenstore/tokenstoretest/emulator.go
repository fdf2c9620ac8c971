package tokenstoretest

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Emulator returns the address of a Firestore emulator, which all tests of the binary share, and a project
// that no other test uses. Where gcloud, Java or the emulator is missing it skips the test; with CI=true it
// fails the test. With -short it skips the test.
func Emulator(t testing.TB) (addr, project string) {
	t.Helper()
	skipIfShort(t)
	e, err := shared()
	if err != nil {
		giveUp(t, err)
	}
	return e.addr, fmt.Sprintf("test-%d", projects.Add(1))
}

// EmulatorProcess starts an emulator for this test alone and returns its address and its process, which
// the test may stop or kill. The emulator ends with the test.
func EmulatorProcess(t testing.TB) (addr string, process *os.Process) {
	t.Helper()
	skipIfShort(t)
	e, err := startEmulator()
	if err != nil {
		giveUp(t, err)
	}
	t.Cleanup(e.stop)
	return e.addr, e.java
}

var (
	projects atomic.Int64 // counts those that Emulator has given out
	shared   = sync.OnceValues(startEmulator)
)

func skipIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts the Firestore emulator")
	}
}

// giveUp skips the test, or fails it with CI=true.
func giveUp(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("no Firestore emulator: %v", err)
	}
	t.Skipf("no Firestore emulator (gcloud components install cloud-firestore-emulator, and a Java runtime): %v", err)
}

type emulator struct {
	addr  string
	java  *os.Process
	shell *exec.Cmd
	alive *os.File // when this is closed, or our process ends, the shell kills the emulator
}

func startEmulator() (*emulator, error) {
	root, err := exec.Command("gcloud", "info", "--format=value(installation.sdk_root)").Output()
	if err != nil {
		return nil, err
	}
	jar := filepath.Join(strings.TrimSpace(string(root)), "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar")
	if _, err := os.Stat(jar); err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("java"); err != nil {
		return nil, err
	}
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	stdin, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	const script = `
java $2 -Duser.language=en -cp "$0" com.google.cloud.datastore.emulator.firestore.CloudFirestore start --host="${1%:*}" --port="${1#*:}" >/dev/null 2>&1 &
echo $!
cat >/dev/null
kill -9 $!`
	e := &emulator{
		addr:  addr,
		shell: exec.Command("sh", "-c", script, jar, addr, javaFlags()),
		alive: alive,
	}
	e.shell.Stdin = stdin
	stdout, err := e.shell.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := e.shell.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return nil, err
	}
	if e.java, err = os.FindProcess(pid); err != nil {
		return nil, err
	}
	if err := e.waitReady(60 * time.Second); err != nil {
		e.stop()
		return nil, err
	}
	return e, nil
}

// javaFlags have Java compile in haste, which halves the processor time of the emulator in a test. A benchmark gets its best.
func javaFlags() string {
	if bench := flag.Lookup("test.bench"); bench != nil && bench.Value.String() != "" {
		return ""
	}
	return "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
}

// waitReady waits until the emulator has answered a request for a document. The first one can take seconds
// on a busy machine, which is longer than a Store waits.
func (e *emulator) waitReady(patience time.Duration) error {
	client := http.Client{Timeout: patience}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		resp, err := client.Get(root(e.addr, "test-0") + "/grants/nobody")
		if err == nil {
			resp.Body.Close()
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %v: %w", patience, err)
		}
	}
}

func (e *emulator) stop() {
	e.alive.Close()
	e.shell.Wait()
}

// FreeAddr returns a loopback address (host:port) for a program that has to be told where to listen. Nobody gets its port
// meanwhile who asks the system for any: those come from above [ip(7), ip_local_port_range; RFC 6335 §6].
func FreeAddr() (addr string, err error) {
	const from, to = 20_000, 32_000
	for range 100 {
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(from+rand.N(to-from)))
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", err
}
