package client

import "context"

// PlaceOrder places an order and waits for its reservation. Too little stock is a *Problem with Short lines.
func (c *Client) PlaceOrder(ctx context.Context, order PlaceOrder, options ...CallOption) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders"), order, options)
}

// CancelOrder ends an order that has not shipped.
func (c *Client) CancelOrder(ctx context.Context, orderID, reason string, options ...CallOption) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "cancel"), CancelOrder{Reason: reason}, options)
}

// ConfirmOrder confirms an order that is authorized or on account.
func (c *Client) ConfirmOrder(ctx context.Context, orderID string, options ...CallOption) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "confirm"), Empty{}, options)
}

// RecordPayment records what happened to a payment.
func (c *Client) RecordPayment(
	ctx context.Context, orderID string, payment Payment, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "payments"), payment, options)
}

// ShipOrder records a shipment, or with the action create prepares one. Without lines it is of all that is left. The
// answer has its FulfilmentID.
func (c *Client) ShipOrder(
	ctx context.Context, orderID string, shipment ShipOrder, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "fulfilments"), shipment, options)
}

// ShipFulfilment records that a fulfilment left. ShipOrder with the action create has made it.
func (c *Client) ShipFulfilment(
	ctx context.Context, orderID, fulfilmentID string, shipment ShipFulfilment, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "fulfilments", fulfilmentID, "shipment"), shipment, options)
}

// CancelFulfilment gives up a fulfilment that has not left.
func (c *Client) CancelFulfilment(
	ctx context.Context, orderID, fulfilmentID, reason string, options ...CallOption,
) (*OrderAnswer, error) {
	body := CancelFulfilment{Reason: reason}
	return c.changeOrder(ctx, path("orders", orderID, "fulfilments", fulfilmentID, "cancel"), body, options)
}

// DeliverOrder records that a shipment arrived. Without lines it is all that has not arrived yet.
func (c *Client) DeliverOrder(
	ctx context.Context, orderID, fulfilmentID string, delivery DeliverOrder, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "fulfilments", fulfilmentID, "delivery"), delivery, options)
}

// FailDelivery records that a shipment did not arrive, and came back or is lost. With a condition it is all that has
// not arrived.
func (c *Client) FailDelivery(
	ctx context.Context, orderID, fulfilmentID string, failure FailDelivery, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "fulfilments", fulfilmentID, "failure"), failure, options)
}

// ReverseShipment takes back a shipment that was recorded by mistake: its goods never left.
func (c *Client) ReverseShipment(
	ctx context.Context, orderID, fulfilmentID, reason string, options ...CallOption,
) (*OrderAnswer, error) {
	body := ReverseShipment{Reason: reason}
	return c.changeOrder(ctx, path("orders", orderID, "fulfilments", fulfilmentID, "shipment", "reversal"), body, options)
}

// ReverseDelivery takes back a delivery that was recorded by mistake. Without lines it is all that has been delivered.
func (c *Client) ReverseDelivery(
	ctx context.Context, orderID, fulfilmentID string, reversal ReverseDelivery, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(
		ctx, path("orders", orderID, "fulfilments", fulfilmentID, "delivery", "reversal"), reversal, options)
}

// CancelLines removes quantities that have not shipped from an order.
func (c *Client) CancelLines(
	ctx context.Context, orderID string, lines CancelLines, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "cancel-lines"), lines, options)
}

// AmendOrder changes quantities and prices of lines, or adds lines. If another shard's stock has not answered within
// the wait, the answer is the order as it is now.
func (c *Client) AmendOrder(
	ctx context.Context, orderID string, amendment AmendOrder, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "amend"), amendment, options)
}

// HoldOrder puts an order on hold.
func (c *Client) HoldOrder(ctx context.Context, orderID, reason string, options ...CallOption) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "hold"), HoldOrder{Reason: reason}, options)
}

// ResumeOrder ends the hold of an order.
func (c *Client) ResumeOrder(ctx context.Context, orderID string, options ...CallOption) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "resume"), Empty{}, options)
}

// RequestReturn records what a customer will send back. Without lines it is all that was delivered. The answer has
// its ReturnID.
func (c *Client) RequestReturn(
	ctx context.Context, orderID string, request RequestReturn, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "returns"), request, options)
}

// ReceiveReturn records goods that came back, with their condition.
func (c *Client) ReceiveReturn(
	ctx context.Context, orderID, returnID string, receipt ReceiveReturn, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("orders", orderID, "returns", returnID, "receipt"), receipt, options)
}

// CancelReturn gives up what has not come back of a return.
func (c *Client) CancelReturn(
	ctx context.Context, orderID, returnID, reason string, options ...CallOption,
) (*OrderAnswer, error) {
	body := CancelReturn{Reason: reason}
	return c.changeOrder(ctx, path("orders", orderID, "returns", returnID, "cancel"), body, options)
}

// ImportOrder records a past order.
func (c *Client) ImportOrder(
	ctx context.Context, document ImportDocument, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("imports", "orders"), document, options)
}

// ImportCreditNote records a past credit note. Its quantities are positive.
func (c *Client) ImportCreditNote(
	ctx context.Context, document ImportDocument, options ...CallOption,
) (*OrderAnswer, error) {
	return c.changeOrder(ctx, path("imports", "credit-notes"), document, options)
}
