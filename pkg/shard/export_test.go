package shard

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/orderid"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// replicas have, by node, the replica that it is of.
var replicas sync.Map

// StartNode starts a replica whose layout does not change, for tests of what it does under it.
func StartNode(ctx context.Context, cfg Config) (*Node, error) {
	r, err := Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	replicas.Store(r.Node(), r)
	return r.Node(), nil
}

// Close closes the node's replica.
func (n *Node) Close(ctx context.Context) error {
	r, _ := replicas.Load(n)
	return r.(*Replica).Close(ctx)
}

// Scheduled reports whether the group has given the shard to this replica.
func (n *Node) Scheduled(shard int32) bool { return n.group.Owned(shard) }

// Held is how many messages of other shards wait until the node, which is acquiring the shard, serves it.
func (n *Node) Held(shard int32) int {
	if r := n.acquiring[shard].Load(); r != nil {
		return r.inbox.waiting()
	}
	return 0
}

// Release has the node release the shard, and returns when it has.
func (n *Node) Release(shard int32) {
	n.mu.Lock()
	o := n.owned[shard]
	n.mu.Unlock()
	if o != nil {
		o.cancel()
		<-o.stopped
	}
}

// Acquire has the node acquire the shard, whatever the group says: the group only schedules, and two replicas may
// believe at once that a shard is theirs.
func (n *Node) Acquire(shard int32) { n.beginOwnership(context.Background(), shard) }

// GiveUp asks for the group to be left because of a shard. While that is under way it waits until the replica is back.
func (n *Node) GiveUp(shard int32, cause error) { n.unable <- inability{shard, cause} }

// Receive has the node handle a frame of another replica, whose answers nobody reads.
func (n *Node) Receive(frame *peerv1.ExchangeRequest) {
	h := peerHandler{n}
	for _, c := range frame.Commands {
		h.Command(c, func(bool, *peerv1.CommandResult) {})
	}
	for _, req := range frame.Reservations {
		h.Step(req, func(*peerv1.ReservationResponse) {})
	}
	for _, q := range frame.OrderQueries {
		h.Query(q, func(*peerv1.OrderQueryResponse) {})
	}
}

// Memory counts what a shard keeps in memory for orders that wait for something.
type Memory struct{ Timers, BackorderNotices int }

// MemoryOf returns a function that counts what a shard that this replica serves has in memory. Call it once the node is
// closed.
func (n *Node) MemoryOf(shard int32) func() Memory {
	r := n.runners[shard].Load()
	return func() Memory {
		return Memory{Timers: len(r.decider.deadlines.queue), BackorderNotices: len(r.decider.notices.attempts)}
	}
}

// Unsettled returns the orders of a shard that are unsettled in its checkpoint.
func (n *Node) Unsettled(t *testing.T, shard int32) []string {
	r := n.runners[shard].Load()
	if r == nil {
		return []string{"unknown: nobody serves the shard"}
	}
	ids, err := r.state.store.UnsettledAfter("", math.MaxInt)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// EventRecord is the record of an event, as a shard would write it.
func EventRecord(tp eventlog.TopicPartition, key string, value []byte, ceType string, m *codec.Meta) *eventlog.Record {
	b := newBatch()
	b.now = m.RecordedAtMicros
	b.add(tp, key, value, ceType, m, "")
	return b.records[0]
}

// Break has a shard count as one without an owner since then.
func (n *Node) Break(shard int32, since time.Time) { n.handOvers[shard].since.Store(since.UnixNano()) }

// KnowsOwner reports whether a shard counts as one that has an owner.
func (n *Node) KnowsOwner(shard int32) bool { return n.handOvers[shard].since.Load() == 0 }

// Waits reports whether commands wait for the shard's next owner.
func (n *Node) Waits(shard int32) bool {
	h := n.handOvers[shard]
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.commands) > 0
}

// HandOverWait is how long commands wait for a shard's next owner.
const HandOverWait = handOverWait

// UnknownKeys are the shards of which this replica does not know which keys have placed orders.
func (n *Node) UnknownKeys() (shards []int32) {
	for shard := range n.layout.ShardCount {
		if n.filterOf(shard) == nil {
			shards = append(shards, shard)
		}
	}
	return shards
}

// MayHaveKey reports whether a shard may have an order of the key, as far as this replica knows; known: it knows.
func (n *Node) MayHaveKey(shard int32, key string) (may, known bool) {
	filter := n.filterOf(shard)
	return filter != nil && filter.MayHave(orderid.Prefix(orderid.DefaultTenant, key)), filter != nil
}
