// Package tokenstore keeps what users granted: one document an owner, in Firestore, in
// memory or in a file.
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
	// ErrUnavailable means that the store did not answer, or asked to come back later. Nothing is
	// known of the grant, and a write may or may not have happened.
	ErrUnavailable = errors.New("tokenstore: unavailable")
)

// A Store keeps grants. Every method may also return ErrUnavailable, the context's error, or
// seal.ErrUnknownKey where it opens a sealed value; none of them is ErrNotFound. What a Store
// returns and takes is never shared with the caller. A Store is safe for concurrent use.
type Store interface {
	// Get returns the owner's grant, or ErrNotFound; never (nil, nil). A document that cannot be
	// understood comes back as a grant of this version with the status NeedsConsent and the reason
	// ReasonDamaged, so that the next sign-in can replace it.
	Get(ctx context.Context, owner string) (*Grant, error)

	// Put writes g over the version that g was read as (a new grant: over nothing), and makes g the
	// written version. It returns ErrConflict, and writes nothing, if the stored version is another
	// one or was deleted. ErrConflict may also mean that this very write was done and its answer was
	// lost: read again. Put refuses a grant that Get could not give back: without an owner or a
	// status, active without a refresh token, or with a session without a hash. Times are kept to the
	// microsecond.
	Put(ctx context.Context, g *Grant) error

	// Delete removes g if the stored version is the one that g was read as. It returns ErrConflict, and
	// removes nothing, if the stored version is another one or g was never stored. An absent grant is no
	// error.
	Delete(ctx context.Context, g *Grant) error

	// UseOnce marks id as used and returns nil for the first caller and ErrUsed for every other. The
	// mark may be forgotten after until.
	UseOnce(ctx context.Context, id string, until time.Time) error

	// ByJob returns up to limit grants that have the job turned on, in a fixed order of owners,
	// beginning behind the owner after ("" for the first page). Behind the last page comes an empty
	// one. A damaged grant is in its page as Get returns it. A grant with an unknown key does not stop
	// the others: in its place is a stand-in with its owner, the job, the status NeedsConsent and
	// ReasonUnknownKey, which Put refuses.
	ByJob(ctx context.Context, job, after string, limit int) ([]*Grant, error)

	// ByGoogle returns every grant of the Google account with this subject: its own, and those of app
	// users who connected it, usable or not, in any order. In place of a grant with an unknown key is
	// a stand-in as ByJob makes it, with the account instead of the job.
	ByGoogle(ctx context.Context, subject string) ([]*Grant, error)

	// Cursor returns what SetCursor stored last for the job, or "".
	Cursor(ctx context.Context, job string) (string, error)

	// SetCursor stores where a job that ran out of time goes on; "" clears it.
	SetCursor(ctx context.Context, job, cursor string) error
}
