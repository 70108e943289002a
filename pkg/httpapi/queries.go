package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard"
)

// View is what every read model says about its freshness.
type View interface {
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

// OrderStore is the view of orders.
type OrderStore interface {
	View
	// Order returns the answer's body for one order, ready to send, and its version.
	Order(id string) (jsonBody []byte, version uint64, ok bool, err error)
	// List returns up to limit orders, newest first; an empty customerID or status matches all. after is "" or
	// a next that List returned for the same filter (any bytes; the caller keeps it opaque to clients); next is "" at the end.
	List(ctx context.Context, customerID, status, after string, limit int) (rows [][]byte, next string, err error)
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

// QueryDeps is what the query routes need; the routes of a nil store are not registered.
type QueryDeps struct {
	Availability AvailabilityStore
	Orders       OrderStore
	Reports      ReportStore
}

// RegisterQueries adds the query routes.
func RegisterQueries(router Router, deps QueryDeps) {
	if deps.Availability != nil {
		a := &availabilityAPI{deps.Availability}
		router.Add(http.MethodGet, "/v1/availability/:sku", a.one(deps.Availability.Row))
		router.Add(http.MethodGet, "/v1/stock/:sku", a.one(deps.Availability.Stock))
		router.Add(http.MethodPost, "/v1/availability", a.many)
	}
	if deps.Orders != nil {
		o := &orderAPI{deps.Orders}
		router.Add(http.MethodGet, "/v1/orders/:order_id", o.one)
		router.Add(http.MethodGet, "/v1/orders", o.list)
	}
	if deps.Reports != nil {
		registerReports(router, deps.Reports)
	}
}

// fresh waits until the view has what the client has seen, and says on the answer how fresh it is.
func fresh(c echo.Context, view View) error {
	header := c.Response().Header()
	if text := headerValue(c.Request().Header, "Holdfast-Min-Position"); text != "" {
		if err := waitFor(c.Request().Context(), view, text); err != nil {
			return err
		}
	}
	if reached := view.Reached(); !reached.IsZero() {
		header["Holdfast-Position"] = []string{reached.String()}
	}
	header["Holdfast-Age-Ms"] = []string{strconv.FormatInt(view.Age().Milliseconds(), 10)}
	return nil
}

func waitFor(ctx context.Context, view View, text string) error {
	position, err := eventlog.ParsePosition(text)
	if err != nil {
		return &command.Problem{Code: command.CodeBadPosition, Detail: "Send back a Holdfast-Position as you got it."}
	}
	ctx, cancel := context.WithTimeout(ctx, MaxPositionWait)
	defer cancel()
	if err := view.WaitFor(ctx, position); err != nil {
		return &command.Problem{
			Code: command.CodePosition, RetryAfterSeconds: 1, Reached: view.Reached().String(),
			Detail: "The view did not reach the position within " + MaxPositionWait.String() + ".",
		}
	}
	return nil
}

// writeVersioned answers with a body that has a version, or 304 when the client has it.
func writeVersioned(c echo.Context, body []byte, version uint64) error {
	tag := etag(version)
	c.Response().Header()["Etag"] = []string{tag}
	if headerValue(c.Request().Header, "If-None-Match") == tag {
		return c.NoContent(http.StatusNotModified)
	}
	return writeBody(c, http.StatusOK, jsonContentType, body)
}

type availabilityAPI struct{ store AvailabilityStore }

// one answers with what look has of a SKU.
func (a *availabilityAPI) one(look func(sku string) ([]byte, uint64, bool)) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := fresh(c, a.store); err != nil {
			return err
		}
		body, version, ok := look(pathParameter(c, "sku"))
		if !ok {
			return &command.Problem{Code: shard.CodeUnknownSKU, Detail: "No item is registered under this SKU."}
		}
		return writeVersioned(c, body, version)
	}
}

func (a *availabilityAPI) many(c echo.Context) error {
	body, err := readBody(c)
	if err != nil {
		return err
	}
	skus, err := command.SKUList(body, MaxSKUs)
	if err != nil {
		return err
	}
	if err := fresh(c, a.store); err != nil {
		return err
	}
	buf := takeBuffer()
	defer buf.release()
	buf.b = append(buf.b, `{"items":[`...)
	var unknown []string
	found := 0
	for _, sku := range skus {
		row, _, ok := a.store.Row(sku)
		if !ok {
			unknown = append(unknown, sku)
			continue
		}
		if found > 0 {
			buf.b = append(buf.b, ',')
		}
		buf.b = append(buf.b, row...)
		found++
	}
	buf.b = append(buf.b, `],"unknown":[`...)
	for i, sku := range unknown {
		if i > 0 {
			buf.b = append(buf.b, ',')
		}
		buf.b = command.AppendString(buf.b, sku)
	}
	buf.b = append(buf.b, ']', '}')
	return writeBody(c, http.StatusOK, jsonContentType, buf.b)
}
