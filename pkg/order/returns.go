package order

import (
	"slices"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/money"
)

// MaxReturns bounds the returns of one order, MaxReturnBytes the ID of one.
const (
	MaxReturns     = 1_000
	MaxReturnBytes = 64
)

// Condition is what returned goods are good for. A closed set.
type Condition int32

// The conditions.
const (
	Resellable Condition = iota + 1
	Damaged
)

// Return is goods that a customer sends back.
type Return struct {
	ID    string
	Lines []ReturnLine
}

// ReturnLine is a SKU's part of a return. Always Received ≤ Quantity.
type ReturnLine struct {
	SKU                string
	Quantity, Received int64
}

// ReturnedLine is a quantity that came back in a condition.
type ReturnedLine struct {
	SKU       string
	Quantity  int64
	Condition Condition
}

// takesReturns: something may have arrived that can come back.
func (o *Order) takesReturns() bool {
	return o.takesDeliveries()
}

// requestReturn applies ORD-40.
func (o *Order) requestReturn(c RequestReturn) ([]Event, error) {
	if !o.takesReturns() {
		return nil, o.illegal("request_return")
	}
	switch {
	case c.ReturnID == "" || len(c.ReturnID) > MaxReturnBytes || !utf8.ValidString(c.ReturnID):
		return nil, refuse(CodeInvalidReturnID, "/return_id", "a return's ID is 1 to 64 bytes of UTF-8")
	case len(o.Returns) >= MaxReturns:
		return nil, o.refuseHere(CodeTooManyReturns, "an order has at most 1000 returns")
	case o.returnOf(c.ReturnID) >= 0:
		return nil, refuse(CodeReturnExists, "/return_id", "the order has a return of this ID")
	}
	if err := checkText("reason", c.Reason, MaxReasonBytes); err != nil {
		return nil, err
	}
	left := o.returnable()
	if len(left) == 0 {
		return nil, o.refuseHere(CodeNothingToReturn, "nothing has been delivered that is not coming back already")
	}
	lines := left.quantities()
	if len(c.Lines) > 0 {
		var err error
		if lines, err = left.choose(c.Lines, choice{over: CodeOverReturn}); err != nil {
			return nil, err
		}
	}
	return []Event{ReturnRequested{ReturnID: c.ReturnID, Lines: lines, Reason: c.Reason}}, nil
}

// receiveReturn applies ORD-41.
func (o *Order) receiveReturn(c ReceiveReturn) ([]Event, error) {
	if !o.takesReturns() {
		return nil, o.illegal("receive_return")
	}
	if len(c.Lines) == 0 {
		return nil, refuse(CodeInvalidLines, "/lines", "names the lines that came back")
	}
	open, err := o.openReturn(c.ReturnID)
	if err != nil {
		return nil, err
	}
	if len(c.Location) > MaxLocationBytes || !plain(c.Location) {
		return nil, refuse(CodeInvalidLocation, "/location", "a location is at most 64 bytes of text without control characters or outer spaces")
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
	received.VoidedMicros, received.RefundDueMicros = after.setFree(o.TotalMicros)
	return []Event{received}, nil
}

// priceReturned gives what came back the prices of the lines it came from: the first lines of a SKU first.
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

// keptOf is what is left of a total without what came back, which is rounded once, all of it together.
func (o *Order) keptOf(totalMicros int64) int64 {
	var returned int64
	for i := range o.Lines {
		returned += o.Lines[i].Returned * o.Lines[i].UnitPriceMicros // a part of the subtotal
	}
	if unit, ok := money.Lookup(o.Currency); ok {
		if rounded, err := unit.Round(returned); err == nil {
			returned = rounded
		}
	}
	return max(0, totalMicros-returned)
}

// cancelReturn applies ORD-42.
func (o *Order) cancelReturn(c CancelReturn) ([]Event, error) {
	if !o.takesReturns() {
		return nil, o.illegal("cancel_return")
	}
	if err := checkText("reason", c.Reason, MaxReasonBytes); err != nil {
		return nil, err
	}
	open, err := o.openReturn(c.ReturnID)
	if err != nil {
		return nil, err
	}
	return []Event{ReturnCancelled{ReturnID: c.ReturnID, Lines: open.quantities(), Reason: c.Reason}}, nil
}

// returnOf returns the index of a return, or -1.
func (o *Order) returnOf(id string) int {
	return slices.IndexFunc(o.Returns, func(r Return) bool { return r.ID == id })
}

// openReturn is what of a return is still to come.
func (o *Order) openReturn(id string) (unshippedSKUs, error) {
	i := o.returnOf(id)
	if i < 0 {
		return nil, refuse(CodeUnknownReturn, "/return_id", "the order has no return of this ID")
	}
	open := o.Returns[i].open()
	if len(open) == 0 {
		return nil, o.refuseHere(CodeReturnClosed, "nothing of the return is still to come")
	}
	return open, nil
}

// open is what is still to come, sorted by SKU.
func (r *Return) open() unshippedSKUs {
	var open unshippedSKUs
	for _, l := range r.Lines {
		if n := l.Quantity - l.Received; n > 0 {
			open = append(open, unshipped{l.SKU, n, n})
		}
	}
	return open.sorted()
}

// returnable is what has been delivered, has not come back, and is not asked back yet.
func (o *Order) returnable() unshippedSKUs {
	var all unshippedSKUs
	for i := range o.Lines {
		if n := o.Lines[i].Delivered - o.Lines[i].Returned; n > 0 {
			all = append(all, unshipped{o.Lines[i].SKU, n, n})
		}
	}
	all = all.sorted()
	for i := range o.Returns {
		for _, open := range o.Returns[i].open() {
			if k, ok := all.find(open.sku); ok {
				all[k].left -= open.left
			}
		}
	}
	return slices.DeleteFunc(all, func(u unshipped) bool { return u.left <= 0 })
}

// ReturnStatus derives: none, requested, partially_received, received. What was cancelled does not count.
func (o Order) ReturnStatus() string {
	var quantity, received int64
	for _, r := range o.Returns {
		for _, l := range r.Lines {
			quantity += l.Quantity
			received += l.Received
		}
	}
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

// evolveReturn changes one return.
func (o *Order) evolveReturn(id string, change func(*Return)) {
	returns := append(make([]Return, 0, len(o.Returns)+1), o.Returns...)
	i := o.returnOf(id)
	if i < 0 {
		i = len(returns)
		returns = append(returns, Return{ID: id})
	}
	returns[i].Lines = append(make([]ReturnLine, 0, len(returns[i].Lines)+1), returns[i].Lines...)
	change(&returns[i])
	o.Returns = returns
}

func (r *Return) line(sku string) *ReturnLine {
	i := slices.IndexFunc(r.Lines, func(l ReturnLine) bool { return l.SKU == sku })
	if i < 0 {
		i = len(r.Lines)
		r.Lines = append(r.Lines, ReturnLine{SKU: sku})
	}
	return &r.Lines[i]
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

// evolveReturned takes goods back from lines of their SKU and price, the first first.
func (o *Order) evolveReturned(e ReturnReceived) {
	o.Lines = slices.Clone(o.Lines)
	take := func(lines []PlaceLine, damaged bool) {
		for _, back := range lines {
			o.evolveReturn(e.ReturnID, func(r *Return) { r.line(back.SKU).Received += back.Quantity })
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
	take(e.Resellable, false)
	take(e.Damaged, true)
	o.VoidedMicros += e.VoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.paidUp()
	o.wantChanged()
}
