package tokenstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Update reads the owner's grant, calls change with it, and puts it. After ErrConflict it reads and
// changes the grant again, until ctx ends. If change returns an error, Update writes nothing and returns
// that error. Otherwise it returns the grant as written, or ErrNotFound.
func Update(ctx context.Context, s Store, owner string, change func(*Grant) error) (*Grant, error) {
	return update(ctx, s, owner, nil, change)
}

// Upsert is Update, except that it calls change with an empty grant where there is none.
func Upsert(ctx context.Context, s Store, owner string, change func(*Grant) error) (*Grant, error) {
	return update(ctx, s, owner, func() *Grant { return &Grant{Owner: owner} }, change)
}

func update(ctx context.Context, s Store, owner string, absent func() *Grant, change func(*Grant) error) (*Grant, error) {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		g, err := s.Get(ctx, owner)
		if errors.Is(err, ErrNotFound) && absent != nil {
			g, err = absent(), nil
		}
		if err != nil {
			return nil, err
		}
		if err := change(g); err != nil {
			return nil, err
		}
		err = s.Put(ctx, g)
		if err == nil {
			return g, nil
		}
		if !errors.Is(err, ErrConflict) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(rand.N(wait)):
		}
	}
}
