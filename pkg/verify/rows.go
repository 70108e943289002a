package verify

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// viewPoll is how often rows that are behind are looked for again.
const viewPoll = 100 * time.Millisecond

// rows is what was read of the availability topic.
type rows struct {
	newest map[string]*eventv1.AvailabilityRow // by SKU
	// compared is the source offset at which a SKU's row was compared with the fold.
	compared map[string]int64
	// progress is up to which offset of a source partition the projector says that all rows are written.
	progress map[int32]int64
	read     eventlog.Offsets // up to where the topic was read
	beyond   int64            // rows of events that were written after the log was read
}

func newRows() *rows {
	return &rows{newest: map[string]*eventv1.AvailabilityRow{}, compared: map[string]int64{}, progress: map[int32]int64{}}
}

// readRows reads the availability topic, before the stock events that its rows are compared with.
func (c *checker) readRows(ctx context.Context, client *eventlog.Client) error {
	tps := c.partitions(eventlog.TopicAvailability)
	stock, err := client.EndOffsets(ctx, c.partitions(eventlog.TopicInventory))
	if err != nil {
		return err
	}
	c.ends.Merge(stock)
	if c.rows.read, err = client.StartOffsets(ctx, tps); err != nil {
		return err
	}
	return c.readMoreRows(ctx, client)
}

// readMoreRows reads on to the topic's present end.
func (c *checker) readMoreRows(ctx context.Context, client *eventlog.Client) error {
	to, err := client.EndOffsets(ctx, c.partitions(eventlog.TopicAvailability))
	if err != nil {
		return err
	}
	err = client.Read(ctx, c.rows.read, to, func(rec *eventlog.Record) error { c.addRow(rec); return nil })
	c.rows.read = to
	return err
}

// rowFormat is the earliest format of rows that readers accept.
const rowFormat = 4

func (c *checker) addRow(rec *eventlog.Record) {
	row := &eventv1.AvailabilityRow{}
	if err := row.UnmarshalVT(rec.Value); err != nil {
		c.check(View, false, "%s: %v", at(rec), err)
		return
	}
	if row.Format < rowFormat {
		return // readers pass over rows of earlier versions
	}
	p := row.SourcePartition
	end, exists := c.ends[eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: p}]
	if row.Sku == "" { // a progress row
		c.rows.progress[p] = max(c.rows.progress[p], row.SourceOffset+1)
		return
	}
	c.check(View, exists && string(rec.Key) == row.Sku && p == partitionOf(row.Sku, c.layout.PartitionCount),
		"%s: key %q and source partition %d on the row of %q", at(rec), rec.Key, p, row.Sku)
	if row.SourceOffset >= end {
		c.rows.beyond++
		return
	}
	if it := c.items.get(row.Sku); it != nil && row.SourceOffset != it.lastOffset {
		return // the fold is past its offset: only a row of the fold's end can be compared now
	}
	// An older row after a newer one is no violation: readers pass over it.
	if old := c.rows.newest[row.Sku]; old == nil || old.SourceOffset < row.SourceOffset {
		c.rows.newest[row.Sku] = row
	}
}

// compareRow compares a SKU's newest row with the fold, when the fold has just passed the row's source offset (I7).
func (c *checker) compareRow(rec *eventlog.Record, sku string, it *item) {
	row := c.rows.newest[sku]
	if row == nil || row.SourceOffset != rec.Offset || row.SourcePartition != rec.Partition {
		return
	}
	c.rows.compared[sku] = rec.Offset
	c.compareWith(rec, sku, it, row)
}

// compareWith compares a row with the fold at the row's source offset.
func (c *checker) compareWith(rec *eventlog.Record, sku string, it *item, row *eventv1.AvailabilityRow) {
	same := len(row.Locations) == len(it.locations)
	for _, stated := range row.Locations {
		l := it.find(stated.Location)
		same = same && l != nil && sameLevel(&l.level, stated.Level)
	}
	total := it.total()
	c.check(View, same && sameLevel(total, row.Total),
		"SKU %s at %s: the view has %v, the log makes %v", sku, at(rec), row, total)
	c.check(View, row.Version == it.version && row.VisibleVersion == it.visibleVersion &&
		row.Registered == it.registered && row.Description == it.description &&
		row.BackorderLimit == it.backorderLimit && row.OccurredAtMicros == it.occurredAt,
		"SKU %s at %s: the view has version %d, of which clients see %d, %q, registered %t, backorder limit %d; "+
			"the log makes version %d, of which clients see %d, %q, %t, %d",
		sku, at(rec), row.Version, row.VisibleVersion, row.Description, row.Registered, row.BackorderLimit,
		it.version, it.visibleVersion, it.description, it.registered, it.backorderLimit)
	c.check(View, slices.EqualFunc(row.Metadata, it.metadata, func(e *eventv1.MetadataEntry, mine entry) bool {
		return entry{e.Key, e.Value} == mine
	}), "SKU %s at %s: the view has the metadata %v, the log makes %v", sku, at(rec), row.Metadata, it.metadata)
	c.compareOpenWork(rec, row, it)
}

// compareOpenWork compares the transfers, deliveries and backorders of a row with the fold.
func (c *checker) compareOpenWork(rec *eventlog.Record, row *eventv1.AvailabilityRow, it *item) {
	name := func(index uint32) string {
		if int(index) < len(row.Locations) {
			return row.Locations[index].Location
		}
		return ""
	}
	same := len(row.Transfers) == len(it.transfers) && len(row.Deliveries) == len(it.expected) &&
		len(row.Backorders) == len(it.waiting)
	for _, t := range row.Transfers {
		way := it.transfers[t.TransferId]
		same = same && way != nil && *way == transfer{name(t.FromLocation), name(t.ToLocation), t.Remaining}
	}
	for _, d := range row.Deliveries {
		same = same && it.expected[delivery{name(d.Location), d.Reference}] == d.Quantity
	}
	for i, w := range row.Backorders {
		id := w.OrderId
		if raw, err := uuid.FromBytes(w.OrderUuid); err == nil {
			id = raw.String()
		}
		if !same {
			break
		}
		mine := it.waiting[i]
		same = same && mine.order == id && mine.location == name(w.Location) && mine.units == w.Quantity
	}
	c.check(View, same, "SKU %s at %s: the view has %d transfers, %d deliveries and %d orders waiting, "+
		"which are not those of the log: %d, %d and %d",
		row.Sku, at(rec), len(row.Transfers), len(row.Deliveries), len(row.Backorders),
		len(it.transfers), len(it.expected), len(it.waiting))
}

// checkRows compares the view with the end of the log. While nobody writes, it waits a little for rows that are behind.
// While the log is written, rows are compared at their own offsets alone.
func (c *checker) checkRows(ctx context.Context, client *eventlog.Client) error {
	if err := c.awaitRows(ctx, client); err != nil {
		return err
	}
	for sku, row := range c.rows.newest {
		offset, ok := c.rows.compared[sku]
		c.check(View, ok && offset == row.SourceOffset,
			"the row of SKU %s is said to follow from %s/%d@%d, which is no event of it",
			sku, eventlog.TopicInventory, row.SourcePartition, row.SourceOffset)
	}
	c.check(View, c.rows.beyond == 0 || c.report.Moving,
		"%d rows follow from events that the log does not have", c.rows.beyond)
	behind := c.rowsBehind()
	c.report.RowsBehind = len(behind)
	for _, sku := range behind {
		it, row := c.items.get(sku), c.rows.newest[sku]
		if c.report.Moving && it.lastOffset >= c.rows.progress[it.partition] {
			continue // the view's progress does not claim to be that far
		}
		c.check(View, false, "SKU %s: the view stands at version %d (offset %d), the log at %d (%s/%d@%d)",
			sku, row.GetVersion(), row.GetSourceOffset(), it.version, eventlog.TopicInventory, it.partition, it.lastOffset)
	}
	if c.report.Moving {
		c.byID[View].Note = "the log was written while it was read: rows were compared at their own offsets, not at its end"
	}
	return nil
}

// awaitRows waits until the rows are at the end of a log that nobody writes, at most for Options.ViewWait.
func (c *checker) awaitRows(ctx context.Context, client *eventlog.Client) error {
	deadline := time.Now().Add(c.o.ViewWait)
	for !c.report.Moving && len(c.rowsBehind()) > 0 && time.Now().Before(deadline) {
		if err := backoff.Sleep(ctx, viewPoll); err != nil {
			return err
		}
		if err := c.readMoreRows(ctx, client); err != nil {
			return err
		}
		c.compareEnds()
	}
	return nil
}

// compareEnds compares rows that have reached the end of the log since the fold passed it.
func (c *checker) compareEnds() {
	for sku, it := range c.items.recent {
		if row := c.rows.newest[sku]; row != nil && row.SourceOffset == it.lastOffset &&
			c.rows.compared[sku] != it.lastOffset {
			tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: it.partition}
			c.compareRow(&eventlog.Record{TopicPartition: tp, Offset: it.lastOffset}, sku, it)
		}
	}
}

// rowsBehind lists SKUs whose newest row is older than their last event.
func (c *checker) rowsBehind() (skus []string) {
	for sku, it := range c.items.recent {
		if row := c.rows.newest[sku]; row == nil || row.SourceOffset < it.lastOffset {
			skus = append(skus, sku)
		}
	}
	return skus
}
