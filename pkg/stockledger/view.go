package stockledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/localstore"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// storeView is the store as the runtime drives it: stock events to keys on disk.
type storeView struct {
	client  *eventlog.Client
	layout  eventlog.Layout
	log     *slog.Logger
	db      *localstore.DB
	offsets *localstore.Offsets // up to where the store on disk is

	batch *pebble.Batch
	// items are those whose events came last, by SKU, as they are with the batch; at most maxItems at a flush.
	items map[string]*item
	buf   []byte // reused
}

// maxItems is how many items are kept in memory, of about 1 KiB each. Others are folded again when an event of them
// comes.
const maxItems = 16 << 10

// item is the row of an item, with when its last event was recorded.
type item struct {
	row      *eventv1.AvailabilityRow
	recorded int64 // in microseconds; it never falls
}

// Begin drops what was not flushed, and returns where the store on disk is.
func (v *storeView) Begin(ctx context.Context, _ eventlog.Offsets) (eventlog.Offsets, error) {
	if err := v.offsets.DropIfAhead(ctx, v.client, v.log); err != nil {
		return nil, err
	}
	v.newBatch()
	v.items = map[string]*item{}
	return v.offsets.Next.Clone(), nil
}

// batchRetained is up to what size the memory of a batch is kept for the next.
const batchRetained = 32 << 20

func (v *storeView) newBatch() {
	if v.batch == nil {
		v.batch = v.db.NewBatch(pebble.WithMaxRetainedSizeBytes(batchRetained))
	}
	v.batch.Reset()
}

// Fold adds an event to the batch.
func (v *storeView) Fold(rec *eventlog.Record) error {
	ev := eventv1.InventoryEventFromVTPool()
	defer ev.ReturnToVTPool() // only strings of it are kept
	if err := schema.ReadInventory(rec.Value, ev); err != nil {
		return projector.Bad(rec, err)
	}
	if ev.Sku == "" || ev.Meta == nil || ev.Change == nil {
		return projector.Bad(rec, errors.New("an event without SKU, meta or a known change"))
	}
	i, err := v.item(ev.Sku, rec.Partition)
	if err != nil {
		return err
	}
	if rec.Offset <= i.row.SourceOffset {
		return nil // the view has it
	}
	if ev.Meta.Version != i.row.Version+1 {
		return projector.Bad(rec, fmt.Errorf("SKU %s has version %d after %d", ev.Sku, ev.Meta.Version, i.row.Version))
	}
	i.recorded = max(i.recorded, ev.Meta.RecordedAtMicros)
	if err := v.write(rec, ev, i); err != nil {
		return fmt.Errorf("write the stock ledger: %w", err)
	}
	return nil
}

// item is an item as it is with the batch.
func (v *storeView) item(sku string, partition int32) (_ *item, err error) {
	if i := v.items[sku]; i != nil {
		return i, nil
	}
	r, err := newReader(v.db, v.layout)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	i, err := r.item(sku)
	if err != nil {
		return nil, err
	}
	if i == nil {
		i = &item{row: availability.NewRow(sku, partition)}
	}
	v.items[sku] = i
	return i, nil
}

// write adds an event to the batch, and folds it into its item.
func (v *storeView) write(rec *eventlog.Record, ev *eventv1.InventoryEvent, i *item) error {
	set := func(key, value []byte) error { return v.batch.Set(key, value, nil) }
	if i.row.Version == 0 {
		if err := set(itemPrefix(nil, keyItem, ev.Sku), nil); err != nil {
			return err
		}
	}
	v.buf = offsetKey(v.buf[:0], keyEvent, ev.Sku, rec.Offset)
	op := v.batch.SetDeferred(len(v.buf), 8+len(rec.Value))
	copy(op.Key, v.buf)
	binary.BigEndian.PutUint64(op.Value, uint64(i.recorded))
	copy(op.Value[8:], rec.Value)
	if err := op.Finish(); err != nil {
		return err
	}
	if of := reservationOf(ev); of != nil {
		v.buf = orderKey(v.buf[:0], of.OrderId, ev.Sku, rec.Offset)
		if err := set(v.buf, nil); err != nil {
			return err
		}
	}
	if kind := shiftKind(i.recorded, ev.Meta.OccurredAtMicros); kind != 0 {
		shift, err := shiftOf(i, ev).MarshalVT()
		if err != nil {
			return err
		}
		v.buf = append(binary.BigEndian.AppendUint64(v.buf[:0], uint64(i.recorded)), shift...)
		if err := set(timeKey(nil, kind, ev.Sku, ev.Meta.OccurredAtMicros, rec.Offset), v.buf); err != nil {
			return err
		}
	}
	availability.Apply(i.row, ev, rec.Offset)
	if i.row.Version%snapshotEvery != 0 {
		return nil
	}
	row, err := i.row.MarshalVT()
	if err != nil {
		return err
	}
	if err := set(timeKey(nil, keyTime, ev.Sku, i.recorded, rec.Offset), nil); err != nil {
		return err
	}
	return set(offsetKey(nil, keySnapshot, ev.Sku, rec.Offset), row)
}

// Flush commits events and offsets in one Pebble batch, so that none can be ahead of the others. It does not sync: what
// a power cut takes is read from the log again.
func (v *storeView) Flush(_ context.Context, reached eventlog.Offsets) error {
	if err := v.offsets.Commit(v.batch, reached); err != nil {
		return fmt.Errorf("write the stock ledger: %w", err)
	}
	if len(v.items) > maxItems {
		clear(v.items)
	}
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

var errShortValue = errors.New("the stock ledger has a value that is too short; delete its folder, it is built again")

// cutMicros cuts a time off the start of a value.
func cutMicros(value []byte) (micros int64, after []byte, err error) {
	if len(value) < 8 {
		return 0, nil, errShortValue
	}
	return int64(binary.BigEndian.Uint64(value)), value[8:], nil
}
