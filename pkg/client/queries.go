package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
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

// Order reads an order with its timeline.
func (c *Client) Order(ctx context.Context, orderID string, options ...CallOption) (*Answer[Order], error) {
	return query[Order](ctx, c, request{method: http.MethodGet, path: path("orders", orderID)}, options)
}

// OrderFilter selects a page of orders. Zero values select all.
type OrderFilter struct {
	CustomerID string
	Status     OrderStatus
	Limit      int
	// Cursor is NextCursor of the page before.
	Cursor string
}

// Orders reads a page of orders, newest first.
func (c *Client) Orders(ctx context.Context, filter OrderFilter, options ...CallOption) (*Answer[OrderPage], error) {
	values := parameters(filter.Limit, map[string]string{
		"customer_id": filter.CustomerID,
		"status":      string(filter.Status),
		"cursor":      filter.Cursor,
	})
	return query[OrderPage](ctx, c, request{method: http.MethodGet, path: path("orders"), query: values}, options)
}

// ReportFilter selects a page of a report. Zero values select all.
type ReportFilter struct {
	// By is the key of the rows, such as "month".
	By string
	// From and To are days or times. What happened at To is not included.
	From, To string
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
