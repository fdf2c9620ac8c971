package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// NewID returns 128 random bits, base64url-encoded.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// HashID returns the SHA-256 of an id that NewID made, base64url-encoded. It may be stored or sent where the id itself is
// a secret.
func HashID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
