package order

import "slices"

// Deliver records that a shipment arrived, or lines of it. No lines: all that has not arrived yet.
//
//	ORD-16  The shipment exists (unknown_fulfilment) and is not delivered yet (already_delivered). At most what of it has
//	        not arrived is delivered (over_delivery); no lines: all of that. A shipment is delivered when it has arrived
//	        in full, an order when everything has shipped and arrived.
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
	i := o.findFulfilment(c.FulfilmentID)
	if i < 0 || o.Fulfilments[i].Pending {
		return nil, refuse(CodeUnknownFulfilment, "/fulfilment_id", "the order has no shipment of this ID")
	}
	if o.Fulfilments[i].Delivered {
		return nil, o.refuseHere(CodeAlreadyDelivered, "the shipment has been delivered")
	}
	under := o.Fulfilments[i].undelivered()
	lines := under.quantities()
	if len(c.Lines) > 0 {
		var err error
		if lines, err = under.choose(c.Lines, choice{over: CodeOverDelivery}); err != nil {
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
	left := bySKU(e.Lines)
	for i := range o.Lines {
		line := &o.Lines[i]
		line.Delivered += left.use(line.SKU, line.Shipped-line.Delivered)
	}
	if i := o.findFulfilment(e.FulfilmentID); i >= 0 {
		o.Fulfilments = slices.Clone(o.Fulfilments)
		o.Fulfilments[i].deliverLines(e.Lines)
	}
}

// undelivered is what of a shipment has not arrived.
func (f *Fulfilment) undelivered() remainingSKUs {
	arrived := bySKU(f.Arrived)
	var under remainingSKUs
	for _, l := range f.Lines {
		if n := l.Quantity - arrived[l.SKU]; n > 0 {
			under = append(under, remaining{l.SKU, n, n})
		}
	}
	return under.sorted()
}

// deliverLines notes what has arrived.
func (f *Fulfilment) deliverLines(lines []LineQuantity) {
	arrived := slices.Clone(f.Arrived)
	for _, l := range lines {
		if k := slices.IndexFunc(arrived, func(a LineQuantity) bool { return a.SKU == l.SKU }); k >= 0 {
			arrived[k].Quantity += l.Quantity
		} else {
			arrived = append(arrived, l)
		}
	}
	f.Arrived = arrived
	if len(f.undelivered()) == 0 {
		f.Arrived, f.Delivered = nil, true
	}
}
