// Package seal encrypts small values for a purpose and an owner with a Tink AEAD keyset.
//
// Purpose and owner are authenticated and not stored. A value opens only for the pair that it was sealed for, so that a
// copy of it is of no use in another place.
package seal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

var (
	// ErrUnknownKey means that the value names a key that is not in the keyset: a key was removed, or
	// this is another deployment's keyset. The value may be intact, so it must not be deleted because of
	// this error.
	ErrUnknownKey = errors.New("seal: sealed with a key that is not in the keyset")
	// ErrInvalid means that the value was not sealed for this purpose and owner, is damaged, or was sealed
	// with a key that is disabled in the keyset, which is how a leaked key is retired.
	ErrInvalid = errors.New("seal: value does not open")
)

// A sealed value begins with tinkPrefix and the key's id, 4 bytes big endian [Tink: wire format].
const (
	tinkPrefix = 1
	headerSize = 5
)

// A Keyset seals with its primary key and opens with any of its keys. It is safe for concurrent use.
type Keyset struct {
	handle *keyset.Handle
	aead   tink.AEAD
	ids    map[uint32]bool // of all keys, disabled ones too
	hash   [sha256.Size]byte
}

// newKey is the kind of every new key. AES-GCM-SIV stays safe when two values get the same nonce by chance, so that no
// number of values that strangers make us seal wears a key out [RFC 8452 §6].
var newKey = aead.AES256GCMSIVKeyTemplate

// Parse reads a Tink AEAD keyset in its cleartext JSON form. Its error says what is wrong with the text and never quotes
// it.
func Parse(text string) (*Keyset, error) {
	text = Pasted(text)
	if !json.Valid([]byte(text)) || text[0] != '{' {
		return nil, errors.New(NotJSON(text))
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(strings.NewReader(text)))
	if err != nil {
		return nil, errors.New("it is JSON, and not a Tink keyset with a primary key that is enabled")
	}
	return keysetOf(handle, text)
}

// New makes a keyset with one fresh AES-256-GCM-SIV key.
func New() (*Keyset, error) {
	handle, err := keyset.NewHandle(newKey())
	if err != nil {
		return nil, err
	}
	return fromHandle(handle)
}

// Added returns a copy of k with one more key. The new key opens and does not seal yet, so that every process can get
// to know it before there is anything that it has sealed.
func (k *Keyset) Added() (*Keyset, error) {
	m := keyset.NewManagerFromHandle(k.handle)
	if _, err := m.Add(newKey()); err != nil {
		return nil, err
	}
	return fromManager(m)
}

// Rotated returns a copy of k whose newest enabled key is the primary key, which seals. If it is that already, Rotated
// adds a key first.
func (k *Keyset) Rotated() (*Keyset, error) {
	info := k.handle.KeysetInfo()
	newest := info.GetPrimaryKeyId()
	for _, key := range info.GetKeyInfo() {
		if key.GetStatus() == tinkpb.KeyStatusType_ENABLED {
			newest = key.GetKeyId()
		}
	}
	if newest == info.GetPrimaryKeyId() {
		added, err := k.Added()
		if err != nil {
			return nil, err
		}
		return added.Rotated()
	}
	m := keyset.NewManagerFromHandle(k.handle)
	if err := m.SetPrimary(newest); err != nil {
		return nil, err
	}
	return fromManager(m)
}

// Disabled returns a copy of k in which the key with this id opens nothing any more: Open returns ErrInvalid for what it
// sealed. It returns an error for the primary key, and for an id that is not in k.
func (k *Keyset) Disabled(id uint32) (*Keyset, error) {
	if !k.ids[id] {
		return nil, fmt.Errorf("key %d is not in the keyset, which has %s", id, k.describe())
	}
	if id == k.handle.KeysetInfo().GetPrimaryKeyId() {
		return nil, fmt.Errorf("key %d is the primary key, which seals: rotate first", id)
	}
	m := keyset.NewManagerFromHandle(k.handle)
	if err := m.Disable(id); err != nil {
		return nil, err
	}
	return fromManager(m)
}

// describe lists the ids of the keys, oldest first. They are no secrets.
func (k *Keyset) describe() string {
	info := k.handle.KeysetInfo()
	var keys []string
	for _, key := range info.GetKeyInfo() {
		text := fmt.Sprint(key.GetKeyId())
		if key.GetKeyId() == info.GetPrimaryKeyId() {
			text += " (primary)"
		} else if key.GetStatus() != tinkpb.KeyStatusType_ENABLED {
			text += " (disabled)"
		}
		keys = append(keys, text)
	}
	return strings.Join(keys, ", ")
}

func fromManager(m *keyset.Manager) (*Keyset, error) {
	handle, err := m.Handle()
	if err != nil {
		return nil, err
	}
	return fromHandle(handle)
}

func fromHandle(handle *keyset.Handle) (*Keyset, error) {
	k := &Keyset{handle: handle}
	return keysetOf(handle, string(k.JSON()))
}

// keysetOf returns the Keyset of a handle, whose JSON form is text.
func keysetOf(handle *keyset.Handle, text string) (*Keyset, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("it is a Tink keyset, and not one for AEAD")
	}
	k := &Keyset{handle: handle, aead: primitive, ids: map[uint32]bool{}, hash: sha256.Sum256([]byte(text))}
	for _, info := range handle.KeysetInfo().GetKeyInfo() {
		if info.GetOutputPrefixType() != tinkpb.OutputPrefixType_TINK {
			return nil, fmt.Errorf("key %d has the output prefix %v: only TINK tells which key sealed a value", info.GetKeyId(), info.GetOutputPrefixType())
		}
		k.ids[info.GetKeyId()] = true
	}
	return k, nil
}

// JSON returns the keyset in the cleartext form that Parse reads.
func (k *Keyset) JSON() Secret {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(k.handle, keyset.NewJSONWriter(&b)); err != nil {
		panic(err) // a valid handle and a bytes.Buffer do not fail
	}
	return Secret(b.String())
}

// Format prints "[redacted]" for every fmt verb.
func (k *Keyset) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// Seal encrypts plaintext for a purpose and an owner. A purpose holds no NUL byte.
func (k *Keyset) Seal(purpose, owner string, plaintext []byte) ([]byte, error) {
	return k.aead.Encrypt(plaintext, associatedData(purpose, owner))
}

// Open decrypts a value that Seal made for the same purpose and owner.
// It returns ErrUnknownKey or ErrInvalid.
func (k *Keyset) Open(purpose, owner string, sealed []byte) ([]byte, error) {
	plaintext, err := k.aead.Decrypt(sealed, associatedData(purpose, owner))
	if err == nil {
		return plaintext, nil
	}
	if len(sealed) > headerSize && sealed[0] == tinkPrefix && !k.ids[binary.BigEndian.Uint32(sealed[1:headerSize])] {
		return nil, ErrUnknownKey
	}
	return nil, ErrInvalid
}

// SealString is Seal with a result that fits a cookie or a URL.
func (k *Keyset) SealString(purpose, owner string, plaintext []byte) (string, error) {
	sealed, err := k.Seal(purpose, owner, plaintext)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// OpenString opens what SealString made. It returns ErrUnknownKey or ErrInvalid.
func (k *Keyset) OpenString(purpose, owner, sealed string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || strings.ContainsAny(sealed, "\r\n") { // which the decoder skips
		return nil, ErrInvalid
	}
	return k.Open(purpose, owner, b)
}

// Hash returns a keyed hash of value for log lines: 16 characters of base64url, which tell values apart and do not reveal
// them. Another keyset, or the same one spelled in another way, makes other hashes.
func (k *Keyset) Hash(value string) string {
	mac := hmac.New(sha256.New, k.hash[:])
	mac.Write([]byte(value))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

func associatedData(purpose, owner string) []byte {
	return []byte(purpose + "\x00" + owner)
}

// IsSealed reports whether value has the form of what SealString returns, with whatever key.
func IsSealed(value string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	return err == nil && len(b) > headerSize && b[0] == tinkPrefix
}
