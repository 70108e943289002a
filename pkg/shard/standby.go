package shard

import (
	"context"
	"errors"
	"strconv"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// standbyCached entries of each kind stay in a standby's memory: nothing of it is urgent.
const standbyCached = 5_000

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
	var told lastError
	for eventlog.Sleep(ctx, n.cfg.StandbyEvery) == nil {
		followed, err := n.followInRounds(ctx, shard)
		if ctx.Err() != nil {
			return
		}
		if followed {
			told = ""
		}
		n.log.Log(ctx, told.level(err), "the checkpoint of another replica's shard does not follow the log", "shard", shard, "error", err)
	}
}

// errNotAPrefix says that a checkpoint is not of the log that there is.
var errNotAPrefix = errors.New("the checkpoint is not what the log holds; it is built again")

// followInRounds folds what has been committed since the last round, again and again. followed: the checkpoint has once
// been at the log's end.
func (n *Node) followInRounds(ctx context.Context, shard int32) (followed bool, err error) {
	s := &standby{r: &runner{node: n, shard: shard, layout: n.layout, log: n.log}}
	label := strconv.Itoa(int(shard))
	defer func() {
		n.metrics.standbyLag.DeleteLabelValues(label)
		if s.r.st != nil {
			err = errors.Join(err, s.r.st.close())
		}
	}()
	ends, err := n.client.StableOffsets(ctx, n.layout.Partitions(shard))
	if err != nil {
		return false, err
	}
	if _, err := s.r.restore(ctx, ends, &s.end, func(int64) {}); err != nil {
		return false, err
	}
	s.r.deleteFormer()
	s.r.st.cached = standbyCached
	if err := s.resume(); err != nil {
		return false, err
	}
	for {
		if err := s.r.st.checkpoint(); err != nil {
			return true, err
		}
		if !followed { // a standby that is not there yet shows no lag
			n.metrics.standbyLag.WithLabelValues(label).Set(0)
			followed = true
		}
		if err := eventlog.Sleep(ctx, n.cfg.StandbyEvery); err != nil {
			return true, err
		}
		if ends, err = n.client.StableOffsets(ctx, n.layout.Partitions(shard)); err != nil {
			return true, err
		}
		lag, err := s.round(ctx, ends)
		if err != nil {
			return true, err
		}
		n.metrics.standbyLag.WithLabelValues(label).Set(float64(lag))
	}
}

// standby is a checkpoint that follows the log.
type standby struct {
	r   *runner
	end logEnd
}

// resume goes on with the orders at the log's end that an earlier standby, or an acquire that did not come to mend them, has
// left; they are as new as what was read last.
func (s *standby) resume() error {
	if s.end.newest == 0 {
		s.end.newest = nowMicros()
	}
	return s.r.st.touched(func(orderID string) error {
		s.end.touch(orderID)
		return nil
	})
}

// round folds what has been committed up to ends, and returns how many offsets that were.
func (s *standby) round(ctx context.Context, ends eventlog.Offsets) (lag int64, err error) {
	f := newFold(s.r, &s.end, func(int64) {})
	if f.contradicted(ends) {
		return 0, errNotAPrefix
	}
	if lag = f.left(ends); lag == 0 {
		return 0, nil
	}
	if err := f.run(ctx, ends); err != nil {
		return 0, err
	}
	if f.stale {
		return 0, errNotAPrefix
	}
	s.r.st.forgetTouched = true // but for those that run has left
	return lag, nil
}
