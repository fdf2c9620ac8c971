package fakegoogle

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"sync"
)

// keyring holds the signing keys, the current one first, and those that are still published.
type keyring struct {
	mu   sync.Mutex
	keys []signingKey
}

type signingKey struct {
	id  string
	key crypto.Signer // RSA for RS256, P-256 for ES256
}

// published is how many keys the key set holds: the current one and the one before.
const published = 2

// ready makes the first key if there is none yet.
func (k *keyring) ready() { k.current() }

func (k *keyring) current() signingKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 {
		k.keys = []signingKey{newSigningKey()}
	}
	return k.keys[0]
}

func newSigningKey() signingKey { return named(newRSAKey()) }

func named(key crypto.Signer) signingKey { return signingKey{strings.ToLower(rand.Text()), key} }

func newRSAKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("fakegoogle: RSA key: " + err.Error())
	}
	return key
}

// rotate puts next in front of the keys.
func (k *keyring) rotate(next crypto.Signer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = append([]signingKey{named(next)}, k.keys...)
	if len(k.keys) > published {
		k.keys = k.keys[:published]
	}
}

// RotateKeys makes a new signing key. The one before stays published until the next rotation.
func (s *Server) RotateKeys() { s.keys.rotate(newRSAKey()) }

// serve is the JSON Web Key Set [RFC 7517].
func (k *keyring) serve(w http.ResponseWriter, maxAge string) {
	k.ready()
	k.mu.Lock()
	set := make([]map[string]string, 0, published)
	for _, key := range k.keys {
		set = append(set, key.public())
	}
	k.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "public, max-age="+maxAge+", must-revalidate, no-transform")
	json.NewEncoder(w).Encode(map[string]any{"keys": set})
}

func (s *Server) serveCerts(w http.ResponseWriter, _ *http.Request) { s.keys.serve(w, "21600") }

// public is the key as a JSON Web Key [RFC 7518 §6].
func (k signingKey) public() map[string]string {
	text := base64.RawURLEncoding.EncodeToString
	jwk := map[string]string{"alg": k.algorithm(), "use": "sig", "kid": k.id}
	switch key := k.key.Public().(type) {
	case *rsa.PublicKey:
		jwk["kty"], jwk["n"], jwk["e"] = "RSA", text(key.N.Bytes()), text(big.NewInt(int64(key.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, then x and y, 32 bytes each [SEC 1 §2.3.3]
		if err != nil {
			panic("fakegoogle: " + err.Error())
		}
		jwk["kty"], jwk["crv"], jwk["x"], jwk["y"] = "EC", "P-256", text(point[1:33]), text(point[33:])
	}
	return jwk
}

func (k signingKey) algorithm() string {
	switch key := k.key.(type) {
	case *rsa.PrivateKey:
		return "RS256"
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return "ES256"
		}
	}
	panic("fakegoogle: a signing key has to be RSA or P-256")
}

// sign returns the compact form of a JWT [RFC 7515 §3.1].
func (k signingKey) sign(typ string, claims map[string]any) string {
	header, err := json.Marshal(map[string]string{"alg": k.algorithm(), "kid": k.id, "typ": typ})
	if err != nil {
		panic("fakegoogle: " + err.Error())
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic("fakegoogle: claims: " + err.Error())
	}
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(input))
	signature, err := k.signature(sum[:])
	if err != nil {
		panic("fakegoogle: sign: " + err.Error())
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (k signingKey) signature(sum []byte) ([]byte, error) {
	key, ok := k.key.(*ecdsa.PrivateKey)
	if !ok {
		return k.key.Sign(rand.Reader, sum, crypto.SHA256)
	}
	r, s, err := ecdsa.Sign(rand.Reader, key, sum)
	if err != nil {
		return nil, err
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil // [RFC 7518 §3.4]
}
