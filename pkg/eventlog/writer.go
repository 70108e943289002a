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

// producersPerWriter is how many transactional ids a writer takes in turn: while the broker still writes the
// markers of one transaction, the next runs under another id. With one id every commit waits 20 ms for that.
const producersPerWriter = 3

// transactionTimeout is after how long the broker aborts a transaction that its writer left open.
const transactionTimeout = 10 * time.Second

// ErrWriterDead is every answer of a writer after a commit of it failed or was unclear, or after Close.
var ErrWriterDead = errors.New("the writer is dead: acquire the shard again")

// ErrEmptyCommit refuses a commit without records: the client would report success without asking the broker.
var ErrEmptyCommit = errors.New("a commit needs at least one record")

// UnclearError says that a commit may or may not have happened. Nothing may be concluded from it: discard the
// state that was decided on, and acquire again if the shard is still ours.
type UnclearError struct {
	// Fenced says that the broker refused this writer: another one has acquired the shard, or the broker
	// aborted the transaction because it took too long.
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

// isFenced: which of these the broker says depends on its version and on what it noticed first.
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

// Writer is one shard's right to append: three transactional ids in turn, never two transactions open.
// Commit is for one goroutine; Close may be called from any and ends a Commit that waits.
type Writer struct {
	cfg       Config
	layout    Layout
	shard     int32
	producers [producersPerWriter]*transactional
	next      int

	dead    atomic.Bool
	closing sync.Once

	batch batch
}

// batch is the memory of a commit, reused by the next one.
type batch struct {
	records []kgo.Record
	headers []kgo.RecordHeader

	pending atomic.Int64
	done    chan struct{} // gets one value when the last promise is kept or broken
	failed  chan error    // gets the first broken promise's error
	promise func(*kgo.Record, error)
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

// Commit appends the records in one transaction and sets each record's Offset. Their partitions must be set and
// be the shard's; otherwise, or when a record is too large or there is none, nothing happens, the writer lives
// on, and the error is not an *UnclearError. Any other error is an *UnclearError, and the writer is dead.
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
	// Every promise succeeded: only now may we ask for a commit, since the client reports success also for
	// a transaction whose records failed. No cancelling, it would leave the outcome open.
	if err := producer.commit(context.Background()); err != nil {
		return w.die(err)
	}
	for i, r := range recs {
		r.Offset = w.batch.records[i].Offset
	}
	return nil
}

// check refuses what must never reach the log, before a transaction begins.
func (w *Writer) check(recs []*Record) error {
	if len(recs) == 0 {
		return ErrEmptyCommit
	}
	for _, r := range recs {
		mine := false
		switch r.Topic {
		case TopicOrders, TopicInventory:
			mine = r.Partition >= 0 && r.Partition < w.layout.PartitionCount && w.layout.ShardOf(r.Partition) == w.shard
		case TopicShards:
			mine = r.Partition == w.shard
		}
		if !mine {
			return fmt.Errorf("%s/%d is not a partition of shard %d (of %d)", r.Topic, r.Partition, w.shard, w.layout.ShardCount)
		}
		if n := r.Size(); n > MaxRecordBytes {
			return fmt.Errorf("%s/%d: a record of %d bytes is over the limit of %d", r.Topic, r.Partition, n, MaxRecordBytes)
		}
	}
	return nil
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

// produce sends the batch and waits until every promise is kept, or the first one is broken.
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
	select { // both may have been ready
	case err := <-b.failed:
		return err
	default:
		return nil
	}
}

// die ends the writer: its clients are closed without aborting or beginning anything, and without asking for a
// producer id again, since that could take the right back from a newer owner. The broker aborts what is open
// when the next owner acquires or the transaction times out.
func (w *Writer) die(err error) error {
	w.Close()
	return newUnclearError(err)
}

// Close gives the writer up. It does not abort: an open transaction ends when the shard is acquired next.
func (w *Writer) Close() {
	w.dead.Store(true)
	w.closing.Do(func() {
		for _, producer := range w.producers {
			if producer != nil {
				producer.Close()
			}
		}
	})
}
