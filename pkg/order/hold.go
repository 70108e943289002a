package order

import "github.com/holdfast/holdfast/pkg/limits"

// Hold stops an order where it is: it does not ship, and does not expire.
//
//	ORD-27  The order is reserved or confirmed. Its stock stays reserved, nothing ships, and no deadline ends it.
type Hold struct{ Reason string }

// OrderHeld put the order on hold.
type OrderHeld struct{ Reason string }

func (c Hold) decide(o *Order) ([]Event, error) {
	if o.Kind != KindOrder || (o.Lifecycle != Reserved && o.Lifecycle != Confirmed) {
		return nil, o.illegal("hold_order")
	}
	if err := checkText("reason", c.Reason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	return []Event{OrderHeld(c)}, nil
}

func (OrderHeld) evolve(o *Order, _ Facts) { o.Lifecycle, o.HeldFrom = OnHold, o.Lifecycle }

// Resume lets an order on hold go on. DeadlineMicros is how long it then waits for its payment.
//
//	ORD-28  The order goes back to where it was. Its payment deadline moves to the command's, if that is later, and the
//	        order waits for a payment. OrderConfirmed follows when the total was authorized meanwhile.
type Resume struct{ DeadlineMicros int64 }

// OrderResumed says that the order is confirmed, or else reserved until the payment deadline. One that is confirmed and
// lost its cover has a deadline, too.
type OrderResumed struct {
	Confirmed             bool
	PaymentDeadlineMicros int64
}

func (c Resume) decide(o *Order) ([]Event, error) {
	if o.Lifecycle != OnHold {
		return nil, o.illegal("resume_order")
	}
	if o.HeldFrom == Confirmed {
		resumed := OrderResumed{Confirmed: true}
		if o.CoverLost {
			resumed.PaymentDeadlineMicros = max(o.PaymentDeadlineMicros, c.DeadlineMicros)
		}
		return []Event{resumed}, nil
	}
	events := append(make([]Event, 0, 2),
		OrderResumed{PaymentDeadlineMicros: max(o.PaymentDeadlineMicros, c.DeadlineMicros)})
	if o.uncovered() == 0 {
		events = append(events, OrderConfirmed{})
	}
	return events, nil
}

func (e OrderResumed) evolve(o *Order, _ Facts) {
	o.Lifecycle, o.HeldFrom = Confirmed, None
	if !e.Confirmed {
		o.Lifecycle = Reserved
	}
	if !e.Confirmed || e.PaymentDeadlineMicros > 0 {
		o.PaymentDeadlineMicros = e.PaymentDeadlineMicros
	}
}
