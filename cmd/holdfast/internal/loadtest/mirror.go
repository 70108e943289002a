package loadtest

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The log that is mirrored has imported orders, like a retailer's history.
const (
	linesPerOrder   = 20
	mirrorSKUs      = 4_000
	mirrorCountries = 38
	mirrorPeriod    = 400 * 24 * time.Hour // more than a year, in order of time
	recordsPerBatch = 2_000
)

// MirrorConfig describes a measurement of the mirror.
type MirrorConfig struct {
	Client *eventlog.Client
	Layout eventlog.Layout
	Conn   *clickhouse.Conn
	// EnginePID is the process of ClickHouse.
	EnginePID int
	// Lines is the number of order lines, FlushRows the rows of a batch; 0: the mirror's default.
	Lines, FlushRows int
}

// MirrorReport is how fast the log was mirrored into ClickHouse.
type MirrorReport struct {
	Lines   int     `json:"lines"`
	Events  int     `json:"events"`
	Rows    int64   `json:"rows"` // of all tables
	Seconds float64 `json:"seconds"`
	// LinesPerSecond counts order lines only. Each order also has a row in two other tables.
	LinesPerSecond float64 `json:"lines_per_second"`
	RowsPerSecond  float64 `json:"rows_per_second"`
	// CopyRowsPerSecond is the rate of ClickHouse's own INSERT … SELECT of the same rows, from files in its Native
	// format into tables of the same kind. Ratio is the mirror's rate divided by it.
	CopyRowsPerSecond float64 `json:"copy_rows_per_second"`
	Ratio             float64 `json:"ratio"`
	// PeakHeapMB is the largest sampled size of Go's heap while mirroring. It includes the embedded broker, and garbage
	// that is not collected yet. LiveHeapMB is the most that a garbage collection left, and IdleHeapMB what one left
	// before. The difference of these two is the mirror's own memory.
	PeakHeapMB float64 `json:"peak_heap_mb"`
	LiveHeapMB float64 `json:"live_heap_mb"`
	IdleHeapMB float64 `json:"idle_heap_mb"`
	// EnginePeakMB is the most memory that ClickHouse's process has had; 0 if the system does not provide it.
	EnginePeakMB float64 `json:"engine_peak_mb"`
	// CPUSeconds and EngineCPUSeconds are the CPU time of this process, with its broker, and of ClickHouse while
	// mirroring. On a busy machine they say more than the rate does.
	CPUSeconds       float64 `json:"cpu_seconds"`
	EngineCPUSeconds float64 `json:"engine_cpu_seconds"`
	// EngineMB is what the tables take on disk.
	EngineMB float64 `json:"engine_mb"`
}

// Mirror fills the log with orders, then mirrors them from the log's start. It measures the mirroring alone.
func Mirror(ctx context.Context, cfg MirrorConfig) (*MirrorReport, error) {
	r := &MirrorReport{Events: (cfg.Lines + linesPerOrder - 1) / linesPerOrder}
	r.Lines = r.Events * linesPerOrder
	if err := fillLog(ctx, cfg.Client, cfg.Layout, r.Events, nil); err != nil {
		return nil, err
	}
	m, err := analytics.New(analytics.Config{
		Client: cfg.Client, Layout: cfg.Layout, Conn: cfg.Conn, FlushRows: cfg.FlushRows, Alone: true,
	})
	if err != nil {
		return nil, err
	}
	end, err := cfg.Client.StableOffsets(ctx, eventPartitions(cfg.Layout))
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	runtime.GC()
	_, r.IdleHeapMB = heapMB()
	begin, cpu, engineCPU := time.Now(), cpuTime(), cpuTimeOf(cfg.EnginePID)
	var tasks sync.WaitGroup
	tasks.Go(func() { _ = m.Run(running) }) // with Alone it retries until it is stopped
	tasks.Go(func() { r.sampleHeap(running) })
	_, err = analytics.NewReports(cfg.Conn).Await(ctx, eventlog.PositionOf(end))
	r.Seconds = time.Since(begin).Seconds()
	r.CPUSeconds = (cpuTime() - cpu).Seconds()
	r.EngineCPUSeconds = (cpuTimeOf(cfg.EnginePID) - engineCPU).Seconds()
	stop()
	tasks.Wait()
	if err != nil {
		return nil, err
	}
	r.EnginePeakMB = peakMB(cfg.EnginePID)
	r.LinesPerSecond = float64(r.Lines) / r.Seconds
	err = cfg.Conn.Each(ctx, `SELECT sum(bytes_on_disk) / 1048576 FROM system.parts
		WHERE active AND database = currentDatabase()`, nil, nil,
		func(rows clickhouse.Rows) error { return rows.Scan(&r.EngineMB) })
	if err != nil {
		return nil, err
	}
	return r, r.measureCopy(ctx, cfg)
}

// measureCopy lets ClickHouse copy every table that has rows.
func (r *MirrorReport) measureCopy(ctx context.Context, cfg MirrorConfig) error {
	sums, err := analytics.NewReports(cfg.Conn).Checksums(ctx, "true")
	if err != nil {
		return err
	}
	var took time.Duration
	settings := clickhouse.Settings{"max_partitions_per_insert_block": 0}
	for _, table := range sums {
		if table.Rows == 0 {
			continue
		}
		create := fmt.Sprintf("CREATE TABLE copied_%s AS %s", table.Table, table.Table)
		if err := cfg.Conn.Exec(ctx, create, settings, nil); err != nil {
			return err
		}
		insert := fmt.Sprintf("INSERT INTO copied_%s SELECT * FROM %s", table.Table, table.Table)
		begin := time.Now()
		if err := cfg.Conn.Exec(ctx, insert, settings, nil); err != nil {
			return err
		}
		took += time.Since(begin)
		r.Rows += int64(table.Rows)
	}
	r.RowsPerSecond = float64(r.Rows) / r.Seconds
	r.CopyRowsPerSecond = float64(r.Rows) / took.Seconds()
	r.Ratio = r.RowsPerSecond / r.CopyRowsPerSecond
	return nil
}

func eventPartitions(l eventlog.Layout) []eventlog.TopicPartition {
	var tps []eventlog.TopicPartition
	for p := range l.PartitionCount {
		tps = append(tps,
			eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: p},
			eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: p})
	}
	return tps
}

// sampleHeap samples the heap until ctx ends.
func (r *MirrorReport) sampleHeap(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		inUse, live := heapMB()
		r.PeakHeapMB, r.LiveHeapMB = max(r.PeakHeapMB, inUse), max(r.LiveHeapMB, live)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// heapMB is the size of Go's heap, and how much of it was live after the last collection.
func heapMB() (inUse, live float64) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(samples)
	mb := func(n uint64) float64 { return float64(n) / (1 << 20) }
	objects, unused, lastLive := samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64()
	return mb(objects + unused), mb(lastLive)
}

// peakMB is the most memory that a process has had; 0 if the system does not provide it.
func peakMB(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	var kb float64
	if _, err := fmt.Sscan(peak, &kb); err != nil {
		return 0
	}
	return kb / 1024
}

// fillLog appends the orders, and says now and then how many there are. It needs no transactions, because nothing else
// writes this log.
func fillLog(
	ctx context.Context, client *eventlog.Client, layout eventlog.Layout, orders int, progress func(orders int),
) error {
	first := time.Date(2010, 12, 1, 0, 0, 0, 0, time.UTC)
	recs := make([]*eventlog.Record, 0, recordsPerBatch)
	for n := range orders {
		at := first.Add(time.Duration(float64(mirrorPeriod) * float64(n) / float64(orders)))
		rec, err := importedOrder(n, at, layout)
		if err != nil {
			return err
		}
		if recs = append(recs, rec); len(recs) == recordsPerBatch || n == orders-1 {
			if err := client.Produce(ctx, recs); err != nil {
				return err
			}
			recs = recs[:0]
			if progress != nil {
				progress(n + 1)
			}
		}
	}
	return nil
}

// countryOf is the country of an order: nine of ten are from the United Kingdom, the others from the other countries in
// turn.
func countryOf(n int) string {
	if n%10 != 0 {
		return "United Kingdom"
	}
	return fmt.Sprintf("Country %02d", n/10%(mirrorCountries-1)+1)
}

func importedOrder(n int, at time.Time, layout eventlog.Layout) (*eventlog.Record, error) {
	id := uuid.NewSHA1(uuid.NameSpaceOID, strconv.AppendInt(nil, int64(n), 10)).String()
	eventID := uuid.New()
	order := &eventv1.OrderImportedV2{
		Rounding:   eventv1.Rounding_ROUNDING_ORDER,
		CustomerId: strconv.Itoa(12_000 + n%5_000),
		Currency:   "GBP",
		Country:    countryOf(n),
		Reference:  strconv.Itoa(536_365 + n),
	}
	for i := range linesPerOrder {
		line := &eventv1.OrderLine{
			Sku:             strconv.Itoa(20_000 + (n*7+i*31)%mirrorSKUs),
			Quantity:        int64(i%12 + 1),
			UnitPriceMicros: int64(n%900)*10_000 + 850_000,
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
		Change: &eventv1.OrderEvent_OrderImportedV2{OrderImportedV2: order},
	}
	value, err := event.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode an order: %w", err)
	}
	partition := eventlog.PartitionFor(id, layout.PartitionCount)
	return &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: partition},
		Key:            []byte(id),
		Value:          value,
	}, nil
}
