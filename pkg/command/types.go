package command

import "net/http"

// The commands' names in the API.
const (
	PlaceOrder        = "place_order"
	CancelOrder       = "cancel_order"
	AuthorizePayment  = "authorize_payment"
	CapturePayment    = "capture_payment"
	StartPayment      = "start_payment"
	VoidPayment       = "void_payment"
	RefundPayment     = "refund_payment"
	FailPayment       = "fail_payment"
	ConfirmOrder      = "confirm_order"
	ShipOrder         = "ship_order"
	CreateFulfilment  = "create_fulfilment"
	ShipFulfilment    = "ship_fulfilment"
	CancelFulfilment  = "cancel_fulfilment"
	CancelLines       = "cancel_lines"
	AmendOrder        = "amend_order"
	HoldOrder         = "hold_order"
	ResumeOrder       = "resume_order"
	DeliverOrder      = "deliver_order"
	RequestReturn     = "request_return"
	ReceiveReturn     = "receive_return"
	CancelReturn      = "cancel_return"
	ImportOrder       = "import_order"
	ImportCreditNote  = "import_credit_note"
	RegisterItem      = "register_item"
	ReceiveStock      = "receive_stock"
	ExpectStock       = "expect_stock"
	MoveStock         = "move_stock"
	ShipTransfer      = "ship_transfer"
	ReceiveTransfer   = "receive_transfer"
	AdjustStock       = "adjust_stock"
	CountStock        = "count_stock"
	SetSafetyStock    = "set_safety_stock"
	SetBackorderLimit = "set_backorder_limit"
)

// Aggregate is what a command changes.
type Aggregate int

// The aggregates.
const (
	Order Aggregate = iota + 1
	Stock
)

// Info is what the API needs to know of a command before reading its body.
type Info struct {
	Aggregate Aggregate
	// Creates: the order ID derives from the client's key.
	Creates bool
	// Keyed: an Idempotency-Key is required. Without it the command is idempotent by itself (PUT).
	Keyed bool
	// Status is the HTTP status of success.
	Status int
}

// Lookup returns what is known of a command type.
func Lookup(typ string) (Info, bool) {
	switch typ {
	case PlaceOrder, ImportOrder, ImportCreditNote:
		return Info{Order, true, true, http.StatusCreated}, true
	case StartPayment, AuthorizePayment, CapturePayment, VoidPayment, RefundPayment, FailPayment, ShipOrder, CreateFulfilment,
		RequestReturn:
		return Info{Order, false, true, http.StatusCreated}, true
	case CancelOrder, CancelLines, AmendOrder, ConfirmOrder, HoldOrder, ResumeOrder, ShipFulfilment, CancelFulfilment, DeliverOrder,
		ReceiveReturn, CancelReturn:
		return Info{Order, false, true, http.StatusOK}, true
	case ReceiveTransfer:
		return Info{Stock, false, true, http.StatusOK}, true
	case ReceiveStock, MoveStock, ShipTransfer, AdjustStock, CountStock:
		return Info{Stock, false, true, http.StatusCreated}, true
	case RegisterItem, ExpectStock, SetSafetyStock, SetBackorderLimit:
		return Info{Stock, false, false, http.StatusOK}, true
	}
	return Info{}, false
}

// Types lists every command type.
func Types() []string {
	return []string{
		PlaceOrder, CancelOrder, StartPayment, AuthorizePayment, CapturePayment, VoidPayment, RefundPayment, FailPayment,
		ConfirmOrder, HoldOrder, ResumeOrder, CancelLines, AmendOrder, CreateFulfilment, ShipOrder, ShipFulfilment, CancelFulfilment,
		DeliverOrder, RequestReturn, ReceiveReturn, CancelReturn,
		ImportOrder, ImportCreditNote, RegisterItem, ExpectStock, ReceiveStock, MoveStock, ShipTransfer, ReceiveTransfer,
		AdjustStock, CountStock, SetSafetyStock, SetBackorderLimit,
	}
}
