package bench_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/session"
)

// TestOperations pins what each action costs: documents read and written, as Firestore bills them, and
// calls to Google.
func TestOperations(t *testing.T) {
	w := newWorld(t)
	firestore := newCountedFirestore(t, w.emulator)
	w.emulator = firestore.addr
	began := time.Now()
	signIn, signInHeader := w.callback("grace")
	body, contentType := upload(1 << 20)
	const users = 130
	fresh, expired := w.user("ada", began.Add(time.Hour)), w.user("bob", began.Add(-time.Hour))
	w.users(users, "dailyevent")
	bearer := with(nil, "Authorization", "Bearer "+w.sign(map[string]any{"aud": clientID, "sub": "ada"}))

	for _, a := range []struct {
		name, function, method, path string
		body                         io.Reader
		header                       http.Header
		status                       int
		reads, writes, calls         int
	}{
		{"a visitor's way to Google", "oauth2init", "GET", "/oauth2init", nil, with(nil, "Accept", "text/html"), 302, 0, 0, 0},
		{"a signed-in user's page", "listlabels", "GET", "/listlabels", nil, fresh, 200, 1, 0, 1},
		{"the page of who sends a bearer token", "listlabels", "GET", "/listlabels", nil, bearer, 200, 1, 0, 2}, // labels, and the issuer's keys once a process
		{"the first page of an hour", "listlabels", "GET", "/listlabels", nil, expired, 200, 1, 1, 2},
		{"a page after the end of a session", "listlabels", "GET", "/listlabels", nil, w.header(session.Session{Browser: seal.NewID()}.SignIn("ada", seal.NewID(), began)), 302, 1, 0, 0},
		{"an upload", "createfile", "POST", "/createfile", body, with(with(fresh, "Content-Type", contentType), "Accept", "application/json"), 200, 1, 0, 1},
		{"a sign-in", "oauth2callback", "GET", signIn, nil, signInHeader, 303, 1, 2, 2}, // tokens, and Google's keys once a process
		// One read a user, one for the empty page behind the last, one for where a former run ended; one write of that this one did.
		{"a job's run", "dailyevent", "POST", "/dailyevent", strings.NewReader(`{"time_zone":"Etc/UTC"}`), w.runHeader("dailyevent"), 200, users + 2, 1, users + 1},
	} {
		t.Run(a.name, func(t *testing.T) {
			p := start(t, ours, binary(t, ours, a.function), w.environment(a.function, authIssuer...), nil, "/", anyStatus)
			before := w.count(t)
			firestore.reads.Store(0)
			firestore.writes.Store(0)
			status, answer, err := p.do(p.request(t, a.method, a.path, a.body, a.header))
			if err != nil || status != a.status {
				t.Fatalf("status %d, want %d: %s %v", status, a.status, answer, err)
			}
			calls := 0
			for path, n := range w.count(t).Calls {
				calls += n - before.Calls[path]
			}
			if r, w := int(firestore.reads.Load()), int(firestore.writes.Load()); r != a.reads || w != a.writes || calls != a.calls {
				t.Errorf("%d reads, %d writes, %d calls, want %d, %d, %d", r, w, calls, a.reads, a.writes, a.calls)
			}
		})
	}
}

// TestColdStart asks a deployed process whose Firestore and whose Google never answer for what needs
// neither. The process has turned to Firestore by itself, for whoever will need it.
func TestColdStart(t *testing.T) {
	w := newWorld(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	w.emulator = silent.Addr().String()
	env := append(w.deployed("oauth2init"), "HTTPS_PROXY=http://"+silent.Addr().String())
	start(t, ours, binary(t, ours, "oauth2init"), env, with(nil, "Accept", "text/html"), "/oauth2init", http.StatusFound)

	silent.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Second))
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal("no connection to Firestore: ", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	const preface = "PRI * HTTP/2.0\r\n" // [RFC 9113 §3.4]
	said := make([]byte, len(preface))
	if _, err := io.ReadFull(conn, said); err != nil || string(said) != preface {
		t.Errorf("%q, %v", said, err)
	}
}

func with(h http.Header, name, value string) http.Header {
	if h = h.Clone(); h == nil {
		h = http.Header{}
	}
	h.Set(name, value)
	return h
}

// countedFirestore passes everything on to the emulator and counts.
type countedFirestore struct {
	pb.UnimplementedFirestoreServer
	addr          string
	next          pb.FirestoreClient
	reads, writes atomic.Int64 // documents
}

func newCountedFirestore(t *testing.T, emulator string) *countedFirestore {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+emulator, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &countedFirestore{addr: l.Addr().String(), next: pb.NewFirestoreClient(conn)}
	server := grpc.NewServer()
	pb.RegisterFirestoreServer(server, f)
	go server.Serve(l)
	t.Cleanup(func() {
		server.Stop()
		conn.Close()
	})
	return f
}

func onward(ctx context.Context) context.Context {
	md, _ := metadata.FromIncomingContext(ctx)
	return metadata.NewOutgoingContext(ctx, metadata.Pairs("authorization", strings.Join(md.Get("authorization"), "")))
}

func (f *countedFirestore) BatchGetDocuments(r *pb.BatchGetDocumentsRequest, to pb.Firestore_BatchGetDocumentsServer) error {
	f.reads.Add(int64(len(r.Documents)))
	from, err := f.next.BatchGetDocuments(onward(to.Context()), r)
	if err != nil {
		return err
	}
	return relay(from.Recv, to.Send)
}

// RunQuery counts at least one read: an empty result is billed as one [Firestore: billing, minimum charge
// for queries].
func (f *countedFirestore) RunQuery(r *pb.RunQueryRequest, to pb.Firestore_RunQueryServer) error {
	from, err := f.next.RunQuery(onward(to.Context()), r)
	if err != nil {
		return err
	}
	documents := int64(0)
	defer func() { f.reads.Add(max(1, documents)) }()
	return relay(from.Recv, func(res *pb.RunQueryResponse) error {
		if res.GetDocument() != nil {
			documents++
		}
		return to.Send(res)
	})
}

func (f *countedFirestore) Commit(ctx context.Context, r *pb.CommitRequest) (*pb.CommitResponse, error) {
	f.writes.Add(int64(len(r.Writes)))
	return f.next.Commit(onward(ctx), r)
}

func relay[T any](receive func() (T, error), send func(T) error) error {
	for {
		m, err := receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = send(m)
		}
		if err != nil {
			return err
		}
	}
}
