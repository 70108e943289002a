package projector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// Pauses of a runtime.
const (
	// restartPause is between an error and the next attempt.
	restartPause = time.Second
	// A view that is at the log's end pauses after each flush, for flushFactor times as long as the flush took, within
	// limits. So the first record after a quiet time is flushed at once, and under load the next flush has all records
	// that came in the meantime. Without the pause there would be more flushes: each costs the broker a fetch for every
	// reader of the view's rows, and writes rows that the next flush replaces.
	flushFactor   = 3
	shortestPause = 10 * time.Millisecond
	longestPause  = 100 * time.Millisecond
)

// Config is what a runtime needs.
type Config struct {
	// Name is the view's name in metrics, in logs and in the errors of Ready.
	Name string
	// Partitions are followed. They are usually all partitions of one topic.
	Partitions []eventlog.TopicPartition
	// Source is the event topic whose positions WaitFor and Reached use; empty: the topic of the Partitions. A view that
	// reads rows which a projector makes of events sets it, and calls Advance itself.
	Source string
	View   View
	// Listener is told what the view has, before readers who wait for it go on; nil: nobody is.
	Listener Listener
	// Follow is how Client follows the partitions; nil: Client.Follow.
	Follow func(from eventlog.Offsets) (*eventlog.Follower, error)
	// Pause is how long the view lets records gather at least, once it is at the log's end; 0: shortestPause. A longer one
	// costs less. Readers who wait for a position or a time end it; others see the newest that much later.
	Pause time.Duration
	// Background runs in the background from Begin until the view ends or starts again. Its error is an error of the view.
	// It may be nil.
	Background func(ctx context.Context) error
	Client     *eventlog.Client
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: no metrics
	Tracer     *tracing.Tracer       // makes spans of batches with traced events; nil: nobody traces
}

// Runtime keeps a view current.
type Runtime struct {
	cfg       Config
	metrics   metrics
	created   time.Time
	watermark *eventlog.Watermark
	waiting   atomic.Int64  // readers who wait for a position or a time
	hurry     chan struct{} // ends a pause; of size 1

	mu      sync.Mutex
	reached eventlog.Offsets // what the view has; nil until it has begun
	end     eventlog.Offsets // where the log ended at endAt
	endAt   time.Time
	lag     int64         // offsets from reached to end
	atEnd   time.Time     // when the view was last known to be at the end; zero: never
	moved   chan struct{} // closed when atEnd moves
	stopped map[eventlog.TopicPartition]*BadEventError
	fault   error // why the last attempt ended; nil once the view has caught up again
}

// New returns a runtime that has not started.
func New(cfg Config) (*Runtime, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Source == "" && len(cfg.Partitions) > 0 {
		cfg.Source = cfg.Partitions[0].Topic
	}
	if cfg.Follow == nil {
		cfg.Follow = cfg.Client.Follow
	}
	cfg.Pause = cmp.Or(cfg.Pause, shortestPause)
	r := &Runtime{
		cfg: cfg, created: time.Now(), watermark: eventlog.NewWatermark(),
		moved: make(chan struct{}), hurry: make(chan struct{}, 1),
	}
	return r, r.newMetrics(cfg.Registerer)
}

// Ready is nil once the view has had all records that were in the log at its start. It is an error while the view
// fails, or has stopped at records that it cannot fold; then each of these records is one of the joined errors.
func (r *Runtime) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault != nil {
		return r.fault
	}
	if len(r.stopped) > 0 {
		errs := make([]error, 0, len(r.stopped))
		for _, bad := range r.stopped {
			errs = append(errs, bad)
		}
		slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
		return errors.Join(errs...)
	}
	if err := r.started(); err != nil {
		return err
	}
	if time.Since(r.endAt) > logSilentAfter {
		return &SilentLogError{r.cfg.Name, r.endAt}
	}
	return nil
}

// Started is nil once the view has been at the log's end since the program started. Until then it may lack anything,
// and the error says how much is to go.
func (r *Runtime) Started() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.started()
}

func (r *Runtime) started() error {
	switch {
	case !r.atEnd.IsZero():
		return nil
	case r.reached == nil:
		return fmt.Errorf("the view %s is starting", r.cfg.Name)
	}
	return fmt.Errorf("the view %s is catching up: %d records of the log to go", r.cfg.Name, r.lag)
}

// logSilentAfter is how long the log may not say where it ends.
const logSilentAfter = 10 * time.Second

// SilentLogError says that Kafka has not answered for a while. The view answers with what it has.
type SilentLogError struct {
	View  string
	Since time.Time
}

// Error implements error.
func (e *SilentLogError) Error() string {
	return fmt.Sprintf("the view %s does not follow the log: Kafka has not said where it ends since %s. "+
		"Answers show the view as it was then", e.View, e.Since.UTC().Format(time.RFC3339))
}

// Partial marks an error that concerns a part of what the process serves.
func (*SilentLogError) Partial() {}

// Age is how long ago the view was last known to be at the end of its topics.
func (r *Runtime) Age() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.atEnd.IsZero() {
		return time.Since(r.created)
	}
	return time.Since(r.atEnd)
}

// Lag is how many offsets the view is behind the end of its topics, transaction markers included.
func (r *Runtime) Lag() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lag
}

// WaitFor waits until the view has everything up to a position of its source topic, or returns the context's error.
func (r *Runtime) WaitFor(ctx context.Context, p eventlog.Position) error {
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	r.wake()
	return r.watermark.Wait(ctx, p.Of(r.cfg.Source))
}

// wake ends a pause, for a reader who waits.
func (r *Runtime) wake() {
	select {
	case r.hurry <- struct{}{}:
	default: // it is told already
	}
}

// WaitForTime waits until the view has everything that was in the log at a time, or returns the context's error.
func (r *Runtime) WaitForTime(ctx context.Context, at time.Time) error {
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	r.wake()
	for {
		r.mu.Lock()
		has, moved := !r.atEnd.IsZero() && !r.atEnd.Before(at), r.moved
		r.mu.Unlock()
		if has {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Reached is how far the view is in its source topic.
func (r *Runtime) Reached() eventlog.Position { return r.watermark.Reached() }

// Advance raises the view's watermark. The runtime does so after each Flush with the offsets of the Partitions. A view
// calls it with what it has saved of an earlier run, and when its Partitions are not those of its source topic.
func (r *Runtime) Advance(reached eventlog.Offsets) { r.watermark.Advance(reached) }

// Run keeps the view current until ctx is done. After an error it starts the view again, because most errors of the log
// and of disks pass.
func (r *Runtime) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := r.attempt(ctx)
		if ctx.Err() != nil {
			break
		}
		r.mu.Lock()
		repeated := r.fault != nil && r.fault.Error() == err.Error()
		r.fault = err
		r.mu.Unlock()
		r.metrics.restarts.Inc()
		if !repeated {
			r.cfg.Logger.Error("the view stops and begins again", "view", r.cfg.Name, "error", err)
		}
		_ = backoff.Sleep(ctx, restartPause) // the loop looks at ctx
	}
	return nil
}

// attempt runs the view until the first error. The end of the log is watched in the background: if instead each poll
// had a deadline, records that arrive at the deadline would be lost.
func (r *Runtime) attempt(ctx context.Context) error {
	asked := time.Now()
	end, err := r.cfg.Client.StableOffsets(ctx, r.cfg.Partitions)
	if err != nil {
		return err
	}
	from, err := r.cfg.View.Begin(ctx, end)
	if err != nil {
		return err
	}
	follower, err := r.cfg.Follow(from)
	if err != nil {
		return err
	}
	defer follower.Close()
	r.begin(from, end, asked)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.follow(ctx, follower) })
	group.Go(func() error { return r.watchEnd(ctx) })
	group.Go(func() error { return r.awaitQuarantine(ctx) })
	if r.cfg.Background != nil {
		group.Go(func() error { return r.cfg.Background(ctx) })
	}
	return group.Wait()
}

// begin notes where an attempt starts.
func (r *Runtime) begin(from, end eventlog.Offsets, asked time.Time) {
	if r.cfg.Listener != nil {
		r.cfg.Listener.Began(from)
	}
	r.watermark.Advance(from)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reached, r.end, r.endAt = from.Clone(), end, asked
	r.stopped = map[eventlog.TopicPartition]*BadEventError{}
	r.update()
}

// follow folds and flushes records until the first error.
func (r *Runtime) follow(ctx context.Context, follower *eventlog.Follower) error {
	for {
		recs, reached, err := follower.Poll(ctx)
		if err != nil {
			return err
		}
		polled := time.Now()
		if err := r.apply(ctx, recs, reached); err != nil {
			return err
		}
		r.pause(ctx, time.Since(polled))
	}
}

// pause lets records gather after a flush that took that long, unless there are more to read already. While a reader
// waits it is short.
func (r *Runtime) pause(ctx context.Context, took time.Duration) {
	r.mu.Lock()
	lag := r.lag
	r.mu.Unlock()
	if lag > 0 {
		return
	}
	pause := min(max(flushFactor*took, shortestPause), longestPause)
	_ = backoff.Sleep(ctx, pause) // the next poll looks at ctx
	gather := time.NewTimer(r.cfg.Pause - pause)
	defer gather.Stop()
	for r.waiting.Load() == 0 {
		select {
		case <-r.hurry: // perhaps of a reader who waits no more
		case <-gather.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// apply folds and flushes the records of a poll. It skips the records of partitions that have stopped.
func (r *Runtime) apply(ctx context.Context, recs []eventlog.Record, reached eventlog.Offsets) error {
	folded, oldest := 0, int64(math.MaxInt64)
	var traced tracing.Batch
	began := time.Now()
	for i := range recs {
		rec := &recs[i]
		if r.stopped[rec.TopicPartition] != nil { // no lock: only this goroutine writes it
			continue
		}
		err := r.cfg.View.Fold(rec)
		var bad *BadEventError
		switch {
		case errors.As(err, &bad):
			r.stopAt(bad)
		case err != nil:
			return err
		default:
			folded, oldest = folded+1, min(oldest, rec.TimestampMicros)
			r.cfg.Tracer.Add(&traced, rec.Header(tracing.HeaderName))
		}
	}
	for tp, bad := range r.stopped {
		reached[tp] = min(reached[tp], bad.Offset)
	}
	if err := r.cfg.View.Flush(ctx, reached); err != nil {
		return err
	}
	if r.cfg.Listener != nil {
		r.cfg.Listener.Folded(recs, reached)
	}
	r.watermark.Advance(reached)
	r.metrics.events.Add(float64(folded))
	r.cfg.Tracer.Processed(&traced, "view "+r.cfg.Name, folded, began)
	r.mu.Lock()
	defer r.mu.Unlock()
	if folded > 0 && !r.atEnd.IsZero() { // events of the past, read at the start, say nothing of how late the view is
		r.metrics.visible.Observe(max(0, time.Since(time.UnixMicro(oldest)).Seconds()))
	}
	r.reached = reached
	r.update()
	return nil
}

func (r *Runtime) stopAt(bad *BadEventError) {
	r.cfg.Logger.Error("the view stops a partition at a record that cannot be folded", "view", r.cfg.Name,
		"topic", bad.Topic, "partition", bad.Partition, "offset", bad.Offset, "error", bad.Err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped[bad.TopicPartition] = bad
}

// errQuarantined begins the view again, so that it passes a record at which it has stopped.
var errQuarantined = errors.New("a record at which the view has stopped is quarantined: it goes on behind the record")

// awaitQuarantine ends with an error when a record at which a partition has stopped is quarantined.
func (r *Runtime) awaitQuarantine(ctx context.Context) error {
	stopped := func() eventlog.Offsets {
		r.mu.Lock()
		defer r.mu.Unlock()
		offsets := make(eventlog.Offsets, len(r.stopped))
		for tp, bad := range r.stopped {
			offsets[tp] = bad.Offset
		}
		return offsets
	}
	if r.cfg.Client.AwaitQuarantine(ctx, stopped) {
		return errQuarantined
	}
	return ctx.Err()
}

// update computes lag and age from where the view and the log's end are. mu must be locked.
func (r *Runtime) update() {
	var lag int64
	for tp, end := range r.end {
		lag += max(0, end-r.reached[tp])
	}
	r.lag = lag
	r.metrics.lag.Set(float64(lag))
	r.metrics.stopped.Set(float64(len(r.stopped)))
	if lag == 0 {
		r.fault = nil
		if r.endAt.After(r.atEnd) {
			r.atEnd = r.endAt
			close(r.moved)
			r.moved = make(chan struct{})
		}
	}
}

// watchEnd keeps lag and age current, and ends with an error when the topic was deleted and created again.
func (r *Runtime) watchEnd(ctx context.Context) error {
	var since time.Time // when Kafka last began not to answer; zero: it answers
	watcher := eventlog.EndWatcher{
		Ask:        r.cfg.Client.StableOffsets,
		Partitions: r.cfg.Partitions,
		Observe: func(end eventlog.Offsets, asked time.Time) error {
			if !since.IsZero() {
				r.cfg.Logger.Info("Kafka says again where the log ends; the view follows it", "view", r.cfg.Name,
					"after", time.Since(since).Round(time.Second).String())
				since = time.Time{}
			}
			return r.observeEnd(end, asked)
		},
		Failed: func(err error) error {
			level := slog.LevelDebug
			if since.IsZero() {
				since, level = time.Now(), slog.LevelWarn
			}
			// The view stays good. Its age grows, and shows that it may not be current.
			r.cfg.Logger.Log(ctx, level, "Kafka does not say where the log ends; the view stays as it is until it does. "+
				"Look at the brokers", "view", r.cfg.Name, "error", err)
			return nil
		},
	}
	return watcher.Run(ctx)
}

// observeEnd notes where the log ends. It returns an error when a partition ended later before.
func (r *Runtime) observeEnd(end eventlog.Offsets, asked time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for tp, e := range end {
		if e < r.end[tp] {
			return fmt.Errorf("%s partition %d ends at %d and ended at %d before: the topic was made again",
				tp.Topic, tp.Partition, e, r.end[tp])
		}
	}
	r.end, r.endAt = end, asked
	r.update()
	return nil
}
