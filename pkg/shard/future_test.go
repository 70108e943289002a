package shard

import (
	"sync"
	"sync/atomic"
	"testing"
)

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
