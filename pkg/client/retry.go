package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/holdfast/holdfast/pkg/backoff"
)

// Limits of retries.
const (
	DefaultAttempts = 8
	MinBackoff      = 50 * time.Millisecond
	MaxBackoff      = 3 * time.Second
)

// eventsDeleted is why a stream ends that no retry can bring back.
const eventsDeleted = "events_deleted"

// errNotUnderstood is an answer that the client cannot read, and that comes again.
var errNotUnderstood = errors.New("the answer is not understood")

// retried calls once until it succeeds, no retry could change its error, or c.attempts have failed in a row. once calls
// works when it gets something: what failed before no longer counts.
func (c *Client) retried(ctx context.Context, once func(works func()) error) error {
	for attempt := 1; ; attempt++ {
		err := once(func() { attempt = 1 })
		if err == nil || attempt >= c.attempts || !retryable(ctx, err) {
			return err
		}
		if err := pause(ctx, attempt, err); err != nil {
			return err
		}
	}
}

// retryable tells whether the same request may get another answer later.
func retryable(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		switch p.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	if end, ok := errors.AsType[*StreamEndedError](err); ok && end.Code == eventsDeleted {
		return false
	}
	return !errors.Is(err, errNotUnderstood) // the connection broke: the command may have been carried out or not
}

// pause waits before the next attempt, longer each time and with jitter, and at least as long as the server's
// Retry-After.
func pause(ctx context.Context, attempt int, err error) error {
	wait := min(MinBackoff<<min(attempt-1, 10), MaxBackoff)
	wait = wait/2 + rand.N(wait/2+1)
	if p, ok := errors.AsType[*Problem](err); ok {
		wait = max(wait, min(p.RetryAfter, MaxBackoff))
	}
	return backoff.Sleep(ctx, wait)
}
