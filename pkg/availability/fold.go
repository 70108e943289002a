// Package availability is the view of stock: for each SKU one row with what is in stock, by location, and what is under
// way. It has two halves. The projector folds inventory.events into rows and writes them to the topic
// inventory.availability. The store reads that topic into memory and answers queries from there.
//
// It owns the rows, their topic and their JSON. It reads the event schema, and does not know the rules by which stock
// is decided.
package availability

import (
	"errors"
	"fmt"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// fold is the projector's state: every row, and how far the events of each source partition are folded into them.
type fold struct {
	rows map[string]*eventv1.AvailabilityRow // by SKU
	// next is the offset of inventory.events, by partition, at which folding resumes.
	next map[int32]int64
}

func newFold() *fold {
	return &fold{rows: map[string]*eventv1.AvailabilityRow{}, next: map[int32]int64{}}
}

// restore adds a row of the availability topic, which an earlier projector has written. The fold keeps the row.
func (f *fold) restore(row *eventv1.AvailabilityRow) {
	if row.Sku == "" {
		f.next[row.SourcePartition] = max(f.next[row.SourcePartition], row.SourceOffset+1)
		return
	}
	if old := f.rows[row.Sku]; old == nil || old.SourceOffset < row.SourceOffset {
		f.rows[row.Sku] = row
	}
}

// apply folds one event and returns the row that it changed; nil when the row has the event already. An event that
// cannot be folded changes nothing.
func (f *fold) apply(rec *eventlog.Record) (*eventv1.AvailabilityRow, error) {
	ev := eventv1.InventoryEventFromVTPool()
	defer ev.ReturnToVTPool() // the row only gets copies
	if err := schema.ReadInventory(rec.Value, ev); err != nil {
		return nil, projector.Bad(rec, err)
	}
	if ev.Sku == "" || ev.Meta == nil || ev.Change == nil {
		return nil, projector.Bad(rec, errors.New("an event without SKU, meta or a known change"))
	}
	row := f.rows[ev.Sku]
	if row == nil {
		row = NewRow(ev.Sku, rec.Partition)
	}
	if rec.Partition != row.SourcePartition {
		return nil, projector.Bad(rec, fmt.Errorf("SKU %s has events in partition %d", ev.Sku, row.SourcePartition))
	}
	if rec.Offset <= row.SourceOffset {
		return nil, nil
	}
	if ev.Meta.Version != row.Version+1 {
		return nil, projector.Bad(rec, fmt.Errorf("SKU %s has version %d after %d", ev.Sku, ev.Meta.Version, row.Version))
	}
	f.rows[ev.Sku] = row
	Apply(row, ev, rec.Offset)
	return row, nil
}

// NewRow is the row of an item without events. Its events will be in a partition of inventory.events.
func NewRow(sku string, partition int32) *eventv1.AvailabilityRow {
	return &eventv1.AvailabilityRow{Sku: sku, SourcePartition: partition, SourceOffset: -1, Format: rowFormat}
}

// Apply folds an event into the row of its item. Its version is the one after the row's. The row keeps nothing of the
// event's memory but strings.
func Apply(row *eventv1.AvailabilityRow, ev *eventv1.InventoryEvent, offset int64) {
	change(row, ev)
	row.SourceOffset = offset
}

// change folds an event into its row. Levels are copied: an event states them as they are after it. The version and
// the time that clients are shown stay as they were at an event that changes nothing else of what they are shown.
func change(row *eventv1.AvailabilityRow, ev *eventv1.InventoryEvent) {
	row.Version = ev.Meta.Version
	if visible(ev) {
		row.VisibleVersion, row.OccurredAtMicros = ev.Meta.Version, ev.Meta.OccurredAtMicros
	}
	row.Total = copyLevel(row.Total, ev.Total)
	for _, l := range ev.Locations {
		setLocation(row, l)
	}
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered:
		row.Registered, row.Description = true, c.ItemRegistered.Description
		if m := c.ItemRegistered.Metadata; m != nil {
			row.Metadata = copyMetadata(m.Entries)
		}
	case *eventv1.InventoryEvent_BackorderLimitSet:
		row.BackorderLimit = c.BackorderLimitSet.Limit
	default:
		changeOpenWork(row, ev)
	}
}

// visible says what inventory.Visible says of the change that was decided; a test compares them.
func visible(ev *eventv1.InventoryEvent) bool {
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_ReservationRejected:
		return false
	case *eventv1.InventoryEvent_ReservationReleased:
		return c.ReservationReleased.Quantity != 0
	}
	return true
}

func setLocation(row *eventv1.AvailabilityRow, stated *eventv1.LocationLevel) {
	for _, l := range row.Locations {
		if l.Location == stated.Location {
			l.Level = copyLevel(l.Level, stated.Level)
			return
		}
	}
	row.Locations = append(row.Locations, &eventv1.LocationLevel{
		Location: stated.Location, Level: copyLevel(nil, stated.Level),
	})
}
