// Package loadtest places orders at a platform over HTTP and measures how it answers: in a closed loop
// (so many callers, each waiting for its answer) or an open one (so many orders a second, latency from
// when each was meant to start, so that a stall counts for every order behind it).
//
// It knows the platform's HTTP interface and nothing else of it. It does not start one.
package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Limits.
const (
	requestTimeout = 30 * time.Second
	// defaultRetryFor bounds how long one order is sent again with its key. retryPause is between two tries; for an order it
	// doubles up to maxRetryPause, as clients do, so that callers who wait for a platform that is away leave it the machine.
	defaultRetryFor = 60 * time.Second
	retryPause      = 5 * time.Millisecond
	maxRetryPause   = 320 * time.Millisecond
	// gaveUpAfter stands before the last answer of an order that never had a definite one.
	gaveUpAfter = "gave up after "
	// maxLatencyMicros is the most that the histogram tells apart; longer ones count as that.
	maxLatencyMicros = 60_000_000
	latencyDigits    = 3
	progressEvery    = time.Second
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
	// Orders ends the run after so many, without a warm-up; 0: the duration does.
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
	// Refusals are expected: 409 is an answer like any other, and no error.
	Refusals bool
	// RetryFor is how long an order is sent again with its key, and how long a bulk stream may be silent; default a minute.
	RetryFor time.Duration
	// Acks gets a line for every definite answer; nil: nobody keeps them.
	Acks io.Writer
	// KeyPrefix makes the keys of this run its own, SKUPrefix its SKUs; default "bench".
	KeyPrefix, SKUPrefix string
	// ReportsURL is the query API of a platform with reports: at the end, one is asked for that holds the last order.
	// With Reports, an order of its own is followed into a report every quarter of a second meanwhile, too.
	ReportsURL string
	Reports    bool
	// Progress is told once a second how many orders have been answered; nil: nobody asks.
	Progress func(orders, retries int64)
}

// run is one measurement under way.
type run struct {
	cfg    Config
	bodies [][]byte
	next   atomic.Int64
	// started orders were sent at least once; answered ones definitely, warm-up included; measured ones
	// of them were meant to start after it. errors are the others.
	started, answered, measured, errors, retries atomic.Int64
	// began is when the first order was meant to start, start when the measurement does.
	began, start time.Time
	mu           sync.Mutex
	hist         *hdrhistogram.Histogram
	answers      map[string]int64
	retriedFor   map[string]int64
	acks         *ackWriter
}

// Run sets up stock, places orders until the duration or the number of orders ends it, and reports. Orders
// that are under way at the end are waited for. When ctx ends first, what was measured is reported.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	r := newRun(cfg)
	if err := r.setUp(ctx); err != nil {
		return nil, err
	}
	asker := newAsker(ctx, r)
	ctx, cancel := context.WithTimeout(ctx, cfg.Warmup+cfg.Duration)
	defer cancel()
	r.began = time.Now()
	r.start = r.began.Add(cfg.Warmup)
	var atStart atomic.Int64
	atStart.Store(int64(cpuTime()))
	defer time.AfterFunc(cfg.Warmup, func() { atStart.Store(int64(cpuTime())) }).Stop()
	stopProgress := r.progress()
	var asking sync.WaitGroup
	if cfg.Reports {
		asking.Go(func() { asker.ask(ctx) })
	}
	if cfg.Bulk {
		err = r.bulk(ctx)
	} else {
		r.single(ctx)
	}
	stopProgress()
	elapsed := max(0, time.Since(r.start))
	report := r.report(elapsed, cpuTime()-time.Duration(atStart.Load()))
	asking.Wait()
	err = errors.Join(err, asker.complete(report))
	return report, errors.Join(err, r.acks.close())
}

func newRun(cfg Config) *run {
	return &run{cfg: cfg, bodies: cfg.makeBodies(), hist: newHistogram(), answers: map[string]int64{},
		retriedFor: map[string]int64{}, acks: newAckWriter(cfg.Acks)}
}

// checked fills in defaults.
func (cfg Config) checked() (Config, error) {
	switch {
	case len(cfg.URLs) == 0:
		return cfg, errors.New("load test: no URL to load")
	case cfg.Bulk && cfg.Rate > 0:
		return cfg, errors.New("load test: bulk streams have no rate of their own; use one or the other")
	case cfg.Reports && cfg.ReportsURL == "":
		return cfg, errors.New("load test: reports are asked for, and no URL has them")
	case cfg.Concurrency < 0 || cfg.Rate < 0 || cfg.SKUs < 0 || cfg.Lines < 0 || cfg.Stock < 0 || cfg.Orders < 0:
		return cfg, errors.New("load test: a number is negative")
	}
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
		cfg.SKUs = 1
	}
	if cfg.Stock == 0 {
		cfg.Stock = stockEach
	}
	if cfg.RetryFor == 0 {
		cfg.RetryFor = defaultRetryFor
	}
	if cfg.Orders > 0 {
		cfg.Warmup = 0
	}
	if cfg.SKUPrefix == "" {
		cfg.SKUPrefix = "bench"
	}
	if cfg.KeyPrefix == "" {
		cfg.KeyPrefix = fmt.Sprintf("bench-%d", time.Now().UnixNano())
	}
	return cfg, nil
}

// expected reports whether a status is an answer that the run is about; any other is an error.
func (cfg *Config) expected(status int) bool {
	return status >= http.StatusOK && status < http.StatusMultipleChoices || status == http.StatusConflict && cfg.Refusals
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, maxLatencyMicros, latencyDigits)
}

// key is the idempotency key of order n.
func (r *run) key(n int64) string { return r.cfg.KeyPrefix + "-" + strconv.FormatInt(n, 10) }

// take hands out the next order's number; false when there are enough.
func (r *run) take() (int64, bool) {
	n := r.next.Add(1) - 1
	return n, r.cfg.Orders == 0 || n < r.cfg.Orders
}

// record counts an answer that took from its start until now, or an error. All callers share a histogram: one takes a
// quarter of a megabyte, and there may be ten thousand of them.
func (r *run) record(answer string, ok bool, started time.Time) {
	took := max(0, time.Since(started).Microseconds())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[answer]++
	if !ok {
		r.errors.Add(1)
		return
	}
	r.answered.Add(1)
	if started.Before(r.start) {
		return
	}
	r.measured.Add(1)
	_ = r.hist.RecordValue(min(took, maxLatencyMicros)) // in range, so it is always taken
}

// retried counts an order that has to be sent again.
func (r *run) retried(answer string) {
	r.retries.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retriedFor[answer]++
}

// progress tells how far the run is, until it is stopped.
func (r *run) progress() (stop func()) {
	if r.cfg.Progress == nil {
		return func() {}
	}
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.cfg.Progress(r.answered.Load(), r.retries.Load())
			case <-ended:
				return
			}
		}
	}()
	return func() { close(ended); <-gone }
}

// cpuTime is what this process has used so far, user and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
