package commands

import (
	"hash/maphash"

	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// What a stream remembers of aggregates whose commands were left without an outcome: maxBlocked of them by name, then
// all of them by a hash.
const (
	maxBlocked   = BulkWindow
	blockedSlots = 1 << 16
)

// blocked is the set of aggregates with a command that ended without an outcome. The client will send that command
// again, so no later line may overtake it. Once the set is large it is a bitmap of hashes: it may name an aggregate
// that was never added. A line on that one is answered 503 and sent again, which costs time and nothing else.
type blocked struct {
	names map[aggregate]struct{}
	seed  maphash.Seed
	slots *[blockedSlots / 64]uint64 // instead of the names
}

func (b *blocked) slot(on aggregate) uint64 { return maphash.Comparable(b.seed, on) % blockedSlots }

func (b *blocked) add(on aggregate) {
	if b.slots == nil && len(b.names) < maxBlocked {
		if b.names == nil {
			b.names = map[aggregate]struct{}{}
		}
		b.names[on] = struct{}{}
		return
	}
	if b.slots == nil {
		b.slots = new([blockedSlots / 64]uint64)
		for name := range b.names {
			b.addSlot(name)
		}
		b.names = nil
	}
	b.addSlot(on)
}

func (b *blocked) addSlot(on aggregate) {
	slot := b.slot(on)
	b.slots[slot/64] |= 1 << (slot % 64)
}

func (b *blocked) has(on aggregate) bool {
	if b.slots == nil {
		_, named := b.names[on]
		return named
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
