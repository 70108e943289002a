// Package loadtest measures a platform under load. It places orders over HTTP in a closed loop, where a number of
// callers each wait for their answer, or in an open loop, which starts a number of orders a second. In an open loop the
// latency counts from the time when an order was due, so that a stall counts for every order behind it. Mirror measures
// the mirror in ClickHouse.
//
// Load tests know nothing of the platform but its HTTP interface. The package does not start a platform.
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
	// defaultRetryFor bounds how long one order is retried with its key.
	defaultRetryFor = 60 * time.Second
	// retryPause is the pause before the first retry. It doubles with each retry of an order, up to maxRetryPause, so
	// that callers leave the CPU to a platform that is starting.
	retryPause    = 5 * time.Millisecond
	maxRetryPause = 320 * time.Millisecond
	// gaveUpAfter is put before the last answer of an order that never got a definite one.
	gaveUpAfter = "gave up after "
	// maxLatencyMicros is the longest latency in the histogram. Longer ones count as this one.
	maxLatencyMicros = 60_000_000
	latencyDigits    = 3
	progressEvery    = time.Second
)

// Config describes a load test.
type Config struct {
	// URLs are the APIs of one or more replicas. Callers spread over them, and go to the next one when theirs does not
	// answer.
	URLs        []string
	Concurrency int
	// Rate is orders a second of an open loop; 0: closed loop.
	Rate     float64
	Duration time.Duration
	Warmup   time.Duration
	// Orders ends the run after this number of orders, without a warm-up. 0: the duration ends it.
	Orders int64
	// Hot puts every line on one SKU. Otherwise lines spread over SKUs.
	Hot  bool
	SKUs int
	// Bulk sends orders as lines of POST /v1/commands instead of one request each.
	Bulk bool
	// OnAccount makes orders that are confirmed at once. Otherwise they are reserved and wait for their payment.
	OnAccount bool
	// Lines of an order; default 3.
	Lines int
	// Stock is received for each SKU; default: plenty.
	Stock int64
	// Refusals means that 409 is an expected answer and no error.
	Refusals bool
	// RetryFor is how long an order is retried with its key, and how long a bulk stream may be silent; default a minute.
	RetryFor time.Duration
	// Acks gets a line for every definite answer; nil: they are not kept.
	Acks io.Writer
	// KeyPrefix begins the idempotency keys of this run, SKUPrefix its SKUs. The defaults are a new name and "bench".
	KeyPrefix, SKUPrefix string
	// ReportsURL is the query API of a platform with reports. At the end the run waits for a report that includes the
	// last order. With Reports it also follows an order into a report every quarter of a second during the load.
	ReportsURL string
	Reports    bool
	// CPUOf are processes whose CPU time the report has, with all processes below them; none: this process.
	CPUOf []int
	// Progress is called once a second with the number of answered orders; nil: it is not called.
	Progress func(orders, retries int64)
}

// run is one measurement.
type run struct {
	cfg    Config
	bodies [][]byte
	next   atomic.Int64
	// started orders were sent at least once. answered ones got a definite answer, those of the warm-up included.
	// measured ones got it after the warm-up: a bulk stream has thousands of orders under way when the warm-up ends, and
	// as many when the run ends, so that counting those that began after the warm-up would count too few. errors are
	// orders with another answer or none.
	started, answered, measured, errors, retries atomic.Int64
	// began is when the first order is due, start when the measurement begins.
	began, start time.Time
	cpuAtStart   atomic.Int64 // nanoseconds, at start
	mu           sync.Mutex
	hist         *hdrhistogram.Histogram
	answers      map[string]int64
	retriedFor   map[string]int64
	acks         *ackWriter
}

// Run sets up stock, places orders until the duration or the number of orders ends it, and reports. At the end it waits
// for the answers of the orders that it has sent. If ctx ends first, it reports what was measured until then.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := newRun(cfg)
	if err := r.setUp(ctx); err != nil {
		return nil, err
	}
	follower := newFollower(ctx, r)
	ctx, cancel := context.WithTimeout(ctx, cfg.Warmup+cfg.Duration)
	defer cancel()
	r.began = time.Now()
	r.start = r.began.Add(cfg.Warmup)
	if err := r.noteCPU(); err != nil {
		return nil, err
	}
	defer time.AfterFunc(cfg.Warmup, func() { _ = r.noteCPU() }).Stop() // if they have ended, the end tells
	stopProgress := r.progress()
	var following sync.WaitGroup
	if cfg.Reports {
		following.Go(func() { follower.followOrders(ctx) })
	}
	if cfg.Bulk {
		err = r.bulk(ctx)
	} else {
		r.single(ctx)
	}
	stopProgress()
	elapsed := max(0, time.Since(r.start))
	cpu, cpuErr := r.cpuTime()
	report := r.report(elapsed, cpu-time.Duration(r.cpuAtStart.Load()))
	following.Wait()
	err = errors.Join(err, cpuErr, follower.complete(report))
	return report, errors.Join(err, r.acks.close())
}

func newRun(cfg Config) *run {
	return &run{
		cfg:        cfg,
		bodies:     cfg.makeBodies(),
		hist:       newHistogram(),
		answers:    map[string]int64{},
		retriedFor: map[string]int64{},
		acks:       newAckWriter(cfg.Acks),
	}
}

// withDefaults checks the configuration and fills in defaults.
func (cfg Config) withDefaults() (Config, error) {
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

// expected reports whether a status is an expected answer. Any other is an error.
func (cfg *Config) expected(status int) bool {
	success := status >= http.StatusOK && status < http.StatusMultipleChoices
	return success || status == http.StatusConflict && cfg.Refusals
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, maxLatencyMicros, latencyDigits)
}

// key is the idempotency key of order n.
func (r *run) key(n int64) string { return r.cfg.KeyPrefix + "-" + strconv.FormatInt(n, 10) }

// nextOrder is the number of the next order; false when there are enough.
func (r *run) nextOrder() (int64, bool) {
	n := r.next.Add(1) - 1
	return n, r.cfg.Orders == 0 || n < r.cfg.Orders
}

// record counts the answer of an order, or an error. All callers share one histogram, because it needs a quarter of a
// megabyte and there may be ten thousand callers.
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
	if time.Now().Before(r.start) {
		return
	}
	r.measured.Add(1)
	if started.Before(r.start) {
		return
	}
	_ = r.hist.RecordValue(min(took, maxLatencyMicros)) // no error: it is in range
}

// retried counts a retry, by the answer that made it necessary.
func (r *run) retried(answer string) {
	r.retries.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retriedFor[answer]++
}

// progress reports progress until it is stopped.
func (r *run) progress() (stop func()) {
	if r.cfg.Progress == nil {
		return func() {}
	}
	end := make(chan struct{})
	var reporting sync.WaitGroup
	reporting.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.cfg.Progress(r.answered.Load(), r.retries.Load())
			case <-end:
				return
			}
		}
	})
	return func() { close(end); reporting.Wait() }
}

// noteCPU notes the CPU time at the start of the measurement.
func (r *run) noteCPU() error {
	cpu, err := r.cpuTime()
	r.cpuAtStart.Store(int64(cpu))
	return err
}

// cpuTime is the CPU time so far of the processes that the report is about.
func (r *run) cpuTime() (time.Duration, error) {
	if len(r.cfg.CPUOf) == 0 {
		return cpuTime(), nil
	}
	return cpuTimeBelow(r.cfg.CPUOf)
}

// cpuTime is the CPU time that this process has used so far, user and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
