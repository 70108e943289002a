package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// producersPerWriter is how many transactional ids a writer uses in turn. While the broker still writes the markers of
// one transaction, the next one runs under another id. With a single id every commit would wait about 20 ms for the
// markers.
const producersPerWriter = 3

// transactionTimeout is after how long the broker aborts a transaction that its writer left open.
const transactionTimeout = 10 * time.Second

// ErrWriterDead is the error of every commit after an unclear commit, and after Close.
var ErrWriterDead = errors.New("the writer is dead: acquire the shard again")

// ErrEmptyCommit refuses a commit without records. The Kafka client would report success without asking the broker, so
// a writer that is fenced would not notice.
var ErrEmptyCommit = errors.New("a commit needs at least one record")

// UnclearError means that a commit may or may not have happened. The caller must discard the state that it decided on,
// and acquire the shard again if it still owns it.
type UnclearError struct {
	// Fenced says that the broker refused this writer. Another one has acquired the shard, or the broker has aborted the
	// transaction because it took too long.
	Fenced bool

	err error
}

// Error implements error.
func (e *UnclearError) Error() string {
	if e.Fenced {
		return "commit refused, this writer is fenced: " + e.err.Error()
	}
	return "commit unclear: " + e.err.Error()
}

// Unwrap returns the client's error.
func (e *UnclearError) Unwrap() error { return e.err }

func newUnclearError(err error) *UnclearError { return &UnclearError{Fenced: isFenced(err), err: err} }

// isFenced reports whether the broker refuses the writer. Which of these errors it returns depends on its version and
// on what it noticed first.
func isFenced(err error) bool {
	for _, fenced := range []error{
		kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidTxnState,
		kerr.InvalidProducerIDMapping, kerr.TransactionCoordinatorFenced,
	} {
		if errors.Is(err, fenced) {
			return true
		}
	}
	return false
}

// TimeRefused reports whether a commit failed because the broker's clock is so far from the records' time that the
// broker does not take them. Apache Kafka allows an hour.
func TimeRefused(err error) bool { return errors.Is(err, kerr.InvalidTimestamp) }

// Writer is one shard's right to append. It uses three transactional ids in turn, with at most one transaction open.
// Commit is for one goroutine. Close may be called from any goroutine, and ends a Commit that waits.
type Writer struct {
	cfg       Config
	layout    Layout
	shard     int32
	client    *Client // to ask and to read; it is not the writer's own
	producers [producersPerWriter]*transactional
	next      int
	ends      Offsets
	guard     guard
	// startsChecked is when CheckEnds looked last whether the log has its start.
	startsChecked time.Time

	dead    atomic.Bool
	closing sync.Once
	open    context.Context // until Close
	end     context.CancelFunc

	batch batch
}

// batch is the memory of a commit, which the next commit uses again.
type batch struct {
	records []kgo.Record
	headers []kgo.RecordHeader

	pending atomic.Int64             // records without a response
	done    chan struct{}            // gets a value when the last record has its response
	failed  chan error               // gets the error of the first record that failed
	promise func(*kgo.Record, error) // the client calls it with the response for each record
}

func (b *batch) init() {
	b.done = make(chan struct{}, 1)
	b.failed = make(chan error, 1)
	b.promise = func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case b.failed <- err:
			default:
			}
		}
		if b.pending.Add(-1) == 0 {
			b.done <- struct{}{}
		}
	}
}

// Shard is the shard that this writer writes.
func (w *Writer) Shard() int32 { return w.shard }

// Layout is the layout that this writer was opened under.
func (w *Writer) Layout() Layout { return w.layout }

// Ends are where the shard's partitions ended once all former writers had been fenced. Whatever lies before them is
// decided, and only this writer may write behind them.
func (w *Writer) Ends() Offsets { return w.ends.Clone() }

// Commit appends the records in one transaction and sets each record's Offset. There must be at least one record, none
// may be too large, and their partitions must be the shard's. Otherwise nothing happens, the writer can go on, and the
// error is not an *UnclearError. Any other error is an *UnclearError, or a *ForeignRecordError when somebody else has
// written into the shard's partitions: nothing of this transaction is in the log then. The writer is dead after both.
func (w *Writer) Commit(recs []*Record) error {
	if w.dead.Load() {
		return ErrWriterDead
	}
	if err := w.check(recs); err != nil {
		return err
	}
	producer := w.producers[w.next]
	w.next = (w.next + 1) % producersPerWriter
	if err := producer.BeginTransaction(); err != nil {
		return w.die(err)
	}
	w.fill(recs)
	if err := w.produce(producer); err != nil {
		return w.die(err)
	}
	// An open transaction that nobody ends is aborted by the next owner, or by the broker.
	if err := w.checkWritten(recs); err != nil {
		w.Close()
		return err
	}
	// Commit only now that every record has succeeded: the client reports success also for a transaction whose records
	// failed. Without cancellation, because a cancelled commit may or may not happen.
	if err := producer.commit(context.Background()); err != nil {
		return w.die(err)
	}
	w.guard.committed()
	for i, r := range recs {
		r.Offset = w.batch.records[i].Offset
	}
	return nil
}

// check refuses records that must never reach the log, before a transaction begins.
func (w *Writer) check(recs []*Record) error {
	if len(recs) == 0 {
		return ErrEmptyCommit
	}
	for _, r := range recs {
		if !w.mayWrite(r.TopicPartition) {
			return fmt.Errorf("%s/%d is not a partition of shard %d (of %d)",
				r.Topic, r.Partition, w.shard, w.layout.ShardCount)
		}
		if n := r.Size(); n > MaxRecordBytes {
			return fmt.Errorf("%s/%d: a record of %d bytes is over the limit of %d",
				r.Topic, r.Partition, n, MaxRecordBytes)
		}
	}
	return nil
}

// mayWrite reports whether the partition is the shard's: of an event topic, or the one for its announcements.
func (w *Writer) mayWrite(tp TopicPartition) bool {
	switch tp.Topic {
	case TopicOrders, TopicInventory:
		exists := tp.Partition >= 0 && tp.Partition < w.layout.PartitionCount
		return exists && w.layout.ShardOf(tp.Partition) == w.shard
	case TopicShards:
		return tp.Partition == w.shard
	}
	return false
}

// fill copies the records into the batch's memory in the client's form.
func (w *Writer) fill(recs []*Record) {
	b := &w.batch
	if cap(b.records) < len(recs) {
		b.records = make([]kgo.Record, len(recs), 2*len(recs))
	}
	b.records = b.records[:len(recs)]
	headers := 0
	for _, r := range recs {
		headers += len(r.Headers)
	}
	if cap(b.headers) < headers {
		b.headers = make([]kgo.RecordHeader, 0, 2*headers)
	}
	b.headers = b.headers[:0]
	for i, r := range recs {
		first := len(b.headers)
		b.headers = toClientHeaders(b.headers, r.Headers)
		b.records[i] = kgo.Record{
			Topic: w.cfg.clusterTopic(r.Topic), Partition: r.Partition,
			Key: r.Key, Value: r.Value, Timestamp: r.timestamp(),
			Headers: b.headers[first:len(b.headers):len(b.headers)],
		}
	}
}

// produce sends the batch and waits until every record has succeeded, or the first one has failed.
func (w *Writer) produce(producer *transactional) error {
	b := &w.batch
	b.pending.Store(int64(len(b.records)))
	for i := range b.records {
		producer.Produce(context.Background(), &b.records[i], b.promise)
	}
	select {
	case <-b.done:
	case err := <-b.failed:
		return err
	}
	select { // both channels may have been ready
	case err := <-b.failed:
		return err
	default:
		return nil
	}
}

// die ends the writer after an error. It closes the clients without aborting the transaction. It must not ask for a
// producer id again, because that would fence a newer owner of the shard. The broker aborts the open transaction when
// the next owner acquires the shard, or after transactionTimeout.
func (w *Writer) die(err error) error {
	w.Close()
	return newUnclearError(err)
}

// Close gives up the writer. It does not abort an open transaction: that ends when the shard is acquired again.
func (w *Writer) Close() {
	w.dead.Store(true)
	w.closing.Do(func() {
		for _, producer := range w.producers {
			if producer != nil {
				producer.Close()
			}
		}
		w.end()
	})
}
