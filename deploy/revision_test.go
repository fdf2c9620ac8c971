package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/session"
)

func TestRevision(t *testing.T) {
	program := build(t, "listlabels")

	t.Run("that is badly configured ends with one message that names every fault", func(t *testing.T) {
		cmd := exec.Command(program)
		cmd.Env = []string{"K_SERVICE=listlabels", "FUNCTION_TARGET=listlabels", "PORT=0",
			"BASE_URL=http://region-project.cloudfunctions.net", "OAUTH_CLIENT_JSON=client_secret.json", "TOKEN_KEYSET={canary",
			"OAUTH_SCOPES=\"", "TOKEN_STORE=memory", "COLLECTION_PREFIX=a/b", "SESSION_COOKIE=sid",
			"SCHEDULER_ACCOUNT=nobody", "GOOGLE_BASE_URL=http://127.0.0.1:9700"}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 {
			t.Fatalf("%v, want the exit code 1\n%s", err, &out)
		}
		var line struct{ Severity, Message string }
		if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Severity != "ERROR" {
			t.Fatalf("%v, want one line of JSON:\n%s", err, &out)
		}
		for _, name := range []string{"BASE_URL", "OAUTH_CLIENT_JSON", "TOKEN_KEYSET", "OAUTH_SCOPES", "TOKEN_STORE",
			"COLLECTION_PREFIX", "SESSION_COOKIE", "SCHEDULER_ACCOUNT", "GOOGLE_BASE_URL"} {
			if !strings.Contains(line.Message, "\n  "+name+" ") {
				t.Errorf("%s is not named in %s", name, line.Message)
			}
		}
		if strings.Contains(out.String(), "canary") {
			t.Error("a secret is in the message")
		}
	})

	t.Run("that is told to end finishes what it accepted and exits with 0", func(t *testing.T) {
		const held = 40
		firestore := newHeldFirestore(t)
		env := deployedEnvironment(t, "listlabels", "FIRESTORE_EMULATOR_HOST="+firestore.addr)
		p := start(t, program, env)

		// Some requests are in flight, since Firestore does not answer yet.
		statuses := make(chan int, held)
		for range held {
			go func() { statuses <- status(p.get(t.Context(), signedIn(t, env))) }()
		}
		eventually(t, func() error {
			if n := firestore.waiting.Load(); n < held {
				return fmt.Errorf("%d of %d requests are in flight: %s", n, held, p.stderr)
			}
			return nil
		})

		// Others come and go all the time. One that fails has been sent after the signal.
		var signalled atomic.Bool
		ctx, stop := context.WithCancel(t.Context())
		var load sync.WaitGroup
		var served atomic.Int64
		for range 4 {
			load.Go(func() {
				for ctx.Err() == nil {
					var early atomic.Bool
					sent := func(httptrace.WroteRequestInfo) { early.Store(!signalled.Load()) }
					traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: sent})
					switch got := status(p.get(traced, http.Header{})); {
					case got == http.StatusFound:
						served.Add(1)
					case early.Load():
						t.Errorf("a request before the signal: %d", got)
					default:
						return
					}
				}
			})
		}
		defer load.Wait()
		defer stop()
		eventually(t, func() error {
			if n := served.Load(); n < 100 {
				return fmt.Errorf("%d requests were served", n)
			}
			return nil
		})

		signalled.Store(true)
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		load.Wait() // until it takes no new requests
		if len(statuses) > 0 {
			t.Fatalf("a request that Firestore holds was answered: %d", <-statuses)
		}
		close(firestore.release)
		for range held {
			if got := <-statuses; got != http.StatusFound {
				t.Errorf("a request in flight: %d, want %d", got, http.StatusFound)
			}
		}
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("%v, want the exit code 0", err)
		}
	})

	t.Run("that is told to end as soon as it listens exits with 0", func(t *testing.T) {
		env := deployedEnvironment(t, "listlabels", "GOMAXPROCS=1") // one thing after the other
		var processes sync.WaitGroup
		defer processes.Wait()
		for range 20 {
			p := start(t, program, env)
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			processes.Go(func() {
				if err := p.cmd.Wait(); err != nil {
					t.Errorf("%v, want the exit code 0", err)
				}
			})
		}
	})
}

// status is the answer's, or 0 without an answer.
func status(res *http.Response, err error) int {
	if err != nil {
		return 0
	}
	return res.StatusCode
}

// signedIn returns the header of a request whose session the function looks up in Firestore.
func signedIn(t *testing.T, env []string) http.Header {
	for _, variable := range env {
		if json, ok := strings.CutPrefix(variable, "TOKEN_KEYSET="); ok {
			keys, err := seal.Parse(json)
			if err != nil {
				t.Error(err)
			}
			cookie := session.Cookie{Name: "__Host-session", Secure: true, Keys: keys, Now: time.Now}
			w := httptest.NewRecorder()
			if err := cookie.Write(w, session.Session{Browser: seal.NewID()}.SignIn("alice", seal.NewID(), time.Now())); err != nil {
				t.Error(err)
			}
			value, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
			return http.Header{"Cookie": {value}}
		}
	}
	t.Error("no keyset")
	return nil
}

// heldFirestore knows no document, and says so when it is released.
type heldFirestore struct {
	pb.UnimplementedFirestoreServer
	addr    string
	waiting atomic.Int64
	release chan struct{}
}

func newHeldFirestore(t *testing.T) *heldFirestore {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &heldFirestore{addr: l.Addr().String(), release: make(chan struct{})}
	server := grpc.NewServer()
	pb.RegisterFirestoreServer(server, f)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	return f
}

func (f *heldFirestore) BatchGetDocuments(r *pb.BatchGetDocumentsRequest, stream pb.Firestore_BatchGetDocumentsServer) error {
	f.waiting.Add(1)
	<-f.release
	return stream.Send(&pb.BatchGetDocumentsResponse{Result: &pb.BatchGetDocumentsResponse_Missing{Missing: r.Documents[0]}})
}
