package loadtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/schemas/insights"
)

// ReplayReport is what holdfast bench replay measures, all on the same log in one run.
type ReplayReport struct {
	Lines  int `json:"lines"`
	Orders int `json:"orders"`
	CPUs   int `json:"cpus"`
	// LoadBefore and LoadAfter are the load averages of the machine over a minute; 0 if the system does not provide them.
	LoadBefore float64 `json:"load_before"`
	LoadAfter  float64 `json:"load_after"`

	FromLog   FromLog         `json:"from_log"`
	Tables    []TableSize     `json:"tables"`
	New       []NewInsight    `json:"new_insights"`
	Questions []QuestionTimes `json:"questions"`
	// Load is nil where it was left out.
	Load *LoadDuringReplays `json:"load,omitempty"`
	// PeakMB is the most memory that this process has had before the load, with the broker, all services and the bench;
	// EnginePeakMB the same of ClickHouse; 0 if the system does not provide it.
	PeakMB       float64 `json:"peak_mb"`
	EnginePeakMB float64 `json:"engine_peak_mb"`
}

// NewReplayReport begins a report about a log of at least so many lines.
func NewReplayReport(lines int) *ReplayReport {
	orders := (lines + linesPerOrder - 1) / linesPerOrder
	return &ReplayReport{
		Lines: orders * linesPerOrder, Orders: orders, CPUs: runtime.NumCPU(), LoadBefore: loadAverage(),
	}
}

// End notes what is known at the end.
func (r *ReplayReport) End() { r.LoadAfter = loadAverage() }

// NoteMemory notes how much memory this process and ClickHouse's have had so far.
func (r *ReplayReport) NoteMemory(enginePID int) {
	r.PeakMB = max(r.PeakMB, peakMB(os.Getpid()))
	r.EnginePeakMB = max(r.EnginePeakMB, peakMB(enginePID))
}

// loadAverage is that of the last minute; 0 if the system does not provide it.
func loadAverage() (load float64) {
	text, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, err = fmt.Sscan(string(text), &load)
	}
	if err != nil {
		return 0
	}
	return load
}

// FillLog appends the report's orders to an empty log.
func (r *ReplayReport) FillLog(
	ctx context.Context, client *eventlog.Client, layout eventlog.Layout, progress func(string),
) error {
	return fillLog(ctx, client, layout, r.Orders, func(done int) {
		progress(fmt.Sprintf("%d of %d lines are in the log", done*linesPerOrder, r.Lines))
	})
}

// FromLog is how long it takes from a log, and no tables at all, to a mirror and exact insights.
type FromLog struct {
	// Insights is how many ready insights there are. All of them have all events of the log after Seconds, and are
	// verified and live after LiveSeconds.
	Insights    int     `json:"insights"`
	Seconds     float64 `json:"seconds"`
	LiveSeconds float64 `json:"live_seconds"`
	// LinesPerSecond are rows of the table sales: one for each line.
	LinesPerSecond float64 `json:"lines_per_second"`
	// CopyLinesPerSecond is the rate at which ClickHouse alone copies the table sales by INSERT … SELECT, into an empty
	// table that has one aggregate by month and country. Ratio is LinesPerSecond divided by it.
	CopyLinesPerSecond float64 `json:"copy_lines_per_second"`
	Ratio              float64 `json:"ratio"`
	// CPUSeconds is the CPU time that this process and ClickHouse took until Seconds, CopyCPUSeconds what ClickHouse took
	// for its copy; 0 if the system does not provide it. On a busy machine they say more than the rates do.
	CPUSeconds     float64 `json:"cpu_seconds"`
	CopyCPUSeconds float64 `json:"copy_cpu_seconds"`
}

// FromLogConfig describes a measurement from a log on.
type FromLogConfig struct {
	Client *eventlog.Client
	Conn   *clickhouse.Conn
	// EnginePID is the process of ClickHouse.
	EnginePID int
	// Project is analytics-projector with its ready insights. It works until its context is done.
	Project  func(context.Context) error
	Progress func(string)
}

// pollEvery is how often the bench looks how far replays are.
const pollEvery = 10 * time.Millisecond

// MeasureFromLog mirrors the log and computes the ready insights, then lets ClickHouse copy the sales.
func (r *ReplayReport) MeasureFromLog(ctx context.Context, cfg FromLogConfig) error {
	ready, err := insights.Ready()
	if err != nil {
		return err
	}
	r.FromLog.Insights = len(ready)
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	decisions := catalog.New(cfg.Client, slog.New(slog.DiscardHandler))
	var tasks sync.WaitGroup
	work := func(run func(context.Context) error) {
		tasks.Go(func() {
			if err := run(running); err != nil && running.Err() == nil {
				stop(err)
			}
		})
	}
	begin, cpu := time.Now(), cpuTime()+cpuTimeOf(cfg.EnginePID)
	work(decisions.Run)
	work(cfg.Project)
	err = r.awaitReady(running, cfg, decisions, begin, cpu)
	stop(nil)
	tasks.Wait()
	if err != nil {
		return err
	}
	r.FromLog.LinesPerSecond = float64(r.Lines) / r.FromLog.Seconds
	cfg.Progress("ClickHouse copies the sales by itself")
	return r.copySales(ctx, cfg)
}

// awaitReady waits until the ready insights have the whole log, and then until they are live.
func (r *ReplayReport) awaitReady(
	ctx context.Context, cfg FromLogConfig, decisions *catalog.Catalog, begin time.Time, cpu time.Duration,
) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		state, _ := decisions.State()
		var filled, live int
		for _, replay := range state.Replays() {
			if replay.Filled != nil {
				filled++
			}
			if replay.Phase == catalog.Live {
				live++
			}
			if replay.Verified != nil && !replay.Verified.Green {
				return fmt.Errorf("%s is not exact: %s", replay.Insight, replay.Verified.Problem)
			}
		}
		took := time.Since(begin).Seconds()
		cfg.Progress(fmt.Sprintf("%d of %d insights have the whole log, %d are live, after %.0f s",
			filled, r.FromLog.Insights, live, took))
		if filled == r.FromLog.Insights && r.FromLog.Seconds == 0 {
			r.FromLog.Seconds = took
			r.FromLog.CPUSeconds = (cpuTime() + cpuTimeOf(cfg.EnginePID) - cpu).Seconds()
		}
		if live == r.FromLog.Insights {
			r.FromLog.LiveSeconds = took
			return nil
		}
	}
}

// The table that sales are copied to, and the aggregate that ClickHouse keeps of it while it does.
const (
	copiedSales  = "bench_sales"
	copiedRollup = "bench_sales_by_month_and_country"
)

// copySales measures ClickHouse's own copy of the sales, and removes it again.
func (r *ReplayReport) copySales(ctx context.Context, cfg FromLogConfig) (err error) {
	conn := cfg.Conn
	remove := func() error {
		return errors.Join(conn.Exec(ctx, "DROP TABLE IF EXISTS "+copiedRollup+" SYNC", nil, nil),
			conn.Exec(ctx, "DROP TABLE IF EXISTS "+copiedSales+" SYNC", nil, nil))
	}
	defer func() { err = errors.Join(err, remove()) }()
	for _, statement := range []string{
		"CREATE TABLE " + copiedSales + " AS sales",
		"CREATE MATERIALIZED VIEW " + copiedRollup + ` ENGINE = SummingMergeTree ORDER BY (month, country, currency)
			AS SELECT formatDateTime(counted_at, '%Y-%m') AS month, country, currency, count() AS lines,
			sum(quantity) AS quantity, sum(toInt128(amount_micros)) AS micros
			FROM ` + copiedSales + " GROUP BY month, country, currency",
	} {
		if err := conn.Exec(ctx, statement, nil, nil); err != nil {
			return err
		}
	}
	begin, cpu := time.Now(), cpuTimeOf(cfg.EnginePID)
	if err := conn.Exec(ctx, "INSERT INTO "+copiedSales+" SELECT * FROM sales", nil, nil); err != nil {
		return err
	}
	r.FromLog.CopyCPUSeconds = (cpuTimeOf(cfg.EnginePID) - cpu).Seconds()
	r.FromLog.CopyLinesPerSecond = float64(r.Lines) / time.Since(begin).Seconds()
	r.FromLog.Ratio = r.FromLog.LinesPerSecond / r.FromLog.CopyLinesPerSecond
	return nil
}

// TableSize is what a table takes on disk.
type TableSize struct {
	// Table is a table of the mirror, or the insight whose table it is.
	Table        string  `json:"table"`
	Insight      bool    `json:"insight"`
	Rows         uint64  `json:"rows"`
	MB           float64 `json:"mb"`
	BytesPerLine float64 `json:"bytes_per_line"`
}

// MeasureTables notes the sizes of all tables that have rows.
func (r *ReplayReport) MeasureTables(ctx context.Context, conn *clickhouse.Conn) error {
	const query = `SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts
		WHERE active AND database = currentDatabase() AND rows > 0 GROUP BY table ORDER BY sum(bytes_on_disk) DESC`
	return conn.Each(ctx, query, nil, nil, func(rows clickhouse.Rows) error {
		var t TableSize
		var bytes uint64
		if err := rows.Scan(&t.Table, &t.Rows, &bytes); err != nil {
			return err
		}
		if name, ok := strings.CutPrefix(t.Table, "insight__"); ok {
			t.Insight = true
			t.Table, _, _ = strings.Cut(name, "__")
		}
		t.MB, t.BytesPerLine = float64(bytes)/(1<<20), float64(bytes)/float64(r.Lines)
		r.Tables = append(r.Tables, t)
		return nil
	})
}
