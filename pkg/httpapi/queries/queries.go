// Package queries has the HTTP routes of the read side: availability, orders, reports, insights and their replays.
//
// It owns parameters, cursors and how fresh an answer has to be. What the answers say is owned by the views
// (pkg/availability, pkg/orderview) by the mirror's reports (pkg/analytics) and by insights (pkg/insight, pkg/replay).
package queries

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/replay"
	"github.com/holdfast/holdfast/pkg/stockledger"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// View is what every read model says about its freshness.
type View interface {
	place
	starter
	// WaitForTime returns nil once the view holds everything that was in the log at a time, or ctx's error.
	WaitForTime(ctx context.Context, at time.Time) error
}

// starter says whether a read model, or the change feed, has begun.
type starter interface {
	// Started is nil once it has been at the end of the log. Until then it may lack anything.
	Started() error
}

// place is up to where a read model, or the change feed, has the log.
type place interface {
	// WaitFor returns nil once the view holds everything up to the position, or ctx's error.
	// Partitions of topics that the view does not follow are passed over.
	WaitFor(ctx context.Context, p eventlog.Position) error
	// Reached is what the view holds, as exclusive ends.
	Reached() eventlog.Position
	// Age is how long ago the view last knew that it stood at the end of the log.
	Age() time.Duration
}

// AvailabilityStore is the availability view, served from memory.
type AvailabilityStore interface {
	View
	// Row returns the answer's body for one SKU, ready to send and never changed afterwards, and its version.
	Row(sku string) (jsonBody []byte, version uint64, ok bool)
	// Stock returns the same with what is under way: transfers, expected deliveries, orders that wait.
	Stock(sku string) (jsonBody []byte, version uint64, ok bool)
}

// LedgerStore is the view of stock at any time.
type LedgerStore interface {
	View
	// Row and Stock are those of AvailabilityStore, at a moment.
	Row(sku string, m *asof.Moment) (jsonBody []byte, version uint64, ok bool, err error)
	Stock(sku string, m *asof.Moment) (jsonBody []byte, version uint64, ok bool, err error)
	// List returns up to limit items of the filter at a moment, by SKU. after is "", or a next that List returned for
	// the same filter. next is "" at the end.
	List(ctx context.Context, f stockledger.Filter, m *asof.Moment, after string, limit int) (
		rows [][]byte, next string, err error)
	// Each calls row for each item of the filter behind the SKU after, by SKU. It ends with the first error of row.
	Each(ctx context.Context, f stockledger.Filter, m *asof.Moment, after string,
		row func(*eventv1.AvailabilityRow) error) error
	// Changes returns up to limit items that differ between two moments, by SKU. after is "", or a next that Changes
	// returned for the same span. next is "" at the end.
	Changes(ctx context.Context, span *stockledger.Span, after string, limit int) (
		changes []stockledger.Change, next string, err error)
	// Ledger returns a page of an item's ledger; text writes a position.
	Ledger(ctx context.Context, sku string, q *stockledger.Question, text func(eventlog.Position) string) (
		page stockledger.Page, ok bool, err error)
	// Allocations returns what an order had of each SKU at a moment, by location.
	Allocations(ctx context.Context, orderID string, m *asof.Moment) ([]stockledger.ItemAllocation, error)
}

// OrderStore is the view of orders.
type OrderStore interface {
	View
	// OrderAt returns the answer's body for one order as it was at a moment, ready to send, and its version.
	OrderAt(id string, m *asof.Moment) (jsonBody []byte, version uint64, ok bool, err error)
	// List returns up to limit orders of the filter, newest first. after is "", or a next that List returned for the
	// same filter. It may be any bytes: the caller keeps it opaque to clients. next is "" at
	// the end.
	List(ctx context.Context, f orderview.Filter, after string, limit int) (rows [][]byte, next string, err error)
	// Each calls row for each order of the filter, newest first, as they were at one moment. It ends with the first
	// error of row.
	Each(ctx context.Context, f orderview.Filter, row func(*orderview.Order) error) error
}

// Limits of queries.
const (
	// MaxPositionWait bounds the wait for Holdfast-Min-Position.
	MaxPositionWait = 5 * time.Second
	// MaxSKUs bounds one look-up of many SKUs.
	MaxSKUs = 1_000
	// DefaultPage and MaxPage bound a page of a list.
	DefaultPage = 50
	MaxPage     = 500
)

// Deps is what the routes need; the routes of a nil store are not registered.
type Deps struct {
	Availability AvailabilityStore
	// Ledger answers for moments of the past, and lists items. It is there where Availability is.
	Ledger LedgerStore
	Orders OrderStore
	// Events is the change feed.
	Events EventStore
	// Streams are those of orders and stock; nil: there are none.
	Streams  *Streams
	Reports  ReportStore
	Insights InsightStore
	Replays  *replay.Service
	// Zone is the time zone of days and months in reports that are asked for without one; nil: UTC. Insights have their
	// own.
	Zone *time.Location
	// Keys are those that requests need; nil: access is off. What goes on for long asks whether a key is valid still.
	Keys *access.Keys
	// Incarnation is that of the log: positions and cursors of another one are answered 409.
	Incarnation eventlog.Incarnation
}

// Register adds the routes.
func Register(router httpapi.Router, deps Deps) {
	of, streams := deps.Incarnation, make(csvStreams, MaxCSVStreams)
	router = incarnate{router, of}
	if deps.Availability != nil {
		a := &availabilityAPI{deps.Availability, of}
		l := &ledgerAPI{deps.Ledger, of, streams}
		router.Add(http.MethodGet, "/v1/availability/:sku", l.orNow(deps.Ledger.Row, a.get(deps.Availability.Row)))
		router.Add(http.MethodGet, "/v1/stock/:sku", l.orNow(deps.Ledger.Stock, a.get(deps.Availability.Stock)))
		router.Add(http.MethodPost, "/v1/availability", a.getMany)
		router.Add(http.MethodGet, "/v1/availability", l.list)
		router.Add(http.MethodGet, "/v1/stock/:sku/ledger", l.ledger)
		router.Add(http.MethodGet, "/v1/stock-changes", l.changes)
	}
	if deps.Orders != nil {
		o := &orderAPI{deps.Orders, of, streams, deps.Zone}
		router.Add(http.MethodGet, "/v1/orders/:order_id", o.get)
		router.Add(http.MethodGet, "/v1/orders", o.list)
		if deps.Ledger != nil {
			a := &allocationAPI{deps.Orders, deps.Ledger, of}
			router.Add(http.MethodGet, "/v1/orders/:order_id/allocations", a.get)
		}
	}
	if deps.Events != nil {
		e := &eventAPI{deps.Events, of, make(chan struct{}, MaxEventAnswers), eventsAnswerWait, deps.Keys}
		router.Add(http.MethodGet, "/v1/events", e.get)
	}
	if deps.Streams != nil {
		deps.Streams.register(router, of, deps.Keys)
	}
	if deps.Reports != nil {
		registerReports(router, &deps, streams)
	}
	if deps.Insights != nil {
		registerInsights(router, deps.Insights, of, streams)
	}
	if deps.Replays != nil {
		registerReplays(router, &deps)
	}
}

// fresh waits until the view has what the client has seen, and says on the answer how fresh it is.
func fresh(c echo.Context, view place, of eventlog.Incarnation) error {
	header := c.Response().Header()
	if sent := c.Request().Header["Holdfast-Min-Position"]; len(sent) > 0 {
		position, err := parsePosition(sent[0])
		if err != nil {
			return err
		}
		if err := waitFor(c.Request().Context(), view, position, of); err != nil {
			return err
		}
	}
	if reached := view.Reached(); !reached.IsZero() {
		header["Holdfast-Position"] = []string{of.Text(reached)}
	}
	header["Holdfast-Age-Ms"] = []string{strconv.FormatInt(view.Age().Milliseconds(), 10)}
	return nil
}

// whole is nil where a view may be asked for what it lacks: a list, or something that it does not find.
func whole(view starter) error {
	if err := view.Started(); err != nil {
		return &problem.Problem{Code: problem.ViewStarting, RetryAfterSeconds: 1, Detail: err.Error() + "."}
	}
	return nil
}

// missing is the problem for what a view does not find. starting is what whole has said before it was looked up.
func missing(starting error, code, detail string) error {
	if starting != nil {
		return starting
	}
	return problem.New(code, detail)
}

// parsePosition reads a position that a client sends back. An empty one is none: no answer has it.
func parsePosition(text string) (eventlog.Position, error) {
	position, err := eventlog.ParsePosition(text)
	if err != nil || position.IsZero() {
		return position, problem.New(problem.InvalidPosition, "Send back a Holdfast-Position as you got it.")
	}
	return position, nil
}

func waitFor(ctx context.Context, view place, position eventlog.Position, of eventlog.Incarnation) error {
	ctx, cancel := context.WithTimeout(ctx, MaxPositionWait)
	defer cancel()
	if err := view.WaitFor(ctx, position); err != nil {
		return notReached(view, of, "position")
	}
	return nil
}

func notReached(view place, of eventlog.Incarnation, what string) error {
	return &problem.Problem{
		Code: problem.PositionNotReached, RetryAfterSeconds: 1, Reached: of.Text(view.Reached()),
		Detail: "The view did not reach the " + what + " within " + MaxPositionWait.String() + ".",
	}
}

// writeVersioned answers with a body that has a version, or 304 when the client has it.
func writeVersioned(c echo.Context, body []byte, version uint64) error {
	tag := httpapi.ETag(version)
	c.Response().Header()["Etag"] = []string{tag}
	if httpapi.HeaderValue(c.Request().Header, "If-None-Match") == tag {
		return c.NoContent(http.StatusNotModified)
	}
	return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, body)
}

type availabilityAPI struct {
	store AvailabilityStore
	of    eventlog.Incarnation
}

// get answers with what look returns for a SKU.
func (a *availabilityAPI) get(look func(sku string) ([]byte, uint64, bool)) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := fresh(c, a.store, a.of); err != nil {
			return err
		}
		starting := whole(a.store) // before it is looked up: what comes in between is found
		body, version, ok := look(httpapi.PathParameter(c, "sku"))
		if !ok {
			return missing(starting, problem.UnknownSKU, "No item is registered under this SKU.")
		}
		return writeVersioned(c, body, version)
	}
}

func (a *availabilityAPI) getMany(c echo.Context) error {
	if err := onlyParameters(c.QueryParams()); err != nil { // it knows no moment but now
		return err
	}
	body, err := httpapi.ReadBody(c)
	if err != nil {
		return err
	}
	skus, err := skuList(body)
	if err != nil {
		return err
	}
	if err := fresh(c, a.store, a.of); err != nil {
		return err
	}
	buf := httpapi.TakeBuffer()
	defer buf.Release()
	buf.B = append(buf.B, `{"items":[`...)
	var unknown []string
	found, starting := 0, whole(a.store)
	for _, sku := range skus {
		row, _, ok := a.store.Row(sku)
		if !ok {
			unknown = append(unknown, sku)
			continue
		}
		if found > 0 {
			buf.B = append(buf.B, ',')
		}
		buf.B = append(buf.B, row...)
		found++
	}
	if len(unknown) > 0 && starting != nil {
		return starting
	}
	buf.B = append(buf.B, ']')
	buf.B = appendjson.Array(append(buf.B, `,"unknown":`...), unknown, appendjson.String)
	buf.B = append(buf.B, '}')
	return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, buf.B)
}

// skuList reads the body of POST /v1/availability: 1 to MaxSKUs SKUs.
func skuList(raw []byte) ([]string, error) {
	var list struct {
		SKUs []string `json:"skus"`
	}
	body := input.Body{JSON: raw}
	if !body.Read(&list) {
		return nil, body.Problem()
	}
	switch {
	case len(list.SKUs) == 0:
		body.Fault(problem.MissingField, "/skus", "must name at least one SKU")
	case len(list.SKUs) > MaxSKUs:
		body.Fault(problem.TooManySKUs, "/skus",
			"names "+strconv.Itoa(len(list.SKUs))+" SKUs; at most "+strconv.Itoa(MaxSKUs)+" are taken")
	default:
		for i, sku := range list.SKUs {
			if fault := input.SKUFault(sku); fault != "" {
				body.Fault(problem.InvalidSKU, "/skus/"+strconv.Itoa(i), fault)
			}
		}
	}
	return list.SKUs, body.Problem()
}
