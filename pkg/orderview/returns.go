package orderview

import (
	"slices"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// applyReturn folds events of returns.
func (o *Order) applyReturn(ev *eventv1.OrderEvent, e *Entry) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_ReturnRequested:
		e.ReturnID, e.Reason = c.ReturnRequested.ReturnId, c.ReturnRequested.Reason
		r := o.returnWith(e.ReturnID)
		r.Reason = e.Reason
		r.addQuantities(c.ReturnRequested.Lines, e, 1)
	case *eventv1.OrderEvent_ReturnReceivedV2:
		e.ReturnID = c.ReturnReceivedV2.ReturnId
		r := o.returnWith(e.ReturnID)
		o.receiveReturn(r, c.ReturnReceivedV2.Lines, e)
		o.due.returned += c.ReturnReceivedV2.RefundDueMicros
		o.voided += c.ReturnReceivedV2.VoidedMicros
		o.clearPaymentDue()
		r.setStatus()
	case *eventv1.OrderEvent_ReturnCancelled:
		e.ReturnID, e.Reason = c.ReturnCancelled.ReturnId, c.ReturnCancelled.Reason
		o.returnWith(e.ReturnID).addQuantities(c.ReturnCancelled.Lines, e, -1)
	}
}

// receiveReturn notes goods that came back on the return, and on the order's lines of their SKU and price, from the
// first line on.
func (o *Order) receiveReturn(r *Return, received []*eventv1.ReturnedLine, e *Entry) {
	for _, back := range received {
		e.Lines = append(e.Lines, LineQuantity{back.Sku, back.Quantity})
		line := r.line(back.Sku)
		line.Received += back.Quantity
		o.returned += back.Quantity * back.UnitPriceMicros
		if back.Condition == eventv1.Condition_CONDITION_DAMAGED {
			line.Damaged += back.Quantity
		}
		left, price := back.Quantity, o.amount(back.UnitPriceMicros)
		for i := range o.Lines {
			if l := &o.Lines[i]; l.SKU == back.Sku && l.UnitPrice == price {
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

// line finds a return's line of a SKU, which is added where it is new.
func (r *Return) line(sku string) *ReturnLine {
	i := slices.IndexFunc(r.Lines, func(l ReturnLine) bool { return l.SKU == sku })
	if i < 0 {
		i = len(r.Lines)
		r.Lines = append(r.Lines, ReturnLine{SKU: sku})
	}
	return &r.Lines[i]
}

// addQuantities adds to what is to come back, or takes off it where sign is -1.
func (r *Return) addQuantities(lines []*eventv1.LineQuantity, e *Entry, sign int64) {
	for _, l := range lines {
		r.line(l.Sku).Quantity += sign * l.Quantity
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
