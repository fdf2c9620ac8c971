package tokenstore

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
)

// UseOnce implements Store. The mark holds a random value of this call. So a mark that an earlier attempt
// of the same call has written, whose answer was lost, is not taken for another caller's. A TTL policy on
// the field expires removes old marks.
func (f *Firestore) UseOnce(ctx context.Context, id string, until time.Time) error {
	ctx, cancel := bound(ctx)
	defer cancel()
	name, own := f.name("flows", id), rand.Text()
	_, err := f.commit(ctx, replace(name, map[string]*pb.Value{
		"value":   textValue(own),
		"expires": timeValue(until),
	}, overNothing))
	if !errors.Is(err, ErrConflict) {
		return err
	}
	mark, err := f.read(ctx, name)
	if err != nil {
		return err
	}
	if mark.GetFields()["value"].GetStringValue() != own {
		return ErrUsed
	}
	return nil
}
