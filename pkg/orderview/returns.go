package orderview

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/money"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Return is goods that a customer sends back.
type Return struct {
	ID     string       `json:"return_id"`
	Status string       `json:"status"` // requested, partially_received, received, cancelled
	Reason string       `json:"reason,omitempty"`
	Lines  []ReturnLine `json:"lines"`
}

// ReturnLine is a SKU's part of a return, in units; Damaged is a part of Received.
type ReturnLine struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
	Received int64  `json:"received"`
	Damaged  int64  `json:"damaged,omitempty"`
}

// giveBack folds what comes back.
func (o *Order) giveBack(ev *eventv1.OrderEvent, e *Entry) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_ReturnRequested:
		e.ReturnID, e.Reason = c.ReturnRequested.ReturnId, c.ReturnRequested.Reason
		r := o.returnOf(e.ReturnID)
		r.Reason = e.Reason
		for _, l := range c.ReturnRequested.Lines {
			e.Lines = append(e.Lines, LineQuantity{l.Sku, l.Quantity})
			r.line(l.Sku).Quantity += l.Quantity
		}
		r.settle()
	case *eventv1.OrderEvent_ReturnReceivedV2:
		e.ReturnID = c.ReturnReceivedV2.ReturnId
		r := o.returnOf(e.ReturnID)
		o.takeBack(r, c.ReturnReceivedV2.Lines, e)
		o.refundDue += c.ReturnReceivedV2.RefundDueMicros
		o.voided += c.ReturnReceivedV2.VoidedMicros
		o.paidUp()
		r.settle()
	case *eventv1.OrderEvent_ReturnCancelled:
		e.ReturnID, e.Reason = c.ReturnCancelled.ReturnId, c.ReturnCancelled.Reason
		r := o.returnOf(e.ReturnID)
		for _, l := range c.ReturnCancelled.Lines {
			e.Lines = append(e.Lines, LineQuantity{l.Sku, l.Quantity})
			r.line(l.Sku).Quantity -= l.Quantity
		}
		r.settle()
	}
}

// takeBack takes goods off lines of their SKU and price, the first first.
func (o *Order) takeBack(r *Return, back []*eventv1.ReturnedLine, e *Entry) {
	for _, b := range back {
		e.Lines = append(e.Lines, LineQuantity{b.Sku, b.Quantity})
		line := r.line(b.Sku)
		line.Received += b.Quantity
		o.returned += b.Quantity * b.UnitPriceMicros
		if b.Condition == eventv1.Condition_CONDITION_DAMAGED {
			line.Damaged += b.Quantity
		}
		rest, price := b.Quantity, money.Format(b.UnitPriceMicros)
		for i := range o.Lines {
			if l := &o.Lines[i]; l.SKU == b.Sku && l.UnitPrice == price {
				n := min(rest, l.Delivered-l.Returned)
				l.Returned += n
				rest -= n
			}
		}
	}
}

// returnOf finds a return, which is made when it is new.
func (o *Order) returnOf(id string) *Return {
	i := slices.IndexFunc(o.Returns, func(r Return) bool { return r.ID == id })
	if i < 0 {
		i = len(o.Returns)
		o.Returns = append(o.Returns, Return{ID: id})
	}
	return &o.Returns[i]
}

func (r *Return) line(sku string) *ReturnLine {
	i := slices.IndexFunc(r.Lines, func(l ReturnLine) bool { return l.SKU == sku })
	if i < 0 {
		i = len(r.Lines)
		r.Lines = append(r.Lines, ReturnLine{SKU: sku})
	}
	return &r.Lines[i]
}

func (r *Return) settle() {
	var quantity, received int64
	for _, l := range r.Lines {
		quantity, received = quantity+l.Quantity, received+l.Received
	}
	if r.Status = returnStatus(quantity, received); quantity == 0 {
		r.Status = "cancelled"
	}
}

func (o *Order) returnStatus() string {
	var quantity, received int64
	for _, r := range o.Returns {
		for _, l := range r.Lines {
			quantity, received = quantity+l.Quantity, received+l.Received
		}
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
