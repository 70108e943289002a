package shard

import (
	"context"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// acquire makes this replica the owner of a shard: it fences the former owner, restores the state up to where the log
// stood after that, announces itself and reconciles. Nothing is decided before the announcement has committed. When it
// returns, the runner accepts commands.
func (n *Node) acquire(ctx context.Context, shard int32) (_ *runner, err error) {
	if err := n.clocks[shard].fault(); err != nil {
		return nil, err
	}
	phases := phaseTimes{began: time.Now()}
	n.cfg.Hooks.acquire(shard, "fence")
	w, err := eventlog.OpenWriter(ctx, n.cfg.Log, n.layout, shard,
		eventlog.Pause(func(phase string) { n.cfg.Hooks.acquire(shard, phase) }))
	if err != nil {
		return nil, err
	}
	r := newRunner(n, n.newState(shard), w)
	n.owners.isSelf(shard, r.ownerID)
	defer func() {
		if err != nil {
			w.Close()
			_ = r.state.close()
		}
	}()
	// A commit has no context, and perhaps no broker answers it. Until endCommits sees the runner, the end of this context
	// closes the writer instead. What became of the commit, the next owner finds in the log.
	stop := context.AfterFunc(ctx, w.Close)
	defer stop()
	phases.end("fence")
	defer n.restoring[shard].Store(0)
	n.cfg.Hooks.acquire(shard, "restore")
	records, err := n.restore(ctx, r.state, w.Ends())
	if err != nil {
		return nil, err
	}
	if err := n.learnRefusals(ctx, shard); err != nil {
		return nil, err
	}
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

// restore brings a shard's state to where the log stood after the former owner was fenced.
func (n *Node) restore(ctx context.Context, s *shardState, ends eventlog.Offsets) (records int, err error) {
	end := &logEnd{}
	records, err = s.restore(ctx, ends, end, func(left int64) { n.noteRestoring(s.shard, left) })
	if err != nil {
		return 0, err
	}
	s.newestMicros = end.newest
	n.metrics.restored.Add(float64(records))
	s.deleteFormer()
	return records, nil
}

// phaseTimes are how long each phase of an acquire took, as attributes of a log line.
type phaseTimes struct {
	attrs []any
	began time.Time
}

func (p *phaseTimes) end(phase string) {
	p.attrs, p.began = append(p.attrs, phase, time.Since(p.began).String()), time.Now()
}
