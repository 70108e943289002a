package analytics

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// batch is what is written to ClickHouse together: rows, events to park as dead letters, and the offsets reached.
type batch struct {
	rows
	parked  []DeadLetter
	reached eventlog.Offsets
	begun   time.Time // when its first record came
	latest  time.Time // when its last record came
	oldest  time.Time // when its first event was decided
	traced  tracing.Batch
}

func newBatch() *batch { return &batch{reached: eventlog.Offsets{}} }

func (b *batch) reset() {
	b.rows.reset()
	b.parked = b.parked[:0]
	clear(b.reached)
	b.begun, b.latest, b.oldest = time.Time{}, time.Time{}, time.Time{}
	b.traced = tracing.Batch{}
}

// addOrPark adds the rows of a record. A record that cannot be decoded is parked instead.
func (b *batch) addOrPark(rec *eventlog.Record) {
	if err := b.add(rec); err != nil {
		b.parked = append(b.parked, deadLetter(rec, err))
	} else if b.oldest.IsZero() {
		b.oldest = b.events.recordedAt[len(b.events.recordedAt)-1]
	}
}

// polled is the result of a poll: the records, and the offsets of all partitions after it.
type polled struct {
	records []eventlog.Record
	reached eventlog.Offsets
}

// pipeline is one attempt at mirroring. Its goroutines read, decode and write; channels limit how far each may be ahead
// of the next.
type pipeline struct {
	m        *Mirror
	mirror   uuid.UUID
	follower *eventlog.Follower
	input    chan polled
	full     chan *batch // batches to be written
	free     chan *batch // batches that were written, to be filled again
	sales    *salesFold
}

func newPipeline(m *Mirror, mirror uuid.UUID, follower *eventlog.Follower) *pipeline {
	p := &pipeline{
		m: m, mirror: mirror, follower: follower, input: make(chan polled), full: make(chan *batch),
		free: make(chan *batch, batchesInMemory),
	}
	for range batchesInMemory {
		p.free <- newBatch()
	}
	p.sales = newSalesFold(m.cfg.Conn, p.awaitEarlier)
	return p
}

// run mirrors until the first error of any goroutine, which it returns.
func (p *pipeline) run(ctx context.Context, tps []eventlog.TopicPartition) error {
	stages, ctx := errgroup.WithContext(ctx)
	stages.Go(func() error { return p.read(ctx) })
	stages.Go(func() error { return p.decode(ctx) })
	stages.Go(func() error { return p.write(ctx) })
	stages.Go(func() error { return p.watchEnd(ctx, tps) })
	return stages.Wait()
}

// read polls the log and passes the records on to decode.
func (p *pipeline) read(ctx context.Context) error {
	load := newSchedulerLoad()
	for {
		records, reached, err := p.follower.Poll(ctx)
		if err != nil {
			return err
		}
		select {
		case p.input <- polled{records, reached}:
		case <-ctx.Done():
			return ctx.Err()
		}
		overloaded := p.m.cfg.YieldCPU && load.isOverloaded()
		if pause := pauseAfterPoll(len(records), p.m.cfg.FlushInterval, overloaded); pause > 0 {
			if err := backoff.Sleep(ctx, pause); err != nil {
				return err
			}
		}
	}
}

// decode fills batches. It passes a batch on to write when the batch is full, or has waited as long as the flush policy
// says. It waits itself while none of the batchesInMemory is free.
func (p *pipeline) decode(ctx context.Context) error {
	policy := newFlushPolicy(p.m.cfg.FlushInterval)
	var b *batch
	var work polled
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	for {
		if b == nil {
			select {
			case b = <-p.free:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		work = p.fill(b, work)
		isFull := b.count() >= p.m.cfg.FlushRows
		input, out := p.input, chan<- *batch(nil)
		if isFull || len(work.records) > 0 {
			input = nil
		}
		if isFull {
			out = p.full
		} else if !b.begun.IsZero() {
			if wait := policy.wait(b, time.Now()); wait > 0 {
				due.Reset(wait)
			} else {
				out = p.full
			}
		}
		if out != nil {
			if err := b.foldSales(ctx, p.sales); err != nil {
				return err
			}
		}
		select {
		case work = <-input:
		case out <- b:
			b = nil
		case <-due.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitEarlier waits until all batches but the one that is being filled are written: until all others are free.
func (p *pipeline) awaitEarlier(ctx context.Context) error {
	var others []*batch
	defer func() {
		for _, b := range others {
			p.free <- b
		}
	}()
	for range batchesInMemory - 1 {
		select {
		case b := <-p.free:
			others = append(others, b)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// fill adds records to the batch until it is full, and returns those that remain.
func (p *pipeline) fill(b *batch, work polled) polled {
	if work.reached == nil {
		return work
	}
	now := time.Now()
	if b.begun.IsZero() {
		b.begun = now
	}
	if len(work.records) > 0 {
		b.latest = now
	}
	n := 0
	for n < len(work.records) && b.count() < p.m.cfg.FlushRows {
		rec := &work.records[n]
		b.addOrPark(rec)
		p.m.cfg.Tracer.Add(&b.traced, rec.Header(tracing.HeaderName))
		n++
		if n%yieldEvery == 0 {
			runtime.Gosched()
		}
		// The records of one partition follow each other, so its offset is set once, after the last of them.
		if n == len(work.records) || work.records[n].TopicPartition != rec.TopicPartition ||
			b.count() >= p.m.cfg.FlushRows {
			b.reached[rec.TopicPartition] = rec.Offset + 1
		}
	}
	if n < len(work.records) {
		work.records = work.records[n:]
		return work
	}
	b.reached.Merge(work.reached)
	return polled{}
}

// write makes batches durable. The rows of two batches are written at the same time, because ClickHouse uses one core
// for a block. Dead letters and progress are written in the order of the log.
func (p *pipeline) write(ctx context.Context) error {
	writers, ctx := errgroup.WithContext(ctx)
	writers.SetLimit(1 + batchesWritten)
	writers.Go(func() error { return p.startWriters(ctx, writers) })
	return writers.Wait()
}

// startWriters starts a writer for each batch, and waits while batchesWritten of them run. When nothing was written for
// a while, it writes the progress, which says that the mirror is current.
func (p *pipeline) startWriters(ctx context.Context, writers *errgroup.Group) error {
	idle := time.NewTicker(beatInterval)
	defer idle.Stop()
	earlier := make(chan struct{}) // closed once all earlier batches are durable
	close(earlier)
	for {
		select {
		case b := <-p.full:
			before, done := earlier, make(chan struct{})
			earlier = done
			writers.Go(func() error {
				if err := p.writeBatch(ctx, b, before); err != nil {
					return err
				}
				close(done)
				b.reset()
				p.free <- b
				return nil
			})
			idle.Reset(beatInterval)
		case <-idle.C:
			select {
			case <-earlier:
			default:
				continue // a batch is being written
			}
			if err := p.writeProgress(ctx, nil); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writeBatch writes the rows of a batch. Once all earlier batches are durable, it writes the dead letters and then the
// progress.
func (p *pipeline) writeBatch(ctx context.Context, b *batch, earlier <-chan struct{}) error {
	began := time.Now()
	if err := p.checkMirror(ctx); err != nil {
		return err
	}
	if err := p.writeRows(ctx, b); err != nil {
		return err
	}
	select {
	case <-earlier:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := p.m.park(ctx, b.parked); err != nil {
		return err
	}
	if err := p.writeProgress(ctx, b.reached); err != nil {
		return err
	}
	p.m.metrics.flush.Observe(time.Since(began).Seconds())
	p.m.metrics.parked.Add(float64(len(b.parked)))
	p.m.cfg.Tracer.Processed(&b.traced, "mirror", b.count(), began)
	if !b.oldest.IsZero() {
		p.m.metrics.visible.Observe(time.Since(b.oldest).Seconds())
	}
	return nil
}

// writeRows writes the tables one after the other. A batch keeps one core of ClickHouse busy; the others remain for
// commands on the same machine.
func (p *pipeline) writeRows(ctx context.Context, b *batch) error {
	for _, in := range b.inserts() {
		if err := p.m.cfg.Conn.Insert(ctx, in.table, in.columns); err != nil {
			return err
		}
		p.m.metrics.rows.WithLabelValues(in.table).Add(float64(in.rows))
		p.m.metrics.insert.WithLabelValues(in.table).Observe(float64(in.rows))
	}
	return nil
}

var errMirrorGone = errors.New("the mirror was dropped or made anew")

// isSwapped reports whether an attempt ended because another mirror takes, or has taken, the place of its own.
func isSwapped(err error) bool { return errors.Is(err, errMirrorGone) || clickhouse.IsFenced(err) }

// checkMirror fails when the mirror was dropped or swapped since this attempt began. It is asked before the rows of a
// batch, so that they do not get into tables of another version, and before the progress, because the rows may be gone.
func (p *pipeline) checkMirror(ctx context.Context) error {
	present, err := mirrorID(ctx, p.m.cfg.Conn)
	if err == nil && present != p.mirror {
		err = errMirrorGone
	}
	return err
}

// writeProgress saves how far the mirror is after a batch.
func (p *pipeline) writeProgress(ctx context.Context, reached eventlog.Offsets) error {
	if err := p.checkMirror(ctx); err != nil {
		return err
	}
	next := p.m.progressAfter(reached)
	next.mirror = p.mirror
	if err := saveProgress(ctx, p.m.cfg.Conn, next); err != nil {
		return err
	}
	p.m.advance(reached)
	return nil
}

// watchEnd keeps the mirror's age current, and ends with an error when a topic was deleted and created again.
func (p *pipeline) watchEnd(ctx context.Context, tps []eventlog.TopicPartition) error {
	watcher := eventlog.EndWatcher{
		Ask:        p.m.cfg.Client.StableOffsets,
		Partitions: tps,
		Observe:    p.m.markEnd,
		Failed: func(err error) error {
			// The mirror stays good. Its age grows, and shows that it may not be current.
			p.m.cfg.Logger.Warn("the log does not say where it ends", "error", err)
			return nil
		},
	}
	return watcher.Run(ctx)
}
