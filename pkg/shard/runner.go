package shard

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// runner is one ownership of one shard: from its acquisition to its release, or to the first commit that is unclear. It
// drives the decider: it feeds it inputs, commits its batches and saves its state. One goroutine does all of that, and
// nothing else touches the state.
type runner struct {
	node       *Node
	state      *shardState
	decider    *decider
	clock      *shardClock
	ownerID    [16]byte
	inbox      *inbox
	pending    []input // drained from the inbox, not decided yet
	committing committing
	stop       chan struct{} // closed to release the shard
	stopped    chan struct{} // closed when it is released
	pulse      pulse

	lastHeartbeat, lastSave, lastUnsettled time.Time
}

func newRunner(n *Node, s *shardState, w *eventlog.Writer) *runner {
	return &runner{
		node: n, state: s, decider: newDecider(n, s), clock: n.clocks[s.shard], ownerID: [16]byte(uuid.Must(uuid.NewV7())),
		inbox: newInbox(n.cfg.MaxQueueWait), committing: newCommitting(w),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
}

const (
	// tick is how often a shard goes on with what it does a part at a time beside its commands: it resumes unsettled
	// orders, asks about reservations, and looks whether a checkpoint is written.
	tick = 50 * time.Millisecond
	// longestWait is how long a shard waits that has nothing to do. A wall clock that was set, and a heartbeat that is
	// due, are noticed so late.
	longestWait = healthEvery
	// shortestWait keeps a shard from turning all the time while what is due has to wait for something else.
	shortestWait = time.Millisecond
)

// serve decides inputs until the shard is released (nil) or lost (an error).
//
// Two batches are under way: one commits (commit.go) while the next is decided on top of it, so that its commit can
// begin at once. Nobody outside sees anything of a batch before its own commit, and that one begins only after the one
// before has succeeded. Otherwise both are abandoned, with the state that they changed.
func (r *runner) serve() error {
	wake := time.NewTimer(0)
	defer wake.Stop()
	r.committing.start()
	defer r.committing.stop()
	for {
		ready := r.inbox.ready
		if len(r.pending) > 0 {
			ready = nil
		}
		select {
		case <-r.stop:
			return r.finish()
		case <-ready:
			r.pending = r.inbox.drain()
		case err := <-r.committing.ended:
			if err := r.endCommit(err); err != nil {
				return err
			}
		case err := <-r.committing.foreign:
			return r.abandon(err)
		case <-r.committing.delay.timer.C:
		case <-wake.C:
		}
		now := time.Now()
		r.pulse.turned(now)
		r.noteUnsettled(now)
		if err := r.turn(); err != nil {
			return err
		}
		wake.Reset(r.wait())
	}
}

// wait is how long the loop may wait for an input: until something is due. The end of a commit wakes it by itself.
func (r *runner) wait() time.Duration {
	store, wait := r.state.store, longestWait
	switch {
	case r.committing.batch != nil:
		return longestWait
	case store.Saving():
		wait = tick
	case store.Unsaved() > 0:
		wait = saveEvery - time.Since(r.lastSave)
	}
	return min(max(min(wait, r.decider.wait()), shortestWait), longestWait)
}

// turn decides what there is room for, and begins to commit it when the batch before has ended.
func (r *runner) turn() error {
	for {
		if err := r.decidePending(); err != nil {
			return r.abandon(err)
		}
		begun, err := r.tryCommit()
		if err != nil || !begun {
			return err
		}
	}
}

// decidePending decides inputs while the batch has room.
func (r *runner) decidePending() error {
	b := r.decider.batch
	var err error
	if b.now, err = r.clock.now(); err != nil {
		return err
	}
	began, inputs := time.Now(), b.inputs
	for len(r.pending) > 0 && b.room() {
		if in, isCommand := r.pending[0].(*commandInput); isCommand {
			b.commands++
			b.trace(in.cmd.TraceParent)
		}
		if err := r.pending[0].decide(r.decider); err != nil {
			return err
		}
		b.inputs++
		r.pending = r.pending[1:]
	}
	if b.inputs > inputs {
		b.deciding += time.Since(began)
	}
	r.inbox.undecided.Store(int64(len(r.pending)))
	return nil
}

// noteUnsettled tells since when the oldest order waits for stock of other shards, once in a while: it looks at all.
func (r *runner) noteUnsettled(now time.Time) {
	if now.Sub(r.lastUnsettled) < healthEvery {
		return
	}
	r.lastUnsettled = now
	r.pulse.unsettled.Store(r.decider.sagas.oldest() * int64(time.Microsecond))
}

// onTime decides what is due without an input, and adds a heartbeat when one is due.
func (r *runner) onTime() error {
	b := r.decider.batch
	if err := r.decider.onTime(); err != nil {
		return err
	}
	b.heartbeat = b.heartbeat || time.UnixMicro(b.now).Sub(r.lastHeartbeat) >= heartbeatEvery
	return nil
}

// finish commits what is decided, writes the orders that are not written yet, and saves the state.
func (r *runner) finish() error {
	for {
		if r.committing.batch != nil {
			if err := r.endCommit(<-r.committing.ended); err != nil {
				return err
			}
		}
		if err := r.decider.writeSome(); err != nil {
			return r.abandon(err)
		}
		if begun, err := r.beginCommit(); err != nil {
			return err
		} else if !begun {
			return r.state.store.Save()
		}
	}
}

// abandon answers everyone in both batches that the outcome is unclear. The state is dropped with the runner.
func (r *runner) abandon(err error) error {
	res := unavailable("the commit is unclear: retry with the same Idempotency-Key")
	for _, b := range []*batch{r.decider.batch, r.committing.batch} {
		if b == nil {
			continue
		}
		for i := range b.answers {
			if fut := b.answers[i].fut; fut != nil {
				fut.finish(res)
			}
		}
	}
	r.decider.sagas.eachWaiter(func(w waiter) { w.fut.finish(res) })
	return fmt.Errorf("shard %d: %w", r.state.shard, err)
}

// release ends the ownership: whoever still waits, waits for the next owner.
func (r *runner) release() {
	moving := handedOver("the shard is moving to another replica: retry with the same Idempotency-Key")
	for _, inputs := range [][]input{r.pending, r.inbox.close()} {
		for _, in := range inputs {
			if command, ok := in.(*commandInput); ok {
				r.node.giveBack(r.state.shard, command, moving)
			}
		}
	}
	r.decider.sagas.eachWaiter(func(w waiter) { r.node.giveBackWaiter(r.state.shard, w, moving) })
	r.committing.writer.Close()
	if err := r.state.close(); err != nil {
		r.state.log.Warn("close the checkpoint", "shard", r.state.shard, "error", err)
	}
	close(r.stopped)
}
