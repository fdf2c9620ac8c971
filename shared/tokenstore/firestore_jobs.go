package tokenstore

import (
	"context"
	"errors"
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
	// An app user's grant names the account. The account's own grant does not, and is found by its owner.
	all, err := f.query(ctx, f.grantsWhere("google", pb.StructuredQuery_FieldFilter_EQUAL, textValue(subject)))
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
	case own.Account() != subject: // it names another account
		return all, nil
	}
	return append(all, own), nil
}

// unknownKey returns the stand-in for a grant that is sealed with an unknown key: see Store.ByJob.
func unknownKey(owner string) *Grant {
	return &Grant{Owner: owner, Status: NeedsConsent, Reason: ReasonUnknownKey}
}

// query returns the grants that q finds, with stand-ins for those that are sealed with an unknown key.
func (f *Firestore) query(ctx context.Context, q *pb.StructuredQuery) ([]*Grant, error) {
	var docs []*pb.Document
	err := f.call(ctx, func(ctx context.Context, client *firestore.Client) error {
		docs = nil
		stream, err := client.RunQuery(ctx, &pb.RunQueryRequest{
			Parent:    f.database + "/documents",
			QueryType: &pb.RunQueryRequest_StructuredQuery{StructuredQuery: q},
		})
		return receive(stream, err, func(answer *pb.RunQueryResponse) {
			if answer.GetDocument() != nil {
				docs = append(docs, answer.GetDocument())
			}
		})
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

// allGrants is the query for every grant.
func (f *Firestore) allGrants() *pb.StructuredQuery {
	return &pb.StructuredQuery{From: []*pb.StructuredQuery_CollectionSelector{{CollectionId: f.prefix + "grants"}}}
}

// grantsWhere is the query for the grants whose field compares with value as op says.
func (f *Firestore) grantsWhere(field string, op pb.StructuredQuery_FieldFilter_Operator, value *pb.Value) *pb.StructuredQuery {
	q := f.allGrants()
	q.Where = &pb.StructuredQuery_Filter{FilterType: &pb.StructuredQuery_Filter_FieldFilter{
		FieldFilter: &pb.StructuredQuery_FieldFilter{
			Field: &pb.StructuredQuery_FieldReference{FieldPath: field}, Op: op, Value: value,
		},
	}}
	return q
}

// jobQuery is the query for a page of ByJob. It needs no composite index: Firestore serves array-contains
// in the order of names from the automatic index of the field.
func (f *Firestore) jobQuery(job, after string, limit int) *pb.StructuredQuery {
	q := f.grantsWhere("jobs", pb.StructuredQuery_FieldFilter_ARRAY_CONTAINS, textValue(job))
	q.OrderBy = []*pb.StructuredQuery_Order{{
		Field:     &pb.StructuredQuery_FieldReference{FieldPath: "__name__"},
		Direction: pb.StructuredQuery_ASCENDING,
	}}
	q.Limit = wrapperspb.Int32(int32(limit))
	if after != "" {
		name := &pb.Value{ValueType: &pb.Value_ReferenceValue{ReferenceValue: f.name("grants", after)}}
		q.StartAt = &pb.Cursor{Values: []*pb.Value{name}} // without Before, the page begins behind it
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
