// Package projector is the runtime that all views share. It follows the view's topics, passes each record to the view
// in order, and tells the view when to flush.
//
// It owns the restart after errors, the stop at a record that cannot be folded, the watermark, readiness, age and lag.
// It does not own the view's data, nor the place where the view saves its offsets: both belong to the view, so that
// neither can be ahead of the other.
package projector

import (
	"context"
	"fmt"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// View is what a runtime drives. Calls never overlap: first Begin, then Fold for each record of a batch, then Flush,
// then the next batch. After any error the runtime calls Begin again.
type View interface {
	// Begin drops what was folded and not flushed, and returns the offsets to follow from. end is where the followed
	// partitions ended just before.
	Begin(ctx context.Context, end eventlog.Offsets) (from eventlog.Offsets, err error)
	// Fold applies a record to the view. A view that saves its offsets with its data gets each record once; another one
	// must ignore what it applied in an earlier run.
	// A *BadEventError stops the record's partition, and Fold must not have changed the view. Any other error starts the
	// view again. The record is valid only during the call; its key and value may be kept.
	Fold(rec *eventlog.Record) error
	// Flush saves what was folded since the last Flush, together with the offsets reached. Transaction markers count in
	// reached, so it may grow without any Fold.
	Flush(ctx context.Context, reached eventlog.Offsets) error
}

// Listener is told what a view has. Its calls come from the goroutine of the view, so they must return soon.
type Listener interface {
	// Began says that the view goes on from these offsets. What a listener was told of records from there on comes again.
	Began(from eventlog.Offsets)
	// Folded has the records that the view has flushed, in their order, and the offsets that it has reached. A record at
	// or beyond them was not folded. The records are the listener's to keep.
	Folded(recs []eventlog.Record, reached eventlog.Offsets)
}

// BadEventError names a record that cannot be folded. Its partition stops there, because the view would be wrong if it
// went on. Other partitions go on.
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
	return fmt.Sprintf("cannot fold %s partition %d offset %d: %v; to see the record: %s",
		e.Topic, e.Partition, e.Offset, e.Err, eventlog.InspectCommand(e.TopicPartition, e.Offset))
}

// Unwrap implements errors.Unwrap.
func (e *BadEventError) Unwrap() error { return e.Err }

// Permanent marks the error as one that does not pass with time.
func (*BadEventError) Permanent() {}

// Partitions are all partitions of an event topic, or of a topic with the same number of partitions.
func Partitions(topic string, layout eventlog.Layout) []eventlog.TopicPartition {
	tps := make([]eventlog.TopicPartition, layout.PartitionCount)
	for p := range tps {
		tps[p] = eventlog.TopicPartition{Topic: topic, Partition: int32(p)}
	}
	return tps
}
