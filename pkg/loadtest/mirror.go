package loadtest

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// What a mirror is measured on: imported orders, as a retailer's history has them.
const (
	linesAnOrder  = 20
	mirrorSKUs    = 4_000
	mirrorWindow  = 400 * 24 * time.Hour // more than a year, in order of time
	recordsAtOnce = 2_000
)

// MirrorConfig says what to mirror.
type MirrorConfig struct {
	Client *eventlog.Client
	Layout eventlog.Layout
	Conn   *clickhouse.Conn
	// Lines are order lines; FlushRows the rows of a batch, 0: the mirror's default.
	Lines, FlushRows int
}

// MirrorReport is how fast the log came into ClickHouse.
type MirrorReport struct {
	Lines   int     `json:"lines"`
	Events  int     `json:"events"`
	Seconds float64 `json:"seconds"`
	// LinesPerSecond counts order lines only; each order also has a row in two other tables.
	LinesPerSecond float64 `json:"lines_per_second"`
	// CopyLinesPerSecond is ClickHouse's own INSERT … SELECT of the same lines into a table of the same kind, right afterwards.
	CopyLinesPerSecond float64 `json:"copy_lines_per_second"`
	// PeakHeapMB is the most memory that Go's heap had while mirroring, sampled.
	PeakHeapMB float64 `json:"peak_heap_mb"`
}

// Mirror fills the log with orders, mirrors them from its start, and measures that alone.
func Mirror(ctx context.Context, cfg MirrorConfig) (*MirrorReport, error) {
	r := &MirrorReport{Events: (cfg.Lines + linesAnOrder - 1) / linesAnOrder}
	r.Lines = r.Events * linesAnOrder
	if err := fillLog(ctx, cfg, r.Events); err != nil {
		return nil, err
	}
	m, err := analytics.New(analytics.Config{Client: cfg.Client, Layout: cfg.Layout, Conn: cfg.Conn, FlushRows: cfg.FlushRows, Alone: true})
	if err != nil {
		return nil, err
	}
	end, err := cfg.Client.StableOffsets(ctx, eventPartitions(cfg.Layout))
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	runtime.GC()
	begin := time.Now()
	go func() {
		defer close(done)
		_ = m.Run(running) // alone, it tries until it is stopped
	}()
	sampled := make(chan float64)
	go func() { sampled <- peakHeap(done) }()
	_, err = analytics.NewReports(cfg.Conn).Await(ctx, eventlog.PositionOf(end))
	r.Seconds = time.Since(begin).Seconds()
	stop()
	<-done
	r.PeakHeapMB = <-sampled
	if err != nil {
		return nil, err
	}
	r.LinesPerSecond = float64(r.Lines) / r.Seconds
	return r, r.measureCopy(ctx, cfg.Conn)
}

func (r *MirrorReport) measureCopy(ctx context.Context, conn *clickhouse.Conn) error {
	if err := conn.Exec(ctx, "CREATE TABLE copied AS order_lines", nil, nil); err != nil {
		return err
	}
	begin := time.Now()
	if err := conn.Exec(ctx, "INSERT INTO copied SELECT * FROM order_lines", clickhouse.Settings{"max_partitions_per_insert_block": 0}, nil); err != nil {
		return err
	}
	r.CopyLinesPerSecond = float64(r.Lines) / time.Since(begin).Seconds()
	return nil
}

func eventPartitions(l eventlog.Layout) []eventlog.TopicPartition {
	var tps []eventlog.TopicPartition
	for p := range l.PartitionCount {
		tps = append(tps, eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: p}, eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: p})
	}
	return tps
}

// peakHeap samples until done.
func peakHeap(done <-chan struct{}) float64 {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var most uint64
	for {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		most = max(most, stats.HeapInuse)
		select {
		case <-tick.C:
		case <-done:
			return float64(most) / (1 << 20)
		}
	}
}

// fillLog appends the orders, without transactions: nobody decides anything here.
func fillLog(ctx context.Context, cfg MirrorConfig, orders int) error {
	first := time.Date(2010, 12, 1, 0, 0, 0, 0, time.UTC)
	recs := make([]*eventlog.Record, 0, recordsAtOnce)
	for n := range orders {
		at := first.Add(time.Duration(float64(mirrorWindow) * float64(n) / float64(orders)))
		rec, err := importedOrder(n, at, cfg.Layout)
		if err != nil {
			return err
		}
		if recs = append(recs, rec); len(recs) == recordsAtOnce || n == orders-1 {
			if err := cfg.Client.Produce(ctx, recs); err != nil {
				return err
			}
			recs = recs[:0]
		}
	}
	return nil
}

func importedOrder(n int, at time.Time, layout eventlog.Layout) (*eventlog.Record, error) {
	id := uuid.NewSHA1(uuid.NameSpaceOID, strconv.AppendInt(nil, int64(n), 10)).String()
	eventID := uuid.New()
	order := &eventv1.OrderImported{
		CustomerId: strconv.Itoa(12_000 + n%5_000), Currency: "GBP", Country: "United Kingdom", Reference: strconv.Itoa(536_365 + n),
	}
	for i := range linesAnOrder {
		line := &eventv1.OrderLine{
			Sku: strconv.Itoa(20_000 + (n*7+i*31)%mirrorSKUs), Quantity: int64(i%12 + 1), UnitPriceMicros: int64(n%900)*10_000 + 850_000,
		}
		order.SubtotalMicros += line.Quantity * line.UnitPriceMicros
		order.Lines = append(order.Lines, line)
	}
	order.TotalMicros = order.SubtotalMicros
	event := &eventv1.OrderEvent{
		OrderId: id,
		Meta: &eventv1.Meta{
			EventId: eventID[:], Version: 1, OccurredAtMicros: at.UnixMicro(), RecordedAtMicros: at.UnixMicro(),
			IdempotencyKey: "bench/" + order.Reference, Fingerprint: eventID[:], Cause: eventv1.Cause_CAUSE_COMMAND,
		},
		Change: &eventv1.OrderEvent_OrderImported{OrderImported: order},
	}
	value, err := event.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode an order: %w", err)
	}
	return &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: eventlog.PartitionFor(id, layout.PartitionCount)},
		Key:            []byte(id), Value: value,
	}, nil
}
