package order

// Error is a command refused; it writes nothing. Code is stable, Detail is for people, Pointer
// (RFC 6901, may be empty) names the field of the command. Status and Allowed go with refusals that
// lie in the order's state: where it stands, and the commands that it takes there.
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
	CodeInvalidOrderID      = "invalid_order_id"
	CodeInvalidFulfilmentID = "invalid_fulfilment_id"
	CodeUnknownCurrency     = "unknown_currency"
	CodeAmountOverflow      = "amount_overflow"
	CodeTotalMismatch       = "total_mismatch"
	CodePaymentRequired     = "payment_required"
	CodeOverAuthorization   = "over_authorization"
	CodeOverCapture         = "over_capture"
	CodeAlreadyShipped      = "already_shipped"
	CodeNothingToShip       = "nothing_to_ship"
	CodeOverShipment        = "over_shipment"
	CodeBackordered         = "backordered"
	CodeTooManyFulfilments  = "too_many_fulfilments"
	CodeFulfilmentExists    = "fulfilment_exists"
	CodeUnknownFulfilment   = "unknown_fulfilment"
	CodeAlreadyDelivered    = "already_delivered"
	CodeUnknownCommand      = "unknown_command"
)

// Error makes a refusal an error.
func (e *Error) Error() string { return e.Code + ": " + e.Detail }

func refuse(code, pointer, detail string) *Error {
	return &Error{Code: code, Pointer: pointer, Detail: detail}
}

// refuseHere is a refusal that lies in the order's state.
func (o *Order) refuseHere(code, detail string) *Error {
	return &Error{Code: code, Detail: detail, Status: o.Lifecycle.String(), Allowed: o.allowed()}
}

// illegal refuses a command that the order's state does not take.
func (o *Order) illegal(command string) *Error {
	return o.refuseHere(CodeIllegalTransition, "an order that is "+o.Lifecycle.String()+" does not take "+command)
}

// allowed names the commands that clients may give in the order's state.
func (o *Order) allowed() []string {
	switch {
	case o.Lifecycle == None:
		return []string{"place", "import"}
	case o.Kind != KindOrder:
		return nil
	}
	switch o.Lifecycle {
	case Placed:
		return []string{"cancel"}
	case Reserved:
		return []string{"authorize_payment", "confirm", "cancel"}
	case Confirmed:
		if o.shippedUnits() > 0 {
			return []string{"authorize_payment", "capture_payment", "ship", "deliver"}
		}
		return []string{"authorize_payment", "capture_payment", "cancel", "ship"}
	case Completed:
		return []string{"authorize_payment", "capture_payment", "deliver"}
	case None, Rejected, Cancelled, Expired, OnHold:
	}
	return nil
}
