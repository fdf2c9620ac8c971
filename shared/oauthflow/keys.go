package oauthflow

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// googleKeys holds Google's current signing keys for as long as their Cache-Control says, so that a
// key that Google withdrew is not trusted on.
type googleKeys struct {
	client *http.Client
	now    func() time.Time

	mu     sync.Mutex
	byID   map[string]crypto.PublicKey
	expiry time.Time
	flight chan struct{} // closed when the download under way has ended
	failed error         // how the last download ended
}

// maxKeyAge bounds what Cache-Control may say.
const maxKeyAge = 24 * time.Hour

// find returns the key with this id, downloading the keys where they are stale or lack it.
// It returns ErrUnavailable if the download fails, and nil for a key that Google does not have.
// With the id "" it just sees to it that current keys are here.
func (k *googleKeys) find(ctx context.Context, id string) (crypto.PublicKey, error) {
	for tried := false; ; tried = true {
		k.mu.Lock()
		key := k.byID[id]
		fresh := k.now().Before(k.expiry)
		if fresh && (key != nil || id == "" || tried) {
			k.mu.Unlock()
			return key, nil
		}
		if tried {
			err := k.failed
			k.mu.Unlock()
			return nil, fmt.Errorf("%w: keys: %w", ErrUnavailable, err)
		}
		flight := k.flight
		if flight == nil {
			flight = make(chan struct{})
			k.flight = flight
			go k.download(context.WithoutCancel(ctx), flight)
		}
		k.mu.Unlock()
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: keys: %w", ErrUnavailable, ctx.Err())
		}
	}
}

func (k *googleKeys) download(ctx context.Context, done chan struct{}) {
	byID, age, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed = err; err == nil {
		k.byID, k.expiry = byID, k.now().Add(age)
	}
	k.flight = nil
	close(done)
}

func (k *googleKeys) fetch(ctx context.Context) (map[string]crypto.PublicKey, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, keysURL, nil)
	if err != nil {
		return nil, 0, err
	}
	res, err := k.client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	var set struct {
		Keys []struct{ Kty, Kid, N, E string }
	}
	if err := json.NewDecoder(res.Body).Decode(&set); res.StatusCode != http.StatusOK || err != nil {
		return nil, 0, fmt.Errorf("status %d, JSON: %v", res.StatusCode, err == nil)
	}
	byID := map[string]crypto.PublicKey{}
	for _, j := range set.Keys {
		n, errN := base64.RawURLEncoding.DecodeString(j.N)
		e, errE := base64.RawURLEncoding.DecodeString(j.E)
		exponent := new(big.Int).SetBytes(e)
		if j.Kty == "RSA" && j.Kid != "" && errN == nil && errE == nil && len(n) >= 256 && exponent.IsInt64() {
			byID[j.Kid] = &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}
		}
	}
	if len(byID) == 0 {
		return nil, 0, fmt.Errorf("no RSA key")
	}
	return byID, maxAge(res.Header.Get("Cache-Control")), nil
}

// maxAge reads Cache-Control's max-age [RFC 9111 §5.2.2.1]; without one, keys are kept for a minute.
func maxAge(header string) time.Duration {
	for directive := range strings.SplitSeq(header, ",") {
		if s, ok := strings.CutPrefix(strings.TrimSpace(directive), "max-age="); ok {
			if n, err := strconv.Atoi(s); err == nil && n > 0 {
				return min(time.Duration(n)*time.Second, maxKeyAge)
			}
		}
	}
	return time.Minute
}

// keyID reads the key id from a JWT's header, unverified.
func keyID(jwt string) string {
	header, _, _ := strings.Cut(jwt, ".")
	b, err := base64.RawURLEncoding.DecodeString(header)
	var h struct{ Kid string }
	if err != nil || json.Unmarshal(b, &h) != nil {
		return ""
	}
	return h.Kid
}

// verifier returns go-oidc's verifier for a token for audience that is signed with the key that it
// names. It returns ErrUnavailable, or ErrIDToken if Google has no such key.
func (f *Flow) verifier(ctx context.Context, jwt, audience string) (*oidc.IDTokenVerifier, error) {
	id := keyID(jwt)
	if id == "" {
		return nil, fmt.Errorf("%w: no key id", ErrIDToken)
	}
	key, err := f.keys.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, fmt.Errorf("%w: not signed with a current key", ErrIDToken)
	}
	set := &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key}}
	return oidc.NewVerifier(Issuer, set, &oidc.Config{ClientID: audience, Now: f.Now}), nil
}
