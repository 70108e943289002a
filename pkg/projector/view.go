// Package projector is the read runtime that every view shares: it follows the view's topics, hands each
// record to the view in order, lets the view flush a batch, and knows how fresh the view is.
//
// It owns starting again after errors, stopping at a record that cannot be folded, readiness, age and lag.
// It does not own what a view holds, nor where the view keeps its offsets: those belong together in the
// view, so that neither can be ahead of the other.
package projector

import (
	"context"
	"fmt"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// View is what a runtime drives. It is called from one goroutine at a time: Begin, then Fold for each
// record of a batch, then Flush, and so on; Begin again after any error.
type View interface {
	// Begin drops what was folded and not flushed, and says where to go on. end is where the followed
	// partitions ended a moment before.
	Begin(ctx context.Context, end eventlog.Offsets) (from eventlog.Offsets, err error)
	// Fold takes a record over. A *BadEventError stops the record's partition, and the view must be as it
	// was before the record; any other error starts the view again. A record may come that the view holds
	// already. The record is valid only during the call; its key and value may be kept.
	Fold(rec *eventlog.Record) error
	// Flush makes durable what was folded since the last, together with how far that reaches. reached counts
	// what readers do not see, such as transaction markers, so it may grow without any Fold.
	Flush(ctx context.Context, reached eventlog.Offsets) error
}

// BadEventError says where the log holds something that cannot be folded. Its partition stops there: going
// on would show what is not so. Other partitions go on.
type BadEventError struct {
	eventlog.TopicPartition
	Offset int64
	Err    error
}

// Bad returns the error for a record.
func Bad(rec *eventlog.Record, err error) *BadEventError {
	return &BadEventError{TopicPartition: rec.TopicPartition, Offset: rec.Offset, Err: err}
}

// Error implements error.
func (e *BadEventError) Error() string {
	return fmt.Sprintf("cannot fold %s partition %d offset %d: %v", e.Topic, e.Partition, e.Offset, e.Err)
}

// Unwrap implements errors.Unwrap.
func (e *BadEventError) Unwrap() error { return e.Err }

// Permanent marks an error that time does not heal.
func (*BadEventError) Permanent() {}

// Partitions are all partitions of an event topic, or of a topic with as many.
func Partitions(topic string, layout eventlog.Layout) []eventlog.TopicPartition {
	tps := make([]eventlog.TopicPartition, layout.PartitionCount)
	for p := range tps {
		tps[p] = eventlog.TopicPartition{Topic: topic, Partition: int32(p)}
	}
	return tps
}
