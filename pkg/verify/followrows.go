package verify

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The auditor reads availability rows beside the events that they follow from (I7). A row whose source offset is the
// last that was folded of its SKU is compared at once. One that is ahead waits for the fold. One that is older cannot
// be compared any more: of a SKU that changes without a pause the auditor sees some rows, and always the last one.

// foldRow folds a record of the availability topic.
func (c *checker) foldRow(rec *eventlog.Record) {
	row := &eventv1.AvailabilityRow{}
	if err := row.UnmarshalVT(rec.Value); err != nil {
		c.check(View, false, "%s: %v", at(rec), err)
		return
	}
	if row.Format < rowFormat {
		return // readers pass over rows of earlier versions
	}
	p := row.SourcePartition
	if row.Sku == "" { // a progress row
		c.rows.progress[p] = max(c.rows.progress[p], row.SourceOffset+1)
		return
	}
	fits := string(rec.Key) == row.Sku && p == partitionOf(row.Sku, c.layout.PartitionCount)
	c.check(View, fits, "%s: key %q and source partition %d on the row of %q", at(rec), rec.Key, p, row.Sku)
	if !fits {
		return
	}
	it := c.itemOf(row.Sku, p)
	if row.SourceOffset <= it.rowOffset {
		return // an older row after a newer one is no violation: readers pass over it
	}
	it.rowOffset = row.SourceOffset
	switch {
	case row.SourceOffset > it.lastOffset:
		it.row = row
	case row.SourceOffset == it.lastOffset:
		it.row = nil
		c.compareWith(rec, row.Sku, it, row)
	}
}

// passRow checks that the fold of a SKU does not pass the source offset of the row that waits for it.
func (c *checker) passRow(rec *eventlog.Record, it *item) {
	if it.row == nil || it.row.SourceOffset >= rec.Offset {
		return
	}
	c.checkSource(it)
}

// checkSource counts a row that waits for an event that its SKU does not have.
func (c *checker) checkSource(it *item) {
	c.check(View, false, "the row of SKU %s is said to follow from %s/%d@%d, which is no event of it",
		it.sku, eventlog.TopicInventory, it.partition, it.row.SourceOffset)
	it.row = nil
}

// compareWaitingRow compares the row that waits for the event that was just folded.
func (c *checker) compareWaitingRow(rec *eventlog.Record, it *item) {
	if it.row != nil && it.row.SourceOffset == rec.Offset {
		c.compareWith(rec, it.sku, it, it.row)
		it.row = nil
	}
}

// checkRowOf checks that the topic has the row of a SKU's last event. It is called when everything that was in the log
// when the SKU changed last is folded, and more. It returns false where the projector does not claim to be that far.
func (c *checker) checkRowOf(it *item) (there bool) {
	if it.row != nil {
		c.checkSource(it)
	}
	if it.rowOffset >= it.lastOffset {
		c.check(View, true, "")
		return true
	}
	if it.lastOffset >= c.rows.progress[it.partition] {
		return false
	}
	c.check(View, false, "SKU %s: the view stands at offset %d, and claims to have all up to %d; the log is at %s/%d@%d",
		it.sku, it.rowOffset, c.rows.progress[it.partition], eventlog.TopicInventory, it.partition, it.lastOffset)
	return true
}
