package orderview

import (
	"slices"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// applyReturn folds events of returns.
func (o *Order) applyReturn(ev *eventv1.OrderEvent, e *Entry) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_ReturnRequestedV2:
		e.ReturnID, e.Reason = c.ReturnRequestedV2.ReturnId, c.ReturnRequestedV2.Reason
		r := o.returnWith(e.ReturnID)
		r.Reason = e.Reason
		r.addQuantities(c.ReturnRequestedV2.Lines, e, 1)
	case *eventv1.OrderEvent_ReturnReceivedV3:
		e.ReturnID = c.ReturnReceivedV3.ReturnId
		r := o.returnWith(e.ReturnID)
		o.receiveReturn(r, c.ReturnReceivedV3.Lines, e)
		o.credit(c.ReturnReceivedV3.Charges, true)
		o.returnedCost = c.ReturnReceivedV3.ReturnedMicros
		o.due.returned += c.ReturnReceivedV3.RefundDueMicros
		o.voided += c.ReturnReceivedV3.VoidedMicros
		o.clearPaymentDue()
		r.setStatus()
	case *eventv1.OrderEvent_ReturnCancelledV2:
		e.ReturnID, e.Reason = c.ReturnCancelledV2.ReturnId, c.ReturnCancelledV2.Reason
		o.returnWith(e.ReturnID).addQuantities(c.ReturnCancelledV2.Lines, e, -1)
	}
}

// receiveReturn notes goods that came back on the return, and on the order's lines: on those that are named, or on the
// first ones of their SKU and price.
func (o *Order) receiveReturn(r *Return, received []*eventv1.ReturnedLine, e *Entry) {
	for _, back := range received {
		e.Lines = append(e.Lines, LineQuantity{Line: back.Line, SKU: back.Sku, Quantity: back.Quantity})
		line := r.line(back.Line, back.Sku)
		line.Received += back.Quantity
		o.returned += back.Quantity * back.UnitPriceMicros
		if back.Condition == eventv1.Condition_CONDITION_DAMAGED {
			line.Damaged += back.Quantity
		}
		left, price := back.Quantity, o.amount(back.UnitPriceMicros)
		for _, l := range o.linesOf(back.Line, back.Sku) {
			if l.UnitPrice == price {
				n := min(left, l.Delivered-l.Returned)
				l.Returned += n
				left -= n
			}
		}
	}
}

// returnWith finds the return with an ID, which is added where it is new.
func (o *Order) returnWith(id string) *Return {
	i := slices.IndexFunc(o.Returns, func(r Return) bool { return r.ID == id })
	if i < 0 {
		i = len(o.Returns)
		o.Returns = append(o.Returns, Return{ID: id})
	}
	return &o.Returns[i]
}

// line finds a line in the return. What was requested without a number has all lines of its SKU. One that is new is
// added.
func (r *Return) line(number uint32, sku string) *ReturnLine {
	i := slices.IndexFunc(r.Lines, func(l ReturnLine) bool { return l.SKU == sku && l.Line == number })
	if i < 0 {
		i = slices.IndexFunc(r.Lines, func(l ReturnLine) bool { return l.SKU == sku && l.Line == 0 })
	}
	if i < 0 {
		i = len(r.Lines)
		r.Lines = append(r.Lines, ReturnLine{Line: number, SKU: sku})
	}
	return &r.Lines[i]
}

// addQuantities adds to what is to come back, or takes off it where sign is -1.
func (r *Return) addQuantities(lines []*eventv1.LineQuantity, e *Entry, sign int64) {
	for _, l := range lines {
		r.line(l.Line, l.Sku).Quantity += sign * l.Quantity
	}
	e.Lines = append(e.Lines, lineQuantities(lines)...)
	r.setStatus()
}

// setStatus sets the return's status by its quantities. A return of nothing was cancelled.
func (r *Return) setStatus() {
	quantity, received := r.units()
	if r.Status = returnStatus(quantity, received); quantity == 0 {
		r.Status = "cancelled"
	}
}

func (r *Return) units() (quantity, received int64) {
	for _, l := range r.Lines {
		quantity, received = quantity+l.Quantity, received+l.Received
	}
	return quantity, received
}

// returnStatus is that of the order as a whole.
func (o *Order) returnStatus() string {
	var quantity, received int64
	for i := range o.Returns {
		q, r := o.Returns[i].units()
		quantity, received = quantity+q, received+r
	}
	return returnStatus(quantity, received)
}

func returnStatus(quantity, received int64) string {
	switch {
	case quantity == 0:
		return "none"
	case received == 0:
		return "requested"
	case received < quantity:
		return "partially_received"
	}
	return "received"
}
