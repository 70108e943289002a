package queries

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/live"
	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/problem"
)

// orderEvent is the name of a message that tells what an order is, and not what has changed.
const orderEvent = "order"

// streamPage is how many events are read at a time of what a stream has missed.
const streamPage = 500

type orderStreams struct{ *streamRoutes }

// one streams one order.
func (a *orderStreams) one(c echo.Context) error {
	if err := onlyParameters(c.QueryParams(), afterParameter); err != nil {
		return err
	}
	filter := &live.Filter{OrderID: strings.ToLower(httpapi.PathParameter(c, "order_id"))}
	s := a.stream(c, filter)
	s.keys = []string{filter.OrderID}
	from, begins, err := s.begin()
	if err != nil {
		return err
	}
	starting := whole(a.Orders)
	id, ok, err := a.Orders.Find(filter.OrderID)
	if err != nil {
		return fmt.Errorf("read order: %w", err)
	}
	if !ok {
		return missing(starting, problem.OrderNotFound, "No order has this ID, or the view has not seen it yet.")
	}
	filter.OrderID, s.keys[0] = id, id
	s.here = func(at eventlog.Position, send sender) error {
		body, _, ok, err := a.Orders.OrderAt(id, &asof.Moment{Position: at})
		if err != nil || !ok {
			return err
		}
		return send(at, orderEvent, body, nil)
	}
	return s.serveFrom(from, begins)
}

// all streams all orders, or those of a customer or with a status.
func (a *orderStreams) all(c echo.Context) error {
	parameters := c.QueryParams()
	if err := onlyParameters(parameters, afterParameter, "customer_id", "status"); err != nil {
		return err
	}
	customer, status := parameters.Get("customer_id"), parameters.Get("status")
	if limits.Longer(customer, limits.MaxCustomerIDLength) {
		return badParameter("customer_id is too long.")
	}
	if parameters.Has("status") && !slices.Contains(orderview.Statuses(), status) {
		return badParameter("status must be one of " + strings.Join(orderview.Statuses(), ", ") + ".")
	}
	s := a.stream(c, &live.Filter{Topic: eventlog.TopicOrders})
	if customer != "" || status != "" {
		s.match = func(m *live.Message) bool {
			o, _ := m.Of.(*orderview.Order)
			return o != nil && (customer == "" || o.CustomerID == customer) && (status == "" || o.Status == status)
		}
	}
	return s.serve()
}

func (a *orderStreams) stream(c echo.Context, filter *live.Filter) *stream {
	s := &stream{
		streamRoutes: a.streamRoutes, c: c, hub: a.OrderHub, view: a.Orders, topic: eventlog.TopicOrders,
	}
	s.between = func(ctx context.Context, from, to eventlog.Position, send sender) error {
		return a.between(ctx, from, to, filter, send, s.catchesUp)
	}
	return s
}

// between sends the orders after each of their events between two positions. It calls catchesUp after each page.
func (a *orderStreams) between(
	ctx context.Context, from, to eventlog.Position, filter *live.Filter, send sender,
	catchesUp func(at eventlog.Position) error,
) error {
	now, cancel := context.WithCancel(ctx)
	cancel()
	at, place, more := from, from, true
	for more && !a.Events.Passed(at, to, filter) {
		page, err := a.Events.Page(ctx, now, at, filter, streamPage)
		if err != nil {
			return err
		}
		if err := a.sendPage(page, place, to, send); err != nil {
			return err
		}
		at, more = page.Next, page.More
		place = place.Merge(before(at, to))
		if err := catchesUp(place); err != nil {
			return err
		}
	}
	if !a.Events.Passed(at, to, filter) {
		return errViewRestarted
	}
	return nil
}

// sendPage sends the orders after the events of a page that lie before a position. place is where the page begins.
func (a *orderStreams) sendPage(page *live.Page, place, to eventlog.Position, send sender) error {
	for i := range page.Events {
		rec := &page.Events[i]
		if rec.Offset >= to.End(rec.TopicPartition) {
			continue // the subscription has it
		}
		event, body, order, err := OrderAfter(a.Orders, string(rec.Key), rec.Offset)
		if err != nil {
			return err
		}
		place = place.Merge(eventlog.PositionOf(eventlog.Offsets{rec.TopicPartition: rec.Offset + 1}))
		if event == "" {
			continue
		}
		if err := send(place, event, body, order); err != nil {
			return err
		}
	}
	return nil
}

// before is a position where it lies before another one, and the other one elsewhere.
func before(at, to eventlog.Position) eventlog.Position {
	ends := at.Offsets()
	for tp, end := range ends {
		ends[tp] = min(end, to.End(tp))
	}
	return eventlog.PositionOf(ends)
}

// OrderAfter is an order as GET /v1/orders/{order_id} answers it, after the event at an offset of its partition, and
// the name of the event. It is empty where the event has changed nothing of the answer.
func OrderAfter(store *orderview.Store, id string, offset int64) (
	event string, body []byte, o *orderview.Order, err error,
) {
	if event, o, err = store.After(id, offset); err != nil || event == "" {
		return "", nil, nil, err
	}
	if body, err = json.Marshal(o, json.Deterministic(true)); err != nil {
		return "", nil, nil, fmt.Errorf("render order %s: %w", id, err)
	}
	return event, body, o, nil
}
