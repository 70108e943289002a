package queries

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/pkg/orderview"
	"github.com/holdfast/holdfast/pkg/problem"
)

type orderAPI struct {
	store   OrderStore
	of      eventlog.Incarnation
	streams csvStreams
	// zone is that of days in filters; nil: UTC.
	zone *time.Location
}

func (o *orderAPI) get(c echo.Context) error {
	m, err := momentOf(c)
	if err != nil {
		return err
	}
	body, version, err := orderAt(c, o.store, o.of, &m)
	if err != nil {
		return err
	}
	return writeVersioned(c, body, version)
}

// orderAt is the order that the path names as it was at a moment, and its version.
func orderAt(
	c echo.Context, store OrderStore, of eventlog.Incarnation, m *asof.Moment,
) (body []byte, version uint64, err error) {
	if err := freshAt(c, store, of, m); err != nil {
		return nil, 0, err
	}
	starting := whole(store) // before it is looked up: what comes in between is found
	body, version, ok, err := store.OrderAt(strings.ToLower(httpapi.PathParameter(c, "order_id")), m)
	switch {
	case err != nil:
		err = fmt.Errorf("read order: %w", err)
	case !ok && !m.IsNow():
		err = problem.New(problem.OrderNotFound, "No order had this ID at that moment.")
	case !ok:
		err = missing(starting, problem.OrderNotFound, "No order has this ID, or the view has not seen it yet.")
	}
	return body, version, err
}

// listQuery is the filter and the place of a list.
type listQuery struct {
	orderview.Filter
	parameters url.Values
	after      string
	limit      int
}

func (o *orderAPI) list(c echo.Context) error {
	header := c.Response().Header()
	header["Vary"] = []string{"Accept"}
	format, err := chooseFormat(c.Request().Header)
	whole := err == nil && format.isCSV // anything else gets JSON, as ever
	parameters, err := readQuery(c)
	if err != nil {
		return err
	}
	q, err := o.parse(parameters, whole)
	if err != nil {
		return err
	}
	if whole {
		return o.listCSV(c, &q)
	}
	if err := freshList(c, o.store, o.of, &asof.Moment{}); err != nil {
		return err
	}
	rows, next, err := o.store.List(c.Request().Context(), q.Filter, q.after, q.limit)
	if err != nil {
		return fmt.Errorf("list orders: %w", err)
	}
	buf := httpapi.TakeBuffer()
	defer buf.Release()
	buf.B = append(buf.B, `{"items":[`...)
	for i, row := range rows {
		if i > 0 {
			buf.B = append(buf.B, ',')
		}
		buf.B = append(buf.B, row...)
	}
	buf.B = append(buf.B, ']')
	if next != "" {
		buf.B = append(buf.B, `,"next_cursor":"`...)
		buf.B = append(buf.B, o.of.Cursor(encodeCursor(q.parameters, next))...)
		buf.B = append(buf.B, '"')
	}
	buf.B = append(buf.B, '}')
	return httpapi.WriteBody(c, http.StatusOK, httpapi.JSONContentType, buf.B)
}

// orderColumns are the columns of orders as CSV: members of the JSON that are no lists, how many lines and units an
// order has, and when it was placed. Metadata is JSON in one column, because each order may have other keys.
var orderColumns = []struct {
	name  string
	value func(*orderview.Order) string
}{
	{"order_id", func(o *orderview.Order) string { return o.ID }},
	{"number", func(o *orderview.Order) string { return strconv.FormatUint(o.Number, 10) }},
	{"kind", func(o *orderview.Order) string { return o.Kind }},
	{"placed_at", func(o *orderview.Order) string { return o.Timeline[0].OccurredAt.UTC().Format(time.RFC3339Nano) }},
	{"version", func(o *orderview.Order) string { return strconv.FormatUint(o.Version, 10) }},
	{"status", func(o *orderview.Order) string { return o.Status }},
	{"payment_status", func(o *orderview.Order) string { return o.PaymentStatus }},
	{"fulfilment_status", func(o *orderview.Order) string { return o.FulfilmentStatus }},
	{"return_status", func(o *orderview.Order) string { return o.ReturnStatus }},
	{"customer_id", func(o *orderview.Order) string { return o.CustomerID }},
	{"country", func(o *orderview.Order) string { return o.Country }},
	{"reference", func(o *orderview.Order) string { return o.Reference }},
	{"lines", func(o *orderview.Order) string { return strconv.Itoa(len(o.Lines)) }},
	{"units", func(o *orderview.Order) string { return strconv.FormatInt(unitsOf(o), 10) }},
	{"currency", func(o *orderview.Order) string { return o.Currency }},
	{"subtotal", func(o *orderview.Order) string { return o.Subtotal }},
	{"discount_total", func(o *orderview.Order) string { return o.DiscountTotal }},
	{"charge_total", func(o *orderview.Order) string { return o.ChargeTotal }},
	{"tax_total", func(o *orderview.Order) string { return o.TaxTotal }},
	{"total", func(o *orderview.Order) string { return o.Total }},
	{"authorized", func(o *orderview.Order) string { return o.Authorized }},
	{"captured", func(o *orderview.Order) string { return o.Captured }},
	{"voided", func(o *orderview.Order) string { return o.Voided }},
	{"refunded", func(o *orderview.Order) string { return o.Refunded }},
	{"refund_due", func(o *orderview.Order) string { return o.RefundDue }},
	{"goodwill", func(o *orderview.Order) string { return o.Goodwill }},
	{"payment_due", func(o *orderview.Order) string { return o.PaymentDue }},
	{"payment_deadline", func(o *orderview.Order) string { return o.PaymentDeadline }},
	{"metadata", metadataJSON},
}

// metadataJSON is the metadata of an order, its keys sorted; "" for none.
func metadataJSON(o *orderview.Order) string {
	if len(o.Metadata) == 0 {
		return ""
	}
	text := []byte{'{'}
	for i, key := range slices.Sorted(maps.Keys(o.Metadata)) {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendjson.String(append(appendjson.String(text, key), ':'), o.Metadata[key])
	}
	return string(append(text, '}'))
}

// unitsOf are the units that were ordered and not cancelled.
func unitsOf(o *orderview.Order) (units int64) {
	for i := range o.Lines {
		units += o.Lines[i].Quantity - o.Lines[i].Cancelled
	}
	return units
}

// listCSV answers with all orders of the filter.
func (o *orderAPI) listCSV(c echo.Context, q *listQuery) error {
	stream, err := o.streams.open(c, "orders")
	if err != nil {
		return err
	}
	defer stream.close()
	if err := freshList(c, o.store, o.of, &asof.Moment{}); err != nil {
		return err
	}
	stream.age = -1 // fresh has said it
	ctx, cancel := context.WithTimeout(c.Request().Context(), CSVTimeout)
	defer cancel()
	return stream.answer(func() error {
		columns, values := make([]string, len(orderColumns)), make([]string, len(orderColumns))
		for i, column := range orderColumns {
			columns[i] = column.name
		}
		if err := stream.Begin(columns); err != nil {
			return err
		}
		return o.store.Each(ctx, q.Filter, func(row *orderview.Order) error {
			for i, column := range orderColumns {
				values[i] = column.value(row)
			}
			return stream.Row(values)
		})
	})
}

// metadataKey is the key in the name of a parameter such as metadata[channel], as OpenAPI's style deepObject has it.
func metadataKey(name string) (key string, ok bool) {
	if key, ok = strings.CutPrefix(name, "metadata["); ok {
		key, ok = strings.CutSuffix(key, "]")
	}
	return key, ok
}

func badParameter(detail string) error {
	return &problem.Problem{Code: problem.InvalidParameter, Detail: detail}
}
