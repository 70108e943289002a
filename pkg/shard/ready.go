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

// Ready is nil once this replica serves the shards that it was given first, and while every shard is served, here or by
// a replica that is known. A shard that has stopped for good is a *StoppedError.
func (n *Node) Ready() error {
	if err := n.stoppedShards(); err != nil {
		return err
	}
	if err := n.group.Fault(); err != nil {
		return err
	}
	if err := n.clockFault(); err != nil {
		return err
	}
	if err := n.starting(); err != nil {
		return err
	}
	for shard := range n.layout.ShardCount {
		if n.Owns(shard) {
			continue
		}
		if _, err := n.owners.address(shard); err != nil {
			return err
		}
	}
	return nil
}

// starting is nil once this replica serves the shards that it was given first. Until then the last announced owner may
// be a replica that is gone. Later shards are acquired while the others are served, and the replica stays ready. A
// replica that joins others is given nothing at first, because they must release their shards before: it is ready at
// once, to hand commands to them.
func (n *Node) starting() error {
	if n.started.Load() {
		return nil
	}
	if !n.group.Joined() {
		return errors.New("the group has not said yet which shards are this replica's")
	}
	for shard := range n.layout.ShardCount {
		if !n.group.Owned(shard) || n.Owns(shard) {
			continue
		}
		if left := n.restoring[shard].Load(); left > 0 {
			return fmt.Errorf("shard %d is being restored: %d records of the log to go", shard, left)
		}
		return fmt.Errorf("shard %d is being taken over", shard)
	}
	n.started.Store(true)
	return nil
}

// noteRestoring notes how many records of the log are left to read before a shard is served.
func (n *Node) noteRestoring(shard int32, left int64) {
	n.restoring[shard].Store(left)
	n.cfg.Hooks.acquire(shard, "read")
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
