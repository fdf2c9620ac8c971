package tokenstore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	firestore "cloud.google.com/go/firestore/apiv1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestCall(t *testing.T) {
	f := &Firestore{attempt: &attempt{ended: make(chan struct{})}}
	close(f.attempt.ended)
	again := map[codes.Code]bool{codes.Unavailable: true, codes.Aborted: true, codes.ResourceExhausted: true, codes.Internal: true}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		calls := 0
		err := f.call(t.Context(), func(context.Context, *firestore.Client) error {
			if calls++; calls == 1 {
				return status.Error(code, "once")
			}
			return nil
		})
		if again[code] != (calls == 2) || again[code] != (err == nil) {
			t.Errorf("%v: %d calls, %v", code, calls, err)
		}
	}

	// With a clock of its own, a busy machine makes no difference to the limit (requirement 31).
	t.Run("a failure that goes on, and an answer that does not come, are ErrUnavailable within 5 s", func(t *testing.T) {
		for name, do := range map[string]func(context.Context, *firestore.Client) error{
			"aborted": func(context.Context, *firestore.Client) error { return status.Error(codes.Aborted, "always") },
			"silent": func(ctx context.Context, _ *firestore.Client) error {
				<-ctx.Done()
				return status.FromContextError(ctx.Err()).Err()
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				f := &Firestore{attempt: &attempt{ended: make(chan struct{})}}
				close(f.attempt.ended)
				begin := time.Now()
				if err := f.call(t.Context(), do); !errors.Is(err, ErrUnavailable) || time.Since(begin) > 5*time.Second {
					t.Errorf("%s: %v after %v", name, err, time.Since(begin))
				}
			})
		}
	})
	t.Run("an end of the caller's context during the pause is its error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := f.call(ctx, func(context.Context, *firestore.Client) error {
			cancel()
			return status.Error(codes.Aborted, "always")
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnavailable) {
			t.Errorf("call = %v", err)
		}
	})
}

func TestOutcome(t *testing.T) {
	ours, cancel := context.WithCancelCause(t.Context())
	cancel(ErrUnavailable)
	callers, cancel2 := context.WithCancel(t.Context())
	cancel2()
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		var unavailable bool
		switch code {
		case codes.OK:
			if err := outcome(t.Context(), status.Error(code, "")); err != nil {
				t.Errorf("%v = %v", code, err)
			}
			continue
		case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted, codes.ResourceExhausted, codes.Internal,
			codes.Canceled, codes.Unknown, codes.Unauthenticated:
			unavailable = true
		}
		cause := status.Error(code, "cause")
		for name, ctx := range map[string]context.Context{"alive": t.Context(), "ended by us": ours} {
			if err := outcome(ctx, cause); errors.Is(err, ErrUnavailable) != unavailable || !errors.Is(err, cause) || errors.Is(err, ErrNotFound) {
				t.Errorf("%v, the context %s: %v", code, name, err)
			}
		}
		if err := outcome(callers, cause); errors.Is(err, context.Canceled) != unavailable || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotFound) {
			t.Errorf("%v, the context ended by the caller: %v", code, err)
		}
	}
}
