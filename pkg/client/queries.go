package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Availability reads how much of a SKU can be sold.
func (c *Client) Availability(ctx context.Context, sku string, options ...CallOption) (*StockAnswer, error) {
	return query[Availability](ctx, c, request{method: http.MethodGet, path: path("availability", sku)}, options)
}

// Availabilities reads many SKUs at once, at most 1,000.
func (c *Client) Availabilities(
	ctx context.Context, skus []string, options ...CallOption,
) (*Answer[AvailabilityList], error) {
	r := request{method: http.MethodPost, path: path("availability"), body: SKUs{SKUs: skus}}
	return query[AvailabilityList](ctx, c, r, options)
}

// Stock reads an item with its transfers, its expected deliveries and the orders that wait for it.
func (c *Client) Stock(ctx context.Context, sku string, options ...CallOption) (*Answer[StockItem], error) {
	return query[StockItem](ctx, c, request{method: http.MethodGet, path: path("stock", sku)}, options)
}

// ItemFilter selects a page of items. Zero values select all.
type ItemFilter struct {
	// Prefix is how the SKU begins.
	Prefix string
	// Text is words, each of which stands in the SKU or the description.
	Text string
	// Location is one that the items have, or have had.
	Location string
	// Below selects the items of which less can be sold, at Location where that is set; 0: any.
	Below int64
	Limit int
	// Cursor is NextCursor of the page before.
	Cursor string
}

func (f ItemFilter) request() request {
	values := parameters(f.Limit, map[string]string{
		"prefix": f.Prefix, "text": f.Text, "location": f.Location, "cursor": f.Cursor,
	})
	if f.Below != 0 {
		values.Set("below", strconv.FormatInt(f.Below, 10))
	}
	return request{method: http.MethodGet, path: path("availability"), query: values}
}

// Items reads a page of items by SKU.
func (c *Client) Items(
	ctx context.Context, filter ItemFilter, options ...CallOption,
) (*Answer[AvailabilityPage], error) {
	return query[AvailabilityPage](ctx, c, filter.request(), options)
}

// ChangesFilter asks what differs in stock from one moment to another, or to now. Moments are as At has them.
type ChangesFilter struct {
	From, To string
	// SKU asks about one item, Prefix about those whose SKU begins so.
	SKU, Prefix string
	// Location asks about one location.
	Location string
	Limit    int
	// Cursor is NextCursor of the page before.
	Cursor string
}

// StockChanges reads a page of items that differ between two moments, by SKU.
func (c *Client) StockChanges(
	ctx context.Context, filter ChangesFilter, options ...CallOption,
) (*Answer[StockChangesPage], error) {
	r := request{method: http.MethodGet, path: path("stock-changes"), query: parameters(filter.Limit, map[string]string{
		"from": filter.From, "to": filter.To, "sku": filter.SKU, "prefix": filter.Prefix, "location": filter.Location,
		"cursor": filter.Cursor,
	})}
	return query[StockChangesPage](ctx, c, r, options)
}

// LedgerFilter selects a page of an item's ledger. Zero values select all.
type LedgerFilter struct {
	// Location selects the events that changed it.
	Location string
	Limit    int
	// Cursor is NextCursor of a page, for older entries, or PreviousCursor, for newer ones.
	Cursor string
}

// Ledger reads a page of an item's events, the newest first.
func (c *Client) Ledger(
	ctx context.Context, sku string, filter LedgerFilter, options ...CallOption,
) (*Answer[Ledger], error) {
	r := request{
		method: http.MethodGet, path: path("stock", sku, "ledger"),
		query: parameters(filter.Limit, map[string]string{"location": filter.Location, "cursor": filter.Cursor}),
	}
	return query[Ledger](ctx, c, r, options)
}

// Order reads an order with its timeline.
func (c *Client) Order(ctx context.Context, orderID string, options ...CallOption) (*Answer[Order], error) {
	return query[Order](ctx, c, request{method: http.MethodGet, path: path("orders", orderID)}, options)
}

// OrderAllocations reads where an order's goods are, and where they came from.
func (c *Client) OrderAllocations(
	ctx context.Context, orderID string, options ...CallOption,
) (*Answer[OrderAllocations], error) {
	r := request{method: http.MethodGet, path: path("orders", orderID, "allocations")}
	return query[OrderAllocations](ctx, c, r, options)
}

// OrderFilter selects a page of orders. Zero values select all.
type OrderFilter struct {
	CustomerID       string
	Status           OrderStatus
	PaymentStatus    PaymentStatus
	FulfilmentStatus FulfilmentStatus
	ReturnStatus     ReturnStatus
	Kind             OrderKind
	// SKU selects the orders that have a line of it, also a cancelled one.
	SKU string
	// Reference and Country are those of the order.
	Reference, Country string
	Currency           Currency
	// MinTotal and MaxTotal are what the order costs at least and at most, such as "19.90". They need Currency.
	MinTotal, MaxTotal string
	// Days (2026-03-01, in the platform's time zone) or times (2026-03-01T10:00:00Z): when the order was placed, when its
	// last event was recorded, and when it has to be paid. From is included, To is not.
	PlacedFrom, PlacedTo, ChangedFrom, ChangedTo, DeadlineFrom, DeadlineTo string
	// Number selects the order with that number; 0: any.
	Number int64
	// Metadata selects the orders that have all these entries.
	Metadata Metadata
	Limit    int
	// Cursor is NextCursor of the page before.
	Cursor string
}

// Orders reads a page of orders, newest first. A page may have fewer than Limit, and none: there are more for as long
// as it has a NextCursor.
func (c *Client) Orders(ctx context.Context, filter OrderFilter, options ...CallOption) (*Answer[OrderPage], error) {
	return query[OrderPage](ctx, c, filter.request(), options)
}

func (f OrderFilter) request() request {
	values := parameters(f.Limit, map[string]string{
		"customer_id":       f.CustomerID,
		"status":            string(f.Status),
		"payment_status":    string(f.PaymentStatus),
		"fulfilment_status": string(f.FulfilmentStatus),
		"return_status":     string(f.ReturnStatus),
		"kind":              string(f.Kind),
		"sku":               f.SKU,
		"reference":         f.Reference,
		"country":           f.Country,
		"currency":          f.Currency,
		"min_total":         f.MinTotal,
		"max_total":         f.MaxTotal,
		"placed_from":       f.PlacedFrom,
		"placed_to":         f.PlacedTo,
		"changed_from":      f.ChangedFrom,
		"changed_to":        f.ChangedTo,
		"deadline_from":     f.DeadlineFrom,
		"deadline_to":       f.DeadlineTo,
		"cursor":            f.Cursor,
	})
	if f.Number != 0 {
		values.Set("number", strconv.FormatInt(f.Number, 10))
	}
	for key, value := range f.Metadata {
		values.Set("metadata["+key+"]", value)
	}
	return request{method: http.MethodGet, path: path("orders"), query: values}
}

// ReportFilter selects a page of a report. Zero values select all.
type ReportFilter struct {
	// By is the key of the rows, such as "month".
	By string
	// From and To are days or times. What happened at To is not included.
	From, To string
	// Zone is the time zone of days and months, such as Europe/London; empty: that of the platform.
	Zone string
	// Currency and SKU select rows. Location selects rows of stock movements.
	Currency, SKU, Location string
	Limit                   int
	// Cursor is NextCursor of the page before.
	Cursor string
}

func (f ReportFilter) request(report string) request {
	values := parameters(f.Limit, map[string]string{
		"by":       f.By,
		"from":     f.From,
		"to":       f.To,
		"tz":       f.Zone,
		"currency": f.Currency,
		"sku":      f.SKU,
		"location": f.Location,
		"cursor":   f.Cursor,
	})
	return request{method: http.MethodGet, path: path("reports", report), query: values}
}

// Revenue reads a page of revenue.
func (c *Client) Revenue(
	ctx context.Context, filter ReportFilter, options ...CallOption,
) (*Answer[RevenuePage], error) {
	return query[RevenuePage](ctx, c, filter.request("revenue"), options)
}

// StockMovements reads a page of what came in and went out.
func (c *Client) StockMovements(
	ctx context.Context, filter ReportFilter, options ...CallOption,
) (*Answer[StockMovementsPage], error) {
	return query[StockMovementsPage](ctx, c, filter.request("stock-movements"), options)
}

// Question asks an insight. Zero values ask for all.
type Question struct {
	// By and Measures are the keys and measures of the answer; nil: all. Totals are By that is empty and not nil.
	By, Measures []string
	// Where chooses rows by values of keys.
	Where map[string][]string
	// From and To are days or times; To is not included. Zone is that of days and months, such as Europe/London.
	From, To, Zone string
	// Order is a key or a measure, behind - for descending order.
	Order string
	// Version is a fingerprint, or the ID of a replay; empty: the live version.
	Version string
	Limit   int
	// Cursor is NextCursor of the page before.
	Cursor string
}

// Ask reads a page of the answer of an insight.
func (c *Client) Ask(
	ctx context.Context, insight string, q Question, options ...CallOption,
) (*Answer[InsightPage], error) {
	return query[InsightPage](ctx, c, q.request(insight), options)
}

// Raw is an answer as it came.
type Raw struct {
	Body []byte
	// NextCursor is the cursor of the next page; empty on the last one.
	NextCursor string
}

// AskAs reads a page of the answer in a format: "application/json" or "application/x-ndjson". AskCSV has the other one.
func (c *Client) AskAs(
	ctx context.Context, format, insight string, q Question, options ...CallOption,
) (*Answer[Raw], error) {
	r := q.request(insight)
	r.accept = format
	return query[Raw](ctx, c, r, options)
}

func (q Question) request(insight string) request {
	values := parameters(q.Limit, map[string]string{
		"from": q.From, "to": q.To, "tz": q.Zone, "order": q.Order, "version": q.Version, "cursor": q.Cursor,
	})
	for name, list := range map[string][]string{"by": q.By, "measures": q.Measures} {
		if list != nil {
			values.Set(name, strings.Join(list, ","))
		}
	}
	for key, list := range q.Where {
		values[key] = list
	}
	return request{method: http.MethodGet, path: path("insights", insight), query: values}
}

// Insights lists the insights with their versions.
func (c *Client) Insights(ctx context.Context, options ...CallOption) (*Answer[InsightList], error) {
	return query[InsightList](ctx, c, request{method: http.MethodGet, path: path("insights")}, options)
}

// PreviewInsight checks the text of a definition, and answers it once. A limit of 0 is that of the server.
func (c *Client) PreviewInsight(
	ctx context.Context, definition string, limit int, options ...CallOption,
) (*Answer[InsightPreview], error) {
	r := request{
		method: http.MethodPost, path: path("insights", "preview"), query: parameters(limit, nil),
		body: map[string]string{"definition": definition},
	}
	return query[InsightPreview](ctx, c, r, options)
}

// parameters are the query parameters that have a value.
func parameters(limit int, texts map[string]string) url.Values {
	values := url.Values{}
	for name, value := range texts {
		if value != "" {
			values.Set(name, value)
		}
	}
	if limit != 0 {
		values.Set("limit", strconv.Itoa(limit))
	}
	return values
}
