// Package availability is the stock view: its fold (inventory events to rows), its projector (rows
// into a topic), and its store (rows from the topic, served from memory).
//
// It reads the event schema, and knows nothing of how stock is decided.
package availability

import (
	"errors"
	"fmt"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// progressKey is the record key of progress rows. No SKU has control characters.
const progressKey = "\x00progress"

// rowFormat is that of the rows written here. 2 added the references of transfers, 1 what is under way; 0 had levels
// alone.
const rowFormat = 2

// errOldRow means that a row is of an earlier format. Whoever reads it passes it over: the projector makes the
// view again from the log.
var errOldRow = errors.New("a row of an earlier format")

// decodeRow takes a record of the availability topic apart. What is none of ours stops the reader: only
// projectors write there, so whatever else is in it, the rows beside it are not to be trusted either.
func decodeRow(rec *eventlog.Record, row *eventv1.AvailabilityRow) error {
	row.Reset()
	err := row.UnmarshalVT(rec.Value)
	switch {
	case err != nil:
	case row.Sku == "" && string(rec.Key) != progressKey, row.Sku != "" && string(rec.Key) != row.Sku:
		err = fmt.Errorf("its key %q is not that of its row", rec.Key)
	case row.SourcePartition != rec.Partition:
		err = fmt.Errorf("it comes from partition %d", row.SourcePartition)
	case row.Format < rowFormat:
		return errOldRow
	case row.Format > rowFormat:
		return projector.Bad(rec, fmt.Errorf("a newer version has written it, in format %d; this one knows %d: upgrade", row.Format, rowFormat))
	default:
		return nil
	}
	return projector.Bad(rec, fmt.Errorf("it is not a row; delete the topic, it is built again: %w", err))
}

// fold is the view in the projector's memory.
type fold struct {
	rows map[string]*eventv1.AvailabilityRow
	// next is where each source partition goes on.
	next map[int32]int64
}

func newFold() *fold {
	return &fold{rows: map[string]*eventv1.AvailabilityRow{}, next: map[int32]int64{}}
}

// restore takes a row of the availability topic: what an earlier projector had done. The row becomes the
// fold's.
func (f *fold) restore(row *eventv1.AvailabilityRow) {
	if row.Sku == "" {
		f.next[row.SourcePartition] = max(f.next[row.SourcePartition], row.SourceOffset+1)
		return
	}
	if old := f.rows[row.Sku]; old == nil || old.SourceOffset < row.SourceOffset {
		f.rows[row.Sku] = row
	}
}

// apply folds one event and returns the row that it changed; nil when the row holds it already. An event
// that cannot be folded changes nothing.
func (f *fold) apply(rec *eventlog.Record) (*eventv1.AvailabilityRow, error) {
	ev := eventv1.InventoryEventFromVTPool()
	defer ev.ReturnToVTPool() // what is kept of it is copied
	if err := schema.ReadInventory(rec.Value, ev); err != nil {
		return nil, projector.Bad(rec, err)
	}
	if ev.Sku == "" || ev.Meta == nil || ev.Change == nil {
		return nil, projector.Bad(rec, errors.New("an event without SKU, meta or a known change"))
	}
	row := f.rows[ev.Sku]
	if row == nil {
		row = &eventv1.AvailabilityRow{Sku: ev.Sku, SourcePartition: rec.Partition, SourceOffset: -1, Format: rowFormat}
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
	change(row, ev)
	row.SourceOffset = rec.Offset
	return row, nil
}

// change takes over what an event says: levels are absolute in it.
func change(row *eventv1.AvailabilityRow, ev *eventv1.InventoryEvent) {
	row.Version = ev.Meta.Version
	row.OccurredAtMicros = ev.Meta.OccurredAtMicros
	row.Total = copyLevel(row.Total, ev.Total)
	for _, l := range ev.Locations {
		setLocation(row, l)
	}
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_ItemRegistered:
		row.Registered, row.Description = true, c.ItemRegistered.Description
	case *eventv1.InventoryEvent_BackorderLimitSet:
		row.BackorderLimit = c.BackorderLimitSet.Limit
	default:
		openWork(row, ev)
	}
}

func setLocation(row *eventv1.AvailabilityRow, l *eventv1.LocationLevel) {
	for _, have := range row.Locations {
		if have.Location == l.Location {
			have.Level = copyLevel(have.Level, l.Level)
			return
		}
	}
	row.Locations = append(row.Locations, &eventv1.LocationLevel{Location: l.Location, Level: copyLevel(nil, l.Level)})
}

// copyLevel copies quantities into the level that a row has.
func copyLevel(dst, src *eventv1.Level) *eventv1.Level {
	if src == nil {
		return nil
	}
	if dst == nil {
		dst = &eventv1.Level{}
	}
	dst.OnHand, dst.Available, dst.Reserved, dst.Committed = src.OnHand, src.Available, src.Reserved, src.Committed
	dst.SafetyStock, dst.Damaged, dst.QualityControl, dst.Incoming = src.SafetyStock, src.Damaged, src.QualityControl, src.Incoming
	return dst
}
