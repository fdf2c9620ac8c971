package tokenstore

import (
	"context"
	"errors"
	"io"
	"path"
	"slices"

	firestore "cloud.google.com/go/firestore/apiv1"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"functions.local/oauth/shared/seal"
)

// ByJob implements Store.
func (f *Firestore) ByJob(ctx context.Context, job, after string, limit int) ([]*Grant, error) {
	page, err := f.query(ctx, f.jobQuery(job, after, limit))
	for _, g := range page {
		if g.Reason == ReasonUnknownKey {
			g.Jobs = []string{job}
		}
	}
	return page, err
}

// ByGoogle implements Store.
func (f *Firestore) ByGoogle(ctx context.Context, subject string) ([]*Grant, error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	all, err := f.query(ctx, f.where("google", pb.StructuredQuery_FieldFilter_EQUAL, subject))
	if err != nil {
		return nil, err
	}
	for _, g := range all {
		if g.Reason == ReasonUnknownKey {
			g.Google = subject
		}
	}
	if slices.ContainsFunc(all, func(g *Grant) bool { return g.Owner == subject }) {
		return all, nil
	}
	own, err := f.Get(ctx, subject)
	switch {
	case errors.Is(err, seal.ErrUnknownKey):
		own = unknownKey(subject)
	case errors.Is(err, ErrNotFound):
		return all, nil
	case err != nil:
		return nil, err
	case own.Account() != subject:
		return all, nil
	}
	return append(all, own), nil
}

func unknownKey(owner string) *Grant {
	return &Grant{Owner: owner, Status: NeedsConsent, Reason: ReasonUnknownKey}
}

// query returns the grants that q finds. Those with an unknown key are stand-ins.
func (f *Firestore) query(ctx context.Context, q *pb.StructuredQuery) ([]*Grant, error) {
	var docs []*pb.Document
	err := f.call(ctx, func(ctx context.Context, client *firestore.Client) error {
		docs = nil
		stream, err := client.RunQuery(ctx, &pb.RunQueryRequest{
			Parent:    f.database + "/documents",
			QueryType: &pb.RunQueryRequest_StructuredQuery{StructuredQuery: q},
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
	var found []*Grant
	for _, doc := range docs {
		owner, ok := keyOf(path.Base(doc.GetName()))
		if !ok {
			continue // a document that no Put wrote
		}
		g, err := decode(f.keyset, owner, doc)
		switch {
		case errors.Is(err, seal.ErrUnknownKey):
			g = unknownKey(owner)
		case err != nil:
			return nil, err
		}
		found = append(found, g)
	}
	return found, nil
}

// where finds the grants whose field compares so with a text.
func (f *Firestore) where(field string, op pb.StructuredQuery_FieldFilter_Operator, text string) *pb.StructuredQuery {
	return &pb.StructuredQuery{
		From: []*pb.StructuredQuery_CollectionSelector{{CollectionId: f.prefix + "grants"}},
		Where: &pb.StructuredQuery_Filter{FilterType: &pb.StructuredQuery_Filter_FieldFilter{
			FieldFilter: &pb.StructuredQuery_FieldFilter{
				Field: &pb.StructuredQuery_FieldReference{FieldPath: field}, Op: op, Value: textValue(text),
			},
		}},
	}
}

// jobQuery needs no composite index: array-contains with the order of names is served by the
// automatic index on the field.
func (f *Firestore) jobQuery(job, after string, limit int) *pb.StructuredQuery {
	q := f.where("jobs", pb.StructuredQuery_FieldFilter_ARRAY_CONTAINS, job)
	q.OrderBy = []*pb.StructuredQuery_Order{{
		Field:     &pb.StructuredQuery_FieldReference{FieldPath: "__name__"},
		Direction: pb.StructuredQuery_ASCENDING,
	}}
	q.Limit = wrapperspb.Int32(int32(limit))
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
