package order

import "slices"

// Deliver records that a shipment arrived, or lines of it. No lines: all that has not arrived yet.
//
//	ORD-16  The shipment exists (unknown_fulfilment), is not delivered yet (already_delivered), and has not failed
//	        altogether (delivery_failed). At most what of it has not arrived is delivered (over_delivery); no lines: all
//	        of that. A shipment is delivered when it has arrived in full, an order when everything has shipped and
//	        arrived.
type Deliver struct {
	FulfilmentID string
	Lines        []LineQuantity
}

// LinesDelivered says that these quantities of a shipment have arrived.
type LinesDelivered struct {
	FulfilmentID string
	Lines        []LineQuantity
}

func (c Deliver) decide(o *Order) ([]Event, error) {
	if !o.acceptsDeliveries() {
		return nil, o.illegal("deliver_order")
	}
	under, err := o.underWay(c.FulfilmentID)
	if err != nil {
		return nil, err
	}
	lines := under.quantities()
	if len(c.Lines) > 0 {
		if lines, err = under.choose(o, c.Lines, choice{over: CodeOverDelivery}); err != nil {
			return nil, err
		}
	}
	return []Event{LinesDelivered{FulfilmentID: c.FulfilmentID, Lines: lines}}, nil
}

// acceptsDeliveries reports whether something may be on its way, on hold too.
func (o *Order) acceptsDeliveries() bool {
	return o.Kind == KindOrder && (o.offHold() == Confirmed || o.Lifecycle == Completed)
}

func (e LinesDelivered) evolve(o *Order, _ Facts) {
	o.Lines = slices.Clone(o.Lines)
	underWay := o.remains(func(l *Line) int64 { return l.Shipped - l.Delivered })
	for _, l := range underWay.takeAll(e.Lines) {
		o.Lines[l.Line-1].Delivered += l.Quantity
	}
	if i := o.findFulfilment(e.FulfilmentID); i >= 0 {
		o.Fulfilments = slices.Clone(o.Fulfilments)
		o.Fulfilments[i].deliverLines(e.Lines)
	}
}

// undelivered is what of a shipment has not arrived.
func (f *Fulfilment) undelivered() remainingLines {
	under := make(remainingLines, len(f.Lines))
	for i, l := range f.Lines {
		under[i] = remaining{l.SKU, l.Line, l.Quantity, l.Quantity}
	}
	under.sorted().takeAll(f.Arrived)
	return under.some()
}

// deliverLines notes what has arrived.
func (f *Fulfilment) deliverLines(lines []LineQuantity) {
	under := f.undelivered()
	f.Arrived = added(append(slices.Clone(f.Arrived), under.takeAll(lines)...))
	if len(under.some()) == 0 {
		f.Arrived, f.Delivered = nil, true
	}
}
