package client

import (
	"context"
	"net/http"
)

// RegisterItem registers a SKU, or changes its description and its metadata. Metadata that is nil stays as it is; an
// empty map removes it.
func (c *Client) RegisterItem(
	ctx context.Context, sku string, item RegisterItem, options ...CallOption,
) (*StockAnswer, error) {
	return c.changeStock(ctx, http.MethodPut, path("stock", sku), item, options)
}

// ReceiveStock adds goods that arrived.
func (c *Client) ReceiveStock(
	ctx context.Context, sku string, receipt ReceiveStock, options ...CallOption,
) (*StockAnswer, error) {
	return c.changeStock(ctx, http.MethodPost, path("stock", sku, "receipts"), receipt, options)
}

// ExpectStock sets how much of a delivery is still to come.
func (c *Client) ExpectStock(
	ctx context.Context, sku string, delivery ExpectStock, options ...CallOption,
) (*StockAnswer, error) {
	return c.changeStock(ctx, http.MethodPut, path("stock", sku, "incoming"), delivery, options)
}

// MoveStock moves units between states that are not promised to orders.
func (c *Client) MoveStock(
	ctx context.Context, sku string, move MoveStock, options ...CallOption,
) (*StockAnswer, error) {
	return c.changeStock(ctx, http.MethodPost, path("stock", sku, "moves"), move, options)
}

// ShipTransfer sends stock to another location. The answer has its TransferID.
func (c *Client) ShipTransfer(
	ctx context.Context, sku string, transfer ShipTransfer, options ...CallOption,
) (*StockAnswer, error) {
	return c.changeStock(ctx, http.MethodPost, path("stock", sku, "transfers"), transfer, options)
}

// ReceiveTransfer records what has arrived of a transfer, for sale or damaged, what is missing and what is rejected.
func (c *Client) ReceiveTransfer(
	ctx context.Context, sku, transferID string, receipt ReceiveTransfer, options ...CallOption,
) (*StockAnswer, error) {
	return c.changeStock(ctx, http.MethodPost, path("stock", sku, "transfers", transferID, "receipt"), receipt, options)
}

// CancelTransfer takes back what of a transfer has not arrived.
func (c *Client) CancelTransfer(
	ctx context.Context, sku, transferID, reason string, options ...CallOption,
) (*StockAnswer, error) {
	body := CancelTransfer{Reason: reason}
	return c.changeStock(ctx, http.MethodPost, path("stock", sku, "transfers", transferID, "cancel"), body, options)
}

// AdjustStock changes what is on hand, for a reason.
func (c *Client) AdjustStock(
	ctx context.Context, sku string, adjustment AdjustStock, options ...CallOption,
) (*StockAnswer, error) {
	return c.changeStock(ctx, http.MethodPost, path("stock", sku, "adjustments"), adjustment, options)
}

// CountStock sets what is on hand to what was counted.
func (c *Client) CountStock(
	ctx context.Context, sku string, count CountStock, options ...CallOption,
) (*StockAnswer, error) {
	return c.changeStock(ctx, http.MethodPost, path("stock", sku, "counts"), count, options)
}

// SetSafetyStock sets the quantity that is kept back from sale.
func (c *Client) SetSafetyStock(
	ctx context.Context, sku string, safety SetSafetyStock, options ...CallOption,
) (*StockAnswer, error) {
	return c.changeStock(ctx, http.MethodPut, path("stock", sku, "safety-stock"), safety, options)
}

// SetBackorderLimit sets how many units more than there are orders may reserve.
func (c *Client) SetBackorderLimit(
	ctx context.Context, sku string, limit int64, options ...CallOption,
) (*StockAnswer, error) {
	body := SetBackorderLimit{Limit: limit}
	return c.changeStock(ctx, http.MethodPut, path("stock", sku, "backorder-limit"), body, options)
}

// Locations lists the locations that were declared, and main.
func (c *Client) Locations(ctx context.Context) (*Answer[LocationList], error) {
	return query[LocationList](ctx, c, request{method: http.MethodGet, path: path("locations")}, nil)
}

// PutLocation declares a location, or changes its description.
func (c *Client) PutLocation(ctx context.Context, location string, is PutLocation) (*Answer[StockLocation], error) {
	r := request{method: http.MethodPut, path: path("locations", location), body: is}
	return command[StockLocation](ctx, c, r, nil)
}

// RetireLocation has a location take no new goods.
func (c *Client) RetireLocation(ctx context.Context, location string) (*Answer[StockLocation], error) {
	at := path("locations", location, "retirement")
	return command[StockLocation](ctx, c, request{method: http.MethodPost, path: at}, nil)
}

// ReopenLocation takes a retired location into use again.
func (c *Client) ReopenLocation(ctx context.Context, location string) (*Answer[StockLocation], error) {
	at := path("locations", location, "retirement", "reversal")
	return command[StockLocation](ctx, c, request{method: http.MethodPost, path: at}, nil)
}
