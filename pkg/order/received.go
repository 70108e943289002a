package order

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/limits"
)

// ReceiveReturn records goods that came back, some of a return or all of it.
//
//	ORD-41  At most what of the return is still to come (unknown_return, over_return), each line resellable or damaged
//	        (invalid_condition). Nothing still to come: return_closed. Resellable goods go to available, damaged ones to
//	        damaged, at the prices of their lines. They go to the location that is named for them (invalid_location), or
//	        else to where they had left from (INV-18). What is paid beyond what is kept then is due for refund, and what
//	        is authorized beyond it is voided (ORD-61).
type ReceiveReturn struct {
	ReturnID string
	Lines    []ReturnedLine
	// Location is where the goods came back to; "": to where they had left from.
	Location string
	// Charges are what of charges is given back with them.
	Charges []ChargeCredit
}

// ReturnedLine is a quantity of a line that came back in a condition. Line is 0 where the SKU is meant (ORD-69).
type ReturnedLine struct {
	SKU       string
	Quantity  int64
	Condition Condition
	Line      int32
}

// Condition says whether goods that came back can be sold again, or that they are lost. A closed set; values equal
// those of the event schema. Goods of a return are not lost.
type Condition int32

// The conditions.
const (
	Resellable Condition = iota + 1
	Damaged
	Lost
)

// ReturnReceived has what came back.
type ReturnReceived struct {
	ReturnID string
	Lines    []ReceivedLine
	// RefundDueMicros is captured, and VoidedMicros authorized, beyond what the customer keeps.
	RefundDueMicros, VoidedMicros int64
	Location                      string
	Charges                       []ChargeCredit
	// ReturnedMicros is what all that came back by now had cost, rounded as the total is.
	ReturnedMicros int64
}

// ReceivedLine is a part of a line that came back, at the price that it had, with its shares of discounts and taxes.
type ReceivedLine struct {
	Line                      int32
	SKU                       string
	Quantity                  int64
	UnitPriceMicros           int64
	Condition                 Condition
	DiscountMicros, TaxMicros int64
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
	if err := checkReturnLocation(c.Location); err != nil {
		return nil, err
	}
	received := ReturnReceived{ReturnID: c.ReturnID, Location: c.Location}
	if received.Lines, err = o.receivedLines(open, c.Lines); err != nil {
		return nil, err
	}
	if received.Charges, err = o.credits(c.Charges); err != nil {
		return nil, err
	}
	after := Evolve(*o, received, Facts{})
	received.ReturnedMicros = after.returned()
	received.VoidedMicros, received.RefundDueMicros = after.surplus(o.TotalMicros)
	return []Event{received}, nil
}

// checkReturnLocation checks the name of the location that goods came back to; "" is none.
func checkReturnLocation(location string) error {
	if limits.Longer(location, limits.MaxLocationLength) || !plain(location) {
		return refuse(CodeInvalidLocation, "/location",
			"a location is at most 64 characters, without control characters or outer spaces")
	}
	if fault := limits.NameFault(location); fault != "" {
		return refuse(CodeInvalidLocation, "/location", "the name of the location "+fault)
	}
	return nil
}

// receivedLines chooses what came back from what is still to come.
func (o *Order) receivedLines(open remainingLines, lines []ReturnedLine) ([]ReceivedLine, error) {
	if len(lines) > limits.MaxLines {
		return nil, refuse(CodeInvalidLines, "/lines", "there are at most 2000 lines")
	}
	received := make([]ReceivedLine, 0, len(lines))
	left := slices.Clone(o.Lines) // without what was received before: a line may come back in two conditions
	var chosen []LineQuantity
	for i, l := range lines {
		if l.Condition != Resellable && l.Condition != Damaged {
			return nil, refuse(CodeInvalidCondition, linePointer(i, "condition"), "goods come back resellable or damaged")
		}
		var err error
		named := LineQuantity{l.SKU, l.Quantity, l.Line}
		if chosen, err = open.chooseOne(o, i, named, choice{over: CodeOverReturn}, chosen[:0]); err != nil {
			return nil, err
		}
		for _, part := range chosen {
			line := &left[part.Line-1]
			back := ReceivedLine{
				Line: part.Line, SKU: part.SKU, Quantity: part.Quantity, UnitPriceMicros: line.UnitPriceMicros,
				Condition: l.Condition,
			}
			back.DiscountMicros, back.TaxMicros = line.shares(part.Quantity)
			line.receive(&back, part.Quantity)
			received = append(received, back)
		}
	}
	return received, nil
}

func (e ReturnReceived) evolve(o *Order, _ Facts) {
	o.Lines = slices.Clone(o.Lines)
	o.changeReturn(e.ReturnID, func(r *Return) {
		open := r.open()
		for _, back := range e.Lines {
			for _, l := range open.take(LineQuantity{back.SKU, back.Quantity, back.Line}, nil) {
				r.line(l.Line).Received += l.Quantity
			}
		}
	})
	for _, back := range e.Lines {
		o.returnTo(back.SKU, back.Quantity, back.Condition, e.Location)
		delivered := o.priced(back.SKU, back.UnitPriceMicros, (*Line).returnable)
		for _, part := range delivered.take(LineQuantity{back.SKU, back.Quantity, back.Line}, nil) {
			o.Lines[part.Line-1].receive(&back, part.Quantity)
		}
	}
	o.credit(e.Charges, true)
	o.VoidedMicros += e.VoidedMicros
	o.RefundDueMicros += e.RefundDueMicros
	o.clearPaymentDue()
	o.reservationChanged()
}

// receive notes units that came back, with their shares. Those of before ORD-69, which may be of several lines, have
// none.
func (l *Line) receive(back *ReceivedLine, units int64) {
	if l.Returned += units; back.Condition == Damaged {
		l.Damaged += units
	}
	l.ReturnedDiscountMicros += back.DiscountMicros
	l.ReturnedTaxMicros += back.TaxMicros
}

// returnTo notes what came back to a location that was named for it.
func (o *Order) returnTo(sku string, quantity int64, condition Condition, location string) {
	if location == "" {
		return
	}
	to := append(make([]ReturnedTo, 0, len(o.ReturnedTo)+1), o.ReturnedTo...)
	k := slices.IndexFunc(to, func(r ReturnedTo) bool { return r.SKU == sku && r.Location == location })
	if k < 0 {
		k = len(to)
		to = append(to, ReturnedTo{sku, ReturnedAt{Location: location}})
	}
	if condition == Damaged {
		to[k].Damaged += quantity
	} else {
		to[k].Restocked += quantity
	}
	o.ReturnedTo = to
}
