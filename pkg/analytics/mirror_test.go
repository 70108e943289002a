package analytics_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestTheMirrorHoldsTheLog(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 200)
	m, stop := f.mirror()
	f.exact()
	f.fill(200, 230)
	f.exact()
	f.eventually("ready", func() bool { return m.Ready() == nil })
	stop()
	f.fill(230, 260)
	f.mirror(func(c *analytics.Config) { c.FlushRows = 31 }) // records are cut anywhere
	f.exact()
}

// Whoever writes a row again writes the same row: two mirrors of all partitions, and a third that begins later.
func TestZombiesChangeNothing(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 100)
	for i := range 3 {
		f.mirror(func(c *analytics.Config) { c.FlushRows = 50 + 20*i })
		f.fill(100+100*i, 200+100*i)
	}
	f.exact()
	if repeated := f.value("SELECT toInt64(count()) FROM events") - f.events; repeated == 0 {
		t.Log("merges were faster than the count: no row stood twice")
	}
}

// Replicas of a group share the partitions; when one leaves, the other takes over.
func TestReplicasShareThePartitions(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 50)
	grouped := func(c *analytics.Config) { c.Alone = false }
	_, stopFirst := f.mirror(grouped)
	first := f.metrics
	f.exact()
	second, _ := f.mirror(grouped)
	share := func() float64 { return gauge(t, f.metrics, "holdfast_mirror_partitions") }
	f.eventually("each has half", func() bool { return gauge(t, first, "holdfast_mirror_partitions") == 2 && share() == 2 })
	f.fill(50, 100)
	f.exact()
	stopFirst()
	f.eventually("the second has all", func() bool { return share() == 4 })
	f.fill(100, 150)
	f.exact()
	f.eventually("ready", func() bool { return second.Ready() == nil })
}

// Replicas that fill another database, on the same server or another, take nothing from those of this one.
func TestMirrorsOfTwoDatabasesHoldTheWholeLogEach(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 50)
	grouped := func(c *analytics.Config) { c.Alone = false }
	f.mirror(grouped)
	f.exact()
	first, other := f.conn, openAt(t, chdbtest.Database(t))
	f.mirror(grouped, func(c *analytics.Config) { c.Conn = other })
	f.conn = other
	f.exact()
	f.fill(50, 100)
	f.exact()
	f.conn = first
	f.exact()
}

// An event that cannot be mirrored is parked once, and the others go on.
func TestAPoisonousEventIsParkedAndTheOthersGoOn(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 20)
	garbage := &eventlog.Record{TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: 1}, Key: []byte("x"), Value: []byte{0xff}}
	meta := f.meta("napoleon", time.Date(1812, 6, 24, 0, 0, 0, 0, time.UTC))
	early := f.record(eventlog.TopicOrders, "napoleon", &eventv1.OrderEvent{
		Meta: meta, OrderId: "napoleon", Change: &eventv1.OrderEvent_OrderConfirmed{OrderConfirmed: &eventv1.OrderConfirmed{}},
	})
	f.events-- // it has no row
	f.append(garbage, early)
	f.fill(21, 40)
	_, stop := f.mirror()
	f.exact()
	stop()
	letters, err := analytics.DeadLetters(f.ctx, f.client)
	if err != nil || len(letters) != 2 {
		t.Fatalf("%v, %v", letters, err)
	}
	for _, letter := range letters {
		if err := analytics.Retry(f.ctx, f.client, f.conn, letter); err == nil || !strings.Contains(err.Error(), "still cannot be mirrored") {
			t.Errorf("%s: it says %v", letter.Place(), err)
		}
	}
}

// A letter whose event is known by now: its rows come where they belong, however often it is tried.
func TestARetryPutsRowsWhereTheyBelong(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 10)
	_, stop := f.mirror()
	f.exact()
	stop()
	held := f.value("SELECT toInt64(min(offset)) FROM events FINAL WHERE topic = 'orders.events' AND partition = 0")
	if err := f.conn.Exec(f.ctx, "TRUNCATE TABLE order_lines", nil, nil); err != nil {
		t.Fatal(err)
	}
	letter := analytics.DeadLetter{Topic: eventlog.TopicOrders, Offset: held, Reason: "it was not known", ParkedAt: time.Now()}
	if err := analytics.Park(f.ctx, f.client, []analytics.DeadLetter{letter, letter}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := analytics.Retry(f.ctx, f.client, f.conn, letter); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.value("SELECT toInt64(count()) FROM order_lines FINAL"); n != 3 {
		t.Errorf("%d lines, want 3", n)
	}
	if letters, err := analytics.DeadLetters(f.ctx, f.client); err != nil || len(letters) != 0 {
		t.Errorf("%v are still parked, %v", letters, err)
	}
	lost := analytics.DeadLetter{Topic: eventlog.TopicOrders, Partition: 3, Offset: 1 << 40}
	if _, err := lost.Event(f.ctx, f.client); err == nil {
		t.Error("an event that is not there was found")
	}
}

func TestAMirrorThatIsDroppedFillsAgain(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 60)
	f.mirror()
	f.exact()
	before := f.checksums()
	if err := analytics.Rebuild(f.ctx, f.conn); err != nil {
		t.Fatal(err)
	}
	f.exact()
	if after := f.checksums(); after != before {
		t.Errorf("filled again it is another\n%s\n%s", before, after)
	}
}

func (f *fixture) checksums() string {
	f.t.Helper()
	sums, err := analytics.NewReports(f.conn).Checksums(f.ctx, "true")
	if err != nil {
		f.t.Fatal(err)
	}
	return fmt.Sprint(sums)
}

// A mirror of another log is not written to, unless the log is embedded and may have lost its end.
func TestAMirrorThatIsAheadOfTheLog(t *testing.T) {
	long := newFixture(t)
	long.fill(0, 60)
	_, stop := long.mirror()
	long.exact()
	stop()
	short := newFixture(t)
	short.conn = long.conn
	short.fill(0, 3)
	if covered, err := analytics.NewReports(short.conn).Await(short.ctx, eventlog.Position{}); err != nil || covered.Age < 0 {
		t.Errorf("the mirror was current: %+v, %v", covered, err)
	}
	m, stop := short.mirror()
	short.eventually("it refuses", func() bool {
		err := m.Ready()
		return err != nil && strings.Contains(err.Error(), "holdfast mirror rebuild")
	})
	if up := gauge(t, short.metrics, "holdfast_mirror_up"); up != 0 {
		t.Errorf("it is up: %v", up)
	}
	stop()
	short.mirror(func(c *analytics.Config) { c.Refill = true })
	short.eventually("it is filled again", func() bool {
		n, err := short.ask("SELECT toInt64(count()) FROM events FINAL")
		return err == nil && n == short.events
	})
	short.exact()
}

// A topic that was made again while no mirror ran, and has grown past what the mirror knew: two logs do not mix. Neither do
// they when the mirror has rows that no progress speaks of.
func TestAMirrorOfAnotherLog(t *testing.T) {
	for name, c := range map[string]struct {
		change, want string
		to           int
	}{
		"grown past":       {want: "has another event of", to: 120},
		"without progress": {change: "TRUNCATE TABLE mirror_progress", want: "but it ends at", to: 3},
	} {
		t.Run(name, func(t *testing.T) {
			first := newFixture(t)
			first.fill(0, 60)
			_, stop := first.mirror()
			first.exact()
			stop()
			if c.change != "" {
				first.execute(c.change)
			}
			again := newFixture(t)
			again.conn = first.conn
			again.fill(0, c.to)
			m, stop := again.mirror()
			again.eventually("it refuses", func() bool {
				err := m.Ready()
				return err != nil && strings.Contains(err.Error(), c.want) && strings.Contains(err.Error(), "holdfast mirror rebuild")
			})
			stop()
			again.mirror(func(c *analytics.Config) { c.Refill = true })
			again.eventually("it is filled again", func() bool {
				n, err := again.ask("SELECT toInt64(count()) FROM events FINAL")
				return err == nil && n == again.events
			})
			again.exact()
		})
	}
}

// Tables of another program: whoever has the mirror alone fills it again, whoever shares it is told how to. Those of a
// newer program are left as they are.
func TestAMirrorOfAnotherProgram(t *testing.T) {
	refilling := func(c *analytics.Config) { c.Refill = true }
	refuses := func(f *fixture, m *analytics.Mirror, want string) {
		t.Helper()
		f.eventually("it refuses", func() bool {
			err := m.Ready()
			return err != nil && strings.Contains(err.Error(), want)
		})
	}
	for name, change := range map[string]string{
		"another text":    "INSERT INTO schema_migrations (number, name, checksum) VALUES (1, 'mirror', 'edited')",
		"half a rebuild":  "DROP TABLE order_lines SYNC",
		"changed by hand": "ALTER TABLE orders ADD COLUMN colour String",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.fill(0, 10)
			_, stop := f.mirror()
			f.exact()
			stop()
			f.execute(change)
			m, stop := f.mirror()
			refuses(f, m, "`holdfast mirror rebuild`")
			stop()
			m, _ = f.mirror(refilling)
			f.eventually("it is filled again", func() bool { return m.Ready() == nil })
			f.exact()
		})
	}
	t.Run("newer", func(t *testing.T) {
		f := newFixture(t)
		f.fill(0, 10)
		_, stop := f.mirror()
		f.exact()
		stop()
		f.execute("INSERT INTO schema_migrations (number, name, checksum) VALUES (1, 'mirror', 'edited'), (99, 'later', 'unknown')")
		m, stop := f.mirror(refilling)
		refuses(f, m, "is newer than this program")
		stop()
		f.exact()
	})
}

func TestWithoutClickHouseItWaitsAndSaysSo(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 3)
	for _, alone := range []bool{true, false} {
		m, _ := f.mirror(func(c *analytics.Config) { c.Conn, c.Alone = openAt(t, "http://127.0.0.1:1/x"), alone })
		f.eventually("not ready", func() bool {
			err := m.Ready()
			return err != nil && strings.Contains(err.Error(), "ClickHouse at 127.0.0.1:1 does not answer")
		})
	}
	ctx, cancel := context.WithTimeout(f.ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := analytics.NewReports(f.conn).Await(ctx, f.end()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a mirror that nobody fills: %v", err)
	}
	if _, err := analytics.NewReports(f.conn).Await(f.ctx, eventlog.Position{}); err == nil {
		t.Error("there is no mirror, and nothing said so")
	}
}

func TestABatchHasLimits(t *testing.T) {
	for _, cfg := range []analytics.Config{{FlushRows: analytics.MaxFlushRows + 1}, {FlushRows: -1}, {FlushInterval: -1}, {FlushInterval: time.Hour}} {
		if _, err := analytics.New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

func TestMetricsAreNamed(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 3)
	f.mirror()
	f.exact()
	if n, err := testutil.GatherAndCount(f.metrics); err != nil || n != 16 {
		t.Errorf("%d series, %v", n, err)
	}
	if problems, err := testutil.GatherAndLint(f.metrics); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// The parts that ClickHouse makes of a busy log: an order of one line is a row in three tables.
func TestABusyLogMakesWholeParts(t *testing.T) {
	const (
		ticks    = 60
		atATick  = 150
		interval = 240 * time.Millisecond
	)
	f := newFixture(t)
	f.mirror(func(c *analytics.Config) { c.FlushInterval = interval })
	tick := time.NewTicker(50 * time.Millisecond) // the load is an open loop
	defer tick.Stop()
	for i := range ticks {
		var recs []*eventlog.Record
		for n := range atATick {
			recs = append(recs, f.single(i*atATick+n))
		}
		f.append(recs...)
		<-tick.C
	}
	f.exact()
	for _, table := range []string{"events", "orders", "order_lines"} {
		// Parts of level 0 are what inserts made; the last one has what was left.
		small := f.value("SELECT toInt64(countIf(rows < 1000)) FROM system.parts WHERE database = currentDatabase() AND level = 0 AND table = '" + table + "'")
		parts := f.value("SELECT toInt64(count()) FROM system.parts WHERE database = currentDatabase() AND level = 0 AND table = '" + table + "'")
		t.Logf("%s: %d parts of level 0, %d of them small", table, parts, small)
		if parts == 0 || small > 1 {
			t.Errorf("%s: %d of %d parts have less than a thousand rows", table, small, parts)
		}
	}
}
