package shard

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// remeasureAfter is how long a replica whose clock is off leaves a shard alone before it acquires it again, to see
// whether somebody has set the clock.
const remeasureAfter = 10 * time.Second

// ClockError says that this replica's clock and that of the broker which leads the shard's partition of holdfast.shards
// are too far apart for the replica to serve the shard: deadlines would pass too early or too late. It ends when
// somebody has set the clock that is wrong.
type ClockError struct {
	Shard int32
	// AheadBy is how far the replica's clock is ahead of the broker's, at least; negative: behind. 0: unknown, but the
	// broker refuses its time.
	AheadBy time.Duration
	// Limit is --max-clock-skew.
	Limit time.Duration
	// Since when, by the replica's clock.
	Since time.Time
}

// Error implements error.
func (e *ClockError) Error() string {
	by := "so far ahead of the Kafka broker's that the broker refuses its records"
	switch {
	case e.AheadBy > 0:
		by = e.AheadBy.Round(time.Millisecond).String() + " ahead of the Kafka broker's: orders would expire too early"
	case e.AheadBy < 0:
		by = (-e.AheadBy).Round(time.Millisecond).String() + " behind the Kafka broker's: orders would expire too late"
	}
	return fmt.Sprintf("this replica does not serve shard %d, because its clock is %s (since %s by its own time; "+
		"--max-clock-skew allows %s). Set the clock that is wrong, and keep both right with NTP",
		e.Shard, by, e.Since.UTC().Format(time.RFC3339), e.Limit)
}

// shardClock is the clock by which a shard's writer decides deadlines. Whenever the shard announces itself, it is
// compared with the clock of the broker which leads the announcements' partition: the broker writes the marker that
// ends the transaction, with its own time. In between a step of the clock is seen by the monotonic one.
type shardClock struct {
	shard int32
	wall  func() time.Time
	limit time.Duration // 0: nothing is compared
	skew  prometheus.Gauge

	measured atomic.Pointer[measurement]
	offSince atomic.Pointer[time.Time] // nil: it is not off

	mu sync.Mutex
	// announced is the last announcement, and marker the last marker that was read.
	announced struct {
		offset int64
		began  time.Time // its commit
	}
	marker struct {
		offset int64
		broker time.Time
		read   clockReading
	}
	moved chan struct{} // closed when something was measured
}

// clockReading is a moment by two clocks. The wall clock has no monotonic part, which comparisons would prefer.
type clockReading struct{ wall, monotonic time.Time }

// elapsed is how long something took by both clocks.
type elapsed struct{ wall, monotonic time.Duration }

func (at clockReading) since(before clockReading) elapsed {
	return elapsed{at.wall.Sub(before.wall), at.monotonic.Sub(before.monotonic)}
}

// stepped is by how much the wall clock was set meanwhile. It also went on without the monotonic one while the machine
// was suspended.
func (e elapsed) stepped() time.Duration { return e.wall - e.monotonic }

// measurement says how far the clock was ahead of the broker's at a moment: the broker wrote its time after the commit
// had begun and before the marker was read.
type measurement struct {
	at          clockReading
	least, most time.Duration
	// refused: the broker took no announcement, because of its time. Nothing more is known.
	refused bool
}

func (n *Node) newClocks() []*shardClock {
	clocks := make([]*shardClock, n.layout.ShardCount)
	for shard := range clocks {
		clocks[shard] = &shardClock{
			shard: int32(shard), wall: n.cfg.Clock, limit: n.cfg.MaxClockSkew, moved: make(chan struct{}),
			skew: n.metrics.clockSkew.WithLabelValues(strconv.Itoa(shard)),
		}
	}
	return clocks
}

func (c *shardClock) read() clockReading { return clockReading{c.wall().Round(0), time.Now()} }

// now is the time by which the shard decides, or a *ClockError.
func (c *shardClock) now() (micros int64, err error) {
	at := c.read()
	m := c.measured.Load()
	if m == nil {
		return at.wall.UnixMicro(), nil
	}
	return at.wall.UnixMicro(), c.judge(at.wall, m, at.since(m.at).stepped())
}

// judge is a *ClockError when the clock is off for certain, which was set by stepped since it was compared.
func (c *shardClock) judge(now time.Time, m *measurement, stepped time.Duration) error {
	aheadBy, least, most := time.Duration(0), m.least+stepped, m.most+stepped
	switch {
	case m.refused:
	case least > c.limit:
		aheadBy = least
	case most < -c.limit:
		aheadBy = most
	default:
		if c.offSince.Load() != nil {
			c.offSince.Store(nil)
		}
		return nil
	}
	c.offSince.CompareAndSwap(nil, &now)
	return &ClockError{Shard: c.shard, AheadBy: aheadBy, Limit: c.limit, Since: *c.offSince.Load()}
}

// fault is a *ClockError while a recent comparison says that the clock is off. Nobody knows after remeasureAfter, or
// once the clock has been set: the shard has to be acquired to compare again.
func (c *shardClock) fault() error {
	m := c.measured.Load()
	if m == nil {
		return nil
	}
	at := c.read()
	if since := at.since(m.at); since.monotonic > remeasureAfter || since.stepped().Abs() > time.Second {
		return nil
	}
	return c.judge(at.wall, m, 0)
}

// announcedAt notes an announcement, and when its commit began.
func (c *shardClock) announcedAt(offset int64, began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.announced.offset, c.announced.began = offset, began.Round(0)
	c.compare()
}

// ended notes the marker of a transaction, which was read just now.
func (c *shardClock) ended(m eventlog.Marker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.Offset <= c.marker.offset {
		return
	}
	c.marker.offset, c.marker.broker, c.marker.read = m.Offset, time.UnixMicro(m.AtMicros), c.read()
	c.compare()
}

// compare compares the clocks, once the marker of the last announcement is there. mu must be locked.
func (c *shardClock) compare() {
	if c.limit == 0 || c.announced.began.IsZero() || c.marker.offset <= c.announced.offset {
		return
	}
	m := &measurement{
		at:    c.marker.read,
		least: c.announced.began.Sub(c.marker.broker), most: c.marker.read.wall.Sub(c.marker.broker),
	}
	c.announced.began = time.Time{}
	c.measured.Store(m)
	c.skew.Set(((m.least + m.most) / 2).Seconds())
	close(c.moved)
	c.moved = make(chan struct{})
}

// await returns when the clock was compared after an announcement: nil, or a *ClockError.
func (c *shardClock) await(ctx context.Context, offset int64, began time.Time) error {
	if c.limit == 0 {
		return nil
	}
	c.announcedAt(offset, began)
	for {
		c.mu.Lock()
		open, moved := !c.announced.began.IsZero(), c.moved
		c.mu.Unlock()
		if !open {
			_, err := c.now()
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// refused is a *ClockError where the broker refuses the replica's time, and err where it does not.
func (c *shardClock) refused(err error) error {
	if !eventlog.TimeRefused(err) {
		return err
	}
	m := &measurement{at: c.read(), refused: true}
	c.measured.Store(m)
	return c.judge(m.at.wall, m, 0)
}

// received is when another replica took a command, but no further from now than clocks may be apart: its clock is not
// compared with anything while it serves no shard, and deadlines are counted from there.
func (c *shardClock) received(micros int64) int64 {
	if c.limit == 0 {
		return micros
	}
	now, limit := c.wall().UnixMicro(), c.limit.Microseconds()
	return min(max(micros, now-limit), now+limit)
}

// warnOfFuture says that the log ends in the future, now that this replica's clock is known to be right.
func (c *shardClock) warnOfFuture(log *slog.Logger, newestMicros int64) {
	ahead := time.UnixMicro(newestMicros).Sub(c.wall())
	if c.limit > 0 && ahead > c.limit {
		log.Warn("the clock of a former owner was ahead: its last event is in the future, and so are the deadlines of "+
			"orders that it took. Nothing needs to be done",
			"shard", c.shard, "event", time.UnixMicro(newestMicros).UTC().Format(time.RFC3339), "ahead", ahead.String())
	}
}

// announce tells everybody that this replica owns the shard, and compares its clock with the broker's.
func (r *runner) announce(ctx context.Context) error {
	rec, began := r.announcement(nil), r.clock.wall()
	if err := r.committing.writer.Commit([]*eventlog.Record{rec}); err != nil {
		return r.clock.refused(err)
	}
	return r.clock.await(ctx, rec.Offset, began)
}

// clockFault is a *ClockError while this replica's clock is known to be off.
func (n *Node) clockFault() error {
	for _, c := range n.clocks {
		if err := c.fault(); err != nil {
			return err
		}
	}
	return nil
}
