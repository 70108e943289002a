package orderview

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/localstore"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// storeView is the store as the runtime drives it: order events to histories and indexes on disk.
type storeView struct {
	client *eventlog.Client
	// partitions is how many there are of orders.events, for the numbers of orders.
	partitions int32
	log        *slog.Logger
	db         *localstore.DB
	offsets    *localstore.Offsets // up to where the store on disk is
	// caughtUp reports whether the view has been at the log's end. Until then the store may have an event already,
	// because the log is read again from the last flush; so an order's first event is looked up, too.
	caughtUp func() bool

	live      bool // caughtUp, as of the last flush
	batch     *pebble.Batch
	summaries map[string]*summary // of the orders in the batch, by ID
	chunk     chunk               // consecutive events of one order, not in the batch yet
	counts    map[int32]uint64    // orders in the store and in the batch, by partition
	buf       []byte              // reused
}

// Begin drops what was not flushed, and returns where the store on disk is.
func (v *storeView) Begin(ctx context.Context, _ eventlog.Offsets) (eventlog.Offsets, error) {
	if err := v.offsets.DropIfAhead(ctx, v.client, v.log); err != nil {
		return nil, err
	}
	var err error
	if v.counts, err = readCounts(v.db.DB, v.offsets.Next); err != nil {
		return nil, fmt.Errorf("read the order view: %w", err)
	}
	v.newBatch()
	return v.offsets.Next.Clone(), nil
}

// batchRetained is up to what size the memory of a batch is kept for the next.
const batchRetained = 32 << 20

func (v *storeView) newBatch() {
	if v.batch == nil {
		v.batch = v.db.NewBatch(pebble.WithMaxRetainedSizeBytes(batchRetained))
	}
	v.batch.Reset()
	v.summaries, v.chunk = map[string]*summary{}, chunk{events: v.chunk.events[:0]}
}

// Fold adds an event to the batch.
func (v *storeView) Fold(rec *eventlog.Record) error {
	ev := eventv1.OrderEventFromVTPool()
	defer ev.ReturnToVTPool() // only strings of it are kept
	if err := schema.ReadOrder(rec.Value, ev); err != nil {
		return projector.Bad(rec, err)
	}
	if ev.OrderId == "" || ev.Meta == nil || ev.Change == nil {
		return projector.Bad(rec, errors.New("an event without order ID, meta or a known change"))
	}
	s := v.summaries[ev.OrderId]
	if s == nil {
		s = &summary{}
		if ev.Meta.Version > 1 || !v.live {
			var err error
			if s, err = readSummary(v.db.DB, ev.OrderId); err != nil {
				return err
			}
		}
	}
	if ev.Meta.Version <= s.version {
		return nil // the view has it
	}
	if ev.Meta.Version != s.version+1 {
		return projector.Bad(rec, fmt.Errorf("order %s has version %d after %d", ev.OrderId, ev.Meta.Version, s.version))
	}
	if s.indexed != "" && placedBy(ev) != nil { // a document that was refused comes again, or was asked for
		var err error
		if s.indexedEntries, err = readIndexedEntries(v.db.DB, ev.OrderId); err != nil {
			return err
		}
	}
	if v.chunk.summary != s {
		if err := v.flushChunk(); err != nil {
			return err
		}
		v.summaries[ev.OrderId] = s
		v.chunk.orderID, v.chunk.summary = ev.OrderId, s
	}
	if ev.Meta.Version == 1 {
		if err := v.count(rec.Partition, ev.OrderId, s); err != nil {
			return err
		}
	}
	s.version = ev.Meta.Version
	s.apply(ev)
	v.chunk.add(rec.Offset, rec.Value)
	return nil
}

// count gives an order its number, as its first event is read.
func (v *storeView) count(partition int32, id string, s *summary) error {
	v.counts[partition]++
	p := place{partition, v.counts[partition]}
	s.number = orderid.Number(v.partitions, p.partition, p.n)
	v.buf = numberKey(v.buf[:0], p)
	op := v.batch.SetDeferred(len(v.buf), len(id))
	copy(op.Key, v.buf)
	copy(op.Value, id)
	if err := op.Finish(); err != nil {
		return fmt.Errorf("write the order view: %w", err)
	}
	return nil
}

func (v *storeView) flushChunk() (err error) {
	if v.buf, err = v.chunk.flush(v.batch, v.buf); err != nil {
		return fmt.Errorf("write the order view: %w", err)
	}
	return nil
}

// Flush commits histories, indexes and offsets in one Pebble batch, so that none can be ahead of the others. It does
// not sync: what a power cut takes is read from the log again.
func (v *storeView) Flush(_ context.Context, reached eventlog.Offsets) error {
	if err := v.flushChunk(); err != nil {
		return err
	}
	for id, s := range v.summaries {
		var err error
		if v.buf, err = s.writeIndexes(v.batch, id, v.buf); err != nil {
			return fmt.Errorf("write the order view: %w", err)
		}
	}
	if err := v.offsets.Commit(v.batch, reached); err != nil {
		return fmt.Errorf("write the order view: %w", err)
	}
	v.live = v.live || v.caughtUp()
	v.newBatch()
	return nil
}

func (v *storeView) close() error {
	var err error
	if v.batch != nil {
		err = v.batch.Close()
	}
	return errors.Join(err, v.db.Close())
}
