package eventlog

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/backoff"
)

const (
	// lookTimeout bounds how long a writer looks at what it finds between its records. It is below transactionTimeout: a
	// transaction is open meanwhile.
	lookTimeout = 5 * time.Second
	// checkEndsTimeout bounds a check of the ends: a commit may wait for it.
	checkEndsTimeout = time.Second
	// checkStartsEvery is how often CheckEnds looks whether the log has its start.
	checkStartsEvery = 10 * time.Second
)

// ForeignRecordError means that a partition of the shard has a record which its writer did not write. Nobody can say
// yet whether readers can fold it. Until then nothing may be written behind it.
type ForeignRecordError struct {
	TopicPartition
	Offset int64
	// What is the record: its size, and what the broker knows of who wrote it.
	What string
}

// Error implements error.
func (e *ForeignRecordError) Error() string {
	return fmt.Sprintf("%s/%d has a record at offset %d that this owner did not write (%s): it stops writing at once, "+
		"and reads the record", e.Topic, e.Partition, e.Offset, e.What)
}

// guard knows where a writer's partitions must end, and so notices records of others.
//
// A transaction takes an offset for each record, and one more in each of its partitions for the marker that ends it.
// The broker writes the marker when it likes: the next transaction, which has another transactional id, may come before
// it. So what lies between two records of the writer is at most as many markers as are due there.
type guard struct {
	orders, inventory []guardedPartition // by partition
	touched           []*guardedPartition
}

type guardedPartition struct {
	next    int64 // the offset after the writer's last record, or after the last that was there before it
	markers int64 // that may still come from next on
	touched bool  // by the transaction that is open
}

// newGuard begins at the ends of the partitions as they were when all former writers had been fenced.
func newGuard(l Layout, ends Offsets) guard {
	g := guard{
		orders: make([]guardedPartition, l.PartitionCount), inventory: make([]guardedPartition, l.PartitionCount),
	}
	for tp, end := range ends {
		g.partition(tp).next = end
	}
	return g
}

// partition is nil for topics that are not event topics.
func (g *guard) partition(tp TopicPartition) *guardedPartition {
	switch tp.Topic {
	case TopicOrders:
		return &g.orders[tp.Partition]
	case TopicInventory:
		return &g.inventory[tp.Partition]
	}
	return nil
}

// written takes a record of the open transaction into account. gap: what lies before it is more than markers.
func (p *guardedPartition) written(g *guard, offset int64) (gap bool) {
	if !p.touched {
		p.touched = true
		g.touched = append(g.touched, p)
	}
	between := offset - p.next
	p.next = offset + 1
	gap = between < 0 || between > p.markers
	p.markers = max(0, p.markers-between)
	return gap
}

// committed says that the open transaction was committed: its markers are due.
func (g *guard) committed() {
	for _, p := range g.touched {
		p.touched = false
		p.markers++
	}
	g.touched = g.touched[:0]
}

// checkWritten looks whether the records of the open transaction follow what this writer wrote before.
func (w *Writer) checkWritten(recs []*Record) error {
	for i, r := range recs {
		p := w.guard.partition(r.TopicPartition)
		if p == nil {
			continue // every owner of the past and of the future writes announcements
		}
		expected, offset := p.next, w.batch.records[i].Offset
		if !p.written(&w.guard, offset) {
			continue
		}
		if offset < expected {
			return newUnclearError(fmt.Errorf("%s/%d: a record landed at offset %d, behind others up to %d: "+
				"the topic was made again, or the broker has lost records", r.Topic, r.Partition, offset, expected))
		}
		if err := w.look(r.TopicPartition, expected, offset); err != nil {
			return err
		}
	}
	return nil
}

// CheckEnds compares where the shard's partitions end with what this writer has written, for partitions that it does
// not write at the moment. It returns a *ForeignRecordError when somebody else has written; the writer is dead then. It
// is for the goroutine that commits. Brokers that do not answer are no error: the next commit meets them too.
func (w *Writer) CheckEnds() error {
	ctx, cancel := context.WithTimeout(w.open, checkEndsTimeout)
	defer cancel()
	partitions := w.layout.Partitions(w.shard)
	w.checkStarts(ctx, partitions)
	for pause := (backoff.Backoff{First: time.Millisecond, Longest: retryPause}); !w.dead.Load(); {
		ends, err := w.client.EndOffsets(ctx, partitions)
		if err != nil {
			return nil
		}
		due, err := w.compareEnds(ends)
		if err != nil {
			w.Close()
			return err
		}
		// While a marker is due, a foreign record may have its place.
		if !due || pause.Sleep(ctx) != nil {
			return nil
		}
	}
	return nil
}

// checkStarts logs that the start of a partition was deleted. The owner has read it and goes on: it is whoever comes
// next that stops.
func (w *Writer) checkStarts(ctx context.Context, partitions []TopicPartition) {
	if time.Since(w.startsChecked) < checkStartsEvery {
		return
	}
	starts, err := w.client.StartOffsets(ctx, partitions)
	if err != nil {
		return // asked again
	}
	w.startsChecked = time.Now()
	for tp, start := range starts {
		w.client.noteStart(tp, start)
	}
}

// compareEnds compares the partitions' ends with the writer's. due: some markers were not there yet.
func (w *Writer) compareEnds(ends Offsets) (due bool, err error) {
	for tp, end := range ends {
		p := w.guard.partition(tp)
		behind := end - p.next
		if behind > p.markers {
			if err := w.look(tp, p.next, end); err != nil {
				return false, err
			}
			p.next, p.markers = end, 0
		}
		due = due || behind < p.markers
	}
	return due, nil
}

// look returns a *ForeignRecordError for the first record in [from, to) of a partition. It is nil when there are only
// markers: a broker that did not hear whether it has written one writes it again.
func (w *Writer) look(tp TopicPartition, from, to int64) error {
	ctx, cancel := context.WithTimeout(w.open, lookTimeout)
	defer cancel()
	var foreign *ForeignRecordError
	err := w.client.readRaw(ctx, tp, from, to, func(r *kgo.Record) bool {
		if !r.Attrs.IsControl() {
			foreign = &ForeignRecordError{TopicPartition: tp, Offset: r.Offset, What: describeRecord(r)}
		}
		return foreign == nil
	})
	if err != nil {
		return newUnclearError(fmt.Errorf("%s/%d: something was written from offset %d to %d, and reading it failed: %w",
			tp.Topic, tp.Partition, from, to, err))
	}
	if foreign != nil {
		return foreign
	}
	return nil
}

// InspectCommand is how to look at a record.
func InspectCommand(tp TopicPartition, offset int64) string {
	return fmt.Sprintf("holdfast log inspect --topic %s --partition %d --offset %d", tp.Topic, tp.Partition, offset)
}

// describeRecord says what the broker knows of a record.
func describeRecord(r *kgo.Record) string {
	in := "in no transaction"
	if r.Attrs.IsTransactional() {
		in = "in a transaction"
	}
	return fmt.Sprintf("%d bytes, of producer %d epoch %d, %s, %s",
		len(r.Key)+len(r.Value), r.ProducerID, r.ProducerEpoch, in, r.Timestamp.UTC().Format(time.RFC3339Nano))
}
