package tokenstore

import (
	"context"
	"errors"
	"io"
	"path"

	firestore "cloud.google.com/go/firestore/apiv1"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"functions.local/oauth/shared/seal"
)

// ByJob implements Store.
func (f *Firestore) ByJob(ctx context.Context, job, after string, limit int) ([]*Grant, error) {
	var docs []*pb.Document
	err := f.call(ctx, func(ctx context.Context, client *firestore.Client) error {
		docs = nil
		stream, err := client.RunQuery(ctx, &pb.RunQueryRequest{
			Parent:    f.database + "/documents",
			QueryType: &pb.RunQueryRequest_StructuredQuery{StructuredQuery: f.jobQuery(job, after, limit)},
		})
		if err != nil {
			return err
		}
		for {
			resp, err := stream.Recv()
			switch {
			case err == io.EOF:
				return nil
			case err != nil:
				return err
			case resp.GetDocument() != nil:
				docs = append(docs, resp.GetDocument())
			}
		}
	})
	if err != nil {
		return nil, err
	}
	var page []*Grant
	for _, doc := range docs {
		subject, ok := keyOf(path.Base(doc.GetName()))
		if !ok {
			continue // a document that no Put wrote
		}
		g, err := decode(f.keyset, subject, doc)
		switch {
		case errors.Is(err, seal.ErrUnknownKey):
			g = &Grant{Subject: subject, Jobs: []string{job}, Status: NeedsConsent, Reason: ReasonUnknownKey}
		case err != nil:
			return nil, err
		}
		page = append(page, g)
	}
	return page, nil
}

// jobQuery needs no composite index: array-contains with the order of names is served by the
// automatic index on the field.
func (f *Firestore) jobQuery(job, after string, limit int) *pb.StructuredQuery {
	q := &pb.StructuredQuery{
		From: []*pb.StructuredQuery_CollectionSelector{{CollectionId: f.prefix + "grants"}},
		Where: &pb.StructuredQuery_Filter{FilterType: &pb.StructuredQuery_Filter_FieldFilter{
			FieldFilter: &pb.StructuredQuery_FieldFilter{
				Field: &pb.StructuredQuery_FieldReference{FieldPath: "jobs"},
				Op:    pb.StructuredQuery_FieldFilter_ARRAY_CONTAINS,
				Value: textValue(job),
			},
		}},
		OrderBy: []*pb.StructuredQuery_Order{{
			Field:     &pb.StructuredQuery_FieldReference{FieldPath: "__name__"},
			Direction: pb.StructuredQuery_ASCENDING,
		}},
		Limit: wrapperspb.Int32(int32(limit)),
	}
	if after != "" {
		name := &pb.Value{ValueType: &pb.Value_ReferenceValue{ReferenceValue: f.name("grants", after)}}
		q.StartAt = &pb.Cursor{Values: []*pb.Value{name}} // not Before: behind it
	}
	return q
}

// Cursor implements Store.
func (f *Firestore) Cursor(ctx context.Context, job string) (string, error) {
	doc, err := f.read(ctx, f.name("jobs", job))
	return doc.GetFields()["cursor"].GetStringValue(), err
}

// SetCursor implements Store.
func (f *Firestore) SetCursor(ctx context.Context, job, cursor string) error {
	write := remove(f.name("jobs", job))
	if cursor != "" {
		write = replace(f.name("jobs", job), map[string]*pb.Value{"cursor": textValue(cursor)}, nil)
	}
	_, err := f.commit(ctx, write)
	return err
}
