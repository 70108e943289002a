package commands

import (
	"hash/maphash"

	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// blockedSlots bounds what a stream remembers of aggregates whose commands were left without an outcome.
const blockedSlots = 1 << 16

// blocked is the set of aggregates with a command that ended without an outcome. The client will send that command
// again, so no later line may overtake it. The set is a bitmap of hashes: it may name an aggregate that was never
// added. A line on that one is answered 503 and sent again, which costs time and nothing else.
type blocked struct {
	seed  maphash.Seed
	slots *[blockedSlots / 64]uint64
}

func (b *blocked) slot(on aggregate) uint64 { return maphash.Comparable(b.seed, on) % blockedSlots }

func (b *blocked) add(on aggregate) {
	if b.slots == nil {
		b.slots = new([blockedSlots / 64]uint64)
	}
	slot := b.slot(on)
	b.slots[slot/64] |= 1 << (slot % 64)
}

func (b *blocked) has(on aggregate) bool {
	if b.slots == nil {
		return false
	}
	slot := b.slot(on)
	return b.slots[slot/64]&(1<<(slot%64)) != 0
}

// notSubmitted answers a line that would have overtaken one before it.
var notSubmitted = refused{shard.Result{Code: problem.Unavailable, RetryAfterSeconds: 1,
	Detail: "A line before it on the same order or item has no outcome: send both again, in this order."}}

// refused is a future that was answered before anything was submitted.
type refused struct{ result shard.Result }

var alreadyDone = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func (refused) Accepted() <-chan struct{}    { return nil }
func (refused) Done() <-chan struct{}        { return alreadyDone }
func (f refused) Result() shard.Result       { return f.result }
func (refused) AcceptedResult() shard.Result { return shard.Result{} }
