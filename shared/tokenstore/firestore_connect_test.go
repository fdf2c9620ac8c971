package tokenstore

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	firestore "cloud.google.com/go/firestore/apiv1"
	"google.golang.org/grpc/connectivity"
)

func TestConnect(t *testing.T) {
	errMetadata := errors.New("the metadata server is not up yet")
	client, err := dial("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	t.Run("a failure is ErrUnavailable and not remembered, a success is", func(t *testing.T) {
		dials := 0
		f := &Firestore{dial: func() (*firestore.Client, error) {
			if dials++; dials < 3 {
				return nil, errMetadata
			}
			return client, nil
		}}
		for range 2 {
			if _, err := f.Get(t.Context(), "alice"); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errMetadata) {
				t.Errorf("Get = %v", err)
			}
		}
		for range 2 {
			if got, err := f.connect(t.Context()); got != client || err != nil {
				t.Errorf("connect = %v", err)
			}
		}
		if dials != 3 {
			t.Errorf("%d attempts", dials)
		}
	})

	t.Run("all who wait share one attempt", func(t *testing.T) {
		var dials atomic.Int64
		begun, goOn := make(chan struct{}), make(chan struct{})
		f := &Firestore{dial: func() (*firestore.Client, error) {
			dials.Add(1)
			close(begun)
			<-goOn
			return client, nil
		}}
		f.Connect()
		<-begun // Connect did not wait for the attempt
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if got, err := f.connect(t.Context()); got != client || err != nil {
					t.Errorf("connect = %v", err)
				}
			})
		}
		close(goOn)
		all.Wait()
		if dials.Load() != 1 {
			t.Errorf("%d attempts", dials.Load())
		}
	})

	t.Run("an attempt that hangs is ErrUnavailable within 5 s, or the caller's own end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			goOn := make(chan struct{})
			f := &Firestore{dial: func() (*firestore.Client, error) { <-goOn; return nil, errMetadata }}
			begin := time.Now()
			if _, err := f.Get(t.Context(), "alice"); !errors.Is(err, ErrUnavailable) || time.Since(begin) > 5*time.Second {
				t.Errorf("Get = %v after %v", err, time.Since(begin))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := f.Get(ctx, "alice"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUnavailable) {
				t.Errorf("Get = %v", err)
			}
			close(goOn)
		})
	})

	t.Run("closing what never connected connects nothing", func(t *testing.T) {
		dials := 0
		f := &Firestore{dial: func() (*firestore.Client, error) { dials++; return nil, errMetadata }}
		if err := f.Close(); err != nil || dials != 0 {
			t.Errorf("Close = %v after %d attempts", err, dials)
		}
		f.Get(t.Context(), "alice")
		if err := f.Close(); err != nil || dials != 1 {
			t.Errorf("Close = %v after %d attempts", err, dials)
		}
	})

	t.Run("closing waits for an attempt and ends its connection", func(t *testing.T) {
		client, err := dial("127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		for _, result := range []error{nil, errMetadata} {
			goOn := make(chan struct{})
			f := &Firestore{dial: func() (*firestore.Client, error) {
				<-goOn
				if result != nil {
					return nil, result
				}
				return client, nil
			}}
			f.Connect()
			closed := make(chan error)
			go func() { closed <- f.Close() }()
			close(goOn)
			if err := <-closed; err != nil {
				t.Errorf("Close = %v", err)
			}
		}
		//lint:ignore SA1019 there is one connection
		if state := client.Connection().GetState(); state != connectivity.Shutdown {
			t.Errorf("the connection is %v", state)
		}
	})
}
