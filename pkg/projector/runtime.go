package projector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Pauses of a runtime.
const (
	// restartAfter is between an error and the next attempt.
	restartAfter = time.Second
	// endInterval is how often the log is asked where it ends: age and lag are that exact.
	endInterval = time.Second
	// shrunkLimit is how often in a row the end must have gone back: a new leader may know it late.
	shrunkLimit = 3
	// A view that is at the log's end rests after each flush, for restFactor times what the flush took, within
	// bounds: the first record after a quiet moment is flushed at once, and under load a flush takes what came
	// meanwhile. Each one costs the broker a fetch for every reader behind, and rows that the next one replaces.
	restFactor   = 3
	shortestRest = 10 * time.Millisecond
	longestRest  = 100 * time.Millisecond
)

// Config is what a runtime needs.
type Config struct {
	// Name is the view's name in metrics, in logs and in what Ready says.
	Name string
	// Partitions are followed; all of one topic, as a rule.
	Partitions []eventlog.TopicPartition
	View       View
	// Beside runs from after Begin until the view ends or begins again; its error is one of the view. nil: nothing does.
	Beside     func(ctx context.Context) error
	Client     *eventlog.Client
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: no metrics
}

// Runtime keeps a view current.
type Runtime struct {
	cfg     Config
	metrics metrics
	created time.Time

	mu      sync.Mutex
	reached eventlog.Offsets // what the view holds; nil until it has begun
	end     eventlog.Offsets // where the log ended at endAt
	endAt   time.Time
	lag     int64     // offsets from reached to end
	atEnd   time.Time // when the view was last known to stand at the end; zero: never
	bad     map[eventlog.TopicPartition]*BadEventError
	fault   error // why the last attempt ended; nil once the view has caught up again
}

// New returns a runtime that has not started.
func New(cfg Config) (*Runtime, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Runtime{cfg: cfg, created: time.Now()}
	return r, r.newMetrics(cfg.Registerer)
}

// Ready is nil once the view has held all that stood in the log at its start, unless it fails now or stands
// before records that it cannot fold; each of those is one of the joined errors.
func (r *Runtime) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault != nil {
		return r.fault
	}
	if len(r.bad) > 0 {
		errs := make([]error, 0, len(r.bad))
		for _, bad := range r.bad {
			errs = append(errs, bad)
		}
		slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
		return errors.Join(errs...)
	}
	switch {
	case r.reached == nil:
		return fmt.Errorf("the view %s is starting", r.cfg.Name)
	case r.atEnd.IsZero():
		return fmt.Errorf("the view %s is catching up: %d records of the log to go", r.cfg.Name, r.lag)
	}
	return nil
}

// Age is how long ago the view was last known to stand at the end of its topics.
func (r *Runtime) Age() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.atEnd.IsZero() {
		return time.Since(r.created)
	}
	return time.Since(r.atEnd)
}

// Run keeps the view current until ctx is done. It begins again after an error that time may heal.
func (r *Runtime) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := r.attempt(ctx)
		if ctx.Err() != nil {
			break
		}
		r.mu.Lock()
		r.fault = err
		r.mu.Unlock()
		r.metrics.restarts.Inc()
		r.cfg.Logger.Error("the view stops and begins again", "view", r.cfg.Name, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(restartAfter):
		}
	}
	return nil
}

// attempt runs the view until the first error. The log's end is asked for beside the poll, never by giving
// the poll a deadline: records that arrive as it passes would be lost.
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
	follower, err := r.cfg.Client.Follow(from)
	if err != nil {
		return err
	}
	defer follower.Close()
	r.begin(from, end, asked)
	ctx, cancel := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	defer func() { cancel(nil); beside.Wait() }()
	for _, run := range []func(context.Context) error{r.watchEnd, r.cfg.Beside} {
		if run != nil {
			beside.Go(func() {
				if err := run(ctx); err != nil {
					cancel(err)
				}
			})
		}
	}
	for {
		recs, reached, err := follower.Poll(ctx)
		polled := time.Now()
		if err == nil {
			err = r.take(ctx, recs, reached)
		}
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		r.rest(ctx, time.Since(polled))
	}
}

// rest lets records gather after a flush, unless the view has more to catch up with.
func (r *Runtime) rest(ctx context.Context, took time.Duration) {
	r.mu.Lock()
	lag := r.lag
	r.mu.Unlock()
	if lag > 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(min(max(restFactor*took, shortestRest), longestRest)):
	}
}

func (r *Runtime) begin(from, end eventlog.Offsets, asked time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reached, r.end, r.endAt = from.Clone(), end, asked
	r.bad = map[eventlog.TopicPartition]*BadEventError{}
	r.settle()
}

// take folds and flushes a batch, without what stands behind a bad record.
func (r *Runtime) take(ctx context.Context, recs []eventlog.Record, reached eventlog.Offsets) error {
	folded := 0
	for i := range recs {
		rec := &recs[i]
		if r.bad[rec.TopicPartition] != nil { // only this goroutine writes it
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
			folded++
		}
	}
	for tp, bad := range r.bad {
		reached[tp] = min(reached[tp], bad.Offset)
	}
	if err := r.cfg.View.Flush(ctx, reached); err != nil {
		return err
	}
	r.metrics.events.Add(float64(folded))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reached = reached
	r.settle()
	return nil
}

func (r *Runtime) stopAt(bad *BadEventError) {
	r.cfg.Logger.Error("the view stops a partition at a record that cannot be folded", "view", r.cfg.Name,
		"topic", bad.Topic, "partition", bad.Partition, "offset", bad.Offset, "error", bad.Err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad[bad.TopicPartition] = bad
}

// settle draws conclusions from where the view and the log's end are; with mu held.
func (r *Runtime) settle() {
	var lag int64
	for tp, end := range r.end {
		lag += max(0, end-r.reached[tp])
	}
	r.lag = lag
	r.metrics.lag.Set(float64(lag))
	r.metrics.stopped.Set(float64(len(r.bad)))
	if lag == 0 {
		r.fault = nil
		if r.endAt.After(r.atEnd) {
			r.atEnd = r.endAt
		}
	}
}

// watchEnd asks again and again where the log ends. An end that went back, and stays so, says that the topic
// was deleted and made again.
func (r *Runtime) watchEnd(ctx context.Context) error {
	shrunk := 0
	tick := time.NewTicker(endInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		asked := time.Now()
		end, err := r.cfg.Client.StableOffsets(ctx, r.cfg.Partitions)
		if err != nil {
			if ctx.Err() == nil { // what the view holds stays good; its age tells
				r.cfg.Logger.Warn("the log does not say where it ends", "view", r.cfg.Name, "error", err)
			}
			continue
		}
		err = r.markEnd(end, asked)
		if err == nil {
			shrunk = 0
		} else if shrunk++; shrunk == shrunkLimit {
			return err
		}
	}
}

// markEnd notes where the log ends; an error when it ended later before.
func (r *Runtime) markEnd(end eventlog.Offsets, asked time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for tp, e := range end {
		if e < r.end[tp] {
			return fmt.Errorf("%s partition %d ends at %d and ended at %d before: the topic was made again",
				tp.Topic, tp.Partition, e, r.end[tp])
		}
	}
	r.end, r.endAt = end, asked
	r.settle()
	return nil
}
