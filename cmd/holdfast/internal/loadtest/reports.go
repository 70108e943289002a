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

	"github.com/holdfast/holdfast/pkg/backoff"
)

const (
	// followEvery is how often an order is followed into a report.
	followEvery = 250 * time.Millisecond
	// reportPath is a cheap report, so that the time until it includes an order is the mirror's: it has the orders since
	// the beginning of yesterday, of however long a history.
	reportPath = "/v1/reports/revenue?by=country&limit=1&from="
	// catchUpLimit bounds the wait for the last order.
	catchUpLimit = 2 * time.Minute
)

// Visibility is the time from an order's answer to a report that includes it, in milliseconds.
type Visibility struct {
	Orders int64   `json:"orders"`
	P50    float64 `json:"p50_ms"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
}

// follower follows orders of its own into reports.
type follower struct {
	*run
	ctx    context.Context // of the whole measurement, so that orders are followed beyond the end of the load
	client *http.Client
	mu     sync.Mutex
	hist   *hdrhistogram.Histogram
	err    error // the first
}

func newFollower(ctx context.Context, r *run) *follower {
	return &follower{run: r, ctx: ctx, client: &http.Client{Timeout: requestTimeout}, hist: newHistogram()}
}

// followOrders follows an order every followEvery, until load ends and reports include all of them.
func (f *follower) followOrders(load context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-load.Done():
			return
		case <-tick.C:
		}
		isMeasured := time.Now().After(f.start)
		all.Go(func() {
			took, err := f.follow(fmt.Sprintf("%s-report-%d", f.cfg.KeyPrefix, n))
			f.mu.Lock()
			defer f.mu.Unlock()
			switch {
			case err != nil:
				f.err = cmp.Or(f.err, err)
			case isMeasured:
				_ = f.hist.RecordValue(min(took.Microseconds(), maxLatencyMicros)) // in range
			}
		})
	}
}

// follow places an order and returns how long after its answer a report included it.
func (f *follower) follow(key string) (time.Duration, error) {
	cause := fmt.Errorf("no report held an order within %s", catchUpLimit)
	ctx, cancel := context.WithTimeoutCause(f.ctx, catchUpLimit, cause)
	defer cancel()
	position, err := f.place(ctx, key)
	if err != nil {
		return 0, err
	}
	answered := time.Now()
	_, err = f.until(ctx, func() (*http.Request, error) {
		yesterday := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.cfg.ReportsURL+reportPath+yesterday, nil)
		if err == nil {
			req.Header.Set("Holdfast-Min-Position", position)
		}
		return req, err
	})
	return time.Since(answered), err
}

// place places an order and returns its position.
func (f *follower) place(ctx context.Context, key string) (string, error) {
	header, err := f.until(ctx, func() (*http.Request, error) {
		url := f.cfg.URLs[0] + "/v1/orders"
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(f.body(0)))
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
func (f *follower) until(ctx context.Context, makeRequest func() (*http.Request, error)) (http.Header, error) {
	for {
		req, err := makeRequest()
		if err != nil {
			return nil, err
		}
		resp, err := f.client.Do(req)
		if err == nil {
			_ = resp.Body.Close() // the header is enough
			switch {
			case resp.StatusCode < http.StatusMultipleChoices:
				return resp.Header, nil
			case !retryable(resp.StatusCode):
				return nil, fmt.Errorf("%s %s was answered with status %d", req.Method, req.URL.Path, resp.StatusCode)
			}
		}
		if backoff.Sleep(ctx, retryPause) != nil {
			return nil, errors.Join(context.Cause(ctx), err)
		}
	}
}

// complete adds to the report how long orders took to get into reports, during the load and at its end.
func (f *follower) complete(rep *Report) error {
	if f.cfg.ReportsURL == "" {
		return nil
	}
	behind, err := f.follow(f.cfg.KeyPrefix + "-last")
	rep.ReportsBehindMS = float64(behind.Microseconds()) / 1000
	if n := f.hist.TotalCount(); n > 0 {
		rep.Visible = &Visibility{
			Orders: n, P50: ms(f.hist, 50), P99: ms(f.hist, 99), Max: float64(f.hist.Max()) / 1000,
		}
	}
	return errors.Join(f.err, err)
}
