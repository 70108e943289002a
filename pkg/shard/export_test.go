package shard

import (
	"context"
	"math"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// Scheduled reports whether the group has given the shard to this replica.
func (n *Node) Scheduled(shard int32) bool { return n.group.Owned(shard) }

// GiveUp has the node let go of the shard, and returns when it has.
func (n *Node) GiveUp(shard int32) {
	n.mu.Lock()
	o := n.owned[shard]
	n.mu.Unlock()
	if o != nil {
		o.cancel()
		<-o.stopped
	}
}

// Take has the node take the shard, whatever the group says: the group only schedules, and two replicas may believe at
// once that a shard is theirs.
func (n *Node) Take(shard int32) { n.take(context.Background(), shard) }

// Receive has the node take a frame of another replica, whose answers nobody reads.
func (n *Node) Receive(frame *peerv1.ExchangeRequest) {
	s := &peerServer{node: n}
	s.take(frame, newReplies(n.layout.Generation))
}

// Memory counts what a shard keeps in memory for orders that wait for something.
type Memory struct{ Timers int }

// MemoryOf returns a look at what a shard that this replica serves has in memory. It may be taken once the node is closed.
func (n *Node) MemoryOf(shard int32) func() Memory {
	r := n.runners[shard].Load()
	return func() Memory { return Memory{Timers: len(r.timers.queue)} }
}

// Unsettled returns the orders of a shard that the checkpoint does not know to be settled; none while nobody serves it.
func (n *Node) Unsettled(t *testing.T, shard int32) []string {
	r := n.runners[shard].Load()
	if r == nil {
		return []string{"of an owner that there is not"}
	}
	ids, err := r.st.unsettledAfter("", math.MaxInt)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// EventRecord is the record of an event, as a shard would write it.
func EventRecord(tp eventlog.TopicPartition, key string, value []byte, ceType string, m *codec.Meta) *eventlog.Record {
	b := newBatch()
	b.now = m.RecordedAtMicros
	b.add(tp, key, value, ceType, m)
	return b.recs[0]
}
