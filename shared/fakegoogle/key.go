package fakegoogle

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
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
	key *rsa.PrivateKey
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

func newSigningKey() signingKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("fakegoogle: RSA key: " + err.Error())
	}
	return signingKey{strings.ToLower(rand.Text()), key}
}

// RotateKeys makes a new signing key. The one before stays published until the next rotation.
func (s *Server) RotateKeys() {
	next := newSigningKey()
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	s.keys.keys = append([]signingKey{next}, s.keys.keys...)
	if len(s.keys.keys) > published {
		s.keys.keys = s.keys.keys[:published]
	}
}

// serveCerts is the JSON Web Key Set [RFC 7517].
func (s *Server) serveCerts(w http.ResponseWriter, _ *http.Request) {
	s.keys.ready()
	s.keys.mu.Lock()
	set := make([]map[string]string, 0, published)
	for _, k := range s.keys.keys {
		var e [4]byte
		binary.BigEndian.PutUint32(e[:], uint32(k.key.E))
		exponent := e[:]
		for exponent[0] == 0 {
			exponent = exponent[1:]
		}
		set = append(set, map[string]string{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": k.id,
			"n": base64.RawURLEncoding.EncodeToString(k.key.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(exponent),
		})
	}
	s.keys.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Cache-Control", "public, max-age=21600, must-revalidate, no-transform")
	json.NewEncoder(w).Encode(map[string]any{"keys": set})
}

// signRS256 returns the compact form of a JWT [RFC 7515 §3.1].
func signRS256(key *rsa.PrivateKey, kid string, claims map[string]any) string {
	header, err := json.Marshal(map[string]string{"alg": "RS256", "kid": kid, "typ": "JWT"})
	if err != nil {
		panic("fakegoogle: " + err.Error())
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic("fakegoogle: claims: " + err.Error())
	}
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic("fakegoogle: sign: " + err.Error())
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}
