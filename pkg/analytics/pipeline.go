package analytics

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// batch is what is written together: rows, events to park, and how far they reach.
type batch struct {
	rows
	parked  []DeadLetter
	reached eventlog.Offsets
	begun   time.Time // when its first record came
	latest  time.Time // when its last record came
	oldest  time.Time // when its first event was decided
}

func newBatch() *batch { return &batch{reached: eventlog.Offsets{}} }

func (b *batch) reset() {
	b.rows.reset()
	b.parked = b.parked[:0]
	clear(b.reached)
	b.begun, b.latest, b.oldest = time.Time{}, time.Time{}, time.Time{}
}

// take adds a record, or parks it.
func (b *batch) take(rec *eventlog.Record) {
	if err := b.add(rec); err != nil {
		b.parked = append(b.parked, deadLetter(rec, err))
	} else if b.oldest.IsZero() {
		b.oldest = b.events.recordedAt[len(b.events.recordedAt)-1]
	}
}

// polled is what a follower handed over.
type polled struct {
	records []eventlog.Record
	reached eventlog.Offsets
}

// pipeline is one attempt: goroutines that read, decode, and write, each ahead of the next by a bounded lot.
type pipeline struct {
	m        *Mirror
	mirror   uuid.UUID
	follower *eventlog.Follower
	input    chan polled
	full     chan *batch // decoded, to be written
	free     chan *batch // written, to be filled again
}

func newPipeline(m *Mirror, mirror uuid.UUID, follower *eventlog.Follower) *pipeline {
	p := &pipeline{
		m: m, mirror: mirror, follower: follower, input: make(chan polled), full: make(chan *batch),
		free: make(chan *batch, batchesInMemory),
	}
	for range batchesInMemory {
		p.free <- newBatch()
	}
	return p
}

// run ends with the first error of any part.
func (p *pipeline) run(ctx context.Context, tps []eventlog.TopicPartition) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var parts sync.WaitGroup
	for _, part := range []func(context.Context) error{
		p.read, p.decode, p.write,
		func(ctx context.Context) error { return p.watchEnd(ctx, tps) },
	} {
		parts.Go(func() { cancel(part(ctx)) })
	}
	parts.Wait()
	return context.Cause(ctx)
}

// read hands over what the follower gets.
func (p *pipeline) read(ctx context.Context) error {
	busy := newCrowd()
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
		if pause := rest(len(records), p.m.cfg.FlushInterval, p.m.cfg.GiveWay && busy.waits()); pause > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// decode fills batches. A batch goes when it is full, or when it has waited long enough; while the ones before are
// written, it grows.
func (p *pipeline) decode(ctx context.Context) error {
	gather := newGathering(p.m.cfg.FlushInterval)
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
			if wait := gather.wait(b, time.Now()); wait > 0 {
				due.Reset(wait)
			} else {
				out = p.full
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

// fill takes records until the batch is full, and returns what is left.
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
	taken := 0
	for taken < len(work.records) && b.count() < p.m.cfg.FlushRows {
		rec := &work.records[taken]
		b.take(rec)
		taken++
		if taken%yieldEvery == 0 {
			runtime.Gosched()
		}
		// The records of a partition stand together.
		if taken == len(work.records) || work.records[taken].TopicPartition != rec.TopicPartition || b.count() >= p.m.cfg.FlushRows {
			b.reached[rec.TopicPartition] = rec.Offset + 1
		}
	}
	if taken < len(work.records) {
		work.records = work.records[taken:]
		return work
	}
	b.reached.Merge(work.reached)
	return polled{}
}

// write makes batches durable: the rows of two at a time, since ClickHouse uses one core for a block, but what follows
// in the order of the log.
func (p *pipeline) write(ctx context.Context) error {
	beat := time.NewTicker(beatInterval)
	defer beat.Stop()
	ctx, fail := context.WithCancelCause(ctx)
	var writers sync.WaitGroup
	defer writers.Wait()
	defer fail(nil)
	places := make(chan struct{}, batchesWritten)
	before := make(chan struct{}) // closed once the batch before is durable
	close(before)
	for {
		select {
		case b := <-p.full:
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			earlier, done := before, make(chan struct{})
			before = done
			writers.Go(func() {
				if err := p.writeBatch(ctx, b, earlier); err != nil {
					fail(err)
					return
				}
				close(done)
				b.reset()
				p.free <- b
				<-places
			})
			beat.Reset(beatInterval)
		case <-beat.C:
			select {
			case <-before: // nothing is being written
			default:
				continue
			}
			if err := p.writeProgress(ctx, nil); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// writeBatch writes rows, then, once the batches before are durable, parked events, and how far that reaches.
func (p *pipeline) writeBatch(ctx context.Context, b *batch, earlier <-chan struct{}) error {
	began := time.Now()
	if err := p.writeRows(ctx, b); err != nil {
		return err
	}
	select {
	case <-earlier:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := Park(ctx, p.m.cfg.Client, b.parked); err != nil {
		return err
	}
	if err := p.writeProgress(ctx, b.reached); err != nil {
		return err
	}
	p.m.metrics.flush.Observe(time.Since(began).Seconds())
	p.m.metrics.parked.Add(float64(len(b.parked)))
	if !b.oldest.IsZero() {
		p.m.metrics.visible.Observe(time.Since(b.oldest).Seconds())
	}
	return nil
}

// writeRows writes the tables, one at a time: a batch is enough work for one core, and those who take orders beside it
// keep the others.
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

var errMirrorGone = errors.New("the mirror was dropped or made anew; filling it from the start")

// writeProgress says how far the rows reach, unless they are in a mirror that is gone.
func (p *pipeline) writeProgress(ctx context.Context, reached eventlog.Offsets) error {
	present, err := mirrorID(ctx, p.m.cfg.Conn)
	if err != nil {
		return err
	}
	if present != p.mirror {
		return errMirrorGone
	}
	next, currentAt := p.m.marks(reached)
	if err := saveProgress(ctx, p.m.cfg.Conn, p.mirror, next, currentAt); err != nil {
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
