package tokenstore

import (
	"net/url"
	"strings"
)

// docID returns a valid document id for a key, a different one for each key. It escapes '/', what is not printable
// ASCII, and a leading '.' or '_', since ".", ".." and "__x__" are not allowed [Firestore: constraints on document IDs].
// The id of the empty key is empty, which Firestore refuses.
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

// keyOf returns the key of an id, and whether docID can have made that id.
func keyOf(id string) (string, bool) {
	key, err := url.PathUnescape(id)
	return key, err == nil && docID(key) == id
}
