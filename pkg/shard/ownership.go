package shard

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard/internal/logonce"
)

// ownership lasts from when the group assigns a shard to this replica to when it revokes it. A shard that is not owned
// has one too, for whatever uses its checkpoint meanwhile.
type ownership struct {
	cancel  context.CancelFunc
	stopped chan struct{}
	// keeps, of one that is no ownership: a standby is kept. Otherwise its checkpoint is about to be forgotten.
	keeps bool
}

// end ends it and waits until its checkpoint is closed. nil is none.
func (o *ownership) end() {
	if o != nil {
		o.cancel()
		<-o.stopped
	}
}

// followGroup acquires and releases shards as the group says.
func (n *Node) followGroup(ctx context.Context) {
	for ev := range n.group.Events() {
		if ev.Owned {
			if n.group.Owned(ev.Shard) { // not taken away again while nobody took the events
				n.beginOwnership(ctx, ev.Shard)
			}
		} else {
			n.endOwnership(ev.Shard)
		}
	}
}

// beginOwnership owns a shard from when the former users of its checkpoint have stopped: there is one at a time.
func (n *Node) beginOwnership(ctx context.Context, shard int32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	before, standby := n.owned[shard], n.standbys[shard]
	delete(n.standbys, shard)
	owned, cancel := context.WithCancel(ctx)
	o := &ownership{cancel: cancel, stopped: make(chan struct{})}
	n.owned[shard] = o
	n.done.Go(func() {
		before.end()
		standby.end()
		n.formerLeft.Do(func() { n.awaitFormer(owned) })
		n.own(owned, shard)
		close(o.stopped)
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.owned[shard] != o {
			return
		}
		delete(n.owned, shard)
		if n.faults[shard] == nil {
			n.startStandby(ctx, shard, false)
		}
	})
}

func (n *Node) endOwnership(shard int32) {
	n.mu.Lock()
	o := n.owned[shard]
	n.mu.Unlock()
	if o != nil {
		o.cancel()
	}
}

// own acquires and serves a shard for as long as the group leaves it to this replica.
func (n *Node) own(ctx context.Context, shard int32) {
	var logged logonce.Error
	pause := backoff.Backoff{First: reacquireBackoff, Longest: reacquireAtMost}
	for failures := 1; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := n.serveOnce(ctx, shard)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > healthyAfter {
			failures, logged = 1, ""
			pause.Reset()
		}
		if errors.Is(err, eventlog.ErrLayoutMoved) {
			n.log.Info("the shard is not acquired: the layout has moved on", "shard", shard)
			return
		}
		if stopsShard(err) {
			n.setFault(shard, err)
			n.log.Error("the shard stops", "shard", shard, "error", err)
			if ownFault(err) {
				n.offer(ctx, shard, err)
				return
			}
			if !n.awaitQuarantine(ctx, shard, err) {
				return
			}
			continue
		}
		n.log.Log(ctx, logged.Level(err), "the shard is not served: "+reasonOf(err), "shard", shard,
			"error", err, "failures", failures)
		if failures%giveUpAfter == 0 && ownFault(err) {
			n.giveUp(shard, err)
		}
		if !n.stillOurs(ctx, shard, pause.Next()) {
			n.log.Info("the shard belongs to another replica", "shard", shard)
			return
		}
	}
}

// serveOnce acquires a shard and serves it until it is released or lost.
func (n *Node) serveOnce(ctx context.Context, shard int32) error {
	r, err := n.acquire(ctx, shard)
	if err != nil {
		n.metrics.acquires.WithLabelValues(acquireFailed).Inc()
		return err
	}
	n.metrics.acquires.WithLabelValues(acquired).Inc()
	n.metrics.ownedShards.Inc()
	n.peers.SetServing(shard, true)
	n.handOvers[shard].hasOwner()
	stop := context.AfterFunc(ctx, func() { close(r.stop) })
	defer stop()
	defer n.filters[shard].publish(r.state.store, true)()
	err = r.serve()
	n.current.note(shard, time.Now())
	n.runners[shard].CompareAndSwap(r, nil)
	n.peers.SetServing(shard, false)
	r.release()
	n.metrics.ownedShards.Dec()
	return err
}

// stillOurs asks the group, after an error, whether the shard is still this replica's. A fenced owner that acquired the
// shard without asking would fence the new owner in turn.
func (n *Node) stillOurs(ctx context.Context, shard int32, pause time.Duration) bool {
	var logged logonce.Error
	for {
		if backoff.Sleep(ctx, pause) != nil {
			return false
		}
		ask, cancel := context.WithTimeout(ctx, 5*time.Second)
		ours, err := n.group.Confirm(ask, shard)
		cancel()
		if err == nil {
			// Where it is not ours any more, the group's event will say so, and give it again if it comes back.
			return ours
		}
		n.log.Log(ctx, logged.Level(err), "the group does not say who owns the shard", "shard", shard, "error", err)
	}
}

// stopsShard reports whether time does not heal an error of a shard.
func stopsShard(err error) bool {
	var bad *badEventError
	var gone *eventlog.LogStartError
	return errors.As(err, &bad) || errors.As(err, &gone)
}

// awaitQuarantine waits until the record at which the shard has stopped is quarantined. It is false when the shard does
// not go on here: it belongs to another replica, or it has not stopped at a record.
func (n *Node) awaitQuarantine(ctx context.Context, shard int32, err error) bool {
	var bad *badEventError
	if !errors.As(err, &bad) {
		return false
	}
	at := eventlog.Offsets{bad.tp: bad.offset}
	quarantined := n.client.AwaitQuarantine(ctx, func() eventlog.Offsets { return at })
	if quarantined {
		n.log.Info("the record at which the shard has stopped is quarantined; the shard goes on behind it",
			"shard", shard, "topic", bad.tp.Topic, "partition", bad.tp.Partition, "offset", bad.offset)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.faults, shard) // whoever serves the shard next says so again, unless the record is passed
	return quarantined
}

func (n *Node) setFault(shard int32, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults[shard] = err
}
