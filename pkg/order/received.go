package order

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/limits"
)

// ReceiveReturn records goods that came back, some of a return or all of it.
//
//	ORD-41  At most what of the return is still to come (unknown_return, over_return), each line resellable or damaged
//	        (invalid_condition). Nothing still to come: return_closed. Resellable goods go to available, damaged ones to
//	        damaged. They come from the first delivered lines of their SKU, at their prices. They go to the location that
//	        is named for them (invalid_location), or else to where they had left from (INV-18). What is paid beyond what
//	        is kept then is due for refund, and what is authorized beyond it is voided (ORD-61).
type ReceiveReturn struct {
	ReturnID string
	Lines    []ReturnedLine
	// Location is where the goods came back to; "": to where they had left from.
	Location string
}

// ReturnedLine is a quantity that came back in a condition.
type ReturnedLine struct {
	SKU       string
	Quantity  int64
	Condition Condition
}

// Condition says whether returned goods can be sold again. A closed set; values equal those of the event schema.
type Condition int32

// The conditions.
const (
	Resellable Condition = iota + 1
	Damaged
)

// ReturnReceived has what came back, with its prices and by its condition.
type ReturnReceived struct {
	ReturnID            string
	Resellable, Damaged []PlaceLine
	// RefundDueMicros is captured, and VoidedMicros authorized, beyond what the customer keeps.
	RefundDueMicros, VoidedMicros int64
	Location                      string
}

// ReturnedTo is what came back of a SKU to a location that was named for it.
type ReturnedTo struct {
	SKU string
	ReturnedAt
}

func (c ReceiveReturn) decide(o *Order) ([]Event, error) {
	if !o.acceptsReturns() {
		return nil, o.illegal("receive_return")
	}
	if len(c.Lines) == 0 {
		return nil, refuse(CodeInvalidLines, "/lines", "names the lines that came back")
	}
	open, err := o.openReturn(c.ReturnID)
	if err != nil {
		return nil, err
	}
	if limits.Longer(c.Location, limits.MaxLocationLength) || !plain(c.Location) {
		return nil, refuse(CodeInvalidLocation, "/location",
			"a location is at most 64 characters, without control characters or outer spaces")
	}
	quantities := make([]LineQuantity, len(c.Lines))
	for i, l := range c.Lines {
		if l.Condition != Resellable && l.Condition != Damaged {
			return nil, refuse(CodeInvalidCondition, linePointer(i, "condition"), "goods come back resellable or damaged")
		}
		quantities[i] = LineQuantity{l.SKU, l.Quantity}
	}
	if _, err := open.choose(quantities, choice{over: CodeOverReturn}); err != nil {
		return nil, err
	}
	received := o.priceReturned(c)
	after := Evolve(*o, received, Facts{})
	received.VoidedMicros, received.RefundDueMicros = after.surplus(o.TotalMicros)
	return []Event{received}, nil
}

// priceReturned gives what came back the prices of the lines that it came from, the first lines of a SKU first.
func (o *Order) priceReturned(c ReceiveReturn) ReturnReceived {
	received := ReturnReceived{ReturnID: c.ReturnID, Location: c.Location}
	room := make([]int64, len(o.Lines))
	for i := range o.Lines {
		room[i] = o.Lines[i].Delivered - o.Lines[i].Returned
	}
	for _, l := range c.Lines {
		for i := range o.Lines {
			n := min(l.Quantity, room[i])
			if o.Lines[i].SKU != l.SKU || n == 0 {
				continue
			}
			room[i] -= n
			l.Quantity -= n
			priced := PlaceLine{SKU: l.SKU, Quantity: n, UnitPriceMicros: o.Lines[i].UnitPriceMicros}
			if l.Condition == Damaged {
				received.Damaged = append(received.Damaged, priced)
			} else {
				received.Resellable = append(received.Resellable, priced)
			}
		}
	}
	return received
}

// Lines of the same SKU and price get their goods back, the first line first.
func (e ReturnReceived) evolve(o *Order, _ Facts) {
	o.Lines = slices.Clone(o.Lines)
	put := func(lines []PlaceLine, damaged bool) {
		for _, back := range lines {
			o.changeReturn(e.ReturnID, func(r *Return) { r.line(back.SKU).Received += back.Quantity })
			o.returnTo(back, e.Location, damaged)
			for i := range o.Lines {
				l := &o.Lines[i]
				if l.SKU != back.SKU || l.UnitPriceMicros != back.UnitPriceMicros {
					continue
				}
				n := min(back.Quantity, l.Delivered-l.Returned)
				back.Quantity -= n
				if l.Returned += n; damaged {
					l.Damaged += n
				}
			}
		}
	}
	put(e.Resellable, false)
	put(e.Damaged, true)
	o.VoidedMicros += e.VoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.clearPaymentDue()
	o.reservationChanged()
}

// returnTo notes what came back to a location that was named for it.
func (o *Order) returnTo(back PlaceLine, location string, damaged bool) {
	if location == "" {
		return
	}
	to := append(make([]ReturnedTo, 0, len(o.ReturnedTo)+1), o.ReturnedTo...)
	k := slices.IndexFunc(to, func(r ReturnedTo) bool { return r.SKU == back.SKU && r.Location == location })
	if k < 0 {
		k = len(to)
		to = append(to, ReturnedTo{back.SKU, ReturnedAt{Location: location}})
	}
	if damaged {
		to[k].Damaged += back.Quantity
	} else {
		to[k].Restocked += back.Quantity
	}
	o.ReturnedTo = to
}
