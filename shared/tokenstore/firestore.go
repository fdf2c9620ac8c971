package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	firestore "cloud.google.com/go/firestore/apiv1"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"functions.local/oauth/shared/seal"
)

// A FirestoreConfig says where the documents are and what seals their tokens.
type FirestoreConfig struct {
	Project  string
	Database string // "" means "(default)"
	Emulator string // host:port of a Firestore emulator, "" for the real service
	Prefix   string // of the names of the collections: grants, flows and jobs
	Keyset   *seal.Keyset
}

// A Firestore is a Store in a Firestore database.
//
// It uses the generated client. The one in cloud.google.com/go/firestore cannot replace a whole document
// under a precondition, opens a connection of its own to FIRESTORE_EMULATOR_HOST even if it is given one,
// and took 6 to 8 % more processor time of a request when it was tried.
type Firestore struct {
	dial     func() (*firestore.Client, error)
	headers  []string // of every call, names and values in turn
	database string   // projects/…/databases/…
	prefix   string
	keyset   *seal.Keyset

	mu      sync.Mutex
	attempt *attempt // the one that is under way or has succeeded, or nil
}

// An attempt is one to look up the credentials and to make a client with them.
type attempt struct {
	ended  chan struct{} // closed when client or err is set
	client *firestore.Client
	err    error
}

var _ Store = (*Firestore)(nil)

// OpenFirestore returns a Store in the database that c names. It checks c and does no I/O: the first
// call looks up the credentials and connects. Close the Store after use.
func OpenFirestore(c FirestoreConfig) (*Firestore, error) {
	switch {
	case c.Project == "":
		return nil, errors.New("tokenstore: no project")
	case c.Keyset == nil:
		return nil, errors.New("tokenstore: no keyset")
	case strings.Contains(c.Prefix, "/"):
		return nil, fmt.Errorf("tokenstore: a slash in the collection prefix %q", c.Prefix)
	}
	if c.Database == "" {
		c.Database = "(default)"
	}
	f := &Firestore{
		dial:     func() (*firestore.Client, error) { return dial(c.Emulator) },
		database: fmt.Sprintf("projects/%s/databases/%s", c.Project, c.Database),
		prefix:   c.Prefix,
		keyset:   c.Keyset,
	}
	// Without them, a database other than "(default)" is not found [googleapis/google-cloud-go: firestore/client.go].
	f.headers = []string{
		"google-cloud-resource-prefix", f.database,
		"x-goog-request-params", fmt.Sprintf("project_id=%s&database_id=%s", url.QueryEscape(c.Project), url.QueryEscape(c.Database)),
	}
	if c.Emulator != "" {
		// An emulator does not apply security rules to this token, as Firestore does not to a service account.
		f.headers = append(f.headers, "authorization", "Bearer owner")
	}
	return f, nil
}

// dial looks up the credentials and makes a client. It connects at the client's first call.
func dial(emulator string) (*firestore.Client, error) {
	dialOptions := []grpc.DialOption{
		// The other end of a connection can vanish silently; without this, every call would then fail for minutes.
		// gRPC also sets Timeout as TCP_USER_TIMEOUT: when nothing is acknowledged any more, Linux ends the
		// connection after it, and the call still has the time to connect anew. When something on the way
		// acknowledges and passes nothing on, only a ping finds out. Pings cannot come more often: Google's front
		// ends allow one in 30 s [googleapis/python-bigtable#181].
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 1500 * time.Millisecond}),
		// gRPC's default delay between attempts to connect grows to two minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: callTimeout,
		}),
	}
	options := []option.ClientOption{option.WithTelemetryDisabled()}
	if emulator != "" {
		conn, err := grpc.NewClient("passthrough:///"+emulator, append(dialOptions, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		if err != nil {
			return nil, fmt.Errorf("tokenstore: %w", err)
		}
		options = append(options, option.WithGRPCConn(conn))
	}
	for _, d := range dialOptions {
		options = append(options, option.WithGRPCDialOption(d))
	}
	client, err := firestore.NewClient(context.Background(), options...)
	if err != nil {
		return nil, fmt.Errorf("tokenstore: %w", err)
	}
	client.CallOptions = &firestore.CallOptions{} // call has the only time-out and the only retries
	return client, nil
}

// Connect begins to connect and does not wait. If that fails, the next call tries again and returns the error.
func (f *Firestore) Connect() { f.connecting() }

// connecting returns the attempt to connect that is under way or has succeeded, or begins one. A failed
// attempt is forgotten, since the metadata server may answer only seconds after the process has started.
func (f *Firestore) connecting() *attempt {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.attempt != nil {
		return f.attempt
	}
	a := &attempt{ended: make(chan struct{})}
	f.attempt = a
	go func() {
		defer close(a.ended)
		if a.client, a.err = f.dial(); a.err != nil {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.attempt = nil
			return
		}
		//lint:ignore SA1019 there is one connection: no option asks for a pool
		a.client.Connection().Connect()
	}()
	return a
}

// connect returns the client. It waits for the attempt no longer than ctx lasts, since looking up the
// credentials can take longer than a request may.
func (f *Firestore) connect(ctx context.Context) (*firestore.Client, error) {
	a := f.connecting()
	select {
	case <-a.ended:
		if a.err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, a.err)
		}
		return a.client, nil
	case <-ctx.Done():
		return nil, outcome(ctx, ctx.Err())
	}
}

// Close ends the connection. No call may follow.
func (f *Firestore) Close() error {
	f.mu.Lock()
	a := f.attempt
	f.mu.Unlock()
	if a == nil {
		return nil // nothing was called
	}
	<-a.ended
	if a.err != nil {
		return nil
	}
	return a.client.Close()
}

// Get implements Store.
func (f *Firestore) Get(ctx context.Context, owner string) (*Grant, error) {
	doc, err := f.read(ctx, f.name("grants", owner))
	if err != nil {
		return nil, err
	}
	if doc == nil {
		return nil, ErrNotFound
	}
	return decode(f.keyset, owner, doc)
}

// Put implements Store.
func (f *Firestore) Put(ctx context.Context, g *Grant) error {
	if err := g.check(); err != nil {
		return err
	}
	fields, err := encode(f.keyset, g)
	if err != nil {
		return err
	}
	version, err := f.commit(ctx, replace(f.name("grants", g.Owner), fields, overVersion(g.version)))
	if err != nil {
		return err
	}
	g.version = version
	return nil
}

// Delete implements Store.
func (f *Firestore) Delete(ctx context.Context, g *Grant) error {
	ctx, cancel := bound(ctx)
	defer cancel()
	name := f.name("grants", g.Owner)
	if !g.version.IsZero() { // a new grant has no version that could be removed
		w := remove(name)
		w.CurrentDocument = overVersion(g.version)
		if _, err := f.commit(ctx, w); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	switch doc, err := f.read(ctx, name); {
	case err != nil:
		return err
	case doc != nil:
		return ErrConflict
	}
	return nil // it was gone already, or an attempt whose answer was lost has removed it
}

// name returns the full name of a document.
func (f *Firestore) name(collection, key string) string {
	return f.collection(collection) + "/" + docID(key)
}

// collection returns the full name of a collection.
func (f *Firestore) collection(name string) string {
	return f.database + "/documents/" + f.prefix + name
}
