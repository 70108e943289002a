package order

import (
	"slices"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/limits"
)

// MaxReturns bounds the returns of one order, MaxReturnBytes the ID of one.
const (
	MaxReturns     = 1_000
	MaxReturnBytes = 64
)

// Return is goods that a customer sends back.
type Return struct {
	ID    string
	Lines []ReturnLine
}

// ReturnLine is a line of the order in a return. Always Received ≤ Quantity.
type ReturnLine struct {
	SKU                string
	Quantity, Received int64
	Line               int32
}

// RequestReturn says what a customer will send back. No lines: all that has been delivered.
//
//	ORD-40  At most what has been delivered, has not come back and is in no other return (over_return). No lines: all of
//	        that; none left: nothing_to_return. A return has an ID of its own (invalid_return_id, return_exists). An
//	        order has at most 1,000 (too_many_returns).
type RequestReturn struct {
	ReturnID string
	Lines    []LineQuantity
	Reason   string
}

// ReturnRequested says that the customer will send these quantities back.
type ReturnRequested struct {
	ReturnID string
	Lines    []LineQuantity
	Reason   string
}

// acceptsReturns reports whether something may have arrived that can come back.
func (o *Order) acceptsReturns() bool {
	return o.acceptsDeliveries()
}

func (c RequestReturn) decide(o *Order) ([]Event, error) {
	if !o.acceptsReturns() {
		return nil, o.illegal("request_return")
	}
	switch {
	case c.ReturnID == "" || len(c.ReturnID) > MaxReturnBytes || !utf8.ValidString(c.ReturnID):
		return nil, refuse(CodeInvalidReturnID, "/return_id", "a return's ID is 1 to 64 bytes of UTF-8")
	case len(o.Returns) >= MaxReturns:
		return nil, o.refuseHere(CodeTooManyReturns, "an order has at most 1000 returns")
	case o.findReturn(c.ReturnID) >= 0:
		return nil, refuse(CodeReturnExists, "/return_id", "the order has a return of this ID")
	}
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	left := o.returnable()
	if len(left) == 0 {
		return nil, o.nothingToReturn()
	}
	lines := left.quantities()
	if len(c.Lines) > 0 {
		var err error
		if lines, err = left.choose(o, c.Lines, choice{over: CodeOverReturn}); err != nil {
			return nil, err
		}
	}
	return []Event{ReturnRequested{ReturnID: c.ReturnID, Lines: lines, Reason: c.Reason}}, nil
}

// nothingToReturn refuses a return, and says what goods are that came back without having arrived.
func (o *Order) nothingToReturn() *Error {
	detail := "nothing has been delivered that is not coming back already"
	if o.hasFulfilment(func(f Fulfilment) bool { return !f.Pending && len(f.undelivered()) > 0 }) {
		detail += "; where a shipment came back without having arrived, tell it with fail_delivery " +
			"(POST …/fulfilments/{fulfilment_id}/failure)"
	}
	return o.refuseHere(CodeNothingToReturn, detail)
}

func (e ReturnRequested) evolve(o *Order, _ Facts) {
	lines := o.returnable().takeAll(e.Lines)
	o.changeReturn(e.ReturnID, func(r *Return) {
		for _, l := range lines {
			r.Lines = append(r.Lines, ReturnLine{SKU: l.SKU, Quantity: l.Quantity, Line: l.Line})
		}
	})
}

// CancelReturn gives up what of a return has not come.
//
//	ORD-42  The return exists (unknown_return), and something of it is still to come (return_closed).
type CancelReturn struct{ ReturnID, Reason string }

// ReturnCancelled says that these quantities, which had not come, will not come.
type ReturnCancelled struct {
	ReturnID string
	Lines    []LineQuantity
	Reason   string
}

func (c CancelReturn) decide(o *Order) ([]Event, error) {
	if !o.acceptsReturns() {
		return nil, o.illegal("cancel_return")
	}
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	open, err := o.openReturn(c.ReturnID)
	if err != nil {
		return nil, err
	}
	return []Event{ReturnCancelled{ReturnID: c.ReturnID, Lines: open.quantities(), Reason: c.Reason}}, nil
}

func (e ReturnCancelled) evolve(o *Order, _ Facts) {
	o.changeReturn(e.ReturnID, func(r *Return) {
		for _, l := range r.open().takeAll(e.Lines) {
			r.line(l.Line).Quantity -= l.Quantity
		}
	})
}

// findReturn returns the index of a return, or -1.
func (o *Order) findReturn(id string) int {
	return slices.IndexFunc(o.Returns, func(r Return) bool { return r.ID == id })
}

// openReturn is what of a return is still to come.
func (o *Order) openReturn(id string) (remainingLines, error) {
	i := o.findReturn(id)
	if i < 0 {
		return nil, refuse(CodeUnknownReturn, "/return_id", "the order has no return of this ID")
	}
	open := o.Returns[i].open()
	if len(open) == 0 {
		return nil, o.refuseHere(CodeReturnClosed, "nothing of the return is still to come")
	}
	return open, nil
}

// open is what is still to come.
func (r *Return) open() remainingLines {
	open := make(remainingLines, 0, len(r.Lines))
	for _, l := range r.Lines {
		if n := l.Quantity - l.Received; n > 0 {
			open = append(open, remaining{l.SKU, l.Line, n, n})
		}
	}
	return open.sorted()
}

// returnable is what has been delivered, has not come back, and is in no open return.
func (o *Order) returnable() remainingLines {
	all := o.remains((*Line).returnable)
	for i := range o.Returns {
		all.takeAll(o.Returns[i].open().quantities())
	}
	return all.some()
}

// returnable is what has been delivered and has not come back.
func (l *Line) returnable() int64 { return l.Delivered - l.Returned }

// changeReturn changes one return. One that does not exist is made.
func (o *Order) changeReturn(id string, change func(*Return)) {
	returns := append(make([]Return, 0, len(o.Returns)+1), o.Returns...)
	i := o.findReturn(id)
	if i < 0 {
		i = len(returns)
		returns = append(returns, Return{ID: id})
	}
	returns[i].Lines = append(make([]ReturnLine, 0, len(returns[i].Lines)+1), returns[i].Lines...)
	change(&returns[i])
	o.Returns = returns
}

// line is the line of a number in the return, which has it.
func (r *Return) line(number int32) *ReturnLine {
	i := slices.IndexFunc(r.Lines, func(l ReturnLine) bool { return l.Line == number })
	return &r.Lines[i]
}
