package loadtest

import (
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/holdfast/holdfast/pkg/service"
)

// Report is what was measured. Latencies are milliseconds.
type Report struct {
	// Orders were placed, or refused where that is expected, and answered after the warm-up. Latencies are of those that
	// were also due after it.
	Orders    int64   `json:"orders"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"orders_per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	P999      float64 `json:"p99_9_ms"`
	Max       float64 `json:"max_ms"`
	// Errors are orders that got an unexpected answer, or no definite one. They are in neither rate nor percentiles.
	// Those of the warm-up are included.
	Errors int64 `json:"errors"`
	// Answers are the definite answers by status, those of the warm-up included. Retries counts the other answers, and
	// RetriedFor counts them by status.
	Answers    map[string]int64 `json:"answers"`
	Retries    int64            `json:"retries"`
	RetriedFor map[string]int64 `json:"retried_for,omitempty"`
	// NotStarted orders of an open loop were due and never sent, because every caller was still waiting. Their latency
	// is in no percentile, so that the percentiles of such a report are too low.
	NotStarted    int64   `json:"not_started"`
	CPUPerOrderMS float64 `json:"cpu_ms_per_order"`
	CPUIncludes   string  `json:"cpu_includes"`
	// ReportsBehindMS is how long after the end of the load a report included the last order. Visible is the same for
	// orders that were followed during the load.
	ReportsBehindMS float64     `json:"reports_behind_ms,omitempty"`
	Visible         *Visibility `json:"visible,omitempty"`
	Settings        Settings    `json:"settings"`
}

// Settings are the conditions under which a figure was measured.
type Settings struct {
	Concurrency int     `json:"concurrency,omitempty"`
	Rate        float64 `json:"rate,omitempty"`
	Bulk        bool    `json:"bulk"`
	Lines       int     `json:"lines"`
	SKUs        int     `json:"skus"`
	OnAccount   bool    `json:"on_account"`
	// KeyPrefix begins the idempotency keys: order n, from 0, has the key KeyPrefix-n.
	KeyPrefix string  `json:"key_prefix"`
	WarmupS   float64 `json:"warmup_s"`
	// Shards, Replicas (of order-api) and Broker belong to a platform that was started for the run.
	Shards    int32  `json:"shards,omitempty"`
	Replicas  int    `json:"replicas,omitempty"`
	Broker    string `json:"broker,omitempty"`
	GoVersion string `json:"go_version"`
	Revision  string `json:"revision,omitempty"`
	CPUs      int    `json:"cpus"`
}

func (r *run) report(elapsed, cpu time.Duration) *Report {
	rep := &Report{
		Orders: r.measured.Load(), Seconds: elapsed.Seconds(), Errors: r.errors.Load(),
		Answers: r.answers, Retries: r.retries.Load(), RetriedFor: r.retriedFor,
		P50: ms(r.hist, 50), P99: ms(r.hist, 99), P999: ms(r.hist, 99.9), Max: float64(r.hist.Max()) / 1000,
		Settings: r.cfg.settings(),
	}
	if r.cfg.Rate > 0 {
		due := int64(min(time.Since(r.began), r.cfg.Warmup+r.cfg.Duration).Seconds() * r.cfg.Rate)
		if r.cfg.Orders > 0 {
			due = min(due, r.cfg.Orders)
		}
		rep.NotStarted = max(0, due-r.started.Load())
	}
	if rep.Orders > 0 {
		rep.PerSecond = float64(rep.Orders) / rep.Seconds
		rep.CPUPerOrderMS = cpu.Seconds() * 1000 / float64(rep.Orders)
	}
	return rep
}

func ms(h *hdrhistogram.Histogram, q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }

func (cfg *Config) settings() Settings {
	s := Settings{
		Concurrency: cfg.Concurrency, Rate: cfg.Rate, Bulk: cfg.Bulk, Lines: cfg.Lines, SKUs: cfg.SKUs,
		OnAccount: cfg.OnAccount, KeyPrefix: cfg.KeyPrefix, WarmupS: cfg.Warmup.Seconds(),
		Revision: service.Build().Commit, GoVersion: runtime.Version(), CPUs: runtime.NumCPU(),
	}
	if cfg.Bulk {
		s.Concurrency = 0 // streams, not callers
	}
	return s
}
