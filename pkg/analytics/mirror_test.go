package analytics_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
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

// Three mirrors write all partitions at the same time. They write the same rows, so nothing changes.
func TestConcurrentMirrorsChangeNothing(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 100)
	for i := range 3 {
		f.mirror(func(c *analytics.Config) { c.FlushRows = 50 + 20*i })
		f.fill(100+100*i, 200+100*i)
	}
	f.exact()
	if repeated := f.value("SELECT toInt64(count()) FROM events") - f.events; repeated == 0 {
		t.Log("merges were faster than the count: no row was there twice")
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
	f.eventually("each has half", func() bool {
		return gauge(t, first, "holdfast_mirror_partitions") == 2 && share() == 2
	})
	f.fill(50, 100)
	f.exact()
	stopFirst()
	f.eventually("the second has all", func() bool { return share() == 4 })
	f.fill(100, 150)
	f.exact()
	f.eventually("ready", func() bool { return second.Ready() == nil })
}

// Replicas that fill another database do not share partitions with those of this one.
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
	garbage := &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: 1},
		Key:            []byte("x"), Value: []byte{0xff},
	}
	meta := f.meta("napoleon", time.Date(1812, 6, 24, 0, 0, 0, 0, time.UTC))
	early := f.record(eventlog.TopicOrders, "napoleon", &eventv1.OrderEvent{
		Meta: meta, OrderId: "napoleon",
		Change: &eventv1.OrderEvent_OrderConfirmed{OrderConfirmed: &eventv1.OrderConfirmed{}},
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
		err := analytics.Retry(f.ctx, f.client, f.conn, letter)
		if err == nil || !strings.Contains(err.Error(), "still cannot be mirrored") {
			t.Errorf("%s: it says %v", letter.Place(), err)
		}
	}
}

// A record that is quarantined has no row, and is no dead letter.
func TestTheMirrorPassesAQuarantinedRecord(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 20)
	foreign := &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: 1}, Value: []byte{0xff},
	}
	f.append(foreign)
	err := f.client.Quarantine(f.ctx, eventlog.Quarantine{
		Topic: foreign.Topic, Partition: foreign.Partition, Offset: foreign.Offset, SHA256: foreign.Hash(), Reason: "a test",
	})
	if err != nil {
		t.Fatal(err)
	}
	f.fill(21, 40)
	_, stop := f.mirror()
	f.exact()
	stop()
	if letters, err := analytics.DeadLetters(f.ctx, f.client); err != nil || len(letters) != 0 {
		t.Errorf("%v, %v", letters, err)
	}
}

// A mirror whose next events were deleted keeps what it has, and says what is missing.
func TestAMirrorDoesNotReadPastADeletedStart(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 20)
	_, stop := f.mirror()
	f.exact()
	stop()
	logtest.DeleteRecords(t, f.log, eventlog.TopicOrders)
	f.fill(20, 40)
	_, stop = f.mirror() // it is past what was deleted
	f.exact()
	stop()
	f.fill(40, 60)
	logtest.DeleteRecords(t, f.log, eventlog.TopicOrders)
	m, _ := f.mirror()
	var gone *eventlog.LogStartError
	f.eventually("it says so", func() bool { return errors.As(m.Ready(), &gone) })
	if gone.Topic != eventlog.TopicOrders || gone.Start <= gone.Offset {
		t.Errorf("%+v", gone)
	}
}

// When a dead letter is retried and its event can be decoded by now, the event gets its rows. Retrying again changes
// nothing.
func TestARetryPutsRowsWhereTheyBelong(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 10)
	_, stop := f.mirror()
	f.exact()
	stop()
	offset := f.value("SELECT toInt64(min(offset)) FROM events FINAL WHERE topic = 'orders.events' AND partition = 0")
	if err := f.conn.Exec(f.ctx, "TRUNCATE TABLE order_lines", nil, nil); err != nil {
		t.Fatal(err)
	}
	letter := analytics.DeadLetter{
		Topic: eventlog.TopicOrders, Offset: offset, Reason: "it was not known", ParkedAt: time.Now(),
	}
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
	for _, cfg := range []analytics.Config{
		{FlushRows: analytics.MaxFlushRows + 1}, {FlushRows: -1}, {FlushInterval: -1}, {FlushInterval: time.Hour},
	} {
		if _, err := analytics.New(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

func TestMetricsAreNamed(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 3)
	f.mirror()
	f.exact()
	if n, err := testutil.GatherAndCount(f.metrics); err != nil || n != 18 {
		t.Errorf("%d series, %v", n, err)
	}
	if problems, err := testutil.GatherAndLint(f.metrics); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// The inserts of a busy log make data parts of a thousand rows or more. Each order here has one line, so it is a row in
// each of three tables.
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
		// Parts of level 0 were made by inserts, not by merges. The last one may be small.
		inserted := " FROM system.parts WHERE database = currentDatabase() AND level = 0 AND table = '" + table + "'"
		small := f.value("SELECT toInt64(countIf(rows < 1000))" + inserted)
		parts := f.value("SELECT toInt64(count())" + inserted)
		t.Logf("%s: %d parts of level 0, %d of them small", table, parts, small)
		if parts == 0 || small > 1 {
			t.Errorf("%s: %d of %d parts have less than a thousand rows", table, small, parts)
		}
	}
}
