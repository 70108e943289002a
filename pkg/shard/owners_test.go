package shard

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
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
