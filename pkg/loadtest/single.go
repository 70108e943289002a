package loadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// single sends a request an order. The client is fasthttp's: the load generator shares the machine with
// what it measures, and net/http's client costs several times the CPU.
func (r *run) single(ctx context.Context) error {
	client := &fasthttp.Client{
		MaxConnsPerHost: r.cfg.Concurrency, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
		NoDefaultUserAgentHeader: true, DisablePathNormalizing: true, MaxIdemponentCallAttempts: 1,
	}
	var wg sync.WaitGroup
	for worker := range r.cfg.Concurrency {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r.work(ctx, client, uint64(worker))
		}()
	}
	wg.Wait()
	return nil
}

func (r *run) work(ctx context.Context, client *fasthttp.Client, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	local, answers := newHistogram(), map[string]int64{}
	defer func() { r.merge(local, answers) }()
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	replica := int(seed)
	req.SetRequestURI(r.cfg.URLs[replica%len(r.cfg.URLs)] + "/v1/orders")
	var body []byte
	for ctx.Err() == nil {
		n, more := r.take()
		if !more {
			return
		}
		started, ok := r.startOf(ctx, n)
		if !ok {
			return
		}
		key := r.cfg.KeyPrefix + "-" + strconv.FormatInt(n, 10)
		body = r.cfg.appendOrder(body[:0], rng)
		req.Header.Set("Idempotency-Key", key)
		req.SetBodyRaw(body)
		answers[r.definite(client, req, resp, key, &replica)]++
		r.record(local, started)
	}
}

// startOf is when an order is meant to start: now, or in an open loop at its place in the schedule.
func (r *run) startOf(ctx context.Context, n int64) (time.Time, bool) {
	if r.cfg.Rate <= 0 {
		return time.Now(), true
	}
	at := r.start.Add(-r.cfg.Warmup).Add(time.Duration(float64(n) / r.cfg.Rate * float64(time.Second)))
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return at, true
	case <-ctx.Done():
		return at, false
	}
}

// definite sends an order until its answer is one that stays: with the same key, as clients should.
func (r *run) definite(client *fasthttp.Client, req *fasthttp.Request, resp *fasthttp.Response, key string, replica *int) string {
	answer := ""
	for end := time.Now().Add(retryFor); time.Now().Before(end); {
		err := client.DoTimeout(req, resp, requestTimeout)
		if err == nil {
			status := resp.StatusCode()
			if status != fasthttp.StatusTooManyRequests && status != fasthttp.StatusServiceUnavailable {
				r.acks.write(key, status, resp.Body())
				return strconv.Itoa(status)
			}
			answer = "gave up after " + strconv.Itoa(status)
		} else {
			answer = "gave up after: " + err.Error()
		}
		r.retries.Add(1)
		time.Sleep(retryPause)
		*replica++
		req.SetRequestURI(r.cfg.URLs[*replica%len(r.cfg.URLs)] + "/v1/orders")
	}
	return answer
}

// outcomeOf reads what an answer says of its order.
func outcomeOf(body []byte) (orderID, outcome string, err error) {
	var a struct {
		OrderID string `json:"order_id"`
		Status  any    `json:"status"`
		Code    string `json:"code"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return "", "", fmt.Errorf("an answer is not JSON: %w", err)
	}
	if s, ok := a.Status.(string); ok {
		return a.OrderID, s, nil
	}
	return a.OrderID, a.Code, nil
}
