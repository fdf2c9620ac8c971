package tokenstore

import (
	"context"
	"errors"
	"time"

	firestore "cloud.google.com/go/firestore/apiv1"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The methods in this file are for whoever runs the service. They are not part of Store.

// A Count is how many grants there are.
type Count struct {
	All    int64
	Active int64
	Ending int64            // with a RefreshExpiry, as all have whose app is in Testing mode
	Needs  map[Reason]int64 // that need consent again, by the reason
}

// Count counts the grants. Firestore charges one read for a thousand of them. It returns the errors of a
// Store.
func (f *Firestore) Count(ctx context.Context) (*Count, error) {
	c := &Count{Needs: map[Reason]int64{}}
	var err error
	count := func(q *pb.StructuredQuery) int64 {
		n, e := f.count(ctx, q)
		err = errors.Join(err, e)
		return n
	}
	c.All = count(f.allGrants())
	c.Active = count(f.grantsWhere("status", pb.StructuredQuery_FieldFilter_EQUAL, textValue(string(Active))))
	c.Ending = count(f.grantsWhere("refresh_expiry", pb.StructuredQuery_FieldFilter_GREATER_THAN, timeValue(time.Unix(0, 0))))
	for _, reason := range []Reason{ReasonRevoked, ReasonAdmin, ReasonExpired, ReasonDamaged} {
		if n := count(f.grantsWhere("reason", pb.StructuredQuery_FieldFilter_EQUAL, textValue(string(reason)))); n > 0 {
			c.Needs[reason] = n
		}
	}
	return c, err
}

// count returns how many grants q finds.
func (f *Firestore) count(ctx context.Context, q *pb.StructuredQuery) (n int64, err error) {
	err = f.call(ctx, func(ctx context.Context, client *firestore.Client) error {
		stream, err := client.RunAggregationQuery(ctx, &pb.RunAggregationQueryRequest{
			Parent: f.database + "/documents",
			QueryType: &pb.RunAggregationQueryRequest_StructuredAggregationQuery{StructuredAggregationQuery: &pb.StructuredAggregationQuery{
				QueryType: &pb.StructuredAggregationQuery_StructuredQuery{StructuredQuery: q},
				Aggregations: []*pb.StructuredAggregationQuery_Aggregation{{
					Alias: "n", Operator: &pb.StructuredAggregationQuery_Aggregation_Count_{Count: &pb.StructuredAggregationQuery_Aggregation_Count{}},
				}},
			}},
		})
		return receive(stream, err, func(answer *pb.RunAggregationQueryResponse) {
			if answer.GetResult() != nil {
				n = answer.GetResult().GetAggregateFields()["n"].GetIntegerValue()
			}
		})
	})
	return n, err
}

// ByEmail returns the grants of the Google accounts that had this address when Google last named it, or ErrNotFound. In
// place of a grant with an unknown key is a stand-in, as in ByJob.
func (f *Firestore) ByEmail(ctx context.Context, email string) ([]*Grant, error) {
	found, err := f.query(ctx, f.grantsWhere("email", pb.StructuredQuery_FieldFilter_EQUAL, textValue(email)))
	if err == nil && len(found) == 0 {
		return nil, ErrNotFound
	}
	return found, err
}

// Some returns up to limit grants, in no particular order. The list is empty only if there are none.
func (f *Firestore) Some(ctx context.Context, limit int) ([]*Grant, error) {
	q := f.allGrants()
	q.Limit = wrapperspb.Int32(int32(limit))
	return f.query(ctx, q)
}
