package eventlog

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
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
	c.countStartCut(tp)
	if _, noted := c.startsGone.LoadOrStore(tp, start); noted {
		return
	}
	c.cfg.Logger.Error("the start of the log is gone. This reader is past it and goes on; whoever needs the whole log "+
		"cannot: a replica or a view without its data folder, a mirror that is filled again, holdfast verify. "+
		"Do not delete any data folder, and restore the topics from a backup "+
		"(docs/runbook.md, \"The start of the log is gone\")",
		"topic", tp.Topic, "partition", tp.Partition, "start", start)
}

// newStartCut is the metric of deleted starts of the log. Clients of one process share it; a registry has it once.
func newStartCut(registerer prometheus.Registerer) (*prometheus.GaugeVec, error) {
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "holdfast_log_start_cut",
		Help: "1 for a partition of the event log whose start has been deleted, as this process has noticed it; no series: " +
			"none is known.",
	}, []string{"topic", "partition"})
	if registerer == nil {
		return gauge, nil
	}
	err := registerer.Register(gauge)
	if registered, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if shared, ok := registered.ExistingCollector.(*prometheus.GaugeVec); ok {
			return shared, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("register the metrics of the event log: %w", err)
	}
	return gauge, nil
}

func (c *Client) countStartCut(tp TopicPartition) {
	c.startCut.WithLabelValues(tp.Topic, strconv.Itoa(int(tp.Partition))).Set(1)
}
