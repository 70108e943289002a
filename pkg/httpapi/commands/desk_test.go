package commands

import (
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/httpapi/apitest"
	"github.com/holdfast/holdfast/pkg/shard"
)

// answer by hand: the tests here are about HTTP, what is decided is tested with the shards.
type handFuture struct {
	accepted, done chan struct{}
	early, result  shard.Result
	// onLook, if set, is called before each look at one of the channels.
	onLook func()
}

func newHandFuture() *handFuture {
	return &handFuture{accepted: make(chan struct{}), done: make(chan struct{})}
}

func (f *handFuture) Accepted() <-chan struct{}    { return f.look(f.accepted) }
func (f *handFuture) Done() <-chan struct{}        { return f.look(f.done) }
func (f *handFuture) Result() shard.Result         { return f.result }
func (f *handFuture) AcceptedResult() shard.Result { return f.early }

func (f *handFuture) look(c chan struct{}) chan struct{} {
	if f.onLook != nil {
		f.onLook()
	}
	return c
}

func (f *handFuture) accept(r shard.Result) {
	f.early = r
	close(f.accepted)
}

func (f *handFuture) finish(r shard.Result) {
	f.result = r
	close(f.done)
}

// desk takes commands in place of the shards.
type desk struct {
	mu       sync.Mutex
	commands []*shard.Command
	// decide answers; nil: done.
	decide func(cmd *shard.Command, f *handFuture)
	// queue says that all commands wait in one queue of this replica.
	queue bool
}

func (d *desk) behind(_ future, cmd *shard.Command) future {
	if !d.queue {
		return nil
	}
	return d.submit(cmd)
}

// api has the desk in place of the shards.
func (d *desk) api() *api {
	return &api{submit: d.submit, behind: d.behind, now: time.Now}
}

func (d *desk) submit(cmd *shard.Command) future {
	d.mu.Lock()
	d.commands = append(d.commands, cmd)
	d.mu.Unlock()
	f := newHandFuture()
	if d.decide != nil {
		d.decide(cmd, f)
	} else {
		f.finish(success(cmd))
	}
	return f
}

func (d *desk) taken() []*shard.Command {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*shard.Command(nil), d.commands...)
}

func success(cmd *shard.Command) shard.Result {
	if cmd.Order != nil {
		return shard.Result{Version: 2, Order: &shard.OrderSummary{
			ID: cmd.ID, Version: 2, Status: "reserved", PaymentStatus: "pending",
			FulfilmentStatus: "unfulfilled", ReturnStatus: "none", Currency: "GBP", TotalMicros: 5_100_000,
		}}
	}
	return shard.Result{Version: 3, Stock: &shard.StockSummary{SKU: cmd.ID, Version: 3}}
}

// site is a server with the desk behind it.
type site struct {
	*apitest.Site
	desk *desk
}

func newSite(t testing.TB, d *desk) *site {
	t.Helper()
	return &site{apitest.NewSite(t, nil, d.api().register), d}
}
