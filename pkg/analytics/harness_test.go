package analytics_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

const waitLimit = 2 * time.Minute

func TestMain(m *testing.M) { chdbtest.Main(m, runAsProjector, runAsRebuild) }

// fixture is a log that the test appends to, and a database for the mirror.
type fixture struct {
	t      *testing.T
	ctx    context.Context
	log    eventlog.Config
	client *eventlog.Client
	layout eventlog.Layout
	dsn    string
	conn   *clickhouse.Conn

	versions map[string]uint64
	metrics  *prometheus.Registry // of the last mirror
	// What was appended to the log.
	events, lines int64
	micros        int64
	onHand        map[string]int64
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureAt(t, chdbtest.Database(t))
}

func newFixtureAt(t *testing.T, dsn string) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	t.Cleanup(cancel)
	log := logtest.New(t, eventlog.Layout{PartitionCount: 4, ShardCount: 1})
	f := &fixture{
		t: t, ctx: ctx, log: log.Config, client: log.Client, layout: log.Layout,
		dsn:      dsn,
		versions: map[string]uint64{}, onHand: map[string]int64{},
	}
	var err error
	if f.conn, err = clickhouse.Open(f.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.conn.Close() })
	return f
}

func (f *fixture) meta(id string, at time.Time) *eventv1.Meta {
	f.versions[id]++
	eventID := uuid.New()
	return &eventv1.Meta{
		EventId: eventID[:], Version: f.versions[id], Cause: eventv1.Cause_CAUSE_COMMAND,
		OccurredAtMicros: at.UnixMicro(), RecordedAtMicros: time.Now().UnixMicro(),
	}
}

// month is the time of document n. There are five months, and each is a partition of the tables.
func month(n int) time.Time {
	return time.Date(2010, 12, 1, 8, 26, 0, 0, time.UTC).AddDate(0, n%5, n%28)
}

// imported is an imported order, or a credit note, of three lines.
func (f *fixture) imported(n int, credit bool) *eventlog.Record {
	f.t.Helper()
	id := fmt.Sprintf("order-%d", n)
	ev := &eventv1.OrderEvent{Meta: f.meta(id, month(n)), OrderId: id}
	var lines []*eventv1.OrderLine
	var subtotal int64
	for i := range 3 {
		line := &eventv1.OrderLine{
			Sku: fmt.Sprintf("sku-%d", (n+i)%17), Quantity: int64(n%7 + i + 1), UnitPriceMicros: int64(n)*1_001 + 105_000,
		}
		subtotal += line.Quantity * line.UnitPriceMicros
		lines = append(lines, line)
	}
	country, customer := fmt.Sprintf("Country %d", n%3), fmt.Sprintf("customer-%d", n%11)
	if credit {
		subtotal = -subtotal
		ev.Change = &eventv1.OrderEvent_CreditNoteImported{CreditNoteImported: &eventv1.CreditNoteImported{
			CustomerId: customer, Currency: "GBP", Country: country, Lines: lines,
			SubtotalMicros: -subtotal, TotalMicros: -subtotal,
		}}
	} else {
		ev.Change = &eventv1.OrderEvent_OrderImported{OrderImported: &eventv1.OrderImported{
			CustomerId: customer, Currency: "GBP", Country: country, Lines: lines,
			SubtotalMicros: subtotal, TotalMicros: subtotal,
		}}
	}
	f.lines += 3
	f.micros += subtotal
	return f.record(eventlog.TopicOrders, id, ev)
}

// single is an order of one line.
func (f *fixture) single(n int) *eventlog.Record {
	f.t.Helper()
	id := fmt.Sprintf("single-%d", n)
	line := &eventv1.OrderLine{Sku: "sku-1", Quantity: 1, UnitPriceMicros: 105_000}
	f.lines++
	f.micros += line.UnitPriceMicros
	return f.record(eventlog.TopicOrders, id, &eventv1.OrderEvent{
		Meta: f.meta(id, month(0)), OrderId: id,
		Change: &eventv1.OrderEvent_OrderPlacedV2{OrderPlacedV2: &eventv1.OrderPlacedV2{
			CustomerId: "customer-1", Currency: "GBP", Lines: []*eventv1.OrderLine{line},
			SubtotalMicros: line.UnitPriceMicros, TotalMicros: line.UnitPriceMicros,
		}},
	})
}

// received is a receipt of stock.
func (f *fixture) received(n int) *eventlog.Record {
	sku := fmt.Sprintf("sku-%d", n%17)
	quantity := int64(n%13 + 1)
	f.onHand[sku] += quantity
	level := &eventv1.Level{OnHand: f.onHand[sku], Available: f.onHand[sku]}
	return f.record(eventlog.TopicInventory, sku, &eventv1.InventoryEvent{
		Meta: f.meta("stock "+sku, month(n)), Sku: sku, Total: level,
		Locations: []*eventv1.LocationLevel{{Location: "main", Level: level}},
		Change: &eventv1.InventoryEvent_StockReceived{StockReceived: &eventv1.StockReceived{
			Location: "main", Quantity: quantity,
		}},
	})
}

type message interface{ MarshalVT() ([]byte, error) }

func (f *fixture) record(topic, key string, m message) *eventlog.Record {
	f.t.Helper()
	value, err := m.MarshalVT()
	if err != nil {
		f.t.Fatal(err)
	}
	f.events++
	return &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: topic, Partition: eventlog.PartitionFor(key, f.layout.PartitionCount)},
		Key:            []byte(key), Value: value,
	}
}

func (f *fixture) append(recs ...*eventlog.Record) {
	f.t.Helper()
	if err := f.client.Produce(f.ctx, recs); err != nil {
		f.t.Fatal(err)
	}
}

// fill appends documents and receipts from number from to number to, which is excluded.
func (f *fixture) fill(from, to int) {
	f.t.Helper()
	var recs []*eventlog.Record
	for n := from; n < to; n++ {
		recs = append(recs, f.imported(n, n%9 == 8), f.received(n))
	}
	f.append(recs...)
}

// mirror runs a mirror until the test, or stop, ends it.
func (f *fixture) mirror(change ...func(*analytics.Config)) (m *analytics.Mirror, stop func()) {
	f.t.Helper()
	f.metrics = prometheus.NewRegistry()
	cfg := analytics.Config{
		Log: f.log, Client: f.client, Layout: f.layout, Conn: f.conn, Alone: true,
		FlushInterval: 20 * time.Millisecond, Registerer: f.metrics,
	}
	for _, c := range change {
		c(&cfg)
	}
	m, err := analytics.New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(f.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := m.Run(ctx); err != nil {
			f.t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	f.t.Cleanup(stop)
	return m, stop
}

// eventually waits until a condition is true.
func (f *fixture) eventually(what string, condition func() bool) {
	f.t.Helper()
	for !condition() {
		select {
		case <-f.ctx.Done():
			f.t.Fatalf("never came true: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// value is the result of a query for one number.
func (f *fixture) value(query string) int64 {
	f.t.Helper()
	v, err := f.ask(query)
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

func (f *fixture) execute(statement string) {
	f.t.Helper()
	if err := f.conn.Exec(f.ctx, statement, nil, nil); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) ask(query string) (v int64, err error) {
	err = f.conn.Each(f.ctx, query, nil, nil, func(rows clickhouse.Rows) error { return rows.Scan(&v) })
	return v, err
}

// end is where the log ends.
func (f *fixture) end() eventlog.Position {
	f.t.Helper()
	var tps []eventlog.TopicPartition
	for p := range f.layout.PartitionCount {
		tps = append(tps,
			eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: p},
			eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: p})
	}
	end, err := f.client.StableOffsets(f.ctx, tps)
	if err != nil {
		f.t.Fatal(err)
	}
	return eventlog.PositionOf(end)
}

// exact waits until the mirror has reached the end of the log, and compares it with what was appended.
func (f *fixture) exact() {
	f.t.Helper()
	reports := analytics.NewReports(f.conn)
	if _, err := reports.Await(f.ctx, f.end()); err != nil {
		f.t.Fatal(err)
	}
	var onHand int64
	for _, n := range f.onHand {
		onHand += n
	}
	for query, want := range map[string]int64{
		"SELECT toInt64(count()) FROM events FINAL":         f.events,
		"SELECT toInt64(count()) FROM order_lines FINAL":    f.lines,
		"SELECT sum(amount_micros) FROM order_lines FINAL":  f.micros,
		"SELECT sum(subtotal_micros) FROM orders FINAL":     f.micros,
		"SELECT sum(on_hand_delta) FROM stock_ledger FINAL": onHand,
		"SELECT sum(l) FROM (SELECT argMax(on_hand, version) AS l FROM stock_ledger FINAL " +
			"GROUP BY sku, location)": onHand,
	} {
		if got := f.value(query); got != want {
			f.t.Errorf("%s: %d, want %d", strings.TrimPrefix(query, "SELECT "), got, want)
		}
	}
}

func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	value, series := logtest.Metric(t, reg, name)
	if series == 0 {
		t.Fatalf("there is no metric %s", name)
	}
	return value
}

func openAt(t *testing.T, dsn string) *clickhouse.Conn {
	t.Helper()
	conn, err := clickhouse.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
