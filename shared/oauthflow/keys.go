package oauthflow

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	minKeyAge     = time.Minute    // how long keys are kept at least, whatever Cache-Control says
	maxKeyAge     = 24 * time.Hour // and at most
	defaultKeyAge = time.Hour      // where the issuer says nothing
	retryKeys     = time.Second    // how long after a failed download the next one may begin
	maxDocument   = 256 << 10      // bytes that are read of a key set or a discovery document
)

// issuerKeys verifies signatures with the current keys of one issuer. It is an [oidc.KeySet].
//
// The keys are downloaded when there are none, when they are older than the issuer's Cache-Control allows, so that
// a key that was withdrawn is not trusted on, and when a signature fits none of them, since the issuer may have a
// new key. The last costs at most one download a minute, whatever forged tokens hold.
type issuerKeys struct {
	issuer string
	url    string // of the key set; "" where discovery has to find it
	client *http.Client
	now    func() time.Time

	mu       sync.Mutex
	set      *keySet   // the last that came
	download *download // the one under way, which all who need it share, or nil
	failed   error     // how the last download failed
	retry    time.Time // when the next one may begin after that
	found    string    // the address that discovery found; only the download under way touches it
}

// download is one attempt to fetch the keys.
type download struct {
	done chan struct{} // closed when set or err is there
	set  *keySet
	err  error
}

// keySet is what one download brought.
type keySet struct {
	// go-oidc tries each of these keys, whatever key id token and key have: ids only save time.
	oidc.StaticKeySet
	at, expiry time.Time
}

// VerifySignature returns the payload of a JWT that is signed with a current key of the issuer. The caller has seen
// to it that the algorithm is one of ours. It returns ErrUnavailable if keys are needed and do not come.
func (k *issuerKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	set, err := k.get(ctx, nil)
	if err != nil {
		return nil, err
	}
	if payload, err := set.VerifySignature(ctx, jwt); err == nil {
		return payload, nil
	}
	newer, err := k.get(ctx, set)
	switch {
	case err != nil:
		return nil, err
	case newer == set:
		return nil, errors.New("signed with none of the current keys")
	}
	return newer.VerifySignature(ctx, jwt)
}

// get returns the current keys. unfit are those that a signature did not fit, or nil: in their place get downloads
// others, unless they are younger than minKeyAge. It returns ErrUnavailable.
func (k *issuerKeys) get(ctx context.Context, unfit *keySet) (*keySet, error) {
	k.mu.Lock()
	now := k.now()
	if k.set != nil && now.Before(k.set.expiry) && (k.set != unfit || now.Before(k.set.at.Add(minKeyAge))) {
		defer k.mu.Unlock()
		return k.set, nil
	}
	if now.Before(k.retry) {
		defer k.mu.Unlock()
		return nil, k.failed
	}
	d := k.download
	if d == nil {
		d = &download{done: make(chan struct{})}
		k.download = d
		go k.run(context.WithoutCancel(ctx), d) // one caller's end must not be the end of all who wait
	}
	k.mu.Unlock()
	select {
	case <-d.done:
		return d.set, d.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: keys of %s: %w", ErrUnavailable, k.issuer, ctx.Err())
	}
}

// run makes the download d, and tells all who wait for it how it ended.
func (k *issuerKeys) run(ctx context.Context, d *download) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d.set, d.err = k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if d.err == nil {
		k.set = d.set
	} else {
		d.err = fmt.Errorf("%w: keys of %s: %w", ErrUnavailable, k.issuer, d.err)
		k.failed, k.retry, k.found = d.err, k.now().Add(retryKeys), ""
	}
	k.download = nil
	close(d.done)
}

// fetch downloads the keys, from the address that the issuer's discovery document names where it is not known.
func (k *issuerKeys) fetch(ctx context.Context) (*keySet, error) {
	address := cmp.Or(k.url, k.found)
	if address == "" {
		var err error
		if address, err = k.discover(ctx); err != nil {
			return nil, err
		}
	}
	body, header, err := k.document(ctx, address)
	if err != nil {
		return nil, err
	}
	keys := readKeys(body)
	if len(keys) == 0 {
		return nil, errors.New("no RSA or P-256 key in the answer")
	}
	if k.url == "" {
		k.found = address
	}
	now := k.now()
	return &keySet{oidc.StaticKeySet{PublicKeys: keys}, now, now.Add(keyAge(header))}, nil
}

// discover returns the address of the issuer's keys [OpenID Connect Discovery §4].
func (k *issuerKeys) discover(ctx context.Context) (string, error) {
	body, _, err := k.document(ctx, strings.TrimSuffix(k.issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return "", err
	}
	var provider struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &provider); err != nil {
		return "", errors.New("the discovery document is not JSON")
	}
	u, err := url.Parse(provider.Keys)
	switch {
	case provider.Issuer != k.issuer:
		return "", errors.New("the discovery document is another issuer's: AUTH_ISSUER has to equal its issuer, to the last slash")
	case err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		return "", errors.New("the discovery document's jwks_uri is not an https URL")
	}
	return provider.Keys, nil
}

// document fetches a public document of at most maxDocument bytes.
func (k *issuerKeys) document(ctx context.Context, address string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	res, err := k.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument)) // what was cut off there is no JSON
	switch {
	case err != nil:
		return nil, nil, err
	case res.StatusCode != http.StatusOK:
		return nil, nil, fmt.Errorf("%s: status %d", address, res.StatusCode)
	}
	return body, res.Header, nil
}

// readKeys returns the keys of a JSON Web Key Set that RS256 and ES256 verify with. What it cannot read or use is
// left out and does not spoil the others [RFC 7517 §5].
func readKeys(body []byte) []crypto.PublicKey {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil {
		return nil
	}
	var keys []crypto.PublicKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil || key.Use != "" && key.Use != "sig" {
			continue
		}
		switch public := key.Key.(type) {
		case *rsa.PublicKey:
			if (key.Algorithm == "" || key.Algorithm == string(jose.RS256)) && public.N.BitLen() >= 2048 {
				keys = append(keys, public)
			}
		case *ecdsa.PublicKey:
			if public.Curve == elliptic.P256() {
				keys = append(keys, public)
			}
		}
	}
	return keys
}

// keyAge reads how long an answer may be kept [RFC 9111 §4.2].
func keyAge(h http.Header) time.Duration {
	life := defaultKeyAge
	for directive := range strings.SplitSeq(strings.ToLower(h.Get("Cache-Control")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch seconds, err := strconv.Atoi(value); {
		case name == "max-age" && err == nil:
			old, _ := strconv.Atoi(h.Get("Age"))
			life = time.Duration(min(max(seconds, 0), 1e9)-min(max(old, 0), 1e9)) * time.Second
		case name == "no-store", name == "no-cache":
			return minKeyAge
		}
	}
	return min(max(life, minKeyAge), maxKeyAge)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
