package eventlog

import (
	"fmt"
	"slices"
)

// LogStartError means that a reader needs records that have been deleted from the start of the log. Nothing has them
// but a backup, and what a reader builds without them is wrong. It does not go on.
type LogStartError struct {
	TopicPartition
	// Offset is what the reader needs next, Start what the log has first.
	Offset, Start int64
}

// Error implements error.
func (e *LogStartError) Error() string {
	return fmt.Sprintf("%s partition %d starts at offset %d, and is needed from offset %d on: the records before were "+
		"deleted, by kafka-delete-records or another retention. Nothing reads past them: stop all services and restore the "+
		"topics from a backup (docs/runbook.md, \"The start of the log is gone\")", e.Topic, e.Partition, e.Start, e.Offset)
}

// Permanent marks an error that time does not heal.
func (*LogStartError) Permanent() {}

// outside is the error for an offset that a partition does not have.
func outside(tp TopicPartition, offset, start, end int64) error {
	if offset < start && slices.Contains(sourceTopics(), tp.Topic) {
		return &LogStartError{TopicPartition: tp, Offset: offset, Start: start}
	}
	return &OffsetError{TopicPartition: tp, Offset: offset, Start: start, End: end}
}

// noteStart logs, once for each partition, that the start of the log is gone for others, though the reader has it.
func (c *Client) noteStart(tp TopicPartition, start int64) {
	if start <= 0 || !slices.Contains(sourceTopics(), tp.Topic) {
		return
	}
	if _, noted := c.startsGone.LoadOrStore(tp, start); noted {
		return
	}
	c.cfg.Logger.Error("the start of the log is gone. This reader is past it and goes on; whoever needs the whole log "+
		"cannot: a replica or a view without its data folder, a mirror that is filled again, holdfast verify. "+
		"Do not delete any data folder, and restore the topics from a backup "+
		"(docs/runbook.md, \"The start of the log is gone\")",
		"topic", tp.Topic, "partition", tp.Partition, "start", start)
}
