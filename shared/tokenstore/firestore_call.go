package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	firestore "cloud.google.com/go/firestore/apiv1"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// callTimeout bounds each method of the Store, its retries included. A request has to be answered within
// 5 s even if Firestore does not answer, which leaves a second for everything else.
const callTimeout = 4 * time.Second

// bound returns a context that ends after callTimeout, with ErrUnavailable as its cause.
func bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, callTimeout, ErrUnavailable)
}

// call runs do, and runs it again after failures that may pass, until callTimeout or the end of ctx.
func (f *Firestore) call(ctx context.Context, do func(context.Context, *firestore.Client) error) error {
	if ctx.Err() != nil {
		return outcome(ctx, ctx.Err())
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	client, err := f.connect(ctx)
	if err != nil {
		return err
	}
	ctx = metadata.AppendToOutgoingContext(ctx, f.headers...)
	pause := gax.Backoff{Initial: 100 * time.Millisecond, Max: time.Second, Multiplier: 2} // jittered
	for {
		err := do(ctx, client)
		if !mayPass(err) || gax.Sleep(ctx, pause.Pause()) != nil {
			return outcome(ctx, err)
		}
	}
}

// mayPass reports whether the same call may succeed a moment later.
func mayPass(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted, codes.ResourceExhausted, codes.Internal:
		return true
	}
	return false
}

// outcome returns what a method returns for the error of a call. A failure that tells nothing about the
// documents becomes the error of the caller's context, if that has ended, or else ErrUnavailable.
func outcome(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted, codes.ResourceExhausted, codes.Internal,
		codes.DeadlineExceeded, codes.Canceled, codes.Unknown,
		codes.Unauthenticated: // gRPC's code for every failure to fetch an access token, time-outs included
		if ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrUnavailable) {
			return fmt.Errorf("tokenstore: %w", ctx.Err())
		}
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("tokenstore: %w", err)
}

// receive gives each answer of a stream to each. It takes the error of the call that opened the stream.
func receive[T any](stream interface{ Recv() (T, error) }, err error, each func(T)) error {
	for err == nil {
		var answer T
		if answer, err = stream.Recv(); err == nil {
			each(answer)
		}
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// read returns the document, or nil if there is none. It uses the batch call, since GetDocument answers
// NOT_FOUND for a missing database as well, which must not look like a missing grant.
func (f *Firestore) read(ctx context.Context, name string) (doc *pb.Document, err error) {
	err = f.call(ctx, func(ctx context.Context, client *firestore.Client) error {
		stream, err := client.BatchGetDocuments(ctx, &pb.BatchGetDocumentsRequest{Database: f.database, Documents: []string{name}})
		missing := false
		doc = nil
		err = receive(stream, err, func(answer *pb.BatchGetDocumentsResponse) {
			doc, missing = answer.GetFound(), answer.GetMissing() != ""
		})
		if err == nil && doc == nil && !missing {
			return errors.New("no answer about the document")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// commit does one write and returns the document's new update time. It returns ErrConflict if the
// write's precondition does not hold. That may be so because an earlier attempt of the same call has
// written already, and its answer was lost.
func (f *Firestore) commit(ctx context.Context, w *pb.Write) (updated time.Time, err error) {
	err = f.call(ctx, func(ctx context.Context, client *firestore.Client) error {
		resp, err := client.Commit(ctx, &pb.CommitRequest{Database: f.database, Writes: []*pb.Write{w}})
		if err != nil {
			return err
		}
		if len(resp.GetWriteResults()) != 1 {
			return errors.New("no answer about the write")
		}
		updated = resp.GetWriteResults()[0].GetUpdateTime().AsTime()
		return nil
	})
	if w.CurrentDocument != nil {
		switch status.Code(err) {
		case codes.AlreadyExists, codes.FailedPrecondition, codes.NotFound:
			return time.Time{}, ErrConflict
		}
	}
	return updated, err
}

// overVersion is the precondition that the stored document is of this version; the zero version means
// that there is no document.
func overVersion(version time.Time) *pb.Precondition {
	if version.IsZero() {
		return overNothing
	}
	return &pb.Precondition{ConditionType: &pb.Precondition_UpdateTime{UpdateTime: timestamppb.New(version)}}
}

// overNothing is the precondition that there is no document.
var overNothing = &pb.Precondition{ConditionType: &pb.Precondition_Exists{Exists: false}}

// replace is the write of a whole document: stored fields that are not among fields are removed.
func replace(name string, fields map[string]*pb.Value, over *pb.Precondition) *pb.Write {
	return &pb.Write{
		Operation:       &pb.Write_Update{Update: &pb.Document{Name: name, Fields: fields}},
		CurrentDocument: over,
	}
}

// remove is the write that deletes a document.
func remove(name string) *pb.Write {
	return &pb.Write{Operation: &pb.Write_Delete{Delete: name}}
}
