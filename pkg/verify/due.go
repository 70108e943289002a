package verify

import (
	"context"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Orders, stock and rows are in different partitions, which the auditor reads at different times. So what changes is
// not compared at once, but when everything is folded that was in the log at a later moment, for as many such moments
// as the grace has seconds. These moments are ticks. A tick asks Kafka where all partitions end, open transactions
// included, and passes once the auditor has read that far. While Kafka does not answer, or a transaction hangs, no
// tick passes, and nothing is compared.

const (
	tickInterval = time.Second
	// endTimeout bounds the question where the log ends.
	endTimeout = 10 * time.Second
	// compareFor is how long what is due is compared in one go; then records are folded again.
	compareFor = 200 * time.Millisecond
)

// background lets ticks pass, compares what is due, and saves.
func (v *auditView) background(ctx context.Context) error {
	var mark eventlog.Offsets // the ends that the next tick waits for
	for {
		if mark == nil {
			asking, cancel := context.WithTimeout(ctx, endTimeout)
			mark, _ = v.cfg.Client.EndOffsets(asking, v.partitions) // asked again in a second; the runtime tells of it
			cancel()
		}
		if err := backoff.Sleep(ctx, v.cfg.tick); err != nil {
			return err
		}
		passed, err := v.tick(mark)
		if err != nil {
			return err
		}
		if passed {
			mark = nil
		}
	}
}

// tick lets a tick pass once the ends are folded.
func (v *auditView) tick(mark eventlog.Offsets) (passed bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if passed = mark != nil && v.reached.Reaches(mark); passed {
		v.marks.tick++
	}
	if err := v.save(); err != nil {
		return passed, err
	}
	return passed, v.compareDue()
}

// compareDue compares what has not changed since the grace began. It needs the changes on disk.
func (v *auditView) compareDue() error {
	grace := uint64(max(2, v.cfg.Grace/tickInterval))
	if v.marks.tick <= grace {
		return nil
	}
	began, any := time.Now(), false
	err := v.disk.due(v.marks.tick-grace, func(tick uint64, kind byte, name string) bool {
		any = true
		v.disk.deleteDue(tick, kind, name)
		switch kind {
		case dueOrder:
			if a := v.checker.accounts.get(name); a != nil && a.due == tick {
				v.compareOrder(name, a)
			}
		case dueSKU:
			if it := v.checker.items.get(name); it != nil && it.due == tick && !v.checker.checkRowOf(it) {
				v.checker.itemOf(name, it.partition) // it is looked at again
			}
		}
		return v.disk.err == nil && time.Since(began) < compareFor
	})
	if err != nil || !any {
		return err
	}
	return v.save()
}

// compareOrder compares an order with its stock (I16). One that waits for stock is looked at again.
func (v *auditView) compareOrder(id string, a *account) {
	waits := v.checker.compareOrder(id, a)
	if !waits {
		if a.waitsSince > 0 {
			v.setWaits(id, a, 0, false)
		}
		return
	}
	since := a.waitsSince
	if since == 0 {
		since = v.marks.tick
	}
	overdue := v.marks.tick-since >= uint64(v.cfg.OverdueAfter/tickInterval)
	if overdue && !a.overdue {
		log := v.cfg.Logger.With("order_id", id)
		if o := a.order; o != nil {
			log = log.With("partition", o.partition, "offset", o.offset)
		}
		log.Warn("an order and stock wait for each other for too long: look whether each shard has an owner")
	}
	v.setWaits(id, a, since, overdue)
}

// setWaits notes since when an order waits, and counts those that do.
func (v *auditView) setWaits(id string, a *account, since uint64, overdue bool) {
	v.checker.accountOf(id) // it is looked at again, once more where it does not wait any more
	count := func(n *int64, was, is bool) {
		switch {
		case is && !was:
			*n++
		case was && !is:
			*n--
		}
	}
	count(&v.marks.waiting, a.waitsSince > 0, since > 0)
	count(&v.marks.overdue, a.overdue, overdue)
	a.waitsSince, a.overdue = since, overdue
}

// compareOrder checks that an order and its stock agree. It returns true where stock has not answered the order, or not
// followed it yet, and where the order is not written yet.
func (c *checker) compareOrder(id string, a *account) (waits bool) {
	if o := a.order; o != nil {
		if o.status == "placed" || o.amending != nil {
			return true
		}
		waits = !c.checkOrderAgainstStock(id, o)
	}
	return !c.checkReservations(id, a) || waits
}
