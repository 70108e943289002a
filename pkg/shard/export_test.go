package shard

import "context"

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
