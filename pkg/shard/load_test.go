package shard_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/shard"
)

// orderLoad is many callers that place orders of two SKUs each, and try again with the same key where clients do.
type orderLoad struct {
	t           *testing.T
	replicas    []*shard.Replica
	skus        int
	done        atomic.Int64
	unavailable atomic.Int64 // answers after which it tried again
	ended       chan struct{}
	callers     sync.WaitGroup
}

// startLoad registers SKUs with so much of each, and begins.
func startLoad(t *testing.T, replicas []*shard.Replica, callers, skus, each int) *orderLoad {
	t.Helper()
	l := &orderLoad{t: t, replicas: replicas, skus: skus, ended: make(chan struct{})}
	for i := range skus {
		stock(t, replicas[0].Node(), fmt.Sprint("sku-", i), each)
	}
	for w := range callers {
		l.callers.Go(func() {
			for i := 0; l.place(w, i); i++ {
			}
		})
	}
	return l
}

// place places one order. It is false once the load has ended.
func (l *orderLoad) place(caller, i int) bool {
	n := caller + i
	body := orderBody("on_account", fmt.Sprint("sku-", n%l.skus), fmt.Sprint("sku-", (n+1)%l.skus))
	for {
		select {
		case <-l.ended:
			return false
		default:
		}
		cmd, err := decode(command.PlaceOrder, "", fmt.Sprintf("%d-%d", caller, i), []byte(body), time.Now().UnixMicro())
		if err != nil {
			l.t.Error(err)
			return false
		}
		fut := l.replicas[n%len(l.replicas)].Submit(cmd)
		<-fut.Done()
		if r := fut.Result(); r.Code != "unavailable" && r.Code != "too_many_requests" {
			l.done.Add(1)
			return true
		}
		l.unavailable.Add(1)
		l.t.Logf("%s: %s", fut.Result().Code, fut.Result().Detail)
	}
}

// await waits until so many more orders have been answered.
func (l *orderLoad) await(more int64) {
	l.t.Helper()
	before := l.done.Load()
	eventually(l.t, func() string {
		if n := l.done.Load() - before; n < more {
			return fmt.Sprintf("%d commands", n)
		}
		return ""
	})
}

// stop returns once all callers have ended.
func (l *orderLoad) stop() {
	close(l.ended)
	l.callers.Wait()
}
