// Package tokenstore stores what users granted, one document for each owner: in Firestore, in memory or in a file.
package tokenstore

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrNotFound means that there is no such grant.
	ErrNotFound = errors.New("tokenstore: not found")
	// ErrConflict means that the stored grant is not the version that was read.
	ErrConflict = errors.New("tokenstore: changed since it was read")
	// ErrUsed means that the id was used before.
	ErrUsed = errors.New("tokenstore: already used")
	// ErrUnavailable means that the store did not answer, or said that it cannot answer now. Nothing is
	// known about the grant, and a write may or may not have been done.
	ErrUnavailable = errors.New("tokenstore: unavailable")
)

// A Store keeps grants. Every method may also return ErrUnavailable, the context's error, or
// seal.ErrUnknownKey where it opens a sealed value; none of these is ErrNotFound. A Store shares no
// memory with what it returns or is given. It is safe for concurrent use.
type Store interface {
	// Get returns the owner's grant, or ErrNotFound; never (nil, nil). For a document that cannot be
	// read, it returns a grant of the stored version with the status NeedsConsent and ReasonDamaged, so
	// that the next sign-in can replace it.
	Get(ctx context.Context, owner string) (*Grant, error)

	// Put writes g if the stored version is still the one that g was read as, or if g is new and none is
	// stored. It makes g the written version. Otherwise it writes nothing and returns ErrConflict.
	// ErrConflict may also mean that this very write was done and its answer was lost: read again. Put
	// refuses a grant that Get could not return: one without an owner or a status, one that is active
	// without a refresh token, or one with a session without a hash. Times are stored to the microsecond.
	Put(ctx context.Context, g *Grant) error

	// Delete removes g if the stored version is still the one that g was read as. If another version is
	// stored, or g was never read, it removes nothing and returns ErrConflict. A grant that is not there
	// is no error.
	Delete(ctx context.Context, g *Grant) error

	// UseOnce marks id as used. It returns nil to the first caller and ErrUsed to every other. After
	// until, the mark may be forgotten.
	UseOnce(ctx context.Context, id string, until time.Time) error

	// ByJob returns up to limit grants that have the job turned on, in a fixed order of owners, beginning
	// behind the owner after; "" begins with the first. Behind the last grant, the page is empty. A damaged
	// grant is returned as Get returns it. In place of a grant that is sealed with an unknown key is a
	// stand-in with its owner, the job, the status NeedsConsent and ReasonUnknownKey, which Put refuses.
	ByJob(ctx context.Context, job, after string, limit int) ([]*Grant, error)

	// ByGoogle returns every grant that is for the Google account with this subject, in any order: the
	// account's own, and those of app users who connected it, usable or not. In place of a grant that is
	// sealed with an unknown key is a stand-in as in ByJob, with the account instead of the job.
	ByGoogle(ctx context.Context, subject string) ([]*Grant, error)

	// Cursor returns what SetCursor last stored for the job, or "".
	Cursor(ctx context.Context, job string) (string, error)

	// SetCursor stores how far the job has come, for its next run to go on from there; "" removes it.
	SetCursor(ctx context.Context, job, cursor string) error
}
