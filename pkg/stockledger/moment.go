package stockledger

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/localstore"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// reader reads the store as it is at one moment. It must be closed.
type reader struct {
	layout eventlog.Layout
	db     *pebble.Snapshot
	it     *pebble.Iterator
}

func (s *Store) read() (*reader, error) { return newReader(s.view.db, s.view.layout) }

func newReader(store *localstore.DB, layout eventlog.Layout) (*reader, error) {
	db := store.NewSnapshot()
	it, err := db.NewIter(nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the stock ledger: %w", err), db.Close())
	}
	return &reader{layout, db, it}, nil
}

func (r *reader) close() error { return errors.Join(r.it.Close(), r.db.Close()) }

// partition is the partition of inventory.events that has an item's events.
func (r *reader) partition(sku string) eventlog.TopicPartition {
	return eventlog.TopicPartition{
		Topic: eventlog.TopicInventory, Partition: eventlog.PartitionFor(sku, r.layout.PartitionCount),
	}
}

// item is an item with all its events; nil: there is none.
func (r *reader) item(sku string) (*item, error) {
	if !r.it.SeekLT(offsetKey(nil, keyEvent, sku, maxOffset)) || !r.in(keyEvent, sku) {
		return nil, r.error()
	}
	value, err := r.it.ValueAndErr()
	if err != nil {
		return nil, fmt.Errorf("read the stock ledger: %w", err)
	}
	recorded, _, err := cutMicros(value)
	if err != nil {
		return nil, err
	}
	row, err := r.rowBefore(sku, maxOffset)
	return &item{row, recorded}, err
}

// rowAt is the row of an item at a moment; nil: it was not registered then.
func (r *reader) rowAt(sku string, m *asof.Moment) (row *eventv1.AvailabilityRow, err error) {
	switch {
	case m.IsNow():
		row, err = r.rowBefore(sku, maxOffset)
	case m.ByPosition():
		row, err = r.rowBefore(sku, m.Position.End(r.partition(sku)))
	case m.Occurred:
		row, err = r.occurredRow(sku, m.Micros)
	default:
		row, err = r.recordedRow(sku, m.Micros)
	}
	if err != nil || !row.Registered {
		return nil, err
	}
	return row, nil
}

// recordedRow is the row of an item with the events that were recorded by a time.
func (r *reader) recordedRow(sku string, micros int64) (*eventv1.AvailabilityRow, error) {
	end, err := r.recordedEnd(sku, micros)
	if err != nil {
		return nil, err
	}
	return r.rowBefore(sku, end)
}

// recordedEnd is the offset below which the events of an item lie that were recorded by a time.
func (r *reader) recordedEnd(sku string, micros int64) (end int64, err error) {
	if r.it.SeekLT(timeKey(nil, keyTime, sku, micros+1, 0)) && r.in(keyTime, sku) {
		end = offsetOf(r.it.Key()) + 1
	}
	for ok := r.it.SeekGE(offsetKey(nil, keyEvent, sku, end)); ok && r.in(keyEvent, sku); ok = r.it.Next() {
		value, err := r.it.ValueAndErr()
		if err != nil {
			return 0, fmt.Errorf("read the stock ledger: %w", err)
		}
		recorded, _, err := cutMicros(value)
		if err != nil {
			return 0, err
		}
		if recorded > micros {
			break
		}
		end = offsetOf(r.it.Key()) + 1
	}
	return end, r.error()
}

// rowBefore is the row of an item with the events below an offset: the last snapshot among these, and the events after
// it.
func (r *reader) rowBefore(sku string, end int64) (*eventv1.AvailabilityRow, error) {
	row := availability.NewRow(sku, r.partition(sku).Partition)
	if r.it.SeekLT(offsetKey(nil, keySnapshot, sku, end)) && r.in(keySnapshot, sku) {
		value, err := r.it.ValueAndErr()
		if err == nil {
			err = row.UnmarshalVT(value)
		}
		if err != nil {
			return nil, fmt.Errorf("read the stock ledger: %w", err)
		}
	}
	err := r.events(sku, row.SourceOffset+1, end, func(e *event) error {
		availability.Apply(row, e.InventoryEvent, e.offset)
		e.ReturnToVTPool() // the row keeps only strings of it
		return nil
	})
	return row, err
}

// occurredRow is the row of an item with the events that had occurred by a time, whenever they were recorded. It is not
// registered before the first of them. What is not a quantity is as it was recorded by then, or for an item that was
// registered later as its first registration has it.
func (r *reader) occurredRow(sku string, micros int64) (*eventv1.AvailabilityRow, error) {
	row, err := r.recordedRow(sku, micros)
	if err != nil {
		return nil, err
	}
	row.OccurredAtMicros = min(row.OccurredAtMicros, micros)
	row.Transfers, row.Deliveries, row.Backorders = nil, nil, nil // they are known by the recorded clock alone
	happened, err := r.recordedSoonAfter(row, micros)
	if err != nil {
		return nil, err
	}
	before, from := timeKey(nil, keyLate, sku, micros+1, 0), itemPrefix(nil, keyLate, sku)
	err = r.shifts(from, before, func(recorded int64, shift *eventv1.AvailabilityRow) {
		if recorded > micros {
			shiftRow(row, shift, 1)
			happened = true
		}
	})
	if err != nil {
		return nil, err
	}
	if !row.Registered && happened {
		if err := r.registerAtFirst(row); err != nil {
			return nil, err
		}
	}
	early := itemPrefix(nil, keyEarly, sku)
	err = r.shifts(timeKey(nil, keyEarly, sku, micros+1, 0), upperBound(early), func(recorded int64,
		shift *eventv1.AvailabilityRow,
	) {
		if recorded <= micros {
			shiftRow(row, shift, -1)
			row.Locations = slices.DeleteFunc(row.Locations, func(l *eventv1.LocationLevel) bool {
				// Perhaps nothing had happened there yet.
				return levelAt(shift, l.Location) != nil && quantities(l.Level) == [8]int64{}
			})
		}
	})
	return row, err
}

// registerAtFirst registers an item in its row as the first registration does, whenever that was recorded.
func (r *reader) registerAtFirst(row *eventv1.AvailabilityRow) error {
	return r.events(row.Sku, 0, maxOffset, func(e *event) error {
		first := e.GetItemRegistered()
		if first == nil {
			return nil
		}
		named := availability.NewRow(row.Sku, row.SourcePartition)
		availability.Apply(named, e.InventoryEvent, e.offset)
		row.Registered, row.Description, row.Metadata = true, named.Description, named.Metadata
		return errEnough
	})
}

// recordedSoonAfter adds to a row the events that had occurred by a time and were recorded after it, but were not late.
// It reports whether there are any.
func (r *reader) recordedSoonAfter(row *eventv1.AvailabilityRow, micros int64) (happened bool, err error) {
	after := &item{row: proto.Clone(row).(*eventv1.AvailabilityRow)}
	err = r.events(row.Sku, row.SourceOffset+1, maxOffset, func(e *event) error {
		if e.recorded > micros+lateMicros {
			return errEnough
		}
		if e.Meta.OccurredAtMicros <= micros && shiftKind(e.recorded, e.Meta.OccurredAtMicros) == 0 {
			shiftRow(row, shiftOf(after, e.InventoryEvent), 1)
			happened = true
		}
		availability.Apply(after.row, e.InventoryEvent, e.offset)
		return nil
	})
	return happened, err
}

// shifts calls fn with each shift between two keys.
func (r *reader) shifts(from, to []byte, fn func(recorded int64, shift *eventv1.AvailabilityRow)) error {
	for ok := r.it.SeekGE(from); ok && string(r.it.Key()) < string(to); ok = r.it.Next() {
		value, err := r.it.ValueAndErr()
		if err != nil {
			return fmt.Errorf("read the stock ledger: %w", err)
		}
		recorded, encoded, err := cutMicros(value)
		if err != nil {
			return err
		}
		shift := &eventv1.AvailabilityRow{}
		if err := shift.UnmarshalVT(encoded); err != nil {
			return fmt.Errorf("read the stock ledger: %w", err)
		}
		fn(recorded, shift)
	}
	return r.error()
}

// event is an event of the ledger.
type event struct {
	*eventv1.InventoryEvent
	offset   int64
	recorded int64 // in microseconds, not before the events before it
}

const maxOffset = 1<<63 - 1

// errEnough ends a walk over events without an error.
var errEnough = errors.New("no more events are wanted")

// events calls fn with the events of an item from one offset to below another, in their order, until fn returns an
// error.
func (r *reader) events(sku string, from, end int64, fn func(*event) error) error {
	for ok := r.it.SeekGE(offsetKey(nil, keyEvent, sku, from)); ok && r.in(keyEvent, sku); ok = r.it.Next() {
		if offsetOf(r.it.Key()) >= end {
			break
		}
		e, err := r.event()
		if err == nil {
			err = fn(e)
		}
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return r.error()
}

// event is the one at the iterator.
func (r *reader) event() (*event, error) {
	value, err := r.it.ValueAndErr()
	if err != nil {
		return nil, fmt.Errorf("read the stock ledger: %w", err)
	}
	recorded, encoded, err := cutMicros(value)
	if err != nil {
		return nil, err
	}
	e := &event{eventv1.InventoryEventFromVTPool(), offsetOf(r.it.Key()), recorded}
	if err := schema.ReadInventory(encoded, e.InventoryEvent); err != nil {
		return nil, fmt.Errorf("read the stock ledger: %w", err)
	}
	return e, nil
}

// in reports whether the key at the iterator is of a kind and an item.
func (r *reader) in(kind byte, sku string) bool {
	key := r.it.Key()
	return len(key) > len(sku)+1 && key[0] == kind && string(key[1:1+len(sku)]) == sku && key[1+len(sku)] == 0
}

func (r *reader) error() error {
	if err := r.it.Error(); err != nil {
		return fmt.Errorf("read the stock ledger: %w", err)
	}
	return nil
}
