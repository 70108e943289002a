package order

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/holdfast/holdfast/pkg/limits"
)

// Ship records goods that left. No lines: all that can ship.
//
//	ORD-14  Of each line, at most what is left to ship ships (over_shipment), without the backordered portion
//	        (backordered), and 1 unit or more (invalid_quantity). No lines: all that can ship; none left:
//	        nothing_to_ship. With a BackorderedReason the backordered portion ships too: the goods were there, whatever
//	        the books say (INV-17). The reason is recorded where such units ship.
//	ORD-15  A shipment has an ID of its own (invalid_fulfilment_id, fulfilment_exists). An order has at most 1,000
//	        (too_many_fulfilments).
//	ORD-26  With Capture, what the units cost that ship is captured, with their shares of discounts and taxes, rounded
//	        as ORD-4 does: at most what is authorized; with the last shipment all that is authorized, charges included;
//	        never more than is kept and not paid (ORD-61). After a shipment was taken back, all others than the last take
//	        at most what of all that has shipped is not paid (ORD-80). A PaymentReference that the order already has a
//	        capture of captures nothing (ORD-21). With a ProviderEventID that is so for a capture with this ID, and for
//	        one without an ID of the same reference and amount (ORD-67).
type Ship struct {
	FulfilmentID      string
	Lines             []LineQuantity
	TrackingReference string
	// Capture captures the money for what ships.
	Capture bool
	// PaymentReference is the provider's for the capture. "": the fulfilment's ID is used.
	PaymentReference string
	// ProviderEventID is the provider's of the capture. Captures that share a reference are told apart by it.
	ProviderEventID string
	// Provider is the payment provider's name; "": it is not told.
	Provider string
	// UncoveredReason is why the goods leave although the order is not covered (ORD-64); "": they must be covered.
	UncoveredReason string
	// BackorderedReason is why goods leave that are backordered (ORD-14); "": they must be in stock.
	BackorderedReason string
	// DeadlineMicros is how long what remains then waits for its payment, if a refund of before takes its cover.
	DeadlineMicros int64
}

// LinesShipped says that these quantities have left. UncoveredReason is that of an order that was not covered,
// BackorderedReason that of units that were backordered.
type LinesShipped struct {
	FulfilmentID      string
	Lines             []LineQuantity
	TrackingReference string
	UncoveredReason   string
	BackorderedReason string
}

func (c Ship) decide(o *Order) ([]Event, error) {
	if o.Kind != KindOrder || (o.Lifecycle != Confirmed && o.Lifecycle != Completed) {
		return nil, o.illegal("ship_order")
	}
	if o.Lifecycle == Completed {
		return nil, o.refuseHere(CodeNothingToShip, "everything has shipped")
	}
	reason, err := o.checkCover(c.UncoveredReason)
	if err != nil {
		return nil, err
	}
	if err := checkText("tracking_reference", c.TrackingReference, limits.MaxReferenceLength); err != nil {
		return nil, err
	}
	if err := o.checkNewFulfilment(c.FulfilmentID); err != nil {
		return nil, err
	}
	if err := checkText("backordered_reason", c.BackorderedReason, limits.MaxReasonLength); err != nil {
		return nil, err
	}
	lines, err := o.linesToShip(c.Lines, c.BackorderedReason == "")
	if err != nil {
		return nil, err
	}
	return o.shipped(LinesShipped{c.FulfilmentID, lines, c.TrackingReference, reason, c.BackorderedReason}, c)
}

// checkMayShip applies ORD-57, ORD-59 and ORD-64: whether anything of a confirmed order may be packed or ship.
func (o *Order) checkMayShip() error {
	switch {
	case o.Amendment != nil:
		return o.amendmentPending()
	case o.lacksCover():
		return o.refuseHere(CodePaymentRequired, "what is paid and authorized does not cover the order")
	}
	return nil
}

// lacksCover: the order is prepaid, and what is paid and authorized does not cover it (ORD-64).
func (o *Order) lacksCover() bool { return o.Terms == Prepaid && o.uncovered() > 0 }

// checkCover is checkMayShip for an order that may ship without cover for a reason. It returns the reason where that
// counts.
func (o *Order) checkCover(uncoveredReason string) (string, error) {
	if err := checkText("uncovered_reason", uncoveredReason, limits.MaxReasonLength); err != nil {
		return "", err
	}
	if uncoveredReason == "" || o.Amendment != nil || !o.lacksCover() {
		return "", o.checkMayShip()
	}
	return uncoveredReason, nil
}

// linesToShip returns what ships, one entry a line: the lines of the command, or all that can. readyOnly: nothing that
// is backordered can.
func (o *Order) linesToShip(lines []LineQuantity, readyOnly bool) ([]LineQuantity, error) {
	left := o.shippable()
	if len(lines) > 0 {
		return left.choose(o, lines, choice{over: CodeOverShipment, readyOnly: readyOnly})
	}
	var all []LineQuantity
	for _, l := range left {
		units := l.left
		if readyOnly {
			units = l.ready
		}
		if units > 0 {
			all = append(all, LineQuantity{l.sku, units, l.line})
		}
	}
	if len(all) == 0 && len(left) > 0 {
		return nil, o.refuseHere(CodeBackordered, "all that is left waits for stock to come")
	}
	if len(all) == 0 {
		return nil, o.refuseHere(CodeNothingToShip, "nothing is left to ship")
	}
	return byLine(all), nil
}

// shipped makes the events of a shipment. The provider may have reported its capture before (ORD-21).
func (o *Order) shipped(ev LinesShipped, c Ship) ([]Event, error) {
	reference := c.PaymentReference
	if err := checkText("payment_reference", reference, limits.MaxReferenceLength); err != nil {
		return nil, err
	}
	if err := (Payment{ProviderEventID: c.ProviderEventID, Provider: c.Provider}).checkProvider(); err != nil {
		return nil, err
	}
	if !o.backorderedAmong(ev.Lines) {
		ev.BackorderedReason = ""
	}
	events := append(make([]Event, 0, 2), ev)
	if !c.Capture {
		return events, nil
	}
	amount, err := o.worth(ev.Lines)
	if err != nil {
		return nil, err
	}
	amount = min(amount, max(0, o.kept()-o.paid()), o.unpaidAfter(ev))
	had, known, err := o.capturedBefore(amount, c)
	if err != nil {
		return nil, err
	}
	if had || amount == 0 {
		return append(events, known...), nil
	}
	if reference == "" {
		reference = ev.FulfilmentID
	}
	events = append(events, PaymentCaptured{
		AmountMicros: amount, Reference: reference, ProviderEventID: c.ProviderEventID, Provider: c.Provider,
	})
	captured := Payment{Captured, reference, amount, c.ProviderEventID, c.Provider}
	return o.withEarlyRefund(events, captured, c.DeadlineMicros), nil
}

// backorderedAmong reports whether quantities of lines are more than what of them is in stock.
func (o *Order) backorderedAmong(lines []LineQuantity) bool {
	return slices.ContainsFunc(lines, func(l LineQuantity) bool {
		line := &o.Lines[l.Line-1]
		return l.Quantity > line.left()-line.Backordered
	})
}

// capturedBefore reports whether the order already has the capture of a shipment, and what follows from that (ORD-26).
// The provider says how much it was: without an ID, and with one that the order has, the amount may differ.
func (o *Order) capturedBefore(amountMicros int64, c Ship) (bool, []Event, error) {
	told := Payment{Captured, c.PaymentReference, 0, c.ProviderEventID, c.Provider}
	if told.ProviderEventID == "" {
		return o.alreadyHas(told)
	}
	byID := told
	byID.Reference = ""
	if had, err := o.repeated(byID); had || err != nil {
		return had, nil, err
	}
	if amountMicros == 0 {
		return false, nil, nil
	}
	told.AmountMicros = amountMicros
	return o.alreadyHas(told)
}

// worth applies ORD-26: the price of a shipment, at most what is authorized.
func (o *Order) worth(lines []LineQuantity) (int64, error) {
	left, worth := o.leftUnits(), int64(0)
	for _, l := range lines {
		left -= l.Quantity
		worth += o.partCost(&o.Lines[l.Line-1], l.Quantity)
	}
	open := o.openAuthorization()
	if left == 0 {
		return open, nil
	}
	rounded, err := roundTotal(worth, o.Currency)
	return min(rounded, open), err
}

// unpaidAfter applies ORD-80: how much of all that has shipped is not paid after a shipment, where another one was
// taken back. The last shipment takes charges, too, so it has no such limit.
//
// Example: two lines of 10 each. The first ships and 10 are captured. The shipment is taken back, and the line ships
// again: nothing is captured, because the 10 that have shipped are paid.
func (o *Order) unpaidAfter(ev LinesShipped) int64 {
	if len(o.ReversedShipments) == 0 {
		return math.MaxInt64
	}
	after := o.after([]Event{ev})
	if after.leftUnits() == 0 {
		return math.MaxInt64
	}
	return max(0, after.shippedWorth()-o.GoodwillMicros-o.paid())
}

func (e LinesShipped) evolve(o *Order, _ Facts) {
	lines := o.shipLines(e.Lines)
	o.keepFulfilment(Fulfilment{ID: e.FulfilmentID, Lines: lines, ReservationVersion: o.ReservationVersion})
}

// shipLines ships lines, and returns them with their numbers (ORD-69).
func (o *Order) shipLines(shipped []LineQuantity) []LineQuantity {
	shipped = o.left().takeAll(shipped)
	o.Lines = slices.Clone(o.Lines)
	for _, l := range shipped {
		o.Lines[l.Line-1].Shipped += l.Quantity
	}
	remains := false
	for i := range o.Lines {
		line := &o.Lines[i]
		line.Backordered = min(line.Backordered, line.left())
		line.ShipAgain = min(line.ShipAgain, line.left())
		remains = remains || line.left() > 0
	}
	switch {
	case !remains:
		o.Lifecycle, o.HeldFrom = Completed, None
	case o.Lifecycle == OnHold:
		o.HeldFrom = Confirmed
	default:
		o.Lifecycle = Confirmed
	}
	o.reservationChanged()
	return shipped
}

// ReconcileShipment completes the order's side of stock that was found fulfilled.
//
//	ORD-19  What stock has fulfilled ships, backordered or not, at most what is left (over_shipment). No lines:
//	        nothing_to_ship. The order becomes confirmed, or completed; one on hold stays so until all has shipped. What
//	        remains of one that is not paid has a deadline (ORD-65). If a fulfilment of just these lines is being packed,
//	        that is the shipment. Otherwise it is one of its own (its ID begins with "reconciled-"), and fulfilments that
//	        can no longer ship are cancelled, the newest first.
type ReconcileShipment struct {
	Lines []LineQuantity
	// DeadlineMicros is how long what remains then waits for its payment, if the order is not covered.
	DeadlineMicros int64
}

// ShipmentReconciled says that stock had fulfilled these lines. FulfilmentID is the fulfilment that was being packed of
// them, or one of its own.
type ShipmentReconciled struct {
	FulfilmentID string
	Lines        []LineQuantity
}

func (c ReconcileShipment) decide(o *Order) ([]Event, error) {
	lifecycle := o.offHold()
	if o.Kind != KindOrder || lifecycle != Placed && lifecycle != Reserved && lifecycle != Confirmed {
		return nil, o.illegal("reconcile_shipment")
	}
	if len(c.Lines) == 0 {
		return nil, o.refuseHere(CodeNothingToShip, "no line was found fulfilled")
	}
	lines, err := o.reconciledLines(c.Lines)
	if err != nil {
		return nil, err
	}
	events := make([]Event, 0, 2)
	id := ""
	if packed := o.pendingOf(lines); packed != nil {
		id, lines = packed.ID, packed.Lines
	} else {
		id = "reconciled-" + strconv.FormatUint(o.Version+1, 10)
		for _, gone := range o.unshippable(lines) {
			events = append(events, FulfilmentCancelled{FulfilmentID: gone, Reason: ReconciliationReason})
		}
	}
	events = o.declineAmendment(append(events, ShipmentReconciled{FulfilmentID: id, Lines: lines})...)
	return o.withCover(events, c.DeadlineMicros), nil
}

// reconciledLines are the lines of what stock has fulfilled: those that are in no fulfilment come first.
func (o *Order) reconciledLines(lines []LineQuantity) ([]LineQuantity, error) {
	if _, err := o.left().choose(o, lines, choice{over: CodeOverShipment}); err != nil {
		return nil, err
	}
	shipped := o.shippable().takeAll(lines)
	left, missing := o.left(), bySKU(lines)
	for _, l := range shipped {
		left.take(l, nil)
		missing[l.SKU] -= l.Quantity
	}
	for sku, n := range missing {
		shipped = left.take(LineQuantity{SKU: sku, Quantity: n}, shipped)
	}
	return added(shipped), nil
}

// pendingOf is the fulfilment that is being packed of just these quantities of SKUs, nil for none. Stock knows no
// lines.
func (o *Order) pendingOf(lines []LineQuantity) *Fulfilment {
	units := bySKU(lines)
	for i := range o.Fulfilments {
		if f := &o.Fulfilments[i]; f.Pending && maps.Equal(bySKU(f.Lines), units) {
			return f
		}
	}
	return nil
}

// unshippable are the fulfilments that can no longer ship after lines have shipped: the newest first, until what is
// left is enough for the others.
func (o *Order) unshippable(lines []LineQuantity) (ids []string) {
	after := *o
	after.shipLines(lines)
	for !after.canPack() {
		k := len(after.Fulfilments) - 1
		for !after.Fulfilments[k].Pending {
			k--
		}
		ids = append(ids, after.Fulfilments[k].ID)
		after.dropFulfilments(func(f Fulfilment) bool { return f.ID == ids[len(ids)-1] })
	}
	return ids
}

// canPack reports whether what is left to ship is enough for all that is being packed.
func (o *Order) canPack() bool {
	for line, n := range o.packing() {
		if n > o.Lines[line-1].left() {
			return false
		}
	}
	return true
}

func (e ShipmentReconciled) evolve(o *Order, _ Facts) {
	lines := o.shipLines(e.Lines)
	if e.FulfilmentID != "" { // none in old events, which had no such field
		o.keepFulfilment(Fulfilment{ID: e.FulfilmentID, Lines: lines, ReservationVersion: o.ReservationVersion})
	}
}
