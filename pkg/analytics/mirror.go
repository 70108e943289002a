package analytics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Defaults and bounds of the mirror.
const (
	// DefaultFlushInterval is how long rows wait for others: on a slow log they are seen within a second. On a busy
	// one they wait up to longestGather.
	DefaultFlushInterval = 500 * time.Millisecond
	// DefaultFlushRows ends a batch early.
	DefaultFlushRows = 100_000
	// MaxFlushRows bounds the memory of a batch to some hundred MB, MaxFlushInterval how late rows are seen.
	MaxFlushRows     = 1_000_000
	MaxFlushInterval = time.Minute

	// A poll that brought fewer than gatherBelow records is followed by a rest, a gatherParts-th of a flush interval.
	gatherBelow = 10_000
	gatherParts = 10

	// yieldEvery so many records, whoever else runs in this process goes first: it may be taking orders.
	yieldEvery = 64

	// batchesInMemory: while some are written, another one is filled.
	batchesWritten  = 2
	batchesInMemory = batchesWritten + 1
	// beatInterval is how often an idle mirror writes that it is current.
	beatInterval = 2 * time.Second
	// firstPause and longestPause lie between an error and the next attempt; they double.
	firstPause   = 250 * time.Millisecond
	longestPause = 10 * time.Second
	// settlePause is how long the partitions of this replica must have stayed the same: a group hands them out
	// one by one.
	settlePause = 100 * time.Millisecond
	// leaveTimeout bounds how long leaving the group may take.
	leaveTimeout = 5 * time.Second
)

// groupOf is the name of the consumer group, behind the environment's: replicas share partitions with those that fill the
// same database, whatever address each reaches it under. The members of a group for all would leave each database a part.
func groupOf(database uuid.UUID) string { return "analytics-" + database.String() }

// Config is what a mirror needs.
type Config struct {
	// Log joins the group of replicas that share the partitions.
	Log    eventlog.Config
	Client *eventlog.Client
	Layout eventlog.Layout
	Conn   *clickhouse.Conn
	// FlushInterval and FlushRows bound a batch; 0: the defaults.
	FlushInterval time.Duration
	FlushRows     int
	// Alone mirrors all partitions without a group.
	Alone bool
	// Refill says that the mirror is this program's alone, a cache of the log: one that knows more than the log holds,
	// or whose tables an older program has made, is dropped and filled again. Otherwise that is an error.
	Refill bool
	// GiveWay says that those who take orders run in the same process: while it has too much to do, they go first.
	GiveWay    bool
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: no metrics
}

// Mirror copies the log into ClickHouse. Several may run, on the same partitions too.
type Mirror struct {
	cfg     Config
	metrics *metrics

	mu    sync.Mutex
	fault error // why the last attempt ended; nil once another has written
	idle  bool  // no partition is ours
	fresh *freshness
	// currentAt is when the mirror was last known to hold all of the partitions that are ours; zero: never.
	currentAt time.Time
	created   time.Time
}

// New returns a mirror that has not started.
func New(cfg Config) (*Mirror, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.FlushInterval == 0 {
		cfg.FlushInterval = DefaultFlushInterval
	}
	if cfg.FlushRows == 0 {
		cfg.FlushRows = DefaultFlushRows
	}
	if cfg.FlushRows < 1 || cfg.FlushRows > MaxFlushRows {
		return nil, fmt.Errorf("a batch of %d rows is not between 1 and %d", cfg.FlushRows, MaxFlushRows)
	}
	if cfg.FlushInterval < 0 || cfg.FlushInterval > MaxFlushInterval {
		return nil, fmt.Errorf("a flush interval of %s is not between 0 and %s", cfg.FlushInterval, MaxFlushInterval)
	}
	m := &Mirror{cfg: cfg, created: time.Now()}
	var err error
	m.metrics, err = newMetrics(m, cfg.Registerer)
	return m, err
}

// Ready is nil once the mirror of this replica's partitions has held all that stood in the log, unless it fails now.
func (m *Mirror) Ready() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.fault != nil:
		return fmt.Errorf("the mirror: %w", m.fault)
	case m.currentAt.IsZero() && !m.idle:
		return errors.New("the mirror is catching up")
	}
	return nil
}

// Going is nil once the mirror follows the log, unless it fails now: ClickHouse answers, and its tables are of this log.
// It may be far behind.
func (m *Mirror) Going() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.fault != nil:
		return fmt.Errorf("the mirror: %w", m.fault)
	case m.fresh == nil && !m.idle:
		return errors.New("the mirror is starting")
	}
	return nil
}

// age is how long ago the mirror was last known to hold all of the log.
func (m *Mirror) age() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.idle:
		return 0
	case m.currentAt.IsZero():
		return time.Since(m.created)
	}
	return time.Since(m.currentAt)
}

// Run mirrors until ctx is done. What time may heal is tried again.
func (m *Mirror) Run(ctx context.Context) error {
	if m.cfg.Alone {
		all := make([]int32, m.cfg.Layout.PartitionCount)
		for i := range all {
			all[i] = int32(i)
		}
		m.keep(ctx, all)
		return nil
	}
	var database uuid.UUID
	m.untilDone(ctx, func() (err error) {
		database, err = m.identify(ctx)
		return err
	})
	if ctx.Err() != nil {
		return nil
	}
	owner, err := eventlog.JoinOwnership(m.cfg.Log, eventlog.OwnershipOptions{
		Group: groupOf(database), Topic: eventlog.TopicOrders, ShardCount: m.cfg.Layout.PartitionCount,
	})
	if err != nil {
		return err
	}
	defer func() {
		leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
		defer cancel()
		if err := owner.Close(leave); err != nil {
			m.cfg.Logger.Warn("the group was not left in order; its session timeout hands the partitions over", "error", err)
		}
	}()
	m.share(ctx, owner.Events())
	return nil
}

// share mirrors the partitions that the group gives to this replica, each time anew when they change.
func (m *Mirror) share(ctx context.Context, events <-chan eventlog.OwnershipEvent) {
	owned := map[int32]bool{}
	stop := func() {}
	settle := time.NewTimer(settlePause)
	defer settle.Stop()
	defer func() { stop() }()
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-events:
			if !ok {
				return
			}
			owned[event.Shard] = event.Owned
			stop()
			stop = func() {}
			settle.Reset(settlePause)
		case <-settle.C:
			stop = m.start(ctx, owned)
		}
	}
}

// start mirrors the partitions in the background and returns what ends that.
func (m *Mirror) start(ctx context.Context, owned map[int32]bool) (stop func()) {
	var partitions []int32
	for partition, ours := range owned {
		if ours {
			partitions = append(partitions, partition)
		}
	}
	slices.Sort(partitions)
	m.cfg.Logger.Info("mirroring", "partitions", partitions)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.keep(ctx, partitions)
	}()
	return func() { cancel(); <-done }
}

// keep mirrors the partitions until ctx is done.
func (m *Mirror) keep(ctx context.Context, partitions []int32) {
	m.metrics.partitions.Set(float64(len(partitions)))
	m.mu.Lock()
	m.idle, m.currentAt = len(partitions) == 0, time.Time{}
	if m.idle {
		m.fault = nil // what failed is another's now
		m.metrics.lag.Set(0)
	}
	m.mu.Unlock()
	if len(partitions) == 0 {
		return
	}
	m.untilDone(ctx, func() error { return m.attempt(ctx, partitions) })
}

// untilDone repeats what failed, after pauses, until it succeeds or ctx is done.
func (m *Mirror) untilDone(ctx context.Context, attempt func() error) {
	wait := firstPause
	for {
		began := time.Now()
		err := attempt()
		if ctx.Err() != nil || err == nil {
			return
		}
		m.mu.Lock()
		m.fault = err
		m.mu.Unlock()
		m.metrics.restarts.Inc()
		if time.Since(began) > longestPause {
			wait = firstPause
		}
		m.cfg.Logger.Error("the mirror stops and begins again", "error", err, "in", wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longestPause)
	}
}

// identify makes the tables, and returns the ID of the database that they are in.
func (m *Mirror) identify(ctx context.Context) (uuid.UUID, error) {
	if err := m.prepare(ctx); err != nil {
		return uuid.Nil, err
	}
	return databaseID(ctx, m.cfg.Conn)
}

// attempt mirrors until the first error: from what ClickHouse holds, to the end, and on.
func (m *Mirror) attempt(ctx context.Context, partitions []int32) error {
	if err := m.prepare(ctx); err != nil {
		return err
	}
	held, err := loadProgress(ctx, m.cfg.Conn)
	if err != nil {
		return err
	}
	var tps []eventlog.TopicPartition
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		for _, partition := range partitions {
			tps = append(tps, eventlog.TopicPartition{Topic: topic, Partition: partition})
		}
	}
	last, err := loadLastEvents(ctx, m.cfg.Conn, tps)
	if err != nil {
		return err
	}
	asked := time.Now()
	end, err := m.cfg.Client.EndOffsets(ctx, tps) // not the stable ones: a new leader may know those late
	if err != nil {
		return err
	}
	from := eventlog.Offsets{}
	for _, tp := range tps {
		from[tp] = held.next[tp]
	}
	if err := m.compare(ctx, from, last, end); err != nil {
		return m.refill(ctx, err)
	}
	follower, err := m.cfg.Client.FollowInterleaved(from) // a batch then holds few months
	if err != nil {
		return err
	}
	defer follower.Close()
	m.began(from, end, asked)
	p := newPipeline(m, held.mirror, follower)
	return p.run(ctx, tps)
}

// prepare makes the tables, and makes them anew where they are of an older program and the mirror may do so.
func (m *Mirror) prepare(ctx context.Context) error {
	err := migrate(ctx, m.cfg.Conn)
	var schema *clickhouse.SchemaError
	if !m.cfg.Refill || !errors.As(err, &schema) || schema.Newer {
		return err
	}
	m.cfg.Logger.Warn("filling the mirror again", "why", err)
	return Rebuild(ctx, m.cfg.Conn)
}

// anotherLogError says that the mirror is not of the log that is there, or of more than is left of it.
type anotherLogError struct{ database, what string }

// Error implements error.
func (e *anotherLogError) Error() string {
	return fmt.Sprintf("the mirror in database %s %s: if this is the right log, run `holdfast mirror rebuild`; otherwise give another database", e.database, e.what)
}

// compare holds the mirror's end to the log: the log must reach as far, and have the same events there. A topic that was
// made again may have grown past the mirror, and a broker that lost its end in a crash may have written another since.
func (m *Mirror) compare(ctx context.Context, next eventlog.Offsets, last map[eventlog.TopicPartition]lastEvent, end eventlog.Offsets) error {
	another := func(format string, args ...any) error {
		return &anotherLogError{m.cfg.Conn.Database(), fmt.Sprintf(format, args...)}
	}
	for tp, offset := range next {
		if e, ok := last[tp]; ok {
			offset = max(offset, e.offset+1)
		}
		if offset > end[tp] {
			return another("knows %s partition %d up to offset %d, but it ends at %d", tp.Topic, tp.Partition, offset, end[tp])
		}
	}
	from, to := eventlog.Offsets{}, eventlog.Offsets{}
	for tp, e := range last {
		from[tp], to[tp] = e.offset, e.offset+1
	}
	err := m.cfg.Client.Read(ctx, from, to, func(rec *eventlog.Record) error {
		if digestOf(rec) == last[rec.TopicPartition].digest {
			delete(last, rec.TopicPartition)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for tp, e := range last {
		return another("has another event of %s partition %d at offset %d than the log", tp.Topic, tp.Partition, e.offset)
	}
	return nil
}

// refill drops a mirror of another log, where it may.
func (m *Mirror) refill(ctx context.Context, why error) error {
	var another *anotherLogError
	if !m.cfg.Refill || !errors.As(why, &another) {
		return why
	}
	m.cfg.Logger.Warn("filling the mirror again", "why", why)
	if err := Rebuild(ctx, m.cfg.Conn); err != nil {
		return err
	}
	return errors.New("the mirror was not of this log and is filled again")
}

func (m *Mirror) began(from, end eventlog.Offsets, asked time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fresh = newFreshness(from, end, asked)
	m.settle()
}

// marks are how far the mirror is once it has reached that, and when it held each partition to its end.
func (m *Mirror) marks(reached eventlog.Offsets) (eventlog.Offsets, map[eventlog.TopicPartition]time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fresh.with(reached)
}

// advance notes what has become durable. Whatever failed before works again.
func (m *Mirror) advance(reached eventlog.Offsets) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = nil
	m.fresh.advance(reached)
	m.settle()
}

// markEnd notes where the log ends. It returns an error when that is before what the mirror has.
func (m *Mirror) markEnd(end eventlog.Offsets, asked time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	reached := m.fresh.ended(end, asked)
	m.settle()
	if !reached {
		return errors.New("a topic ends before what the mirror has read of it: it was made again")
	}
	return nil
}

// settle draws conclusions from where the mirror and the log's ends are; with mu held.
func (m *Mirror) settle() {
	m.metrics.lag.Set(float64(m.fresh.lag()))
	if m.fresh.currentAt.After(m.currentAt) {
		m.currentAt = m.fresh.currentAt
	}
}
