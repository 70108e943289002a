package shard

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// acquire makes this replica the owner of a shard: it fences the former owner, restores the state up to where the log
// stood after that, announces itself and reconciles. Nothing is decided before the announcement has committed. When it
// returns, the runner accepts commands.
func (n *Node) acquire(ctx context.Context, shard int32) (_ *runner, err error) {
	if err := n.clocks[shard].fault(); err != nil {
		return nil, err
	}
	phases := phaseTimes{began: time.Now(), seconds: n.metrics.acquireSeconds}
	restoring := n.startRestoring(ctx, shard)
	defer n.restoring[shard].Store(0)
	defer n.compared[shard].Store(0)
	n.cfg.Hooks.acquire(shard, "fence")
	w, err := eventlog.OpenWriter(ctx, n.client, n.layout, shard,
		eventlog.Pause(func(phase string) { n.cfg.Hooks.acquire(shard, phase) }))
	if err != nil {
		restoring.abandon()
		return nil, err
	}
	r := newRunner(n, restoring.state, w)
	n.owners.isSelf(shard, r.ownerID)
	n.acquiring[shard].Store(r)
	defer func() {
		n.acquiring[shard].Store(nil)
		if err != nil {
			w.Close()
			restoring.abandon()
		}
	}()
	// A commit has no context, and perhaps no broker answers it. Until endCommits sees the runner, the end of this context
	// closes the writer instead. What became of the commit, the next owner finds in the log.
	stop := context.AfterFunc(ctx, w.Close)
	defer stop()
	phases.end("fence")
	n.cfg.Hooks.acquire(shard, "restore")
	records, err := restoring.finish(ctx, w.Ends())
	if err != nil {
		return nil, err
	}
	n.restoring[shard].Store(0)
	if err := n.learnRefusals(ctx, shard); err != nil {
		return nil, err
	}
	r.decider.firstOfGeneration = n.layout.Generation > 1 && n.refusals[shard].announced.Load() == 0
	phases.end("restore")
	n.cfg.Hooks.acquire(shard, "announce")
	if err := r.announce(ctx); err != nil {
		return nil, err
	}
	r.clock.warnOfFuture(n.log, r.state.newestMicros)
	phases.end("announce")
	n.cfg.Hooks.acquire(shard, "reconcile")
	if err := r.reconcile(); err != nil {
		return nil, err
	}
	if err := r.state.store.Save(); err != nil {
		return nil, err
	}
	phases.end("reconcile")
	n.log.Info("serving the shard", append(append([]any{"shard", shard}, phases.attrs...), "records", records)...)
	n.runners[shard].Store(r)
	return r, nil
}

// restoring is a shard's state on its way to where the log stood after the former owner was fenced.
type restoring struct {
	node    *Node
	state   *shardState
	end     logEnd
	records int
	err     error
	cancel  context.CancelFunc
	ended   chan struct{} // closed when records and err are there
}

// startRestoring begins to restore a shard while its former owner is fenced, from what the log has by now: where that
// owner has released the shard, there is nothing else. What is open is read once fencing has aborted it.
func (n *Node) startRestoring(ctx context.Context, shard int32) *restoring {
	ctx, cancel := context.WithCancel(ctx)
	r := &restoring{node: n, state: n.newState(shard), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		defer cancel()
		ends, err := n.client.EndOffsets(ctx, n.layout.Partitions(shard))
		if err != nil {
			r.err = err
			return
		}
		r.records, r.err = r.state.restore(ctx, ends, &r.end, r.progress)
	}()
	return r
}

func (r *restoring) progress(left int64) { r.node.noteRestoring(r.state.shard, left) }

// finish returns once the state has all of the log up to ends, and how many records that were.
func (r *restoring) finish(ctx context.Context, ends eventlog.Offsets) (records int, err error) {
	<-r.ended // soon, if ctx has ended
	if r.err != nil {
		return 0, r.err
	}
	s := r.state
	if s.aheadOf(ends) {
		return 0, errNotAPrefix
	}
	if s.left(ends) > 0 {
		f := newFold(s, &r.end, r.progress)
		if err := f.run(ctx, ends); err != nil {
			return 0, err
		}
		if f.contradicted {
			return 0, errNotAPrefix
		}
		r.records += f.read
	}
	s.newestMicros = r.end.newest
	r.node.metrics.restored.Add(float64(r.records))
	s.deleteFormer()
	return r.records, nil
}

// abandon gives the state up.
func (r *restoring) abandon() {
	r.cancel()
	<-r.ended
	_ = r.state.close() // what was not saved is read from the log again
}

// acquirePhases are the phases of an acquire.
var acquirePhases = []string{"fence", "restore", "announce", "reconcile"}

// phaseTimes are how long each phase of an acquire took, as attributes of a log line and in metrics.
type phaseTimes struct {
	attrs   []any
	began   time.Time
	seconds *prometheus.HistogramVec
}

func (p *phaseTimes) end(phase string) {
	took := time.Since(p.began)
	p.seconds.WithLabelValues(phase).Observe(took.Seconds())
	p.attrs, p.began = append(p.attrs, phase, took.String()), time.Now()
}
