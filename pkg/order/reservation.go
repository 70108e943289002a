package order

import (
	"slices"
	"strings"
)

// Values of ShortLine.Reason and Held.RejectionReason: those of the event schema.
const (
	ReasonInsufficientStock int32 = 1
	ReasonUnknownSKU        int32 = 2
	ReasonOtherLine         int32 = 3
)

// ReconciliationReason is the reason of a cancellation that a reconciliation decided.
const ReconciliationReason = "reconciliation"

// recordReservation applies ORD-5 to ORD-9, ORD-56, ORD-58 and ORD-63.
func (o *Order) recordReservation(c RecordReservation) ([]Event, error) {
	if o.Lifecycle == None || c.ReservationVersion != o.ReservationVersion {
		return nil, nil
	}
	wanted, held := o.Wanted(), sortedBySKU(c.Held)
	rejected := slices.ContainsFunc(held, func(h Held) bool { return h.Rejected })
	covered := !rejected && covers(held, wanted)
	switch {
	case o.Amendment != nil:
		return o.amendmentAnswered(held, rejected, covered)
	case o.Lifecycle == Placed && rejected:
		return o.rejected(o.shortLines(held, wanted)), nil
	case o.Lifecycle == Placed && covered && o.Kind != KindOrder:
		return []Event{o.document()}, nil
	case o.Lifecycle == Placed && covered:
		return o.reserved(held), nil
	case rejected && o.cancellable():
		return []Event{o.cancelled(ReconciliationReason)}, nil
	case !covered && (o.Lifecycle == Placed || o.cancellable()):
		return nil, nil
	}
	events := o.backordersFilled(held)
	if !o.Settled {
		events = append(events, ReservationSettled{ReservationVersion: c.ReservationVersion})
	}
	return events, nil
}

// recordBackorder applies ORD-33.
func (o *Order) recordBackorder(c RecordBackorder) ([]Event, error) {
	if (o.phase() != Reserved && o.phase() != Confirmed) || c.ReservationVersion != o.ReservationVersion {
		return nil, nil
	}
	return o.backordersFilled([]Held{{SKU: c.SKU, Backordered: c.Backordered}}), nil
}

// backordersFilled says which of stock's answers leave less backordered than the order knows of.
func (o *Order) backordersFilled(held []Held) []Event {
	var filled []LineQuantity
	for i := range held {
		if less := o.Backordered(held[i].SKU) - held[i].Backordered; less > 0 {
			filled = append(filled, LineQuantity{held[i].SKU, less})
		}
	}
	if len(filled) == 0 {
		return nil
	}
	return []Event{OrderBackorderFilled{Filled: filled}}
}

// Backordered is how much of a SKU still waits for stock to come.
func (o *Order) Backordered(sku string) (sum int64) {
	for i := range o.Lines {
		if o.Lines[i].SKU == sku {
			sum += o.Lines[i].Backordered
		}
	}
	return sum
}

// rejected makes the events of an order that cannot be had: what a provider holds for it is let go (ORD-25).
func (o *Order) rejected(short []ShortLine) []Event {
	events := append(make([]Event, 0, 2), OrderRejected{Short: short, RefundDueMicros: o.paid()})
	if held := o.openAuthorization(); held > 0 {
		events = append(events, PaymentVoided{AmountMicros: held, Reason: RejectedReason})
	}
	return events
}

// reserved makes the events of answers that cover the order.
func (o *Order) reserved(held []Held) []Event {
	events := make([]Event, 0, 2)
	var backordered []LineQuantity
	for _, h := range held {
		if h.Backordered > 0 {
			backordered = append(backordered, LineQuantity{h.SKU, h.Backordered})
		}
	}
	if len(backordered) > 0 {
		events = append(events, OrderBackordered{Backordered: backordered})
	} else {
		events = append(events, OrderReserved{})
	}
	if o.Terms == OnAccount || o.uncovered() == 0 {
		events = append(events, OrderConfirmed{})
	}
	return events
}

// covers reports whether stock has every SKU as wanted. Both are sorted by SKU. What nothing is wanted of, an amendment
// having taken it off, need not be answered.
func covers(held []Held, wanted []Wanted) bool {
	for i := range wanted {
		w := &wanted[i]
		if w.Nothing() {
			continue
		}
		h := find(held, w.SKU)
		if h == nil || h.Rejected || h.Reserved+h.Committed+h.Fulfilled < w.Reserved+w.Committed+w.Fulfilled ||
			h.Restocked < w.Restocked || h.Damaged < w.Damaged {
			return false
		}
	}
	return true
}

// sortedBySKU returns the answers sorted by SKU, without changing the argument.
func sortedBySKU(held []Held) []Held {
	bySKU := func(a, b Held) int { return strings.Compare(a.SKU, b.SKU) }
	if !slices.IsSortedFunc(held, bySKU) {
		held = slices.Clone(held)
		slices.SortFunc(held, bySKU)
	}
	return held
}

// find returns the answer for a SKU, or nil.
func find(held []Held, sku string) *Held {
	i, ok := slices.BinarySearchFunc(held, sku, func(h Held, sku string) int { return strings.Compare(h.SKU, sku) })
	if !ok {
		return nil
	}
	return &held[i]
}

// shortLines says what stood in the way (ORD-6): rejected SKUs, with what the order asked for of each. What it does not
// ask for any more is rejected beside them, and stood in nobody's way.
func (o *Order) shortLines(held []Held, wanted []Wanted) []ShortLine {
	var short []ShortLine
	for i := range wanted {
		sku := wanted[i].SKU
		h := find(held, sku)
		if h == nil || !h.Rejected || h.RejectionReason == ReasonOtherLine {
			continue
		}
		var requested int64
		for k := range o.Lines {
			if o.Lines[k].SKU == sku {
				requested += o.Lines[k].Quantity
			}
		}
		if requested == 0 {
			continue
		}
		short = append(short, ShortLine{sku, requested, h.Available, h.RejectionReason})
	}
	return short
}
