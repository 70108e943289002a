// Package availability is the stock view: its fold (inventory events to rows), its projector (rows
// into a topic), and its store (rows from the topic, served from memory).
//
// It reads the event schema, and knows nothing of how stock is decided.
package availability

import (
	"fmt"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// progressKey is the record key of progress rows. No SKU has control characters.
const progressKey = "\x00progress"

// BadEventError says where the log holds something that cannot be folded. The partition stops there:
// going on would show stock that is not so.
type BadEventError struct {
	eventlog.TopicPartition
	Offset int64
	Err    error
}

func (e *BadEventError) Error() string {
	return fmt.Sprintf("cannot fold %s partition %d offset %d: %v", e.Topic, e.Partition, e.Offset, e.Err)
}

func (e *BadEventError) Unwrap() error { return e.Err }

// fold is the view in the projector's memory.
type fold struct {
	rows map[string]*eventv1.AvailabilityRow
	// next is where each source partition goes on.
	next map[int32]int64
}

func newFold() *fold {
	return &fold{rows: map[string]*eventv1.AvailabilityRow{}, next: map[int32]int64{}}
}

// restore takes a record of the availability topic: what an earlier projector had done.
func (f *fold) restore(rec *eventlog.Record) error {
	row := &eventv1.AvailabilityRow{}
	if err := row.UnmarshalVT(rec.Value); err != nil {
		return fmt.Errorf("%s partition %d offset %d is not a row; delete the topic, it is built again: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	if row.Sku == "" {
		f.next[row.SourcePartition] = max(f.next[row.SourcePartition], row.SourceOffset+1)
		return nil
	}
	if old := f.rows[row.Sku]; old == nil || old.SourceOffset < row.SourceOffset {
		f.rows[row.Sku] = row
	}
	return nil
}

// apply folds one event and returns the row that it changed; nil when the row holds it already.
func (f *fold) apply(rec *eventlog.Record) (*eventv1.AvailabilityRow, error) {
	var ev eventv1.InventoryEvent
	if err := ev.UnmarshalVT(rec.Value); err != nil {
		return nil, &BadEventError{rec.TopicPartition, rec.Offset, err}
	}
	if ev.Sku == "" || ev.Meta == nil || ev.Change == nil {
		return nil, &BadEventError{rec.TopicPartition, rec.Offset, fmt.Errorf("an event without SKU, meta or a known change")}
	}
	row := f.rows[ev.Sku]
	if row == nil {
		row = &eventv1.AvailabilityRow{Sku: ev.Sku, SourcePartition: rec.Partition, SourceOffset: -1}
		f.rows[ev.Sku] = row
	}
	if rec.Offset <= row.SourceOffset {
		return nil, nil
	}
	if ev.Meta.Version != row.Version+1 {
		return nil, &BadEventError{rec.TopicPartition, rec.Offset,
			fmt.Errorf("SKU %s has version %d after %d", ev.Sku, ev.Meta.Version, row.Version)}
	}
	change(row, &ev)
	row.SourceOffset = rec.Offset
	return row, nil
}

// change takes over what an event says: levels are absolute in it.
func change(row *eventv1.AvailabilityRow, ev *eventv1.InventoryEvent) {
	row.Version = ev.Meta.Version
	row.OccurredAtMicros = ev.Meta.OccurredAtMicros
	row.Total = ev.Total
	for _, l := range ev.Locations {
		setLocation(row, l)
	}
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered:
		row.Registered, row.Description = true, c.ItemRegistered.Description
	case *eventv1.InventoryEvent_BackorderLimitSet:
		row.BackorderLimit = c.BackorderLimitSet.Limit
	}
}

func setLocation(row *eventv1.AvailabilityRow, l *eventv1.LocationLevel) {
	for i := range row.Locations {
		if row.Locations[i].Location == l.Location {
			row.Locations[i] = l
			return
		}
	}
	row.Locations = append(row.Locations, l)
}
