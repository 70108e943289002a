package shard

import (
	"sync"
	"sync/atomic"
	"testing"
)

// Two channels that close one after the other look different to a reader in between: what ends at once closes only one.
func TestWhatEndsAtOnceNeverLooksAccepted(t *testing.T) {
	fut := &newCommandInput(nil).Future
	fut.finish(Result{Code: "insufficient_stock"})
	fut.accept(Result{Version: 1}) // too late
	if closed(fut.Accepted()) || !closed(fut.Done()) || fut.Result().Code != "insufficient_stock" {
		t.Errorf("accepted %t, done %t, %+v", closed(fut.Accepted()), closed(fut.Done()), fut.Result())
	}
}

func TestAFutureIsAnsweredOnce(t *testing.T) {
	for range 10_000 {
		var told atomic.Int64
		fut := &newCommandInput(nil).Future
		fut.notify = func(final bool, _ Result) {
			if final {
				told.Add(1)
			}
		}
		start := make(chan struct{})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				<-start
				fut.accept(Result{})
				fut.finish(Result{})
			})
		}
		close(start)
		all.Wait()
		if n := told.Load(); n != 1 {
			t.Fatalf("the outcome was told %d times", n)
		}
	}
}
