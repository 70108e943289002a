package orderview

import (
	"encoding/json"
	"fmt"

	"github.com/holdfast/holdfast/pkg/money"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// render writes an order as GET /v1/orders/{id} answers it, with its version.
func render(number uint64, events []*eventv1.OrderEvent) (jsonBody []byte, version uint64, err error) {
	o := orderOf(number, events)
	b, err := json.Marshal(o)
	if err != nil {
		return nil, 0, fmt.Errorf("render order %s: %w", o.ID, err)
	}
	return b, o.Version, nil
}

// orderOf folds an order's events, oldest first.
func orderOf(number uint64, events []*eventv1.OrderEvent) *Order {
	o := &Order{Number: number}
	for _, ev := range events {
		o.apply(ev)
	}
	o.PaymentStatus, o.FulfilmentStatus, o.ReturnStatus = o.paymentStatus(), o.fulfilmentStatus(), o.returnStatus()
	o.Authorized, o.Captured, o.Voided = o.amount(o.authorized), o.amount(o.captured), o.amount(o.voided)
	o.Refunded, o.RefundDue, o.RefundDueFor = o.amount(o.refunded), o.amount(o.due.sum()), o.dueFor()
	for i := range o.Unmatched {
		o.Unmatched[i].Amount = o.amount(o.Unmatched[i].micros)
	}
	o.showSums()
	if o.goodwill > 0 {
		o.Goodwill = o.amount(o.goodwill)
	}
	if missing := o.uncovered(); o.underpaid && missing > 0 {
		o.PaymentDue = o.amount(missing)
	}
	return o
}

// amount is money to be paid, with the digits of the order's currency.
func (o *Order) amount(micros int64) string { return money.FormatIn(o.Currency, micros) }
