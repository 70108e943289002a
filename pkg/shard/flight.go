package shard

import (
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// commitLoop commits batches one after the other, beside the goroutine that decides.
type commitLoop struct {
	departed chan []*eventlog.Record
	landed   chan error
}

func (c *commitLoop) start(w *eventlog.Writer) {
	// One batch at a time: neither side ever waits to send, and the goroutine ends with the channel.
	c.departed, c.landed = make(chan []*eventlog.Record, 1), make(chan error, 1)
	go func() {
		for recs := range c.departed {
			c.landed <- w.Commit(recs)
		}
	}()
}

func (c *commitLoop) stop() { close(c.departed) }

// departInTime lets the batch go, unless it is worth waiting for more.
func (r *runner) departInTime() (departed bool, err error) {
	if r.flying == nil && r.b.room() && r.gather.wait(r.b.inputs, time.Now()) {
		return false, nil
	}
	return r.depart()
}

// depart lets the batch go, if the one before has landed and there is anything to do.
func (r *runner) depart() (departed bool, err error) {
	if r.flying != nil {
		return false, nil
	}
	if err := r.onTime(); err != nil {
		return false, r.abandon(err)
	}
	if r.b.empty() {
		return false, r.checkpointIdle()
	}
	if !r.seal() {
		r.finishBatch(r.b)
		r.b.reset()
		return len(r.rest) > 0, nil
	}
	r.commits.departed <- r.takeOff()
	// The state in memory is exactly what the log will hold once this batch is in it, until the next is decided.
	if r.checkpointDue() {
		r.flying.saved, err = r.st.prepare()
	} else {
		err = r.st.encodeSome()
	}
	if err != nil {
		return false, r.abandon(err)
	}
	return true, nil
}

// takeOff makes the batch the one that commits, and returns its records; the next one is decided from here on.
func (r *runner) takeOff() []*eventlog.Record {
	r.flying, r.b, r.spare = r.b, r.spare, nil
	r.flying.departed = time.Now()
	return r.flying.recs
}

// seal reports whether the batch needs a commit, and adds an announcement when one is due or when nothing else
// would prove that this owner is the owner.
func (r *runner) seal() bool {
	b := r.b
	b.events = len(b.recs)
	if b.events == 0 && !b.fenced && !b.beat {
		return false
	}
	if b.events == 0 || b.beat {
		b.recs = append(b.recs, r.announcement())
		r.lastBeat = time.Now()
	}
	return true
}

// land takes the outcome of the batch that departed: its callers are answered, and the next one may go.
func (r *runner) land(err error) error {
	if err != nil {
		return r.abandon(err)
	}
	b, now := r.flying, time.Now()
	took := now.Sub(b.departed)
	r.gather.land(b.inputs, took, now)
	r.node.metrics.commitSeconds.Observe(took.Seconds())
	r.node.metrics.batchEvents.Observe(float64(b.events))
	for i, id := range b.ids {
		r.st.advance(b.recs[i].TopicPartition, b.recs[i].Offset, id)
	}
	if b.saved != nil {
		r.st.apply(b.saved)
	}
	r.finishBatch(b)
	b.reset()
	r.flying, r.spare = nil, b
	return nil
}

// finishBatch answers the callers and sends what other shards are to know.
func (r *runner) finishBatch(b *batch) {
	for i := range b.answers {
		a := &b.answers[i]
		if a.fut == nil {
			continue
		}
		a.result.Position = r.answerPosition(b, a)
		if a.accepted {
			a.fut.accept(a.result)
		} else {
			a.fut.finish(a.result)
		}
	}
	for _, fn := range b.after {
		fn(b)
	}
}

// commit writes the batch and waits for it. It is for the time before serve.
func (r *runner) commit() error {
	if r.b.empty() || !r.seal() {
		r.finishBatch(r.b)
		r.b.reset()
		return nil
	}
	return r.land(r.w.Commit(r.takeOff()))
}

// drain lets what is decided land, and saves the state.
func (r *runner) drain() error {
	for {
		if r.flying != nil {
			if err := r.land(<-r.commits.landed); err != nil {
				return err
			}
		}
		if departed, err := r.depart(); err != nil {
			return err
		} else if !departed {
			return r.st.checkpoint()
		}
	}
}

// checkpointDue: often enough to keep a restart short, seldom enough that an item that sells all the time is
// not written all the time.
func (r *runner) checkpointDue() bool {
	dirty := r.st.dirty()
	if dirty == 0 || dirty < checkpointDirty && time.Since(r.lastCheckpoint) < checkpointEvery {
		return false
	}
	r.lastCheckpoint = time.Now()
	return true
}

// checkpointIdle saves what the last batch has left, when none follows. What was only read leaves memory too.
func (r *runner) checkpointIdle() error {
	if !r.checkpointDue() {
		idle, err := r.st.idle()
		if idle {
			r.st.age()
		}
		return err
	}
	saved, err := r.st.prepare()
	if saved != nil {
		r.st.apply(saved)
	}
	return err
}
