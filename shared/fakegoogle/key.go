package fakegoogle

import (
	"crypto"
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

// A keyring holds the signing keys that are published, the current one first.
type keyring struct {
	first func() *rsa.PrivateKey
	mu    sync.Mutex
	keys  []signingKey
}

// The first keys of Google and of the app's issuer are the same for all Servers of a process, since a new one takes
// about 0.1 s to make.
var firstKey, firstAppKey = sync.OnceValue(newRSAKey), sync.OnceValue(newRSAKey)

type signingKey struct {
	id  string
	key *rsa.PrivateKey
}

// published is how many keys the key set holds: the current one and the one before.
const published = 2

// ready makes the first key, if there is none yet.
func (k *keyring) ready() { k.current() }

// current returns the key that signs.
func (k *keyring) current() signingKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.keys) == 0 {
		k.keys = []signingKey{named(k.first())}
	}
	return k.keys[0]
}

// named gives the key an id.
func named(key *rsa.PrivateKey) signingKey { return signingKey{strings.ToLower(rand.Text()), key} }

func newRSAKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("fakegoogle: RSA key: " + err.Error())
	}
	return key
}

// rotate makes next the current key.
func (k *keyring) rotate(next *rsa.PrivateKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = append([]signingKey{named(next)}, k.keys...)
	if len(k.keys) > published {
		k.keys = k.keys[:published]
	}
}

// RotateKeys makes a new key of Google's the current one. The one before stays published until the next rotation.
func (s *Server) RotateKeys() { s.keys.rotate(newRSAKey()) }

// serve answers with the keys as a JSON Web Key Set [RFC 7517].
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

// public returns the public key as a JSON Web Key [RFC 7518 §6.3].
func (k signingKey) public() map[string]string {
	text := base64.RawURLEncoding.EncodeToString
	return map[string]string{
		"kty": "RSA", "alg": algorithm, "use": "sig", "kid": k.id,
		"n": text(k.key.N.Bytes()), "e": text(big.NewInt(int64(k.key.E)).Bytes()),
	}
}

// algorithm is what every key signs with [RFC 7518 §3.3].
const algorithm = "RS256"

// sign returns the compact form of a JWT [RFC 7515 §3.1].
func (k signingKey) sign(typ string, claims map[string]any) string {
	header, err := json.Marshal(map[string]string{"alg": algorithm, "kid": k.id, "typ": typ})
	if err != nil {
		panic("fakegoogle: " + err.Error())
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic("fakegoogle: claims: " + err.Error())
	}
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, k.key, crypto.SHA256, sum[:])
	if err != nil {
		panic("fakegoogle: sign: " + err.Error())
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}
