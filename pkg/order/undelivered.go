package order

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/limits"
)

// FailDelivery records that a shipment, or lines of it, did not arrive: the goods came back to the sender, or they are
// lost. No lines: all that is on its way, in Condition.
//
//	ORD-76  At most what of the shipment has not arrived fails (unknown_fulfilment, already_delivered, delivery_failed,
//	        over_delivery), each line resellable, damaged or lost (invalid_condition), not while stock is asked about an
//	        amendment (amendment_pending). Resellable goods go to available and damaged ones to damaged: of the location
//	        that is named for them (invalid_location), or else of where they had left from (INV-18). What is lost goes
//	        nowhere.
//	ORD-77  What failed is left to ship again, and waits as backordered until stock has answered (INV-67). A completed
//	        order is confirmed again. What remains of one that is not paid has a deadline (ORD-65).
//	ORD-78  With Cancel it is cancelled at once, as ORD-29 says, with what of charges goes with it: nothing of it is
//	        asked of stock, and what is paid for it is due for refund. An order of which nothing else has shipped or is
//	        left to ship is cancelled as a whole, with all charges (ORD-13). Without Cancel no charges are named
//	        (invalid_charge).
//
// Example: of 3 cups in a parcel 2 come back whole and 1 is broken. All 3 are left to ship again, 2 of them from the
// parcel itself; CancelLines gives up those that the merchant does not want to send again.
type FailDelivery struct {
	FulfilmentID string
	Lines        []UndeliveredLine
	// Condition is that of all that is on its way, where no lines are named.
	Condition Condition
	// Location is where the goods came back to; "": to where they had left from.
	Location string
	Reason   string
	// Cancel: the goods are not sent again.
	Cancel  bool
	Charges []ChargeCredit
	// DeadlineMicros is how long what is to ship again waits for its payment, if the order is not covered.
	DeadlineMicros int64
}

// UndeliveredLine is a quantity of a line that did not arrive, and what became of it. Line is 0 where the SKU is meant
// (ORD-69).
type UndeliveredLine struct {
	SKU       string
	Quantity  int64
	Condition Condition
	Line      int32
}

// DeliveryFailed says that these quantities of a shipment did not arrive, and came back to Location or are lost.
type DeliveryFailed struct {
	FulfilmentID string
	Lines        []UndeliveredLine
	Location     string
	Reason       string
}

func (c FailDelivery) decide(o *Order) ([]Event, error) {
	switch {
	case !o.acceptsDeliveries():
		return nil, o.illegal("fail_delivery")
	case o.Amendment != nil:
		return nil, o.amendmentPending()
	}
	under, err := o.underWay(c.FulfilmentID)
	if err != nil {
		return nil, err
	}
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	failed := DeliveryFailed{FulfilmentID: c.FulfilmentID, Location: c.Location, Reason: c.Reason}
	if failed.Lines, err = c.failedLines(o, under); err != nil {
		return nil, err
	}
	if err := c.checkLocation(failed.Lines); err != nil {
		return nil, err
	}
	if !c.Cancel {
		if len(c.Charges) > 0 {
			return nil, refuse(CodeInvalidCharge, "/charges", "charges go with goods that are not sent again: set cancel")
		}
		return o.withCover([]Event{failed}, c.DeadlineMicros), nil
	}
	return o.failedAndCancelled(failed, c.Charges)
}

// underWay is what of a shipment has not arrived.
func (o *Order) underWay(fulfilmentID string) (remainingLines, error) {
	f, err := o.shipment(fulfilmentID)
	switch {
	case err != nil:
		return nil, err
	case f.Delivered:
		return nil, o.refuseHere(CodeAlreadyDelivered, "the shipment has been delivered")
	case len(f.Lines) == 0:
		return nil, o.refuseHere(CodeDeliveryFailed, "nothing of the shipment is on its way: its delivery has failed")
	}
	return f.undelivered(), nil
}

// failedLines chooses what did not arrive from what is on its way.
func (c *FailDelivery) failedLines(o *Order, under remainingLines) (failed []UndeliveredLine, err error) {
	if len(c.Lines) > limits.MaxLines {
		return nil, refuse(CodeInvalidLines, "/lines", "there are at most 2000 lines")
	}
	var chosen []LineQuantity
	for i, l := range c.Lines {
		if !l.Condition.ofUndelivered() {
			return nil, refuse(CodeInvalidCondition, linePointer(i, "condition"), undeliveredConditions)
		}
		named := LineQuantity{l.SKU, l.Quantity, l.Line}
		if chosen, err = under.chooseOne(o, i, named, choice{over: CodeOverDelivery}, chosen[:0]); err != nil {
			return nil, err
		}
		for _, part := range chosen {
			failed = append(failed, UndeliveredLine{part.SKU, part.Quantity, l.Condition, part.Line})
		}
	}
	if len(c.Lines) > 0 {
		return failed, nil
	}
	if !c.Condition.ofUndelivered() {
		return nil, refuse(CodeInvalidCondition, "/condition", undeliveredConditions)
	}
	for _, l := range under.quantities() {
		failed = append(failed, UndeliveredLine{l.SKU, l.Quantity, c.Condition, l.Line})
	}
	return failed, nil
}

const undeliveredConditions = "goods that did not arrive are resellable, damaged or lost"

func (c Condition) ofUndelivered() bool { return c >= Resellable && c <= Lost }

func (c *FailDelivery) checkLocation(failed []UndeliveredLine) error {
	if err := checkReturnLocation(c.Location); err != nil {
		return err
	}
	lost := func(l UndeliveredLine) bool { return l.Condition == Lost }
	if c.Location != "" && !slices.ContainsFunc(failed, func(l UndeliveredLine) bool { return !lost(l) }) {
		return refuse(CodeInvalidLocation, "/location", "what is lost comes back to no location")
	}
	return nil
}

// failedAndCancelled applies ORD-78.
func (o *Order) failedAndCancelled(failed DeliveryFailed, charges []ChargeCredit) ([]Event, error) {
	credits, err := o.credits(charges)
	if err != nil {
		return nil, err
	}
	after := o.after([]Event{failed})
	lines := make([]LineQuantity, len(failed.Lines))
	for i, l := range failed.Lines {
		lines[i] = LineQuantity{l.SKU, l.Quantity, l.Line}
	}
	lines = added(lines)
	if after.shippedUnits() == 0 && after.leftUnits() == units(lines) {
		return []Event{failed, after.cancellation(failed.Reason)}, nil
	}
	cancelled := LinesCancelled{Lines: after.cancelled(lines), Reason: failed.Reason, Charges: credits}
	if err := after.priceCancelled(&cancelled); err != nil {
		return nil, err
	}
	return []Event{failed, cancelled}, nil
}

func (e DeliveryFailed) evolve(o *Order, _ Facts) {
	o.Lines = slices.Clone(o.Lines)
	for _, failed := range e.Lines {
		l := &o.Lines[failed.Line-1]
		l.Shipped -= failed.Quantity
		l.Undelivered += failed.Quantity
		l.Backordered += failed.Quantity
		l.ShipAgain += failed.Quantity
		switch failed.Condition {
		case Damaged:
			l.UndeliveredDamaged += failed.Quantity
		case Lost:
			l.Lost += failed.Quantity
		case Resellable:
		}
		if failed.Condition != Lost {
			o.returnTo(failed.SKU, failed.Quantity, failed.Condition, e.Location)
		}
	}
	if i := o.findFulfilment(e.FulfilmentID); i >= 0 {
		o.Fulfilments = slices.Clone(o.Fulfilments)
		o.Fulfilments[i].failLines(e.Lines)
	}
	if o.Lifecycle == Completed {
		o.Lifecycle = Confirmed
	}
	o.reservationChanged()
}

// failLines removes what did not arrive from a shipment. It is delivered when the rest of it has arrived.
func (f *Fulfilment) failLines(failed []UndeliveredLine) {
	f.Failed = true
	all := make(remainingLines, 0, len(f.Lines))
	for _, l := range f.Lines {
		all = append(all, remaining{l.SKU, l.Line, l.Quantity, l.Quantity})
	}
	all.sorted()
	for _, l := range failed {
		all.take(LineQuantity{l.SKU, l.Quantity, l.Line}, nil)
	}
	f.Lines = nil
	if all = all.some(); len(all) == 0 {
		return
	}
	if f.Lines = all.quantities(); len(f.undelivered()) == 0 {
		f.Arrived, f.Delivered = nil, true
	}
}

// ShipsAgain reports whether stock has not answered yet for goods that ship again (ORD-77).
func (o *Order) ShipsAgain() bool {
	return slices.ContainsFunc(o.Lines, func(l Line) bool { return l.ShipAgain > 0 })
}

// againAnswered notes that stock has answered for what ships again.
func (o *Order) againAnswered() {
	if !o.ShipsAgain() {
		return
	}
	o.Lines = slices.Clone(o.Lines)
	for i := range o.Lines {
		o.Lines[i].ShipAgain = 0
	}
}
