package client

import (
	"context"
	"io"
	"net/http"
)

const jsonType = "application/json"

// PlaceOrder places an order and waits for its reservation. Not enough stock is a *Problem with Short lines.
func (c *Client) PlaceOrder(ctx context.Context, order PlaceOrder, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), order, func(b io.Reader) (*http.Request, error) {
		return NewPlaceOrderRequestWithBody(c.server, nil, jsonType, b)
	})
}

// CancelOrder ends an order that has not shipped.
func (c *Client) CancelOrder(ctx context.Context, orderID, reason string, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), CancelOrder{Reason: reason}, func(b io.Reader) (*http.Request, error) {
		return NewCancelOrderRequestWithBody(c.server, orderID, nil, jsonType, b)
	})
}

// ConfirmOrder confirms an order that is authorized or on account.
func (c *Client) ConfirmOrder(ctx context.Context, orderID string, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), Empty{}, func(b io.Reader) (*http.Request, error) {
		return NewConfirmOrderRequestWithBody(c.server, orderID, nil, jsonType, b)
	})
}

// RecordPayment records what happened to a payment.
func (c *Client) RecordPayment(ctx context.Context, orderID string, payment Payment, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), payment, func(b io.Reader) (*http.Request, error) {
		return NewRecordPaymentRequestWithBody(c.server, orderID, nil, jsonType, b)
	})
}

// ShipOrder records a shipment, or with the action create sets its lines aside; without lines all that is left. The
// answer has its FulfilmentID.
func (c *Client) ShipOrder(ctx context.Context, orderID string, shipment ShipOrder, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), shipment, func(b io.Reader) (*http.Request, error) {
		return NewShipOrderRequestWithBody(c.server, orderID, nil, jsonType, b)
	})
}

// CancelLines takes quantities that have not shipped off an order.
func (c *Client) CancelLines(ctx context.Context, orderID string, lines CancelLines, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), lines, func(b io.Reader) (*http.Request, error) {
		return NewCancelLinesRequestWithBody(c.server, orderID, nil, jsonType, b)
	})
}

// AmendOrder changes quantities and prices of lines, or adds lines. Where stock elsewhere has not answered within the
// wait, the order is answered as it is.
func (c *Client) AmendOrder(ctx context.Context, orderID string, amendment AmendOrder, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), amendment, func(b io.Reader) (*http.Request, error) {
		return NewAmendOrderRequestWithBody(c.server, orderID, nil, jsonType, b)
	})
}

// HoldOrder stops an order where it is.
func (c *Client) HoldOrder(ctx context.Context, orderID, reason string, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), HoldOrder{Reason: reason}, func(b io.Reader) (*http.Request, error) {
		return NewHoldOrderRequestWithBody(c.server, orderID, nil, jsonType, b)
	})
}

// ResumeOrder lets an order on hold go on.
func (c *Client) ResumeOrder(ctx context.Context, orderID string, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), Empty{}, func(b io.Reader) (*http.Request, error) {
		return NewResumeOrderRequestWithBody(c.server, orderID, nil, jsonType, b)
	})
}

// ShipFulfilment records that a fulfilment left, which ShipOrder with the action create has made.
func (c *Client) ShipFulfilment(ctx context.Context, orderID, fulfilmentID string, shipment ShipFulfilment, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), shipment, func(b io.Reader) (*http.Request, error) {
		return NewShipFulfilmentRequestWithBody(c.server, orderID, fulfilmentID, nil, jsonType, b)
	})
}

// CancelFulfilment gives up a fulfilment that has not left.
func (c *Client) CancelFulfilment(ctx context.Context, orderID, fulfilmentID, reason string, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), CancelFulfilment{Reason: reason}, func(b io.Reader) (*http.Request, error) {
		return NewCancelFulfilmentRequestWithBody(c.server, orderID, fulfilmentID, nil, jsonType, b)
	})
}

// DeliverOrder records that a shipment arrived; without lines all of it that has not yet.
func (c *Client) DeliverOrder(ctx context.Context, orderID, fulfilmentID string, delivery DeliverOrder, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), delivery, func(b io.Reader) (*http.Request, error) {
		return NewDeliverOrderRequestWithBody(c.server, orderID, fulfilmentID, nil, jsonType, b)
	})
}

// RequestReturn says what a customer will send back; without lines all that was delivered. The answer has its ReturnID.
func (c *Client) RequestReturn(ctx context.Context, orderID string, request RequestReturn, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), request, func(b io.Reader) (*http.Request, error) {
		return NewRequestReturnRequestWithBody(c.server, orderID, nil, jsonType, b)
	})
}

// ReceiveReturn records goods that came back, with their condition.
func (c *Client) ReceiveReturn(ctx context.Context, orderID, returnID string, receipt ReceiveReturn, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), receipt, func(b io.Reader) (*http.Request, error) {
		return NewReceiveReturnRequestWithBody(c.server, orderID, returnID, nil, jsonType, b)
	})
}

// CancelReturn gives up what of a return has not come.
func (c *Client) CancelReturn(ctx context.Context, orderID, returnID, reason string, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), CancelReturn{Reason: reason}, func(b io.Reader) (*http.Request, error) {
		return NewCancelReturnRequestWithBody(c.server, orderID, returnID, nil, jsonType, b)
	})
}

// ImportOrder records a past order.
func (c *Client) ImportOrder(ctx context.Context, document ImportDocument, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), document, func(b io.Reader) (*http.Request, error) {
		return NewImportOrderRequestWithBody(c.server, nil, jsonType, b)
	})
}

// ImportCreditNote records a past credit note; its quantities are positive.
func (c *Client) ImportCreditNote(ctx context.Context, document ImportDocument, options ...CallOption) (*Answer[OrderSummary], error) {
	return send[OrderSummary](ctx, c, c.options(options), document, func(b io.Reader) (*http.Request, error) {
		return NewImportCreditNoteRequestWithBody(c.server, nil, jsonType, b)
	})
}

// RegisterItem makes a SKU known, or changes its description.
func (c *Client) RegisterItem(ctx context.Context, sku, description string, options ...CallOption) (*Answer[Availability], error) {
	return send[Availability](ctx, c, c.options(options), RegisterItem{Description: description}, func(b io.Reader) (*http.Request, error) {
		return NewRegisterItemRequestWithBody(c.server, sku, nil, jsonType, b)
	})
}

// ReceiveStock adds goods that arrived.
func (c *Client) ReceiveStock(ctx context.Context, sku string, receipt ReceiveStock, options ...CallOption) (*Answer[Availability], error) {
	return send[Availability](ctx, c, c.options(options), receipt, func(b io.Reader) (*http.Request, error) {
		return NewReceiveStockRequestWithBody(c.server, sku, nil, jsonType, b)
	})
}

// ExpectStock says how much of a delivery is still to come.
func (c *Client) ExpectStock(ctx context.Context, sku string, delivery ExpectStock, options ...CallOption) (*Answer[Availability], error) {
	return send[Availability](ctx, c, c.options(options), delivery, func(b io.Reader) (*http.Request, error) {
		return NewExpectStockRequestWithBody(c.server, sku, nil, jsonType, b)
	})
}

// MoveStock moves units between states that are not promised to orders.
func (c *Client) MoveStock(ctx context.Context, sku string, move MoveStock, options ...CallOption) (*Answer[Availability], error) {
	return send[Availability](ctx, c, c.options(options), move, func(b io.Reader) (*http.Request, error) {
		return NewMoveStockRequestWithBody(c.server, sku, nil, jsonType, b)
	})
}

// ShipTransfer sends stock to another location. The answer has its TransferID.
func (c *Client) ShipTransfer(ctx context.Context, sku string, transfer ShipTransfer, options ...CallOption) (*Answer[Availability], error) {
	return send[Availability](ctx, c, c.options(options), transfer, func(b io.Reader) (*http.Request, error) {
		return NewShipTransferRequestWithBody(c.server, sku, nil, jsonType, b)
	})
}

// ReceiveTransfer records what of a transfer has arrived, for sale or damaged, what is missing, and what is rejected.
func (c *Client) ReceiveTransfer(ctx context.Context, sku, transferID string, receipt ReceiveTransfer, options ...CallOption) (*Answer[Availability], error) {
	return send[Availability](ctx, c, c.options(options), receipt, func(b io.Reader) (*http.Request, error) {
		return NewReceiveTransferRequestWithBody(c.server, sku, transferID, nil, jsonType, b)
	})
}

// AdjustStock changes what is on hand, for a reason.
func (c *Client) AdjustStock(ctx context.Context, sku string, adjustment AdjustStock, options ...CallOption) (*Answer[Availability], error) {
	return send[Availability](ctx, c, c.options(options), adjustment, func(b io.Reader) (*http.Request, error) {
		return NewAdjustStockRequestWithBody(c.server, sku, nil, jsonType, b)
	})
}

// CountStock sets what is on hand to what was counted.
func (c *Client) CountStock(ctx context.Context, sku string, count CountStock, options ...CallOption) (*Answer[Availability], error) {
	return send[Availability](ctx, c, c.options(options), count, func(b io.Reader) (*http.Request, error) {
		return NewCountStockRequestWithBody(c.server, sku, nil, jsonType, b)
	})
}

// SetSafetyStock holds a quantity back from sale.
func (c *Client) SetSafetyStock(ctx context.Context, sku string, safety SetSafetyStock, options ...CallOption) (*Answer[Availability], error) {
	return send[Availability](ctx, c, c.options(options), safety, func(b io.Reader) (*http.Request, error) {
		return NewSetSafetyStockRequestWithBody(c.server, sku, nil, jsonType, b)
	})
}

// SetBackorderLimit lets orders take more than there is, down to the limit.
func (c *Client) SetBackorderLimit(ctx context.Context, sku string, limit int64, options ...CallOption) (*Answer[Availability], error) {
	return send[Availability](ctx, c, c.options(options), SetBackorderLimit{Limit: limit}, func(b io.Reader) (*http.Request, error) {
		return NewSetBackorderLimitRequestWithBody(c.server, sku, nil, jsonType, b)
	})
}
