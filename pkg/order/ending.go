package order

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/limits"
)

// Confirm confirms an order that is paid or on account.
//
//	ORD-12  The total is authorized, or terms are on account: payment_required otherwise.
type Confirm struct{}

// OrderConfirmed says that what the order has reserved is committed from now on.
type OrderConfirmed struct{}

func (Confirm) decide(o *Order) ([]Event, error) {
	if o.Lifecycle != Reserved {
		return nil, o.illegal("confirm_order")
	}
	if o.Terms != OnAccount && o.uncovered() > 0 {
		return nil, o.refuseHere(CodePaymentRequired, "the order's total is not authorized yet")
	}
	return []Event{OrderConfirmed{}}, nil
}

func (OrderConfirmed) evolve(o *Order, _ Facts) {
	o.Lifecycle = Confirmed
	o.reservationChanged()
}

// Cancel ends an order that has not shipped.
//
//	ORD-13  Nothing has shipped (already_shipped). What is authorized and not captured is voided, and what is captured is
//	        due for refund.
type Cancel struct{ Reason string }

// OrderCancelled ended the order.
type OrderCancelled struct {
	Reason                        string
	VoidedMicros, RefundDueMicros int64
}

func (c Cancel) decide(o *Order) ([]Event, error) {
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	if o.Kind == KindOrder && (o.Lifecycle == Completed || o.offHold() == Confirmed && o.shippedUnits() > 0) {
		return nil, o.refuseHere(CodeAlreadyShipped, "part of the order has shipped")
	}
	if !o.cancellable() {
		return nil, o.illegal("cancel_order")
	}
	return o.declineAmendment(o.cancellation(c.Reason)), nil
}

func (o *Order) cancellable() bool {
	if o.Kind != KindOrder {
		return false
	}
	switch o.offHold() {
	case Placed, Reserved:
		return true
	case Confirmed:
		return o.shippedUnits() == 0
	case None, Completed, Rejected, Cancelled, Expired, OnHold:
	}
	return false
}

func (o *Order) cancellation(reason string) OrderCancelled {
	return OrderCancelled{Reason: reason, VoidedMicros: o.openAuthorization(), RefundDueMicros: o.paid()}
}

func (e OrderCancelled) evolve(o *Order, _ Facts) {
	o.VoidedMicros += e.VoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.end(Cancelled)
}

// Expire ends an order that was not paid in time. Before the deadline, and for an order that does not wait for a
// payment, it does nothing.
//
//	ORD-17  A prepaid order that is placed or reserved ends once AtMicros reaches its deadline. What was authorized is
//	        voided, and what is paid is due for refund. One that is confirmed and has lost its cover is cancelled
//	        (ORD-65).
type Expire struct{ AtMicros int64 }

// OrderExpired ended the order at its payment deadline.
type OrderExpired struct{ VoidedMicros, RefundDueMicros int64 }

func (c Expire) decide(o *Order) ([]Event, error) {
	if !o.AwaitsPayment() || o.PaymentDeadlineMicros == 0 || c.AtMicros < o.PaymentDeadlineMicros {
		return nil, nil
	}
	if o.Lifecycle == Confirmed {
		return o.cancelUncovered()
	}
	return o.declineAmendment(OrderExpired{VoidedMicros: o.openAuthorization(), RefundDueMicros: o.paid()}), nil
}

// cancelUncovered cancels what has not shipped of an order that lost its cover (ORD-65).
func (o *Order) cancelUncovered() ([]Event, error) {
	if o.shippedUnits() == 0 {
		return o.declineAmendment(o.cancellation(PaymentExpiredReason)), nil
	}
	var events []Event
	for _, f := range o.Fulfilments {
		if f.Pending {
			events = append(events, FulfilmentCancelled{FulfilmentID: f.ID, Reason: PaymentExpiredReason})
		}
	}
	rest := LinesCancelled{Lines: o.cancelled(o.left().quantities()), Reason: PaymentExpiredReason}
	if err := o.priceCancelled(&rest); err != nil {
		return nil, err
	}
	return o.declineAmendment(append(events, rest)...), nil
}

func (e OrderExpired) evolve(o *Order, _ Facts) {
	o.VoidedMicros += e.VoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.end(Expired)
}

// end gives up all that has not shipped. An expired order keeps its quantities: it may be placed again (ORD-25).
func (o *Order) end(end Lifecycle) {
	o.Lifecycle, o.HeldFrom = end, None
	o.PaymentDue, o.CoverLost = false, false
	o.dropFulfilments(func(f Fulfilment) bool { return f.Pending })
	o.Lines = slices.Clone(o.Lines)
	for i := range o.Lines {
		if end == Cancelled {
			o.Lines[i].Cancelled = o.Lines[i].Quantity - o.Lines[i].Shipped
		}
		o.Lines[i].Backordered, o.Lines[i].ShipAgain = 0, 0
	}
	o.reservationChanged()
}
