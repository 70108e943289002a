package availability

import (
	"context"
	"errors"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// storeView is the store as the runtime drives it: records of the availability topic to rows in memory.
type storeView struct {
	client   *eventlog.Client
	layout   eventlog.Layout
	advance  func(eventlog.Offsets)              // raises the watermark of the view
	progress eventlog.Offsets                    // of inventory.events, since the last flush
	changed  map[string]*eventv1.AvailabilityRow // the newest row of each SKU, since the last flush
	rows     rows
	// unfinished is what the listener was not told yet; nil: there is none.
	unfinished *unfinished
}

// Begin starts at the topic's beginning: a store keeps nothing on disk.
func (v *storeView) Begin(ctx context.Context, _ eventlog.Offsets) (eventlog.Offsets, error) {
	v.progress = eventlog.Offsets{}
	clear(v.changed)
	if v.unfinished != nil {
		v.unfinished.begin()
	}
	return v.client.StartOffsets(ctx, projector.Partitions(eventlog.TopicAvailability, v.layout))
}

// Fold notes a row, unless a newer one of its SKU was noted, or how far a partition's rows are.
func (v *storeView) Fold(rec *eventlog.Record) error {
	row := &eventv1.AvailabilityRow{}
	switch err := decodeRow(rec, row); {
	case errors.Is(err, errOldRow):
		return nil
	case err != nil:
		return err
	}
	if row.Sku == "" {
		tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: row.SourcePartition}
		v.progress[tp] = max(v.progress[tp], row.SourceOffset+1)
		if v.unfinished != nil {
			v.unfinished.finish(row.SourcePartition, row.SourceOffset+1)
		}
		return nil
	}
	if v.unfinished != nil && row.Registered {
		v.unfinished.add(row, v.differs(row))
	}
	if newest := v.changed[row.Sku]; newest == nil || newest.SourceOffset < row.SourceOffset {
		v.changed[row.Sku] = row
	}
	return nil
}

// differs reports whether clients see that a row differs from the one before it.
func (v *storeView) differs(row *eventv1.AvailabilityRow) bool {
	if before := v.changed[row.Sku]; before != nil {
		return before.SourceOffset >= row.SourceOffset || !before.Registered ||
			before.VisibleVersion != row.VisibleVersion
	}
	before := v.rows.get(row.Sku)
	return before.offset >= row.SourceOffset || before.body == nil || before.version != row.VisibleVersion
}

// Flush renders the rows that changed, and then moves the watermark: the projector writes progress after the rows that
// it covers, so that all of those are in memory now.
func (v *storeView) Flush(context.Context, eventlog.Offsets) error {
	for _, row := range v.changed {
		v.rows.put(row)
	}
	clear(v.changed)
	if v.unfinished != nil {
		v.unfinished.tell()
	}
	v.advance(v.progress)
	clear(v.progress)
	return nil
}
