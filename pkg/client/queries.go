package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// Availability reads what of a SKU can be sold.
func (c *Client) Availability(ctx context.Context, sku string, options ...CallOption) (*Answer[Availability], error) {
	return send[Availability](ctx, c, c.query(options), nil, func(io.Reader) (*http.Request, error) {
		return NewGetAvailabilityRequest(c.server, sku, nil)
	})
}

// Availabilities reads many SKUs at once, at most 1,000.
func (c *Client) Availabilities(ctx context.Context, skus []string, options ...CallOption) (*Answer[AvailabilityList], error) {
	return send[AvailabilityList](ctx, c, c.query(options), SKUs{SKUs: skus}, func(b io.Reader) (*http.Request, error) {
		return NewGetAvailabilitiesRequestWithBody(c.server, nil, jsonType, b)
	})
}

// Stock reads an item with what is under way: transfers, expected deliveries, and the orders that wait.
func (c *Client) Stock(ctx context.Context, sku string, options ...CallOption) (*Answer[StockItem], error) {
	return send[StockItem](ctx, c, c.query(options), nil, func(io.Reader) (*http.Request, error) {
		return NewGetStockRequest(c.server, sku, nil)
	})
}

// Order reads an order with its timeline.
func (c *Client) Order(ctx context.Context, orderID string, options ...CallOption) (*Answer[Order], error) {
	return send[Order](ctx, c, c.query(options), nil, func(io.Reader) (*http.Request, error) {
		return NewGetOrderRequest(c.server, orderID, nil)
	})
}

// OrderFilter chooses a page of orders; zero values choose all.
type OrderFilter struct {
	CustomerID string
	Status     OrderStatus
	Limit      int
	// Cursor is NextCursor of the page before.
	Cursor string
}

// Orders reads a page of orders, newest first.
func (c *Client) Orders(ctx context.Context, filter OrderFilter, options ...CallOption) (*Answer[OrderPage], error) {
	values := url.Values{}
	for name, value := range map[string]string{
		"customer_id": filter.CustomerID, "status": string(filter.Status), "cursor": filter.Cursor,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if filter.Limit != 0 {
		values.Set("limit", strconv.Itoa(filter.Limit))
	}
	return send[OrderPage](ctx, c, c.query(options), nil, func(io.Reader) (*http.Request, error) {
		request, err := NewListOrdersRequest(c.server, nil)
		if err == nil {
			request.URL.RawQuery = values.Encode()
		}
		return request, err
	})
}

// ReportFilter chooses a page of a report; zero values choose all.
type ReportFilter struct {
	// By is what the rows stand for, such as "month".
	By string
	// From and To bound what happened: days or times, To excluded.
	From, To string
	// Currency and SKU choose rows; Location does for stock movements.
	Currency, SKU, Location string
	Limit                   int
	// Cursor is NextCursor of the page before.
	Cursor string
}

func (f ReportFilter) query() string {
	values := url.Values{}
	for name, value := range map[string]string{
		"by": f.By, "from": f.From, "to": f.To, "currency": f.Currency, "sku": f.SKU, "location": f.Location, "cursor": f.Cursor,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if f.Limit != 0 {
		values.Set("limit", strconv.Itoa(f.Limit))
	}
	return values.Encode()
}

// Revenue reads a page of revenue.
func (c *Client) Revenue(ctx context.Context, filter ReportFilter, options ...CallOption) (*Answer[RevenuePage], error) {
	return send[RevenuePage](ctx, c, c.query(options), nil, func(io.Reader) (*http.Request, error) {
		request, err := NewGetRevenueRequest(c.server, &GetRevenueParams{})
		if err == nil {
			request.URL.RawQuery = filter.query()
		}
		return request, err
	})
}

// StockMovements reads a page of what came in and went out.
func (c *Client) StockMovements(ctx context.Context, filter ReportFilter, options ...CallOption) (*Answer[StockMovementsPage], error) {
	return send[StockMovementsPage](ctx, c, c.query(options), nil, func(io.Reader) (*http.Request, error) {
		request, err := NewGetStockMovementsRequest(c.server, &GetStockMovementsParams{})
		if err == nil {
			request.URL.RawQuery = filter.query()
		}
		return request, err
	})
}

// query is a request without a key.
func (c *Client) query(options []CallOption) call {
	var o call
	for _, option := range options {
		option(&o)
	}
	return o
}
