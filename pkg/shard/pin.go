package shard

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// maxPause bounds how long a shard begins no transaction because of a pin: far less than a loop may take that goes on.
const maxPause = 2 * time.Second

// reportTimeout bounds how long telling a cut may take.
const reportTimeout = time.Second

// pin has each shard that this replica serves tell where its last transaction ends, and begin none until the pin is
// released, or for as long as it says.
func (n *Node) pin(p eventlog.Pin) {
	release := make(chan struct{})
	n.mu.Lock()
	if n.pinned == nil {
		n.pinned = map[uuid.UUID]chan struct{}{}
	}
	n.pinned[p.ID] = release
	n.mu.Unlock()
	pause := min(time.Duration(p.PauseMs)*time.Millisecond, maxPause)
	time.AfterFunc(maxPause, func() { n.released(p.ID) }) // whoever wrote it may be gone
	for shard := range n.runners {
		if r := n.runners[shard].Load(); r != nil {
			n.enqueueMessage(r, &pinInput{pin: p.ID, pause: pause, release: release})
		}
	}
}

// released lets the shards go on that wait for a pin.
func (n *Node) released(id uuid.UUID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if release, ok := n.pinned[id]; ok {
		delete(n.pinned, id)
		close(release)
	}
}

// pinInput asks a shard where its last transaction ends.
type pinInput struct {
	resent
	pin     uuid.UUID
	pause   time.Duration
	release <-chan struct{}
}

// decide has the shard answer once what it has decided is committed: a commit proves that it is the owner.
func (in *pinInput) decide(d *decider) error {
	d.batch.fenced = true
	d.batch.onCommit = append(d.batch.onCommit, func(*batch) { d.pause(in) })
	return nil
}

// pause tells where the last transaction ends, and keeps the loop from beginning another one.
func (d *decider) pause(in *pinInput) {
	held := time.NewTimer(in.pause)
	defer held.Stop()
	ends := eventlog.Offsets{}
	for _, tp := range d.layout.Partitions(d.shard) {
		ends[tp] = d.store.Applied(tp)
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(in.pause, reportTimeout))
	defer cancel()
	err := d.client.ReportCut(ctx, eventlog.Cut{
		Pin: in.pin, Generation: d.layout.Generation, Shard: d.shard, Position: eventlog.PositionOf(ends).String(),
	})
	if err != nil {
		return // whoever asked asks again
	}
	select {
	case <-held.C:
	case <-in.release:
	}
}
