package client

import (
	"context"
	"iter"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// EventFilter selects events of the change feed. Zero values select all.
type EventFilter struct {
	// After is where to begin: a position, "start" (as when it is empty) or "now".
	After string
	Types []EventType
	Topic EventTopic
	// OrderID and SKU select the events of an order, of an item, or of both.
	OrderID, SKU string
	// Limit is how many events a page has at most; 0: 500.
	Limit int
	// Wait is how long to wait for an event where there is none, in whole seconds up to 60.
	Wait time.Duration
}

func (f EventFilter) request() request {
	types := make([]string, len(f.Types))
	for i, t := range f.Types {
		types[i] = string(t)
	}
	values := parameters(f.Limit, map[string]string{
		"after": f.After, "types": strings.Join(types, ","), "topic": string(f.Topic), "order_id": f.OrderID, "sku": f.SKU,
	})
	if f.Wait > 0 {
		values.Set("wait", strconv.Itoa(int(f.Wait/time.Second)))
	}
	return request{method: http.MethodGet, path: path("events"), query: values}
}

// Events reads a page of the change feed. The next one begins at the Position of the answer; an answer without any is
// of a log without events.
func (c *Client) Events(ctx context.Context, filter EventFilter) (*Answer[[]Event], error) {
	return query[[]Event](ctx, c, filter.request(), nil)
}

// followWait is how long a page of FollowEvents waits for an event.
const followWait = 30 * time.Second

// EventPages reads all events of a filter that there are, page by page. Who saves the Position of a page, once its
// events are dealt with, goes on there after a restart. Some pages may be empty. It ends with the first error.
func (c *Client) EventPages(ctx context.Context, filter EventFilter) iter.Seq2[*Answer[[]Event], error] {
	return c.eventPages(ctx, filter, func(page *Answer[[]Event]) bool { return page.More })
}

// FollowEvents is EventPages that waits for the events to come. It ends with ctx, with a refusal that no retry can
// change, or where not even the first page comes (WithAttempts).
func (c *Client) FollowEvents(ctx context.Context, filter EventFilter) iter.Seq2[*Answer[[]Event], error] {
	if filter.Wait == 0 {
		filter.Wait = followWait
	}
	follower := *c
	return follower.eventPages(ctx, filter, func(*Answer[[]Event]) bool {
		follower.attempts = math.MaxInt // where the server has answered once, it will again
		return true
	})
}

func (c *Client) eventPages(
	ctx context.Context, filter EventFilter, goesOn func(*Answer[[]Event]) bool,
) iter.Seq2[*Answer[[]Event], error] {
	return func(yield func(*Answer[[]Event], error) bool) {
		for {
			page, err := c.Events(ctx, filter)
			if err != nil {
				yield(nil, err)
				return
			}
			if filter.After = page.Position; filter.After == "" {
				filter.After = "start" // of a log without events
			}
			if !yield(page, nil) || !goesOn(page) {
				return
			}
		}
	}
}
