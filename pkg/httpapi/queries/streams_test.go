package queries

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/live"
)

// A stream whose filter finds nothing says how far it has looked, and no farther than it was asked to look.
func TestAStreamSaysHowFarItHasCaughtUp(t *testing.T) {
	answer := httptest.NewRecorder()
	ctx, leave := context.WithCancel(t.Context())
	request := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/orders/stream", nil)
	s := &stream{
		streamRoutes: &streamRoutes{Streams: &Streams{}}, c: echo.New().NewContext(request, answer),
		control: http.NewResponseController(answer),
	}
	at, to := eventlog.Offsets{ordersTP: 9, {Topic: eventlog.TopicOrders, Partition: 1}: 2}, eventlog.Offsets{ordersTP: 5}
	if err := s.catchesUp(before(eventlog.PositionOf(at), eventlog.PositionOf(to))); err != nil {
		t.Fatal(err)
	}
	if got := answer.Body.String(); got != ": heartbeat\nid: o0.5\n\n" {
		t.Errorf("got %q", got)
	}
	s.Heartbeat = StreamHeartbeat
	if err := s.catchesUp(eventlog.Position{}); err != nil || answer.Body.Len() != len(": heartbeat\nid: o0.5\n\n") {
		t.Errorf("soon after: %q, %v", answer.Body, err)
	}
	leave()
	if err := s.catchesUp(eventlog.Position{}); !errors.Is(err, errStreamEnded) {
		t.Errorf("its client has gone: %v", err)
	}
}

// A feed that has begun again further back has nothing to send yet: that is not all there is.
func TestAStreamDoesNotTakeAViewThatBeganAgainForDone(t *testing.T) {
	tail := live.NewTail(1)
	feed, err := live.NewFeed(live.FeedConfig{Tail: tail})
	if err != nil {
		t.Fatal(err)
	}
	tail.Listener(eventlog.TopicOrders).Began(eventlog.Offsets{ordersTP: 2})
	a := &orderStreams{&streamRoutes{Streams: &Streams{Events: feed}}}
	between := func(to int64) error {
		return a.between(t.Context(), eventlog.PositionOf(eventlog.Offsets{ordersTP: 4}),
			eventlog.PositionOf(eventlog.Offsets{ordersTP: to}), &live.Filter{Topic: eventlog.TopicOrders}, nil,
			func(eventlog.Position) error { return nil })
	}
	if err := between(5); !errors.Is(err, errViewRestarted) {
		t.Errorf("got %v", err)
	}
	if err := between(4); err != nil {
		t.Errorf("where there is nothing to send: %v", err)
	}
}
