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

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// Defaults and bounds of the mirror.
const (
	// DefaultFlushInterval is how long the rows of a slow log wait for more rows, so that they are visible within a
	// second. On a busy log they wait for up to longestFlushDelay.
	DefaultFlushInterval = 500 * time.Millisecond
	// DefaultFlushRows is how many rows a batch has at most, about: it is written once it has as many.
	DefaultFlushRows = 200_000
	// MaxFlushRows keeps the memory of a batch below some hundred MB. MaxFlushInterval limits how late rows are visible.
	MaxFlushRows     = 1_000_000
	MaxFlushInterval = time.Minute

	// After a poll of fewer than smallPoll records, the reader pauses for this fraction of a flush interval (1/10).
	smallPoll         = 10_000
	smallPollFraction = 10

	// yieldEvery is after how many records the decoder lets other goroutines run. They may be handling commands.
	yieldEvery = 64

	// batchesWritten is how many batches are written at the same time. Meanwhile another one is filled.
	batchesWritten  = 2
	batchesInMemory = batchesWritten + 1
	// beatInterval is how often an idle mirror writes that it is current.
	beatInterval = 2 * time.Second
	// rebalanceDelay is how long the partitions of this replica must stay the same before it mirrors them. A consumer
	// group assigns them one by one.
	rebalanceDelay = 100 * time.Millisecond
	// leaveTimeout is how long leaving the group may take.
	leaveTimeout = 5 * time.Second
)

// groupOf is the name of the consumer group, without the prefix of the environment. There is one group for each
// database: replicas that fill the same database share the partitions, whatever address they use for it. With one group
// for all databases, each database would get the events of some partitions only.
func groupOf(database uuid.UUID) string { return "analytics-" + database.String() }

// Config is what a mirror needs.
type Config struct {
	// Log is for joining the consumer group that shares the partitions among replicas.
	Log    eventlog.Config
	Client *eventlog.Client
	Layout eventlog.Layout
	Conn   *clickhouse.Conn
	// FlushInterval and FlushRows limit a batch in time and in rows; 0 means the default.
	FlushInterval time.Duration
	FlushRows     int
	// Alone mirrors all partitions without a consumer group.
	Alone bool
	// Refill means that nobody else uses this mirror: it is a cache of the log. If it has events that the log does not
	// have, or tables of an older program, it is dropped and filled again. Without Refill that is an error.
	Refill bool
	// YieldCPU means that this process also handles commands. While it is overloaded, the mirror slows down and leaves
	// the CPU to them.
	YieldCPU   bool
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: no metrics
	Tracer     *tracing.Tracer       // makes spans of batches with traced events; nil: nobody traces
}

// Mirror copies the log into ClickHouse. Several mirrors may run at the same time, even of the same partitions: they
// write the same rows.
type Mirror struct {
	cfg     Config
	metrics *metrics

	// shadow is the UUID of the mirror that this one must fill; zero: whichever the database has, or will have.
	shadow uuid.UUID
	// park keeps events that cannot be decoded.
	park func(context.Context, []DeadLetter) error

	mu    sync.Mutex
	fault error      // why the last attempt ended; nil once the next one has written
	idle  bool       // this replica has no partitions
	fresh *freshness // nil until the first attempt has begun
	// currentAt is when the mirror last had all events of this replica's partitions; zero: never.
	currentAt time.Time
	created   time.Time
	mirror    uuid.UUID     // Durable.Mirror
	moved     chan struct{} // closed when Durable changes
	// rebuilding is what a rebuild is doing that this mirror has begun; empty: there is none.
	rebuilding RebuildPhase
}

// Durable says which events this replica has mirrored.
type Durable struct {
	// Mirror is the UUID of the mirror. It changes when the mirror is made anew.
	Mirror uuid.UUID
	// Next are exclusive end offsets, of the partitions that this replica mirrors: all events below them have their rows.
	// It is empty while it mirrors none.
	Next eventlog.Offsets
	// Age is how long ago the mirror last had all events of these partitions.
	Age time.Duration
}

// Durable is what this replica has mirrored, and a channel that is closed when there is more.
func (m *Mirror) Durable() (Durable, <-chan struct{}) {
	age := m.age()
	m.mu.Lock()
	defer m.mu.Unlock()
	d := Durable{Age: age}
	if m.fresh != nil && !m.idle {
		d.Mirror, d.Next = m.mirror, m.fresh.next.Clone()
	}
	return d, m.moved
}

// tell wakes those who wait for a change of Durable; mu must be locked.
func (m *Mirror) tell() {
	close(m.moved)
	m.moved = make(chan struct{})
}

// CheckBatch says what is wrong with the limits of a batch.
func CheckBatch(interval time.Duration, rows int) error {
	var errs []error
	if rows < 1 || rows > MaxFlushRows {
		errs = append(errs, fmt.Errorf("a batch of %d rows is not between 1 and %d", rows, MaxFlushRows))
	}
	if interval < 0 || interval > MaxFlushInterval {
		errs = append(errs, fmt.Errorf("a flush interval of %s is not between 0 and %s", interval, MaxFlushInterval))
	}
	return errors.Join(errs...)
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
	if err := CheckBatch(cfg.FlushInterval, cfg.FlushRows); err != nil {
		return nil, err
	}
	m := &Mirror{cfg: cfg, created: time.Now(), moved: make(chan struct{})}
	m.park = func(ctx context.Context, letters []DeadLetter) error { return Park(ctx, cfg.Client, letters) }
	var err error
	m.metrics, err = newMetrics(m, cfg.Registerer)
	return m, err
}

// Ready returns nil once the mirror has had all events that were in the log, in the partitions of this replica. It
// returns the error of an attempt that failed, until the next attempt has written. A mirror that only waits until a
// projector of another version stops is ready: whoever upgrades may wait for it before he stops the former one. One
// that swaps its tables is not: a query may find one of each version.
func (m *Mirror) Ready() error {
	return m.check("the mirror is catching up", func() bool {
		switch m.rebuilding {
		case RebuildWaits, RebuildDrops:
			return true
		default:
			return !m.currentAt.IsZero()
		}
	})
}

// Started is like Ready, but does not wait until the mirror has caught up: it returns nil once ClickHouse answers, its
// tables are of this log, and the mirror follows the log, or fills another one for tables of another version.
func (m *Mirror) Started() error {
	return m.check("the mirror is starting", func() bool { return m.fresh != nil || m.rebuilding != "" })
}

// check returns nil when done is true, or when there is nothing to mirror. Otherwise it says what is pending.
func (m *Mirror) check(pending string, done func() bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.fault != nil:
		return fmt.Errorf("the mirror: %w", m.fault)
	case !m.idle && !done():
		return errors.New(pending)
	}
	return nil
}

// age is how long ago the mirror was last known to have all events of the log.
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

// Run mirrors until ctx is done. After an error it tries again; it returns one only when the consumer group cannot be
// set up.
func (m *Mirror) Run(ctx context.Context) error {
	if m.cfg.Alone {
		m.mirrorPartitions(ctx, m.allPartitions())
		return nil
	}
	var database uuid.UUID
	m.retry(ctx, func() (err error) {
		database, err = m.prepareDatabase(ctx)
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
			m.cfg.Logger.Warn("the group was not left in order; its session timeout hands the partitions over",
				"error", err)
		}
	}()
	m.followGroup(ctx, owner.Events())
	return nil
}

func (m *Mirror) allPartitions() []int32 {
	all := make([]int32, m.cfg.Layout.PartitionCount)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// followGroup mirrors the partitions that the consumer group assigns to this replica. When they change, it stops and
// begins again with the new ones.
func (m *Mirror) followGroup(ctx context.Context, events <-chan eventlog.OwnershipEvent) {
	owned := map[int32]bool{}
	stop := func() {}
	unchanged := time.NewTimer(rebalanceDelay)
	defer unchanged.Stop()
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
			unchanged.Reset(rebalanceDelay)
		case <-unchanged.C:
			stop = m.start(ctx, owned)
		}
	}
}

// start mirrors the owned partitions in the background. stop ends that and waits for it.
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
		m.mirrorPartitions(ctx, partitions)
	}()
	return func() { cancel(); <-done }
}

// mirrorPartitions mirrors the partitions until ctx is done.
func (m *Mirror) mirrorPartitions(ctx context.Context, partitions []int32) {
	m.metrics.partitions.Set(float64(len(partitions)))
	m.mu.Lock()
	m.idle, m.currentAt = len(partitions) == 0, time.Time{}
	m.tell()
	if m.idle {
		m.fault = nil // it concerned partitions that another replica has now
		m.metrics.lag.Set(0)
	}
	m.mu.Unlock()
	if len(partitions) == 0 {
		return
	}
	m.retry(ctx, func() error { return m.attempt(ctx, partitions) })
}

// retry calls attempt until it returns nil or ctx is done, with pauses after errors.
func (m *Mirror) retry(ctx context.Context, attempt func() error) {
	pauses := backoff.ForStores()
	for {
		began := time.Now()
		err := attempt()
		if ctx.Err() != nil || err == nil {
			return
		}
		if isSwapped(err) {
			m.cfg.Logger.Info("the mirror was rebuilt, or is being swapped: going on from its progress", "why", err)
			if backoff.Sleep(ctx, backoff.StoreFirst) != nil {
				return
			}
			continue
		}
		m.mu.Lock()
		m.fault = err
		m.mu.Unlock()
		m.metrics.restarts.Inc()
		if time.Since(began) > backoff.StoreLongest {
			pauses.Reset()
		}
		pause := pauses.Next()
		m.cfg.Logger.Error("the mirror stops and begins again", "error", err, "in", pause)
		if backoff.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// runUntilFinal mirrors until ctx is done, or until an error that time does not mend.
func (m *Mirror) runUntilFinal(ctx context.Context, partitions []int32) (final error) {
	m.retry(ctx, func() error {
		err := m.attempt(ctx, partitions)
		var start *eventlog.LogStartError
		var schema *clickhouse.SchemaError
		var another *anotherLogError
		if errors.Is(err, errShadowLost) || errors.As(err, &start) || errors.As(err, &schema) || errors.As(err, &another) {
			final = err
			return nil
		}
		return err
	})
	return final
}

// reached are the offsets of what is durable in ClickHouse.
func (m *Mirror) reached() eventlog.Offsets {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fresh == nil {
		return nil
	}
	return m.fresh.next.Clone()
}

// filled is how far the mirror is, and where the log ends: offsets of all partitions together.
func (m *Mirror) filled() (reached, end int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fresh == nil {
		return 0, 0
	}
	for _, offset := range m.fresh.next {
		reached += offset
	}
	return reached, reached + m.fresh.lag()
}

// currentFault is why the mirror does not write at the moment; nil: it does.
func (m *Mirror) currentFault() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fault
}

// began records that an attempt begins at these offsets, and where the log ends.
func (m *Mirror) began(mirror uuid.UUID, from, end eventlog.Offsets, asked time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mirror, m.fresh = mirror, newFreshness(from, end, asked)
	m.updateCurrent()
	m.tell()
}

// progressAfter is the progress to save once the mirror has reached these offsets.
func (m *Mirror) progressAfter(reached eventlog.Offsets) *progress {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fresh.after(reached)
}

// advance records what has become durable. What failed before works again.
func (m *Mirror) advance(reached eventlog.Offsets) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = nil
	m.fresh.advance(reached)
	m.updateCurrent()
	if len(reached) > 0 {
		m.tell()
	}
}

// markEnd records where the log ends. It returns an error when that is before what the mirror has.
func (m *Mirror) markEnd(end eventlog.Offsets, asked time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	reached := m.fresh.ended(end, asked)
	m.updateCurrent()
	if !reached {
		return errors.New("a topic ends before what the mirror has read of it: it was made again")
	}
	return nil
}

// updateCurrent updates the lag and currentAt after fresh has changed; mu must be locked.
func (m *Mirror) updateCurrent() {
	m.metrics.lag.Set(float64(m.fresh.lag()))
	if m.fresh.currentAt.After(m.currentAt) {
		m.currentAt = m.fresh.currentAt
	}
}
