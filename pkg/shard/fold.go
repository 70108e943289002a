package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
)

// badEventError says where the log has something that this program cannot fold. The shard stops: deciding without that
// event could oversell.
type badEventError struct {
	tp     eventlog.TopicPartition
	offset int64
	err    error
}

func (e *badEventError) Error() string {
	return fmt.Sprintf("cannot fold %s partition %d offset %d: %v; to see the record: %s",
		e.tp.Topic, e.tp.Partition, e.offset, e.err, eventlog.InspectCommand(e.tp, e.offset))
}

func (e *badEventError) Unwrap() error { return e.err }

const (
	// maxUnsaved entries may have changed since the last checkpoint before a shard serves; then they are saved.
	maxUnsaved = 50_000
	// foldShare: so are they when the records since then have that share of the checkpoint's memory, or they would take
	// more of it than they may once they are decoded.
	foldShare = 32
	// progressEvery is after how many records the progress of a restore is reported, logProgressEvery how often it is
	// logged.
	progressEvery    = 4096
	logProgressEvery = 5 * time.Second
)

// fold applies the log's tail to a shard's state.
type fold struct {
	*shardState
	// resumedAt is the offset of the last event of each partition that the checkpoint has. confirmed: the log has that
	// event too.
	resumedAt eventlog.Offsets
	confirmed map[eventlog.TopicPartition]bool
	// contradicted: the checkpoint's last event of a partition is not the log's.
	contradicted bool
	read         int // records
	unsavedBytes int64
	// progress is told how many records there are still to read.
	progress func(left int64)
	end      *logEnd
}

func newFold(s *shardState, end *logEnd, progress func(left int64)) *fold {
	return &fold{
		shardState: s, resumedAt: eventlog.Offsets{}, confirmed: map[eventlog.TopicPartition]bool{},
		end: end, progress: progress,
	}
}

// run reads the log from the cursors to ends. It saves the state where much has changed, but not at the end.
func (f *fold) run(ctx context.Context, ends eventlog.Offsets) error {
	from := eventlog.Offsets{}
	for tp, c := range f.store.Cursors() {
		// Once more from the last event that was applied: it must be the same.
		from[tp] = max(c.Last, 0)
		f.resumedAt[tp] = c.Last
	}
	f.progress(f.left(ends))
	err := f.readLog(ctx, from, ends)
	var gone *eventlog.LogStartError
	if errors.As(err, &gone) && f.read == 0 {
		if err = f.passDeleted(ctx, from, ends); err == nil {
			err = f.readLog(ctx, from, ends)
		}
	}
	if err != nil {
		return err
	}
	f.store.Touch(f.end.orders())
	for tp, c := range f.store.Cursors() {
		if !f.contradicted && f.resumedAt[tp] >= 0 && !f.confirmed[tp] {
			f.contradicted = true // the event that was applied last is not in the log any more
		}
		c.Next = max(c.Next, ends[tp])
	}
	return nil
}

// passDeleted begins behind the event that was applied last where that one was deleted from the log's start, and
// nothing that is still to be read. It cannot be compared then. An owner's checkpoint ends before the marker of its
// last transaction, which may have been deleted too: where the partition ends one offset behind, only it was there.
func (f *fold) passDeleted(ctx context.Context, from, ends eventlog.Offsets) error {
	starts, err := f.client.StartOffsets(ctx, f.layout.Partitions(f.shard))
	if err != nil {
		return err
	}
	for tp, c := range f.store.Cursors() {
		start := starts[tp]
		if from[tp] < start && (start <= c.Next || start == c.Next+1 && start == ends[tp]) {
			from[tp], f.confirmed[tp] = max(c.Next, start), true
		}
	}
	return nil
}

// readLog applies what the log has from there on.
func (f *fold) readLog(ctx context.Context, from, ends eventlog.Offsets) error {
	logAt := time.Now().Add(logProgressEvery)
	return f.client.ReadMerged(ctx, from, ends, func(rec *eventlog.Record) error {
		if f.contradicted {
			return nil
		}
		if f.read++; f.read%progressEvery == 0 {
			left := f.left(ends)
			f.progress(left)
			if time.Now().After(logAt) {
				logAt = time.Now().Add(logProgressEvery)
				f.log.Info("restoring the shard from the log", "shard", f.shard, "records_left", left)
			}
		}
		return f.record(rec)
	})
}

func (f *fold) record(rec *eventlog.Record) error {
	if err := f.apply(rec); err != nil {
		return &badEventError{rec.TopicPartition, rec.Offset, err}
	}
	f.unsavedBytes += int64(len(rec.Value))
	if f.store.Unsaved() < maxUnsaved && (f.memoryBytes == 0 || f.unsavedBytes < f.memoryBytes/foldShare) {
		return nil
	}
	f.unsavedBytes = 0
	f.store.Touch(f.end.orders()) // should this be the last checkpoint of the restore
	return f.store.Save()
}

func (f *fold) apply(rec *eventlog.Record) error {
	c := f.store.Cursors()[rec.TopicPartition]
	if rec.Topic == eventlog.TopicOrders {
		return f.applyOrder(rec, c)
	}
	return f.applyStock(rec, c)
}

// seen reports whether the checkpoint has the event already, and notices when it has another one.
func (f *fold) seen(rec *eventlog.Record, c *checkpoint.Cursor, id [16]byte) bool {
	last := f.resumedAt[rec.TopicPartition]
	if rec.Offset > last && last >= 0 && !f.confirmed[rec.TopicPartition] {
		f.contradicted = true // the event that was applied last is not in the log any more
	}
	if rec.Offset > c.Last {
		return f.contradicted
	}
	if rec.Offset == last {
		f.confirmed[rec.TopicPartition] = true
		f.contradicted = f.contradicted || id != c.LastID
	}
	return true
}

func (f *fold) applyOrder(rec *eventlog.Record, c *checkpoint.Cursor) error {
	id, m, ev, err := codec.DecodeOrder(rec.Value)
	if err != nil || f.seen(rec, c, m.EventID) {
		return err
	}
	e, err := f.store.Order(id)
	if err != nil {
		return err
	}
	if m.Version != e.Order.Version+1 {
		return fmt.Errorf("order %s has version %d after %d", id, m.Version, e.Order.Version)
	}
	step := e.Order.ReservationVersion
	f.store.ApplyOrder(rec.Partition, e, &m, ev)
	if e.Order.ReservationVersion != step && f.answeredThen(&e.Order, &m) {
		e.Order.Settled = true
	}
	f.end.read(rec, &m)
	f.touch(id)
	f.store.Advance(rec.TopicPartition, rec.Offset, m.EventID)
	return nil
}

// answeredThen reports whether the transaction that wrote an order's newest step, under a former layout, also has
// stock's answer to it: the same shard wrote all of the order's stock then. No event says so where that answer decided
// nothing. Under today's layout the stock may be another shard's, which would be asked again for each order there ever
// was.
func (f *fold) answeredThen(o *order.Order, m *codec.Meta) bool {
	if o.Undecided() || m.Generation == 0 || int(m.Generation) > len(f.former) {
		return false
	}
	then := f.former[m.Generation-1]
	return !slices.ContainsFunc(o.Wanted(), func(w order.Wanted) bool {
		return then.ShardOf(f.partitionOf(w.SKU)) != int32(m.Shard)
	})
}

// touch notes an order at the log's end, if this shard writes it.
func (f *fold) touch(orderID string) {
	if !f.foreign(orderID) {
		f.end.touch(orderID)
	}
}

func (f *fold) applyStock(rec *eventlog.Record, c *checkpoint.Cursor) error {
	sku, m, ev, err := codec.DecodeInventory(rec.Value)
	if err != nil || f.seen(rec, c, m.EventID) {
		return err
	}
	it, err := f.store.Item(sku)
	if err != nil {
		return err
	}
	if m.Version != it.Version+1 {
		return fmt.Errorf("SKU %s has version %d after %d", sku, m.Version, it.Version)
	}
	f.end.read(rec, &m)
	var res *checkpoint.Reservations
	if step, ok := inventory.StepOf(ev.Change); ok {
		if res, err = f.store.Reservations(step.OrderID); err != nil {
			return err
		}
		f.touch(step.OrderID)
	}
	if err := f.store.ApplyStock(it, res, &m, ev); err != nil {
		return err
	}
	f.store.Advance(rec.TopicPartition, rec.Offset, m.EventID)
	return nil
}
