package loadtest

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// single sends a request an order. The client is fasthttp's: the load generator shares the machine with
// what it measures, and net/http's client costs several times the CPU.
func (r *run) single(ctx context.Context) {
	client := &fasthttp.Client{
		MaxConnsPerHost: r.cfg.Concurrency, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
		NoDefaultUserAgentHeader: true, DisablePathNormalizing: true, MaxIdemponentCallAttempts: 1,
	}
	var wg sync.WaitGroup
	for number := range r.cfg.Concurrency {
		wg.Add(1)
		go func() {
			defer wg.Done()
			w := &caller{run: r, client: client, replica: number}
			w.work(ctx)
		}()
	}
	wg.Wait()
}

// caller places one order after the other.
type caller struct {
	*run
	client  *fasthttp.Client
	replica int
	req     *fasthttp.Request
	resp    *fasthttp.Response
}

func (c *caller) work(ctx context.Context) {
	c.req, c.resp = fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(c.req)
	defer fasthttp.ReleaseResponse(c.resp)
	c.req.Header.SetMethod(fasthttp.MethodPost)
	c.req.Header.SetContentType("application/json")
	c.aim()
	for ctx.Err() == nil {
		n, more := c.take()
		if !more {
			return
		}
		started, ok := c.startOf(ctx, n)
		if !ok {
			return
		}
		c.started.Add(1)
		answer, ok := c.definite(n)
		c.record(answer, ok, started)
	}
}

// aim points the request at the caller's replica.
func (c *caller) aim() {
	c.req.SetRequestURI(c.cfg.URLs[c.replica%len(c.cfg.URLs)] + "/v1/orders")
}

// startOf is when an order is meant to start: now, or in an open loop at its place in the schedule, which
// does not move when the platform is slow.
func (r *run) startOf(ctx context.Context, n int64) (time.Time, bool) {
	if r.cfg.Rate <= 0 {
		return time.Now(), true
	}
	at := r.began.Add(time.Duration(float64(n) / r.cfg.Rate * float64(time.Second)))
	wait := time.Until(at)
	if wait <= 0 {
		return at, true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return at, true
	case <-ctx.Done():
		return at, false
	}
}

// definite sends an order until its answer is one that stays: with the same key, as clients should. ok: it is an
// answer that the run is about, not an error.
func (c *caller) definite(n int64) (answer string, ok bool) {
	key := c.key(n)
	c.req.Header.Set("Idempotency-Key", key)
	c.req.SetBodyRaw(c.body(n))
	pause := retryPause
	for end := time.Now().Add(c.cfg.RetryFor); time.Now().Before(end); pause = min(2*pause, maxRetryPause) {
		err := c.client.DoTimeout(c.req, c.resp, min(requestTimeout, time.Until(end)))
		if err == nil {
			status := c.resp.StatusCode()
			if !retryable(status) {
				c.acks.answer(key, status, string(c.resp.Header.Peek("Holdfast-Position")), c.resp.Body())
				return strconv.Itoa(status), c.cfg.expected(status)
			}
			answer = strconv.Itoa(status)
		} else {
			answer = "no answer"
		}
		c.retried(answer)
		answer = gaveUpAfter + answer
		time.Sleep(pause)
		c.replica++
		c.aim()
	}
	return answer, false
}
