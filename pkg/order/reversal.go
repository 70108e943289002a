package order

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/limits"
)

// ReverseShipment takes back a shipment that was recorded by mistake: its goods never left.
//
//	ORD-79  The shipment exists (unknown_fulfilment) and has not been taken back (shipment_reversed). Nothing of it has
//	        arrived (already_delivered) or failed to (delivery_failed), and stock is not asked about an amendment
//	        (amendment_pending). All of it is taken back. It keeps its ID, which no other shipment gets.
//	ORD-80  Its goods are left to ship, and wait as backordered until stock has answered: they are on hand again where
//	        the shipment took them from, and committed to the order (INV-69). A completed order is confirmed again. What
//	        remains of one that is not paid has a deadline (ORD-65). Payments stay as they are: what was captured with
//	        the shipment counts towards the next ones (ORD-26).
type ReverseShipment struct {
	FulfilmentID string
	Reason       string
	// DeadlineMicros is how long what is left to ship waits for its payment, if the order is not covered.
	DeadlineMicros int64
}

// ShipmentReversed says that a shipment was recorded by mistake. Lines are all that it had.
type ShipmentReversed struct {
	FulfilmentID string
	Lines        []LineQuantity
	Reason       string
}

// ReversedShipment is what a shipment that was taken back had of a SKU.
type ReversedShipment struct {
	SKU string
	Reversed
}

func (c ReverseShipment) decide(o *Order) ([]Event, error) {
	switch {
	case !o.acceptsDeliveries():
		return nil, o.illegal("reverse_shipment")
	case o.Amendment != nil:
		return nil, o.amendmentPending()
	}
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	f, err := o.shipment(c.FulfilmentID)
	switch {
	case err != nil:
		return nil, err
	case len(f.arrived()) > 0:
		return nil, o.refuseHere(CodeAlreadyDelivered,
			"part of the shipment has been delivered: take that back first, with reverse_delivery")
	case f.Failed:
		return nil, o.refuseHere(CodeDeliveryFailed, "part of the shipment came back or is lost, so it had left")
	}
	lines := byLine(slices.Clone(f.Lines))
	return o.withCover([]Event{ShipmentReversed{c.FulfilmentID, lines, c.Reason}}, c.DeadlineMicros), nil
}

// shipment finds a fulfilment that has shipped, and was not taken back.
func (o *Order) shipment(fulfilmentID string) (*Fulfilment, error) {
	i := o.findFulfilment(fulfilmentID)
	if i < 0 || o.Fulfilments[i].Pending {
		return nil, refuse(CodeUnknownFulfilment, "/fulfilment_id", "the order has no shipment of this ID")
	}
	if o.Fulfilments[i].Reversed {
		return nil, o.refuseHere(CodeShipmentReversed, "the shipment was recorded by mistake, and has been taken back")
	}
	return &o.Fulfilments[i], nil
}

// arrived is what of a shipment has been delivered.
func (f *Fulfilment) arrived() []LineQuantity {
	if f.Delivered {
		return f.Lines
	}
	return f.Arrived
}

func (e ShipmentReversed) evolve(o *Order, _ Facts) {
	i := o.findFulfilment(e.FulfilmentID)
	if i < 0 {
		return // the rules write no such event
	}
	o.Fulfilments = slices.Clone(o.Fulfilments)
	f := &o.Fulfilments[i]
	o.Lines = slices.Clone(o.Lines)
	reversed := slices.Clone(o.ReversedShipments)
	for _, back := range e.Lines {
		l := &o.Lines[back.Line-1]
		l.Shipped -= back.Quantity
		l.Backordered += back.Quantity
		l.ShipAgain += back.Quantity
		reversed = addReversed(reversed, ReversedShipment{l.SKU, Reversed{f.ReservationVersion, back.Quantity}})
	}
	o.ReversedShipments = reversed
	f.Lines, f.Reversed = nil, true
	if o.Lifecycle == Completed {
		o.Lifecycle = Confirmed
	}
	o.reservationChanged()
}

// addReversed adds what a shipment had of a SKU: stock knows no lines.
func addReversed(all []ReversedShipment, r ReversedShipment) []ReversedShipment {
	for k := len(all) - 1; k >= 0 && all[k].Version == r.Version; k-- { // no other shipment has its version
		if all[k].SKU == r.SKU {
			all[k].Quantity += r.Quantity
			return all
		}
	}
	return append(all, r)
}

// ReverseDelivery takes back a delivery that was recorded by mistake, of a shipment or of lines of it. No lines: all
// that has been delivered.
//
//	ORD-81  The shipment exists (unknown_fulfilment), has not been taken back (shipment_reversed), and something of it
//	        has been delivered (not_delivered). At most that is taken back (over_reversal), and of each line no unit
//	        that came back or is in a return (already_returned). It is on its way again: it can arrive, or fail to.
//	        Stock and payments stay as they are.
type ReverseDelivery struct {
	FulfilmentID string
	Lines        []LineQuantity
	Reason       string
}

// DeliveryReversed says that these quantities of a shipment have not arrived after all.
type DeliveryReversed struct {
	FulfilmentID string
	Lines        []LineQuantity
	Reason       string
}

func (c ReverseDelivery) decide(o *Order) ([]Event, error) {
	if !o.acceptsDeliveries() {
		return nil, o.illegal("reverse_delivery")
	}
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	f, err := o.shipment(c.FulfilmentID)
	if err != nil {
		return nil, err
	}
	arrived := f.delivered()
	if len(arrived) == 0 {
		return nil, o.refuseHere(CodeNotDelivered, "nothing of the shipment has been delivered")
	}
	lines := arrived.quantities()
	if len(c.Lines) > 0 {
		if lines, err = arrived.choose(o, c.Lines, choice{over: CodeOverReversal}); err != nil {
			return nil, err
		}
	}
	kept := o.returnable()
	for _, l := range lines {
		i := slices.IndexFunc(kept, func(r remaining) bool { return r.line == l.Line })
		if i < 0 || kept[i].left < l.Quantity {
			return nil, o.refuseHere(CodeAlreadyReturned, "part of it came back, or is in a return, so it had arrived")
		}
	}
	return []Event{DeliveryReversed{c.FulfilmentID, lines, c.Reason}}, nil
}

// delivered is what of a shipment has arrived, by line.
func (f *Fulfilment) delivered() remainingLines {
	arrived := f.arrived()
	all := make(remainingLines, len(arrived))
	for i, l := range arrived {
		all[i] = remaining{l.SKU, l.Line, l.Quantity, l.Quantity}
	}
	return all.sorted()
}

func (e DeliveryReversed) evolve(o *Order, _ Facts) {
	o.Lines = slices.Clone(o.Lines)
	for _, l := range e.Lines {
		o.Lines[l.Line-1].Delivered -= l.Quantity
	}
	if i := o.findFulfilment(e.FulfilmentID); i >= 0 {
		o.Fulfilments = slices.Clone(o.Fulfilments)
		f := &o.Fulfilments[i]
		left := f.delivered()
		left.takeAll(e.Lines)
		f.Delivered, f.Arrived = false, nil
		if left = left.some(); len(left) > 0 {
			f.Arrived = left.quantities()
		}
	}
}
