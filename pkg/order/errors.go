package order

// Error is a refused command, which writes nothing. Code is stable, and Detail is for people. Pointer (RFC 6901) names
// the field of the command; it may be empty. A refusal because of the order's state has Status, where the order is,
// and Allowed, the commands that it accepts there.
type Error struct {
	Code    string
	Detail  string
	Pointer string
	Status  string
	Allowed []string
}

// The codes. Texts that are too long have the code invalid_ with the name of their field.
const (
	CodeAlreadyPlaced       = "already_placed"
	CodeIllegalTransition   = "illegal_transition"
	CodeInvalidLines        = "invalid_lines"
	CodeInvalidSKU          = "invalid_sku"
	CodeInvalidQuantity     = "invalid_quantity"
	CodeInvalidPrice        = "invalid_price"
	CodeInvalidAmount       = "invalid_amount"
	CodeInvalidTerms        = "invalid_terms"
	CodeInvalidKind         = "invalid_kind"
	CodeInvalidAllocation   = "invalid_allocation"
	CodeInvalidMetadata     = "invalid_metadata"
	CodeInvalidOrderID      = "invalid_order_id"
	CodeInvalidFulfilmentID = "invalid_fulfilment_id"
	CodeUnknownCurrency     = "unknown_currency"
	CodeAmountOverflow      = "amount_overflow"
	CodeTotalMismatch       = "total_mismatch"
	CodePaymentRequired     = "payment_required"
	CodeOverAuthorization   = "over_authorization"
	CodeOverCapture         = "over_capture"
	CodeOverVoid            = "over_void"
	CodeOverRefund          = "over_refund"
	CodeNothingToVoid       = "nothing_to_void"
	CodeNothingToRefund     = "nothing_to_refund"
	CodeTooManyPayments     = "too_many_payments"
	// CodePaymentReferenceReused: the order has the provider's reference with another amount.
	CodePaymentReferenceReused = "payment_reference_reused"
	// CodeProviderEventReused: the order has the provider's ID of the fact with another amount or reference.
	CodeProviderEventReused = "provider_event_reused"
	CodeOverCancellation    = "over_cancellation"
	CodeNothingLeft         = "nothing_would_be_left"
	CodeFulfilmentShipped   = "fulfilment_shipped"
	CodeAlreadyShipped      = "already_shipped"
	CodeNothingToShip       = "nothing_to_ship"
	CodeOverShipment        = "over_shipment"
	CodeBackordered         = "backordered"
	CodeTooManyFulfilments  = "too_many_fulfilments"
	CodeFulfilmentExists    = "fulfilment_exists"
	CodeUnknownFulfilment   = "unknown_fulfilment"
	CodeOverDelivery        = "over_delivery"
	CodeAlreadyDelivered    = "already_delivered"
	// CodeDeliveryFailed: nothing of the shipment is on its way, for its delivery has failed.
	CodeDeliveryFailed    = "delivery_failed"
	CodeShipmentReversed  = "shipment_reversed"
	CodeNotDelivered      = "not_delivered"
	CodeOverReversal      = "over_reversal"
	CodeAlreadyReturned   = "already_returned"
	CodeInvalidReturnID   = "invalid_return_id"
	CodeInvalidLocation   = "invalid_location"
	CodeInvalidCondition  = "invalid_condition"
	CodeNothingToReturn   = "nothing_to_return"
	CodeOverReturn        = "over_return"
	CodeTooManyReturns    = "too_many_returns"
	CodeReturnExists      = "return_exists"
	CodeUnknownReturn     = "unknown_return"
	CodeReturnClosed      = "return_closed"
	CodeUnknownLine       = "unknown_line"
	CodeOverAmendment     = "over_amendment"
	CodeAmendmentPending  = "amendment_pending"
	CodeTooManyAmendments = "too_many_amendments"
	// CodeAlreadyRefunded: money has gone back, or is due to: the order cannot cost more.
	CodeAlreadyRefunded = "already_refunded"
	CodeUnknownCommand  = "unknown_command"
	CodeInvalidCharge   = "invalid_charge"
	CodeInvalidDiscount = "invalid_discount"
	CodeInvalidTax      = "invalid_tax"
	CodeInvalidRounding = "invalid_rounding"
	// CodeTaxMismatch: a tax is not its rate of what it is on.
	CodeTaxMismatch   = "tax_mismatch"
	CodeUnknownCharge = "unknown_charge"
	CodeOverCredit    = "over_credit"
)

// Error makes a refusal an error.
func (e *Error) Error() string { return e.Code + ": " + e.Detail }

func refuse(code, pointer, detail string) *Error {
	return &Error{Code: code, Pointer: pointer, Detail: detail}
}

// refuseHere is a refusal because of the order's state.
func (o *Order) refuseHere(code, detail string) *Error {
	return &Error{Code: code, Detail: detail, Status: o.Lifecycle.String(), Allowed: o.allowed()}
}

// illegal refuses a command that the order does not accept in its state.
func (o *Order) illegal(command string) *Error {
	return o.refuseHere(CodeIllegalTransition, "an order that is "+o.Lifecycle.String()+" does not take "+command)
}
