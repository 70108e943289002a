package loadtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// askEvery is how often an order is followed into a report.
	askEvery = 250 * time.Millisecond
	// reportPath is a report that costs little: what an order waits for is the mirror.
	reportPath = "/v1/reports/revenue?by=country&limit=1"
	// catchUpLimit bounds the wait for the last order.
	catchUpLimit = 2 * time.Minute
)

// Visibility is how long it took from an order's answer until a report that has to hold it came. Milliseconds.
type Visibility struct {
	Orders int64   `json:"orders"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

// asker follows orders of its own into reports.
type asker struct {
	*run
	ctx    context.Context // of the whole measurement: what is under way when the load ends is still followed
	client *http.Client
	mu     sync.Mutex
	hist   *hdrhistogram.Histogram
	err    error // the first
}

func newAsker(ctx context.Context, r *run) *asker {
	return &asker{run: r, ctx: ctx, client: &http.Client{Timeout: requestTimeout}, hist: newHistogram()}
}

// ask follows an order every askEvery, until load ends and all have been seen.
func (a *asker) ask(load context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-load.Done():
			return
		case <-tick.C:
		}
		isMeasured := time.Now().After(a.start)
		all.Go(func() {
			took, err := a.follow(fmt.Sprintf("%s-report-%d", a.cfg.KeyPrefix, n))
			a.mu.Lock()
			defer a.mu.Unlock()
			switch {
			case err != nil:
				a.err = cmp.Or(a.err, err)
			case isMeasured:
				_ = a.hist.RecordValue(min(took.Microseconds(), maxLatencyMicros)) // in range
			}
		})
	}
}

// follow places an order and returns how long after its answer a report held it.
func (a *asker) follow(key string) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(a.ctx, catchUpLimit, fmt.Errorf("no report held an order within %s", catchUpLimit))
	defer cancel()
	position, err := a.place(ctx, key)
	if err != nil {
		return 0, err
	}
	answered := time.Now()
	_, err = a.until(ctx, func() (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.cfg.ReportsURL+reportPath, nil)
		if err == nil {
			req.Header.Set("Holdfast-Min-Position", position)
		}
		return req, err
	})
	return time.Since(answered), err
}

// place places an order and returns its position.
func (a *asker) place(ctx context.Context, key string) (string, error) {
	header, err := a.until(ctx, func() (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.cfg.URLs[0]+"/v1/orders", bytes.NewReader(a.body(0)))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Idempotency-Key", key)
		}
		return req, err
	})
	if err != nil {
		return "", err
	}
	position := header.Get("Holdfast-Position")
	if position == "" {
		return "", errors.New("an order was answered without a position")
	}
	return position, nil
}

// until sends a request until it succeeds, and returns the answer's header.
func (a *asker) until(ctx context.Context, makeRequest func() (*http.Request, error)) (http.Header, error) {
	for {
		req, err := makeRequest()
		if err != nil {
			return nil, err
		}
		resp, err := a.client.Do(req)
		if err == nil {
			_ = resp.Body.Close() // nothing of it is needed
			switch {
			case resp.StatusCode < http.StatusMultipleChoices:
				return resp.Header, nil
			case !retryable(resp.StatusCode):
				return nil, fmt.Errorf("%s %s was answered with status %d", req.Method, req.URL.Path, resp.StatusCode)
			}
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), err)
		}
	}
}

// complete adds to the report what was measured, and how far the reports were behind at the end.
func (a *asker) complete(rep *Report) error {
	if a.cfg.ReportsURL == "" {
		return nil
	}
	behind, err := a.follow(a.cfg.KeyPrefix + "-last")
	rep.ReportsBehindMS = float64(behind.Microseconds()) / 1000
	if n := a.hist.TotalCount(); n > 0 {
		rep.Visible = &Visibility{Orders: n, P50: ms(a.hist, 50), P99: ms(a.hist, 99), Max: float64(a.hist.Max()) / 1000}
	}
	return errors.Join(a.err, err)
}
