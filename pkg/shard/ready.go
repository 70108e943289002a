package shard

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// StoppedError says that a shard has stopped until somebody repairs what is in its way: time does not heal it.
type StoppedError struct {
	Shard int32
	Err   error
}

// Error implements error.
func (e *StoppedError) Error() string { return fmt.Sprintf("shard %d has stopped: %v", e.Shard, e.Err) }

// Unwrap implements errors.Unwrap.
func (e *StoppedError) Unwrap() error { return e.Err }

// Permanent marks an error that time does not heal.
func (*StoppedError) Permanent() {}

// Partial marks an error that concerns a part of what the process serves.
func (*StoppedError) Partial() {}

// Ready is nil once this replica serves the shards that it was given first, and while every shard is served, here or by
// a replica that says so. Shards that are not served are *UnservedError, or *StoppedError where time does not heal it.
// Where no shard is served, or where this replica can take no command at all, there is another error too.
func (n *Node) Ready() error {
	for _, check := range []func() error{n.group.Fault, n.clockFault, n.brokersSilent} {
		if err := check(); err != nil {
			return errors.Join(err, n.stoppedShards())
		}
	}
	if err := n.stoppedShards(); err != nil {
		return err
	}
	if err := n.starting(); err != nil {
		return err
	}
	var unserved []error
	for shard := range n.layout.ShardCount {
		if since, err := n.health[shard].unserved(); err != nil {
			unserved = append(unserved, &UnservedError{shard, since, err})
		} else if _, err := n.owners.address(shard); err != nil && !n.Owns(shard) {
			unserved = append(unserved, err)
		}
	}
	if len(unserved) == int(n.layout.ShardCount) {
		unserved = append(unserved, errors.New("no shard is served"))
	}
	return errors.Join(unserved...)
}

// starting is nil once this replica serves the shards that it was given first. Until then the last announced owner may
// be a replica that is gone. Later shards are acquired while the others are served, and the replica stays ready. A
// replica that joins others is given nothing at first, because they must release their shards before: it is ready at
// once, to hand commands to them.
func (n *Node) starting() error {
	if n.started.Load() {
		return nil
	}
	if n.catchingUp.Load() {
		return fmt.Errorf("it reads what its checkpoints lack before it takes shards over: %d records of the log to go",
			n.leftToRead())
	}
	if !n.group.Joined() {
		return errors.New("the group has not said yet which shards are this replica's")
	}
	for shard := range n.layout.ShardCount {
		if !n.group.Owned(shard) || n.Owns(shard) {
			continue
		}
		return fmt.Errorf("shard %d %s", shard, n.takingOver(shard))
	}
	n.started.Store(true)
	return nil
}

// takingOver says how far a shard is that this replica takes over.
func (n *Node) takingOver(shard int32) string {
	if left := n.restoring[shard].Load(); left > 0 {
		return fmt.Sprintf("is being restored: %d records of the log to go", left)
	}
	if compared := n.compared[shard].Load(); compared > 0 {
		return fmt.Sprintf("is being taken over: %d orders have been compared with their stock", compared)
	}
	return "is being taken over"
}

// noteRestoring notes how many records of the log are left to read before a shard is served.
func (n *Node) noteRestoring(shard int32, left int64) {
	n.restoring[shard].Store(left)
	n.cfg.Hooks.acquire(shard, "read")
}

// leftToRead is how many records of the log all restores together have still to read.
func (n *Node) leftToRead() (left int64) {
	for shard := range n.restoring {
		left += n.restoring[shard].Load()
	}
	return left
}

func (n *Node) stoppedShards() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for _, shard := range slices.Sorted(maps.Keys(n.faults)) {
		errs = append(errs, &StoppedError{shard, n.faults[shard]})
	}
	return errors.Join(errs...)
}
