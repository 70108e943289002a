package shard

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"
)

// Bounds of a standby. Nothing of it is urgent: it has a smaller cache than a shard that serves, and what it read last is
// all that reconciliation looks at, far more than the one transaction that may be torn.
const (
	standbyCached  = 5_000
	standbyTouched = 20_000
)

// startStandby begins to keep the checkpoint of a shard that another replica serves, until this one takes it; with mu held.
func (n *Node) startStandby(ctx context.Context, shard int32) {
	if n.cfg.StandbyEvery == 0 || n.closing {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &ownership{cancel: cancel, stopped: make(chan struct{})}
	n.standbys[shard] = s
	n.done.Go(func() {
		defer close(s.stopped)
		n.standBy(ctx, shard)
	})
}

// standBy keeps the checkpoint near the log's end, so that taking the shard over takes no longer the longer its history
// is: what is left to read is what came since the last round.
func (n *Node) standBy(ctx context.Context, shard int32) {
	var told string
	for n.pauseStandby(ctx) == nil {
		err := n.followInRounds(ctx, shard)
		if ctx.Err() != nil {
			return
		}
		level := slog.LevelWarn
		if said := err.Error(); said == told { // it stays so until somebody mends it
			level = slog.LevelDebug
		} else {
			told = said
		}
		n.log.Log(ctx, level, "the checkpoint of another replica's shard does not follow the log", "shard", shard, "error", err)
	}
}

func (n *Node) pauseStandby(ctx context.Context) error {
	timer := time.NewTimer(n.cfg.StandbyEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errNotAPrefix says that a checkpoint is not of the log that there is.
var errNotAPrefix = errors.New("the checkpoint is not what the log holds; it is built again")

// followInRounds folds what has been committed since the last round, again and again.
func (n *Node) followInRounds(ctx context.Context, shard int32) (err error) {
	r := &runner{node: n, shard: shard, layout: n.layout, log: n.log}
	lag := n.metrics.standbyLag.WithLabelValues(strconv.Itoa(int(shard)))
	defer func() {
		n.metrics.standbyLag.DeleteLabelValues(strconv.Itoa(int(shard)))
		if r.st != nil {
			err = errors.Join(err, r.st.close())
		}
	}()
	ends, err := n.client.StableOffsets(ctx, n.layout.Partitions(shard))
	if err != nil {
		return err
	}
	if err := r.restore(ctx, ends); err != nil {
		return err
	}
	for touched := 0; ; {
		r.st.cached = standbyCached
		if err := r.st.checkpoint(); err != nil {
			return err
		}
		if err := n.pauseStandby(ctx); err != nil {
			return err
		}
		if ends, err = n.client.StableOffsets(ctx, n.layout.Partitions(shard)); err != nil {
			return err
		}
		f := newFold(r, ends)
		lag.Set(float64(f.left(ends)))
		if touched > standbyTouched {
			r.st.forgetTouched, touched = true, 0
		}
		if f.contradicted(ends) {
			return errNotAPrefix
		}
		if err := f.run(ctx, ends); err != nil {
			return err
		}
		if f.stale {
			return errNotAPrefix
		}
		touched += f.read
	}
}
