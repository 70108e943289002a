package shard

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// A replica that has lost a shard is not told to call itself, nor that it is some replica without an address.
func TestAReplicaKnowsItselfAsAFormerOwner(t *testing.T) {
	o := newOwners(eventlog.Layout{Generation: 1, PartitionCount: 2, ShardCount: 2}, nil, nil, nil, func(int32) {})
	self := [16]byte{1}
	o.isSelf(0, self)
	o.byShard[0], o.byShard[1] = owner{id: string(self[:])}, owner{id: "another"}
	for shard, says := range []string{"has no owner yet", "runs without --peer-listen"} {
		if _, err := o.address(int32(shard)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("shard %d: %v, want %s", shard, err, says)
		}
	}
}

// The owner of a shard is a replica of an earlier release, which takes a tentative step for any other: it is sent none.
func TestAnOwnerThatDoesNotKnowTentativeStepsIsSentNone(t *testing.T) {
	m, err := newMetrics(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, layout := nodeOf(m, 2), eventlog.Layout{Generation: 1, PartitionCount: 2, ShardCount: 2}
	n.owners = newOwners(layout, nil, []*refusals{newRefusals(), newRefusals()}, nil, func(int32) {})
	if n.knowsTentative(1) {
		t.Error("nobody has announced itself, and knows tentative steps")
	}
	for id, knows := range []bool{true, false} {
		value, err := (&eventv1.Announcement{
			Generation: 1, Shard: 1, OwnerId: []byte{byte(id)}, PeerAddress: "there:1", KnowsTentativeSteps: knows,
		}).MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		n.owners.take(&eventlog.Record{
			TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicShards, Partition: 1}, Value: value,
		})
		if n.knowsTentative(1) != knows {
			t.Errorf("announced: %t, taken for: %t", knows, !knows)
		}
	}
	n.sendStep(&peerv1.ReservationRequest{TargetShard: 1, Tentative: true}) // there is no peer that could take it
}
