package orderview

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// writer is the store as the runtime drives it.
type writer struct {
	client    *eventlog.Client
	log       *slog.Logger
	db        *pebble.DB
	watermark *eventlog.Watermark
	next      eventlog.Offsets // what the store on disk holds
	// caughtUp says that the view has been at the log's end. Before, an order's first event may be one that
	// the store holds already; afterwards it is not looked up.
	caughtUp func() bool

	live    bool // caughtUp, as of the last flush
	batch   *pebble.Batch
	heads   map[string]*head // of the batch
	chapter chapter          // that is not in the batch yet
	scratch []byte
}

// Begin drops what was not flushed, and goes on where the store on disk is.
func (w *writer) Begin(ctx context.Context, _ eventlog.Offsets) (eventlog.Offsets, error) {
	if err := w.dropIfAhead(ctx); err != nil {
		return nil, err
	}
	w.reset()
	return w.next.Clone(), nil
}

// batchRetained is up to what size the memory of a batch is kept for the next.
const batchRetained = 32 << 20

// reset begins a batch.
func (w *writer) reset() {
	if w.batch == nil {
		w.batch = w.db.NewBatch(pebble.WithMaxRetainedSizeBytes(batchRetained))
	}
	w.batch.Reset()
	w.heads, w.chapter = map[string]*head{}, chapter{events: w.chapter.events[:0]}
}

// dropIfAhead empties a store that holds more than the log: an embedded broker lost its last writes.
func (w *writer) dropIfAhead(ctx context.Context) error {
	tps := make([]eventlog.TopicPartition, 0, len(w.next))
	for tp := range w.next {
		tps = append(tps, tp)
	}
	end, err := w.client.EndOffsets(ctx, tps) // not the stable ones: a new leader may know those late
	if err != nil || end.Covers(w.next) {
		return err
	}
	w.log.Warn("the order view is ahead of the log; building it again", "view", w.next, "log", end)
	if err := w.db.DeleteRange([]byte{0}, []byte{0xff}, pebble.NoSync); err != nil {
		return fmt.Errorf("empty the order view: %w", err)
	}
	for tp := range w.next {
		w.next[tp] = 0
	}
	return nil
}

// Fold takes an event over into the batch.
func (w *writer) Fold(rec *eventlog.Record) error {
	ev := eventv1.OrderEventFromVTPool()
	defer ev.ReturnToVTPool() // what is kept of it are strings
	if err := schema.ReadOrder(rec.Value, ev); err != nil {
		return projector.Bad(rec, err)
	}
	if ev.OrderId == "" || ev.Meta == nil || ev.Change == nil {
		return projector.Bad(rec, errors.New("an event without order ID, meta or a known change"))
	}
	h := w.heads[ev.OrderId]
	if h == nil {
		h = &head{}
		if ev.Meta.Version > 1 || !w.live {
			var err error
			if h, err = w.head(ev.OrderId); err != nil {
				return err
			}
		}
	}
	if ev.Meta.Version <= h.version {
		return nil // seen
	}
	if ev.Meta.Version != h.version+1 {
		return projector.Bad(rec, fmt.Errorf("order %s has version %d after %d", ev.OrderId, ev.Meta.Version, h.version))
	}
	if w.chapter.head != h {
		if err := w.endChapter(); err != nil {
			return err
		}
		w.heads[ev.OrderId] = h
		w.chapter.orderID, w.chapter.head = ev.OrderId, h
	}
	h.version = ev.Meta.Version
	h.follow(ev)
	w.chapter.add(rec.Value)
	return nil
}

func (w *writer) endChapter() (err error) {
	if w.scratch, err = w.chapter.close(w.batch, w.scratch); err != nil {
		return fmt.Errorf("write the order view: %w", err)
	}
	return nil
}

// Flush commits effects and offsets in one Pebble batch. Without a sync: what a power cut takes, the log
// gives back.
func (w *writer) Flush(_ context.Context, reached eventlog.Offsets) error {
	if err := w.endChapter(); err != nil {
		return err
	}
	for id, h := range w.heads {
		var err error
		if w.scratch, err = h.index(w.batch, id, w.scratch); err != nil {
			return fmt.Errorf("write the order view: %w", err)
		}
	}
	for tp, next := range reached {
		if err := w.batch.Set(offsetKey(tp.Partition), binary.BigEndian.AppendUint64(nil, uint64(next)), nil); err != nil {
			return err
		}
	}
	if err := w.batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write the order view: %w", err)
	}
	w.next.Merge(reached)
	w.watermark.Advance(reached)
	w.live = w.live || w.caughtUp()
	w.reset()
	return nil
}

func (w *writer) close() error {
	var err error
	if w.batch != nil {
		err = w.batch.Close()
	}
	return errors.Join(err, w.db.Flush(), w.db.Close())
}

func (w *writer) loadOffset(partition int32) (int64, error) {
	v, closer, err := w.db.Get(offsetKey(partition))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the order view's offsets: %w", err)
	}
	if len(v) != 8 {
		return 0, errors.Join(fmt.Errorf("the order view's offset of partition %d has %d bytes; delete its folder", partition, len(v)), closer.Close())
	}
	return int64(binary.BigEndian.Uint64(v)), closer.Close()
}
