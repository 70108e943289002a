package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// Journal follows a small topic of one partition, whose state a process holds in memory, and appends to it. Who writes
// what at the same time is decided by the order in the topic, for every reader alike.
type Journal struct {
	client *Client
	owns   bool // the client, which Run closes
	logger *slog.Logger
	tp     TopicPartition
	// what the topic has, for people: "API keys".
	what  string
	apply func([]Record)
	// isCurrent is true once all records were applied that there were at the start. What comes later is not missed: it is
	// read when Kafka answers again.
	isCurrent atomic.Bool

	mu      sync.Mutex
	next    int64 // the offset after the newest record that was applied
	fault   error
	changed chan struct{} // closed when next changes
}

// NewJournal returns the journal of a topic. It reads nothing yet: Run does. apply is called with one or more records
// at a time, in their order, by one goroutine. logger may be nil: nothing is logged.
func NewJournal(client *Client, logger *slog.Logger, topic, what string, apply func([]Record)) *Journal {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Journal{
		client: client, logger: logger, tp: TopicPartition{Topic: topic}, what: what, apply: apply,
		changed: make(chan struct{}),
	}
}

// OpenJournal is NewJournal with a client of its own, which Run closes at its end.
func OpenJournal(cfg Config, topic, what string, apply func([]Record)) (*Journal, error) {
	client, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	j := NewJournal(client, cfg.Logger, topic, what, apply)
	j.owns = true
	return j, nil
}

// Env is the environment of the platform.
func (j *Journal) Env() string { return j.client.Config().Env }

// Logger is the journal's.
func (j *Journal) Logger() *slog.Logger { return j.logger }

// Close closes the client of a journal of OpenJournal that Run was not called on.
func (j *Journal) Close() { j.client.Close() }

// IsCurrent reports whether all records were applied that there were at the start.
func (j *Journal) IsCurrent() bool { return j.isCurrent.Load() }

// Ready returns nil once IsCurrent, and else why not.
func (j *Journal) Ready() error {
	if j.isCurrent.Load() {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fault != nil {
		return fmt.Errorf("the %s: %w", j.what, j.fault)
	}
	return fmt.Errorf("the %s are being read", j.what)
}

// Run follows the topic until ctx is done. While Kafka is away the state stays as it is, and it tries again.
func (j *Journal) Run(ctx context.Context) error {
	if j.owns {
		defer j.client.Close()
	}
	pauses := backoff.ForStores()
	for {
		err := j.follow(ctx, pauses.Reset)
		if ctx.Err() != nil {
			return nil
		}
		j.mu.Lock()
		j.fault = err
		j.mu.Unlock()
		pause := pauses.Next()
		j.logger.Error("the "+j.what+" cannot be read", "error", err, "again_in", pause)
		if backoff.Sleep(ctx, pause) != nil {
			return nil
		}
	}
}

// follow reads records until the first error.
func (j *Journal) follow(ctx context.Context, read func()) error {
	end, err := j.client.StableOffsets(ctx, []TopicPartition{j.tp})
	if err != nil {
		return err
	}
	j.mu.Lock()
	from := j.next
	j.mu.Unlock()
	if from > end[j.tp] {
		return fmt.Errorf("%s ends at %d, but was read up to %d: it was made again; restart the services that read it",
			j.tp.Topic, end[j.tp], from)
	}
	follower, err := j.client.Follow(Offsets{j.tp: from})
	if err != nil {
		return err
	}
	defer follower.Close()
	j.read(nil, from, end[j.tp])
	for {
		records, reached, err := follower.Poll(ctx)
		if err != nil {
			return err
		}
		read()
		j.read(records, reached[j.tp], end[j.tp])
	}
}

func (j *Journal) read(records []Record, next, end int64) {
	if len(records) > 0 {
		j.apply(records)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fault, j.next = nil, max(j.next, next)
	if j.next >= end {
		j.isCurrent.Store(true)
	}
	close(j.changed)
	j.changed = make(chan struct{})
}

// Append adds a record, and returns once it was applied here. Run must be running.
func (j *Journal) Append(ctx context.Context, key string, value []byte) error {
	rec := &Record{TopicPartition: j.tp, Key: []byte(key), Value: value}
	if err := j.client.Produce(ctx, []*Record{rec}); err != nil {
		return err
	}
	return j.await(ctx, func() bool { return j.next > rec.Offset })
}

// AwaitEnd waits until all records were applied that the topic has now.
func (j *Journal) AwaitEnd(ctx context.Context) error {
	end, err := j.client.StableOffsets(ctx, []TopicPartition{j.tp})
	if err != nil {
		return err
	}
	return j.await(ctx, func() bool { return j.next >= end[j.tp] })
}

// Changed is closed once records were applied that were not before it was asked for.
func (j *Journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// AwaitReady waits until Ready returns nil.
func (j *Journal) AwaitReady(ctx context.Context) error {
	if err := j.await(ctx, j.isCurrent.Load); err != nil {
		return errors.Join(j.Ready(), err)
	}
	return nil
}

// await waits until something is done, which is asked under the lock.
func (j *Journal) await(ctx context.Context, done func() bool) error {
	for {
		j.mu.Lock()
		is, changed := done(), j.changed
		j.mu.Unlock()
		if is {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
