package loadtest

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// single sends one request for each order. It uses the client of fasthttp, because the load generator shares the
// machine with the platform that it measures, and the client of net/http needs several times the CPU.
func (r *run) single(ctx context.Context) {
	client := &fasthttp.Client{
		MaxConnsPerHost: r.cfg.Concurrency, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
		NoDefaultUserAgentHeader: true, DisablePathNormalizing: true, MaxIdemponentCallAttempts: 1,
	}
	var callers sync.WaitGroup
	for n := range r.cfg.Concurrency {
		callers.Go(func() {
			c := &caller{run: r, client: client, replica: n}
			c.placeOrders(ctx)
		})
	}
	callers.Wait()
}

// caller places one order after another.
type caller struct {
	*run
	client  *fasthttp.Client
	replica int
	req     *fasthttp.Request
	resp    *fasthttp.Response
}

func (c *caller) placeOrders(ctx context.Context) {
	c.req, c.resp = fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(c.req)
	defer fasthttp.ReleaseResponse(c.resp)
	c.req.Header.SetMethod(fasthttp.MethodPost)
	c.req.Header.SetContentType("application/json")
	c.setReplica()
	for ctx.Err() == nil {
		n, more := c.nextOrder()
		if !more {
			return
		}
		started, ok := c.awaitStart(ctx, n)
		if !ok {
			return
		}
		c.started.Add(1)
		answer, ok := c.placeOrder(n)
		c.record(answer, ok, started)
	}
}

// setReplica sends the caller's next request to its current replica.
func (c *caller) setReplica() {
	c.req.SetRequestURI(c.cfg.URLs[c.replica%len(c.cfg.URLs)] + "/v1/orders")
}

// awaitStart waits until an order is due, and returns when that is. In a closed loop an order is due at once. In an
// open loop its time in the schedule does not move when the platform is slow.
func (r *run) awaitStart(ctx context.Context, n int64) (time.Time, bool) {
	if r.cfg.Rate <= 0 {
		return time.Now(), true
	}
	at := r.began.Add(time.Duration(float64(n) / r.cfg.Rate * float64(time.Second)))
	wait := time.Until(at)
	if wait <= 0 {
		return at, true
	}
	return at, backoff.Sleep(ctx, wait) == nil
}

// placeOrder sends an order until it gets a definite answer, each time with the same key. ok means that the answer is
// an expected one.
func (c *caller) placeOrder(n int64) (answer string, ok bool) {
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
		c.setReplica()
	}
	return answer, false
}
