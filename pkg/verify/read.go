package verify

import (
	"context"
	"fmt"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// progressEvery is after how many events Options.Progress is called.
const progressEvery = 10_000

// readLog folds all events. Orders come first, because stock is compared with them. Availability rows come before
// stock, because a row is compared when the fold of stock passes its offset.
func (c *checker) readLog(ctx context.Context, client *eventlog.Client) error {
	events := append(c.partitions(eventlog.TopicOrders), c.partitions(eventlog.TopicInventory)...)
	before, err := client.EndOffsets(ctx, events)
	if err != nil {
		return err
	}
	if err := c.readTopic(ctx, client, eventlog.TopicOrders, c.foldOrder); err != nil {
		return err
	}
	if err := c.readRows(ctx, client); err != nil {
		return err
	}
	if err := c.readTopic(ctx, client, eventlog.TopicInventory, c.foldStock); err != nil {
		return err
	}
	after, err := client.EndOffsets(ctx, events)
	if err != nil {
		return err
	}
	c.report.Moving = !before.Reaches(after)
	return nil
}

// readTopic calls fn with an event topic's committed records, from the first that was ever written.
func (c *checker) readTopic(
	ctx context.Context, client *eventlog.Client, topic string, fn func(*eventlog.Record),
) error {
	tps := c.partitions(topic)
	// The end of all records, not of what readers can see already: a client may have its answer a moment before readers
	// see the transaction.
	to, err := client.EndOffsets(ctx, tps)
	if err != nil {
		return err
	}
	c.ends.Merge(to)
	return client.Read(ctx, nil, to, func(rec *eventlog.Record) error {
		fn(rec)
		if c.mirrorSums != nil {
			c.mirrorSums.record(rec)
		}
		c.report.Events++
		if c.o.Progress != nil && c.report.Events%progressEvery == 0 {
			c.o.Progress(c.report.Events)
		}
		return nil
	})
}

func (c *checker) partitions(topic string) []eventlog.TopicPartition {
	tps := make([]eventlog.TopicPartition, c.layout.PartitionCount)
	for i := range tps {
		tps[i] = eventlog.TopicPartition{Topic: topic, Partition: int32(i)}
	}
	return tps
}

// at names a record in a message, such as orders.events/3@17. It is formatted only where the message is.
func at(rec *eventlog.Record) fmt.Stringer { return (*place)(rec) }

type place eventlog.Record

// String implements fmt.Stringer.
func (p *place) String() string { return fmt.Sprintf("%s/%d@%d", p.Topic, p.Partition, p.Offset) }
