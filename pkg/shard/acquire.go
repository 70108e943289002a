package shard

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// badEventError says where the log holds something that this program cannot fold. The shard stops:
// deciding without it could oversell.
type badEventError struct {
	tp     eventlog.TopicPartition
	offset int64
	err    error
}

func (e *badEventError) Error() string {
	return fmt.Sprintf("cannot fold %s partition %d offset %d: %v", e.tp.Topic, e.tp.Partition, e.offset, e.err)
}

func (e *badEventError) Unwrap() error { return e.err }

// acquire takes a shard over: fence the former owner, restore the state up to where the log stood
// after that, announce, reconcile. Nothing is decided before the announcement has committed. From its return on the
// runner takes commands.
func (n *Node) acquire(ctx context.Context, shard int32) (_ *runner, err error) {
	phases := []any{"shard", shard}
	began := time.Now()
	took := func(phase string) { phases, began = append(phases, phase, time.Since(began).String()), time.Now() }
	n.cfg.Hooks.acquire(shard, "fence")
	w, err := eventlog.OpenWriter(ctx, n.cfg.Log, n.layout, shard, eventlog.Pause(func(step string) { n.cfg.Hooks.acquire(shard, step) }))
	if err != nil {
		return nil, err
	}
	r := &runner{
		node: n, shard: shard, layout: n.layout, log: n.log, w: w, in: newInbox(), ids: newEventIDs(), b: newBatch(), spare: newBatch(), gather: newGathering(),
		stop: make(chan struct{}), stopped: make(chan struct{}), sagas: map[string]*saga{}, resends: newSchedule[string](), waiters: map[string][]waiter{},
		news: map[pairKey]*fillNews{}, tellAt: newSchedule[pairKey](), timers: newSchedule[string](), ownerID: [16]byte(uuid.Must(uuid.NewV7())),
	}
	defer func() {
		if err != nil {
			w.Close()
			if r.st != nil {
				_ = r.st.close()
			}
		}
	}()
	// No broker may answer a commit, whose context must not end. So the writer does, until endCommits sees the runner;
	// what became of the commit the next owner finds in the log.
	stop := context.AfterFunc(ctx, w.Close)
	defer stop()
	took("fence")
	n.cfg.Hooks.acquire(shard, "restore")
	ends, err := n.client.EndOffsets(ctx, r.layout.Partitions(shard))
	if err != nil {
		return nil, err
	}
	defer n.restoring[shard].Store(0)
	records, err := r.restore(ctx, ends, &logEnd{}, func(left int64) { n.tellRestoring(shard, left) })
	if err != nil {
		return nil, err
	}
	n.metrics.restored.Add(float64(records))
	r.deleteFormer()
	took("restore")
	n.cfg.Hooks.acquire(shard, "announce")
	if err := w.Commit([]*eventlog.Record{r.announcement()}); err != nil {
		return nil, err
	}
	took("announce")
	n.cfg.Hooks.acquire(shard, "reconcile")
	if err := r.reconcile(); err != nil {
		return nil, err
	}
	if err := r.st.checkpoint(); err != nil {
		return nil, err
	}
	took("reconcile")
	n.log.Info("serving the shard", append(phases, "records", records)...)
	n.runners[shard].Store(r)
	return r, nil
}

// checkpointDir is the folder of a checkpoint, by generation, shard and format.
const checkpointDir = "g%d-s%d-f%d"

// deleteFormer deletes the checkpoints of former generations, and those of this shard in former formats: nothing reads
// them again. What it cannot delete takes room and does no harm.
func (r *runner) deleteFormer() {
	entries, err := os.ReadDir(r.node.cfg.DataDir)
	if err != nil {
		r.log.Warn("look for former checkpoints", "shard", r.shard, "error", err)
	}
	for _, e := range entries {
		var generation, format uint32
		var shard int32
		_, err := fmt.Sscanf(e.Name(), checkpointDir, &generation, &shard, &format)
		if err != nil || fmt.Sprintf(checkpointDir, generation, shard, format) != e.Name() {
			continue // not a checkpoint
		}
		if generation < r.layout.Generation || generation == r.layout.Generation && shard == r.shard && format < checkpointFormat {
			if err := os.RemoveAll(filepath.Join(r.node.cfg.DataDir, e.Name())); err != nil {
				r.log.Warn("delete a former checkpoint", "checkpoint", e.Name(), "error", err)
				continue
			}
			r.log.Info("deleted a former checkpoint", "checkpoint", e.Name())
		}
	}
}

// restore opens the checkpoint and folds the log's tail into it, up to ends. A checkpoint that the log
// contradicts (an embedded broker that lost its last writes) is dropped and built again.
// progress is told how many records are left to read; records is how many were.
func (r *runner) restore(ctx context.Context, ends eventlog.Offsets, end *logEnd, progress func(left int64)) (records int, err error) {
	tps := r.layout.Partitions(r.shard)
	dir := filepath.Join(r.node.cfg.DataDir, fmt.Sprintf(checkpointDir, r.layout.Generation, r.shard, checkpointFormat))
	for _, fresh := range []bool{false, true} {
		if r.st, err = openStore(dir, tps, r.foreign, fresh); err != nil {
			return 0, err
		}
		f := newFold(r, end, progress)
		if f.contradicted(ends) {
			r.log.Warn("the checkpoint is ahead of the log; building it again", "shard", r.shard)
		} else if err = f.run(ctx, ends); err != nil || !f.stale {
			return f.read, err
		}
		st := r.st
		r.st = nil
		if err := st.close(); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("shard %d: the log changed while it was read", r.shard)
}

// fold applies the log's tail to a store.
type fold struct {
	r *runner
	// resumedAt is the last event of each partition that the checkpoint has; confirmed: the log has it too.
	resumedAt eventlog.Offsets
	confirmed map[eventlog.TopicPartition]bool
	// stale: the checkpoint's last event of a partition is not the log's.
	stale bool
	read  int // records
	// progress is told how many there are still to read.
	progress func(left int64)
	end      *logEnd
}

// tornWithin is how much of the log's end names orders that reconciliation looks at, in the time of the log: far more than
// the one transaction that may be torn.
const tornWithin = time.Second

// logEnd has the orders that events of the log's last moments name.
type logEnd struct {
	newest  int64 // in microseconds; mending, which may be torn in turn, is not counted
	touched []touchedOrder
}

type touchedOrder struct {
	id string
	at int64 // newest when the event was read, so that no clock that goes back makes it old
}

// pass takes a record into account.
func (e *logEnd) pass(rec *eventlog.Record, m *codec.Meta) {
	if m.Cause != eventv1.Cause_CAUSE_RECONCILIATION {
		e.newest = max(e.newest, rec.TimestampMicros)
	}
	old := 0
	for old < len(e.touched) && e.touched[old].at < e.newest-tornWithin.Microseconds() {
		old++
	}
	e.touched = e.touched[old:]
}

func (e *logEnd) touch(orderID string) {
	e.touched = append(e.touched, touchedOrder{orderID, e.newest})
}

func (e *logEnd) orders() map[string]struct{} {
	ids := make(map[string]struct{}, len(e.touched))
	for _, t := range e.touched {
		ids[t.id] = struct{}{}
	}
	return ids
}

func newFold(r *runner, end *logEnd, progress func(left int64)) *fold {
	return &fold{
		r: r, resumedAt: eventlog.Offsets{}, confirmed: map[eventlog.TopicPartition]bool{},
		end: end, progress: progress,
	}
}

// restoreTellEvery is after how many records it is told how far a restore is, restoreSayEvery how often the logger is.
const (
	restoreTellEvery = 4096
	restoreSayEvery  = 5 * time.Second
)

func (f *fold) contradicted(ends eventlog.Offsets) bool {
	for tp, c := range f.r.st.cursors {
		if c.next > ends[tp] {
			return true
		}
	}
	return false
}

func (f *fold) run(ctx context.Context, ends eventlog.Offsets) error {
	from := eventlog.Offsets{}
	for tp, c := range f.r.st.cursors {
		// Once more from the last event that was applied: it must be the same.
		from[tp] = max(c.last, 0)
		f.resumedAt[tp] = c.last
	}
	sayAt := time.Now().Add(restoreSayEvery)
	f.progress(f.left(ends))
	err := f.r.node.client.ReadMerged(ctx, from, ends, func(rec *eventlog.Record) error {
		if f.stale {
			return nil
		}
		if f.read++; f.read%restoreTellEvery == 0 {
			left := f.left(ends)
			f.progress(left)
			if time.Now().After(sayAt) {
				sayAt = time.Now().Add(restoreSayEvery)
				f.r.log.Info("restoring the shard from the log", "shard", f.r.shard, "records_left", left)
			}
		}
		if err := f.apply(rec); err != nil {
			return &badEventError{rec.TopicPartition, rec.Offset, err}
		}
		if f.r.st.dirty() < maxDirty {
			return nil
		}
		f.r.st.newlyTouched = f.end.orders() // should this be the last that is saved
		return f.r.st.checkpoint()
	})
	if err != nil {
		return err
	}
	f.r.st.newlyTouched = f.end.orders()
	for tp, c := range f.r.st.cursors {
		if !f.stale && f.resumedAt[tp] >= 0 && !f.confirmed[tp] {
			f.stale = true // the event that was applied last is not in the log any more
		}
		c.next = max(c.next, ends[tp])
	}
	return nil
}

// left is how many offsets there are still to read.
func (f *fold) left(ends eventlog.Offsets) (left int64) {
	for tp, c := range f.r.st.cursors {
		left += max(0, ends[tp]-c.next)
	}
	return left
}

func (f *fold) apply(rec *eventlog.Record) error {
	c := f.r.st.cursors[rec.TopicPartition]
	if rec.Topic == eventlog.TopicOrders {
		return f.applyOrder(rec, c)
	}
	return f.applyStock(rec, c)
}

// seen reports whether the checkpoint holds the event already, and notices when it holds another one.
func (f *fold) seen(rec *eventlog.Record, c *cursor, id [16]byte) bool {
	if last := f.resumedAt[rec.TopicPartition]; rec.Offset > last && last >= 0 && !f.confirmed[rec.TopicPartition] {
		f.stale = true // the event that was applied last is not in the log any more
	}
	if rec.Offset > c.last {
		return f.stale
	}
	if rec.Offset == f.resumedAt[rec.TopicPartition] {
		f.confirmed[rec.TopicPartition] = true
		f.stale = f.stale || id != c.lastID
	}
	return true
}

func (f *fold) applyOrder(rec *eventlog.Record, c *cursor) error {
	id, m, ev, err := codec.DecodeOrder(rec.Value)
	if err != nil || f.seen(rec, c, m.EventID) {
		return err
	}
	e, err := f.r.st.order(id)
	if err != nil {
		return err
	}
	if m.Version != e.o.Version+1 {
		return fmt.Errorf("order %s has version %d after %d", id, m.Version, e.o.Version)
	}
	f.r.st.applyOrder(e, &m, ev)
	f.end.pass(rec, &m)
	f.touch(id)
	f.r.st.advance(rec.TopicPartition, rec.Offset, m.EventID)
	return nil
}

func (f *fold) touch(orderID string) {
	if !f.r.foreign(orderID) {
		f.end.touch(orderID)
	}
}

func (f *fold) applyStock(rec *eventlog.Record, c *cursor) error {
	sku, m, ev, err := codec.DecodeInventory(rec.Value)
	if err != nil || f.seen(rec, c, m.EventID) {
		return err
	}
	it, err := f.r.st.item(sku)
	if err != nil {
		return err
	}
	if m.Version != it.Version+1 {
		return fmt.Errorf("SKU %s has version %d after %d", sku, m.Version, it.Version)
	}
	f.end.pass(rec, &m)
	var h *holdings
	if step, ok := inventory.StepOf(ev.Change); ok {
		if h, err = f.r.st.held(step.OrderID); err != nil {
			return err
		}
		f.touch(step.OrderID)
	}
	if err := f.r.st.applyStock(it, h, &m, ev); err != nil {
		return err
	}
	f.r.st.advance(rec.TopicPartition, rec.Offset, m.EventID)
	return nil
}
