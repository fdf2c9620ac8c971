package oauthflow

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"functions.local/oauth/shared/tokenstore"
)

const (
	appIssuer = "https://issuer.example/tenant"
	appKeys   = "https://keys.example/jwks"
)

// signingKey signs as an issuer does. An empty id leaves kid out.
type signingKey struct {
	id  string
	key any
}

var (
	rsaKey     = sync.OnceValue(func() *rsa.PrivateKey { return newRSAKey(2048) })
	otherKey   = sync.OnceValue(func() *rsa.PrivateKey { return newRSAKey(2048) })
	forgersKey = sync.OnceValue(func() *rsa.PrivateKey { return newRSAKey(2048) })
	ecKey      = sync.OnceValue(func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	})
)

func newRSAKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

func (k signingKey) sign(t testing.TB, payload []byte) string {
	t.Helper()
	algorithm := jose.RS256
	switch k.key.(type) {
	case *ecdsa.PrivateKey:
		algorithm = jose.ES256
	case []byte:
		algorithm = jose.HS256
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: k.key, KeyID: k.id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func (k signingKey) token(t testing.TB, claims map[string]any, changes ...any) string {
	t.Helper()
	claims = maps.Clone(claims)
	for i := 0; i < len(changes); i += 2 {
		claims[changes[i].(string)] = changes[i+1]
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return k.sign(t, payload)
}

// jwks is a key set with the public halves of keys, and members that are JSON already.
func jwks(t testing.TB, keys ...any) string {
	t.Helper()
	var members []string
	for _, k := range keys {
		switch k := k.(type) {
		case string:
			members = append(members, k)
		case signingKey:
			public := jose.JSONWebKey{Key: k.key, KeyID: k.id}
			b, err := json.Marshal(public.Public())
			if err != nil {
				t.Fatal(err)
			}
			members = append(members, string(b))
		}
	}
	return `{"keys":[` + strings.Join(members, ",") + `]}`
}

// issuers is the rest of the world: Google and the app's issuer, with a clock beside it.
type issuers struct {
	mu      sync.Mutex
	now     time.Time
	answers map[string]string // body by URL; without one, the connection fails
	status  int
	header  http.Header
	calls   map[string]int
	held    chan struct{} // where set, answers wait until it is closed
}

func (w *issuers) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.held != nil {
		<-w.held
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[r.URL.String()]++
	body, ok := w.answers[r.URL.String()]
	if !ok {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: w.status, Header: w.header.Clone(), Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (w *issuers) set(url, body string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answers[url] = body; body == "" {
		delete(w.answers, url)
	}
}

func (w *issuers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, c := range w.calls {
		n += c
	}
	return n
}

func (w *issuers) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *issuers) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// newIssuers returns a flow at noon for which Google signs with the RSA key "g", and the app's issuer with the P-256
// key "a".
func newIssuers(t testing.TB) (*Flow, *issuers) {
	t.Helper()
	w := &issuers{now: noon, status: http.StatusOK, calls: map[string]int{}, header: http.Header{"Cache-Control": {"public, max-age=21600"}}, answers: map[string]string{
		keysURL: jwks(t, signingKey{"g", rsaKey()}),
		appIssuer + "/.well-known/openid-configuration": `{"issuer":"` + appIssuer + `","jwks_uri":"` + appKeys + `"}`,
		appKeys: jwks(t, signingKey{"a", ecKey()}),
	}}
	f := New(Config{
		ClientID: "client-1", AuthIssuer: appIssuer, AuthAudience: "project-1", Store: tokenstore.NewMemory(), Transport: w, Now: w.time,
		Audit: func(context.Context, string, string, ...any) {}, Warn: func(context.Context, string, string, ...any) {},
	})
	return f, w
}

// userClaims are the claims of a user of the app at noon.
func userClaims() map[string]any {
	return map[string]any{"iss": appIssuer, "aud": "project-1", "sub": "user-1", "iat": noon.Unix() - 60, "exp": noon.Unix() + 30*24*3600,
		"email": "user@example.com", "email_verified": true}
}

// googleClaims are the claims of an ID token of Google's for our client at noon.
func googleClaims() map[string]any {
	return map[string]any{"iss": Issuer, "aud": "client-1", "azp": "client-1", "sub": "1001", "iat": noon.Unix(), "exp": noon.Unix() + 3600,
		"email": "ada@example.com", "email_verified": true, "hd": "example.com", "nonce": "n"}
}
