package shard

import "github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"

// resumeAtOnce unsettled orders have their step sent again in one tick.
const resumeAtOnce = 200

// resumption is how far the unsettled orders of the checkpoint have been resumed, in the order of their IDs.
type resumption struct {
	cursor string // the last one
	at     int64  // when that went on, in microseconds
	done   bool
}

// resumeUnsettled sends the steps of some unsettled orders again: no event says that stock has answered those. They are
// those that waited for other shards, which may be many. So a few are resumed at a time, between commands. An order
// that a command names is resumed before that command is decided (resumeOrder).
func (d *decider) resumeUnsettled() error {
	ids, err := d.store.UnsettledAfter(d.unsettled.cursor, resumeAtOnce)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := d.resumeOrder(id); err != nil {
			return err
		}
		d.unsettled.cursor = id
	}
	d.unsettled.done, d.unsettled.at = len(ids) < resumeAtOnce, d.batch.now
	return nil
}

// resumeSome goes on with resumeUnsettled, once a tick, as long as that leaves room for new orders.
func (d *decider) resumeSome() error {
	if d.unsettled.done || d.batch.now-d.unsettled.at < tick.Microseconds() || len(d.sagas.byOrder) > MaxOpenSagas/2 {
		return nil
	}
	return d.resumeUnsettled()
}

// resumeOrder returns an order. Its newest step is under way afterwards, unless that is known to be answered.
func (d *decider) resumeOrder(id string) (*checkpoint.Entry, error) {
	e, err := d.store.Order(id)
	if err != nil || e.Order.Version == 0 || e.Order.Settled || d.sagas.byOrder[id] != nil {
		return e, err
	}
	return e, d.reconcileOrder(e)
}
