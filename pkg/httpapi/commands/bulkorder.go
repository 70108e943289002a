package commands

import (
	"hash/maphash"

	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// barredSlots bounds what a stream remembers of aggregates whose commands were left without an outcome.
const barredSlots = 1 << 16

// barred is a set of aggregates in little room. It may name one that was never added: that line is then answered 503
// and sent again, which costs time and nothing else.
type barred struct {
	seed  maphash.Seed
	slots *[barredSlots / 64]uint64
}

func (b *barred) slot(on aggregate) uint64 { return maphash.Comparable(b.seed, on) % barredSlots }

func (b *barred) add(on aggregate) {
	if b.slots == nil {
		b.slots = new([barredSlots / 64]uint64)
	}
	slot := b.slot(on)
	b.slots[slot/64] |= 1 << (slot % 64)
}

func (b *barred) has(on aggregate) bool {
	if b.slots == nil {
		return false
	}
	slot := b.slot(on)
	return b.slots[slot/64]&(1<<(slot%64)) != 0
}

// notTaken answers a line that would have overtaken one before it.
var notTaken = refused{shard.Result{Code: problem.Unavailable, RetryAfterSeconds: 1,
	Detail: "A line before it on the same order or item has no outcome: send both again, in this order."}}

// refused is a future that was answered before anything was submitted.
type refused struct{ result shard.Result }

var alreadyDone = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (refused) Accepted() <-chan struct{}      { return alreadyDone }
func (refused) Done() <-chan struct{}          { return alreadyDone }
func (f refused) Result() shard.Result         { return f.result }
func (f refused) AcceptedResult() shard.Result { return f.result }
