package tokenstore

import (
	"context"
	"errors"
	"io"

	firestore "cloud.google.com/go/firestore/apiv1"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// What follows is for whoever runs the service, and no part of a Store.

// A Count is how many grants there are.
type Count struct {
	All    int64
	Active int64
	Ending int64            // that Google ends by themselves, as all of an app in Testing mode; see Grant.RefreshExpiry
	Needs  map[Reason]int64 // that need consent again, by the reason
}

// Count counts the grants, for the price of a read a thousand. It returns the errors of a Store.
func (f *Firestore) Count(ctx context.Context) (*Count, error) {
	c := &Count{Needs: map[Reason]int64{}}
	ending := f.where("refresh_expiry", pb.StructuredQuery_FieldFilter_GREATER_THAN, "")
	ending.Where.GetFieldFilter().Value = &pb.Value{ValueType: &pb.Value_TimestampValue{TimestampValue: &timestamppb.Timestamp{}}}
	all := f.where("status", pb.StructuredQuery_FieldFilter_EQUAL, "")
	all.Where = nil
	var err error
	count := func(q *pb.StructuredQuery) int64 {
		n, e := f.count(ctx, q)
		err = errors.Join(err, e)
		return n
	}
	c.All, c.Ending = count(all), count(ending)
	c.Active = count(f.where("status", pb.StructuredQuery_FieldFilter_EQUAL, string(Active)))
	for _, reason := range []Reason{ReasonRevoked, ReasonAdmin, ReasonExpired, ReasonDamaged} {
		if n := count(f.where("reason", pb.StructuredQuery_FieldFilter_EQUAL, string(reason))); n > 0 {
			c.Needs[reason] = n
		}
	}
	return c, err
}

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
		if err != nil {
			return err
		}
		for {
			answer, err := stream.Recv()
			switch {
			case err == io.EOF:
				return nil
			case err != nil:
				return err
			case answer.GetResult() != nil:
				n = answer.GetResult().GetAggregateFields()["n"].GetIntegerValue()
			}
		}
	})
	return n, err
}

// ByEmail returns the grants of the Google accounts that had this address at their last consent, or ErrNotFound. A
// grant with an unknown key is a stand-in, as of ByJob.
func (f *Firestore) ByEmail(ctx context.Context, email string) ([]*Grant, error) {
	found, err := f.query(ctx, f.where("email", pb.StructuredQuery_FieldFilter_EQUAL, email))
	if err == nil && len(found) == 0 {
		return nil, ErrNotFound
	}
	return found, err
}

// Some returns up to limit grants, in no particular order. Behind the last one comes an empty list.
func (f *Firestore) Some(ctx context.Context, limit int) ([]*Grant, error) {
	q := f.where("status", pb.StructuredQuery_FieldFilter_EQUAL, "")
	q.Where, q.Limit = nil, wrapperspb.Int32(int32(limit))
	return f.query(ctx, q)
}
