package tokenstore

import (
	"net/url"
	"strings"
)

// docID turns a key into a legal document id, each key into another one. It escapes '/' and what is
// no printable ASCII, and a leading '.' or '_': ".", ".." and "__x__" are not allowed
// [Firestore: constraints on document IDs]. The empty key stays empty, which Firestore refuses.
func docID(key string) string {
	id := url.PathEscape(key)
	switch {
	case strings.HasPrefix(id, "."):
		return "%2E" + id[1:]
	case strings.HasPrefix(id, "_"):
		return "%5F" + id[1:]
	}
	return id
}

// keyOf reverses docID. It reports false for an id that docID never makes.
func keyOf(id string) (string, bool) {
	key, err := url.PathUnescape(id)
	return key, err == nil && docID(key) == id
}
