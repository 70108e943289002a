// Package loadtest places orders at a platform over HTTP and measures how it answers: in a closed loop
// (so many callers, each waiting for its answer) or an open one (so many orders a second, latency from
// when each was meant to start, so that a stall counts for every order behind it).
package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Limits.
const (
	requestTimeout = 30 * time.Second
	// retryFor bounds how long one order is sent again with its key; retryPause is between two tries.
	retryFor   = 60 * time.Second
	retryPause = 5 * time.Millisecond
	setUpPause = 200 * time.Millisecond
	stockEach  = 1_000_000_000
)

// Config says what to do.
type Config struct {
	// URLs are the API of one or more replicas; callers spread over them, and go to the next one when
	// theirs does not answer.
	URLs        []string
	Concurrency int
	// Rate is orders a second of an open loop; 0: closed loop.
	Rate     float64
	Duration time.Duration
	Warmup   time.Duration
	// Orders ends the run after so many; 0: the duration does.
	Orders int64
	// Hot puts every line on one SKU; otherwise lines spread over SKUs.
	Hot  bool
	SKUs int
	// Bulk sends NDJSON through /v1/commands instead of a request each.
	Bulk bool
	// OnAccount orders are confirmed at once; otherwise they are reserved and wait for their payment.
	OnAccount bool
	// Lines of an order; default 3.
	Lines int
	// Stock received for each SKU; default: plenty.
	Stock int64
	// Acks gets a line for every definite answer; nil: nobody keeps them.
	Acks io.Writer
	// KeyPrefix makes the keys of this run its own.
	KeyPrefix string
}

// Report is what was measured. Latencies are milliseconds.
type Report struct {
	Orders        int64            `json:"orders"`
	Seconds       float64          `json:"seconds"`
	PerSecond     float64          `json:"orders_per_second"`
	P50           float64          `json:"p50_ms"`
	P99           float64          `json:"p99_ms"`
	P999          float64          `json:"p99_9_ms"`
	Max           float64          `json:"max_ms"`
	Answers       map[string]int64 `json:"answers"`
	Retries       int64            `json:"retries"`
	CPUPerOrderMS float64          `json:"cpu_ms_per_order"`
	CPUIncludes   string           `json:"cpu_includes"`
}

// run is one measurement under way.
type run struct {
	cfg      Config
	next     atomic.Int64
	retries  atomic.Int64
	measured atomic.Int64
	start    time.Time
	mu       sync.Mutex
	hist     *hdrhistogram.Histogram
	answers  map[string]int64
	acks     *ackWriter
}

// Run sets up stock, places orders, and reports.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg = withDefaults(cfg)
	if err := setUp(ctx, cfg); err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, hist: newHistogram(), answers: map[string]int64{}, acks: newAckWriter(cfg.Acks)}
	ctx, cancel := context.WithTimeout(ctx, cfg.Warmup+cfg.Duration)
	defer cancel()
	r.start = time.Now().Add(cfg.Warmup)
	cpu := make(chan time.Duration, 1)
	time.AfterFunc(cfg.Warmup, func() { cpu <- cpuTime() })
	var err error
	if cfg.Bulk {
		err = r.bulk(ctx)
	} else {
		err = r.single(ctx)
	}
	elapsed := time.Since(r.start)
	return r.report(elapsed, cpuTime()-<-cpu), errors.Join(err, r.acks.flush())
}

func withDefaults(cfg Config) Config {
	if cfg.Concurrency == 0 {
		cfg.Concurrency = 64
	}
	if cfg.Lines == 0 {
		cfg.Lines = 3
	}
	if cfg.SKUs == 0 {
		cfg.SKUs = 1_000
	}
	if cfg.Hot {
		cfg.SKUs, cfg.Lines = 1, 1
	}
	if cfg.Stock == 0 {
		cfg.Stock = stockEach
	}
	if cfg.KeyPrefix == "" {
		cfg.KeyPrefix = fmt.Sprintf("bench-%d", time.Now().UnixNano())
	}
	return cfg
}

// newHistogram counts from a microsecond to a minute, to three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 60_000_000, 3) }

func (cfg *Config) sku(n int) string { return fmt.Sprintf("bench-%04d", n) }

// setUp registers the SKUs and receives their stock, in one bulk request. It is sent again with the same
// keys while a shard is changing hands.
func setUp(ctx context.Context, cfg Config) error {
	var body bytes.Buffer
	for i := range cfg.SKUs {
		sku := cfg.sku(i)
		fmt.Fprintf(&body, `{"id":"%s-reg-%d","type":"register_item","sku":%q,"body":{"description":"load test"}}`+"\n", cfg.KeyPrefix, i, sku)
		fmt.Fprintf(&body, `{"id":"%s-rcv-%d","type":"receive_stock","sku":%q,"body":{"location":"main","quantity":%d}}`+"\n", cfg.KeyPrefix, i, sku, cfg.Stock)
	}
	for end := time.Now().Add(retryFor); ; {
		retry, err := sendSetUp(ctx, cfg, body.Bytes())
		if err == nil || !retry || time.Now().After(end) {
			return err
		}
		time.Sleep(setUpPause)
	}
}

func sendSetUp(ctx context.Context, cfg Config, body []byte) (retry bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, cfg.URLs[0]+"/v1/commands", bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("set up the stock: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return true, fmt.Errorf("set up the stock: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	dec := json.NewDecoder(resp.Body)
	for {
		var line struct {
			ID      string          `json:"id"`
			Status  int             `json:"status"`
			Problem json.RawMessage `json:"problem"`
		}
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return true, fmt.Errorf("set up the stock: %w", err)
		}
		if line.Status >= http.StatusMultipleChoices || line.Status == 0 {
			retry := line.Status == http.StatusTooManyRequests || line.Status == http.StatusServiceUnavailable
			return retry, fmt.Errorf("set up the stock: %s: %d %s", line.ID, line.Status, line.Problem)
		}
	}
}

// appendOrder appends the body of an order.
func (cfg *Config) appendOrder(b []byte, rng *rand.Rand) []byte {
	b = append(b, `{"customer_id":"c-1","currency":"GBP",`...)
	if cfg.OnAccount {
		b = append(b, `"payment_terms":"on_account",`...)
	}
	b = append(b, `"lines":[`...)
	for i := range cfg.Lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"sku":"`...)
		b = append(b, cfg.sku(rng.IntN(cfg.SKUs))...)
		b = append(b, `","quantity":1,"unit_price":"2.55"}`...)
	}
	return append(b, "]}"...)
}

// record counts an answer that took from its start until now.
func (r *run) record(local *hdrhistogram.Histogram, started time.Time) {
	if started.Before(r.start) {
		return
	}
	r.measured.Add(1)
	// A value beyond the histogram's minute counts as a minute.
	if err := local.RecordValue(min(time.Since(started).Microseconds(), 60_000_000)); err != nil {
		panic(err)
	}
}

func (r *run) merge(local *hdrhistogram.Histogram, answers map[string]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hist.Merge(local)
	for answer, n := range answers {
		r.answers[answer] += n
	}
}

// take hands out the next order's number; false when there are enough.
func (r *run) take() (int64, bool) {
	n := r.next.Add(1) - 1
	return n, r.cfg.Orders == 0 || n < r.cfg.Orders
}

func (r *run) report(elapsed, cpu time.Duration) *Report {
	rep := &Report{
		Orders: r.measured.Load(), Seconds: elapsed.Seconds(), Answers: r.answers, Retries: r.retries.Load(),
		P50: ms(r.hist, 50), P99: ms(r.hist, 99), P999: ms(r.hist, 99.9), Max: float64(r.hist.Max()) / 1000,
	}
	if rep.Orders > 0 {
		rep.PerSecond = float64(rep.Orders) / rep.Seconds
		rep.CPUPerOrderMS = cpu.Seconds() * 1000 / float64(rep.Orders)
	}
	return rep
}

func ms(h *hdrhistogram.Histogram, q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }

// cpuTime is what this process has used so far, user and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
