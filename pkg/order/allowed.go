package order

import "slices"

// allowed names the commands that clients may give in the order's state, as the API calls them.
func (o *Order) allowed() []string {
	switch {
	case o.Lifecycle == None:
		return []string{"place_order", "import_order", "import_credit_note"}
	case o.Kind != KindOrder:
		return nil
	}
	open := o.Lifecycle == Reserved || o.Lifecycle == Confirmed
	openOrOnHold := o.offHold() == Reserved || o.offHold() == Confirmed
	mayShip := o.Lifecycle == Confirmed && o.Amendment == nil && !o.lacksCover()
	pending := o.hasFulfilment(func(f Fulfilment) bool { return f.Pending })
	underWay := o.hasFulfilment(func(f Fulfilment) bool { return !f.Pending && !f.Delivered && len(f.Lines) > 0 })
	notArrived := o.hasFulfilment(func(f Fulfilment) bool {
		return !f.Pending && !f.Failed && !f.Reversed && len(f.arrived()) == 0
	})
	arrived := o.hasFulfilment(func(f Fulfilment) bool { return !f.Pending && len(f.arrived()) > 0 })
	var names []string
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"start_payment", o.AwaitsPayment()},
		{"authorize_payment", o.uncovered() > 0},
		{"capture_payment", o.openAuthorization() > 0},
		{"void_payment", o.openAuthorization() > 0},
		{"refund_payment", o.CapturedMicros > o.RefundedMicros},
		{"fail_payment", o.uncovered() > 0},
		{"confirm_order", o.Lifecycle == Reserved},
		{"hold_order", open},
		{"resume_order", o.Lifecycle == OnHold},
		{"create_fulfilment", mayShip && len(o.shippable()) > 0},
		{"ship_order", mayShip && len(o.shippable()) > 0},
		{"ship_fulfilment", mayShip && pending},
		{"cancel_fulfilment", pending},
		{"deliver_order", o.acceptsDeliveries() && underWay},
		{"fail_delivery", o.acceptsDeliveries() && underWay && o.Amendment == nil},
		{"reverse_shipment", o.acceptsDeliveries() && notArrived && o.Amendment == nil},
		{"reverse_delivery", o.acceptsDeliveries() && arrived && len(o.returnable()) > 0},
		{"cancel_lines", openOrOnHold && o.Amendment == nil && len(o.shippable()) > 0},
		{"amend_order", open && o.Amendment == nil && o.Amendments < MaxAmendments},
		{"cancel_order", o.cancellable()},
		{"request_return", o.acceptsReturns() && len(o.returnable()) > 0},
		{"receive_return", o.acceptsReturns() && o.awaitsReturn()},
		{"cancel_return", o.acceptsReturns() && o.awaitsReturn()},
	} {
		if c.ok {
			names = append(names, c.name)
		}
	}
	return names
}

func (o *Order) awaitsReturn() bool {
	return slices.ContainsFunc(o.Returns, func(r Return) bool { return len(r.open()) > 0 })
}

func (o *Order) hasFulfilment(is func(Fulfilment) bool) bool {
	return slices.ContainsFunc(o.Fulfilments, is)
}
