package order

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ship applies ORD-14 and ORD-15.
func (o *Order) ship(c Ship) ([]Event, error) {
	if o.Kind != KindOrder || (o.Lifecycle != Confirmed && o.Lifecycle != Completed) {
		return nil, o.illegal("ship_order")
	}
	if o.Lifecycle == Completed {
		return nil, o.refuseHere(CodeNothingToShip, "everything has shipped")
	}
	if err := o.checkMayShip(); err != nil {
		return nil, err
	}
	if err := checkText("tracking_reference", c.TrackingReference, MaxReferenceBytes); err != nil {
		return nil, err
	}
	if err := o.checkNewFulfilment(c.FulfilmentID); err != nil {
		return nil, err
	}
	lines, err := o.toShip(c.Lines)
	if err != nil {
		return nil, err
	}
	return o.shipped(LinesShipped{c.FulfilmentID, lines, c.TrackingReference}, c.Capture, c.PaymentReference)
}

// checkMayShip applies ORD-57 and ORD-59: whether anything of a confirmed order may be set aside or ship.
func (o *Order) checkMayShip() error {
	switch {
	case o.Amendment != nil:
		return o.amendmentPending()
	case o.PaymentDue:
		return o.refuseHere(CodePaymentRequired, "an amendment made the order cost more than is authorized")
	}
	return nil
}

// checkNewFulfilment applies ORD-15.
func (o *Order) checkNewFulfilment(id string) error {
	switch {
	case id == "" || len(id) > MaxFulfilmentBytes || !utf8.ValidString(id):
		return refuse(CodeInvalidFulfilmentID, "/fulfilment_id", "a fulfilment's ID is 1 to 64 bytes of UTF-8")
	case len(o.Fulfilments) >= MaxFulfilments:
		return o.refuseHere(CodeTooManyFulfilments, "an order has at most 1000 fulfilments")
	case o.fulfilment(id) >= 0:
		return refuse(CodeFulfilmentExists, "/fulfilment_id", "the order has a fulfilment of this ID")
	}
	return nil
}

// shipped makes the events of a shipment. The provider may have told of its capture before (ORD-21).
func (o *Order) shipped(ev LinesShipped, capture bool, reference string) ([]Event, error) {
	if err := checkText("payment_reference", reference, MaxReferenceBytes); err != nil {
		return nil, err
	}
	repeat, err := o.repeats(Captured, reference, 0)
	if err != nil {
		return nil, err
	}
	events := append(make([]Event, 0, 2), ev)
	if !capture || repeat {
		return events, nil
	}
	unpaid := max(0, o.kept()-o.paid())
	if o.Terms == Prepaid && unpaid > 0 && o.openAuthorization() == 0 {
		return nil, o.refuseHere(CodeNothingToCapture, "nothing is authorized that could be captured, and the order is not paid")
	}
	amount, err := o.worth(ev.Lines)
	if err != nil {
		return nil, err
	}
	if amount = min(amount, unpaid); amount == 0 {
		return events, nil
	}
	if reference == "" {
		reference = ev.FulfilmentID
	}
	return append(events, PaymentCaptured{AmountMicros: amount, Reference: reference}), nil
}

// worth applies ORD-26: what a shipment is worth, of what is authorized.
func (o *Order) worth(lines []LineQuantity) (int64, error) {
	shipping, left := quantities(lines), int64(0)
	var worth int64
	for i := range o.Lines {
		line := &o.Lines[i]
		n := shipping.take(line.SKU, line.left())
		left += line.left() - n
		worth += n * line.UnitPriceMicros // within the order's subtotal
	}
	open := o.openAuthorization()
	if left == 0 {
		return open, nil
	}
	rounded, err := roundTotal(worth, o.Currency)
	return min(rounded, open), err
}

// toShip returns what ships, one entry a SKU: the lines asked for, or all that can.
func (o *Order) toShip(lines []LineQuantity) ([]LineQuantity, error) {
	left := o.free()
	if len(lines) > 0 {
		return left.choose(lines, choice{over: CodeOverShipment, readyOnly: true})
	}
	var all []LineQuantity
	for _, l := range left {
		if l.ready > 0 {
			all = append(all, LineQuantity{l.sku, l.ready})
		}
	}
	if len(all) == 0 && len(left) > 0 {
		return nil, o.refuseHere(CodeBackordered, "all that is left waits for stock to come")
	}
	if len(all) == 0 {
		return nil, o.refuseHere(CodeNothingToShip, "nothing is left to ship")
	}
	return all, nil
}

// unshipped is what is left to ship of a SKU; ready is the part that is not backordered.
type unshipped struct {
	sku         string
	left, ready int64
}

type unshippedSKUs []unshipped

// left adds up what is left to ship by SKU, sorted by SKU, without those that have nothing left.
func (o *Order) left() unshippedSKUs {
	all := make(unshippedSKUs, 0, len(o.Lines))
	for i := range o.Lines {
		if left := o.Lines[i].left(); left > 0 {
			all = append(all, unshipped{o.Lines[i].SKU, left, left - o.Lines[i].Backordered})
		}
	}
	return all.sorted()
}

// sorted adds up by SKU, sorted by SKU.
func (u unshippedSKUs) sorted() unshippedSKUs {
	slices.SortFunc(u, func(a, b unshipped) int { return strings.Compare(a.sku, b.sku) })
	merged := u[:0]
	for _, l := range u {
		if n := len(merged); n > 0 && merged[n-1].sku == l.sku {
			merged[n-1].left += l.left
			merged[n-1].ready += l.ready
			continue
		}
		merged = append(merged, l)
	}
	return merged
}

// quantities is all of it.
func (u unshippedSKUs) quantities() []LineQuantity {
	lines := make([]LineQuantity, len(u))
	for i := range u {
		lines[i] = LineQuantity{u[i].sku, u[i].left}
	}
	return lines
}

// free is what is left to ship and in no fulfilment that is being packed.
func (o *Order) free() unshippedSKUs {
	all := o.left()
	for _, f := range o.Fulfilments {
		if !f.Pending {
			continue
		}
		for _, l := range f.Lines {
			if k, ok := all.find(l.SKU); ok {
				all[k].left -= l.Quantity
				all[k].ready -= l.Quantity
			}
		}
	}
	return slices.DeleteFunc(all, func(u unshipped) bool { return u.left <= 0 })
}

func (u unshippedSKUs) find(sku string) (int, bool) {
	return slices.BinarySearchFunc(u, sku, func(a unshipped, sku string) int { return strings.Compare(a.sku, sku) })
}

// choice says what may be chosen, and which code says that it is more than that.
type choice struct {
	over      string
	readyOnly bool
}

// choose takes lines out of what is left and returns them added up by SKU, in the order of first mention.
func (u unshippedSKUs) choose(lines []LineQuantity, c choice) ([]LineQuantity, error) {
	if len(lines) > MaxLines {
		return nil, refuse(CodeInvalidLines, "/lines", "there are at most 2000 lines")
	}
	chosen := make([]LineQuantity, 0, len(lines))
	place := make(map[string]int, len(lines))
	for i, l := range lines {
		if l.Quantity < 1 || l.Quantity > MaxQuantity*MaxLines {
			return nil, refuse(CodeInvalidQuantity, linePointer(i, "quantity"), "a quantity is 1 unit or more")
		}
		k, known := u.find(l.SKU)
		if !known || u[k].left < l.Quantity {
			return nil, refuse(c.over, linePointer(i, "quantity"), "more than what is left of this SKU")
		}
		if c.readyOnly && u[k].ready < l.Quantity {
			return nil, refuse(CodeBackordered, linePointer(i, "quantity"), "part of this SKU waits for stock to come")
		}
		u[k].left -= l.Quantity
		u[k].ready -= l.Quantity
		if at, again := place[l.SKU]; again {
			chosen[at].Quantity += l.Quantity
			continue
		}
		place[l.SKU] = len(chosen)
		chosen = append(chosen, l)
	}
	return chosen, nil
}

// takesDeliveries: something may be on its way, whether or not the order was put on hold since.
func (o *Order) takesDeliveries() bool {
	return o.Kind == KindOrder && (o.phase() == Confirmed || o.Lifecycle == Completed)
}

// deliver applies ORD-16.
func (o *Order) deliver(c Deliver) ([]Event, error) {
	if !o.takesDeliveries() {
		return nil, o.illegal("deliver_order")
	}
	i := o.fulfilment(c.FulfilmentID)
	if i < 0 || o.Fulfilments[i].Pending {
		return nil, refuse(CodeUnknownFulfilment, "/fulfilment_id", "the order has no shipment of this ID")
	}
	if o.Fulfilments[i].Delivered {
		return nil, o.refuseHere(CodeAlreadyDelivered, "the shipment has been delivered")
	}
	under := o.Fulfilments[i].underWay()
	lines := under.quantities()
	if len(c.Lines) > 0 {
		var err error
		if lines, err = under.choose(c.Lines, choice{over: CodeOverDelivery}); err != nil {
			return nil, err
		}
	}
	return []Event{LinesDelivered{FulfilmentID: c.FulfilmentID, Lines: lines}}, nil
}

// underWay is what of a shipment has not arrived, sorted by SKU.
func (f *Fulfilment) underWay() unshippedSKUs {
	arrived := quantities(f.Arrived)
	var under unshippedSKUs
	for _, l := range f.Lines {
		if n := l.Quantity - arrived[l.SKU]; n > 0 {
			under = append(under, unshipped{l.SKU, n, n})
		}
	}
	return under.sorted()
}

// arrive notes what has been delivered.
func (f *Fulfilment) arrive(lines []LineQuantity) {
	arrived := slices.Clone(f.Arrived)
	for _, l := range lines {
		if k := slices.IndexFunc(arrived, func(a LineQuantity) bool { return a.SKU == l.SKU }); k >= 0 {
			arrived[k].Quantity += l.Quantity
		} else {
			arrived = append(arrived, l)
		}
	}
	f.Arrived = arrived
	if len(f.underWay()) == 0 {
		f.Arrived, f.Delivered = nil, true
	}
}

// reconcileShipment applies ORD-19.
func (o *Order) reconcileShipment(c ReconcileShipment) ([]Event, error) {
	if phase := o.phase(); o.Kind != KindOrder || phase != Placed && phase != Reserved && phase != Confirmed {
		return nil, o.illegal("reconcile_shipment")
	}
	if len(c.Lines) == 0 {
		return nil, o.refuseHere(CodeNothingToShip, "no line was found fulfilled")
	}
	lines, err := o.left().choose(c.Lines, choice{over: CodeOverShipment})
	if err != nil {
		return nil, err
	}
	events := make([]Event, 0, 2)
	id := o.packedOf(lines)
	if id == "" {
		id = "reconciled-" + strconv.FormatUint(o.Version+1, 10)
		for _, gone := range o.overtaken(lines) {
			events = append(events, FulfilmentCancelled{FulfilmentID: gone, Reason: ReconciliationReason})
		}
	}
	return o.giveUpAmendment(append(events, ShipmentReconciled{FulfilmentID: id, Lines: lines})...), nil
}

// packedOf is the fulfilment that is being packed of just these lines, or "".
func (o *Order) packedOf(lines []LineQuantity) string {
	units := quantities(lines)
	for _, f := range o.Fulfilments {
		if f.Pending && maps.Equal(quantities(f.Lines), units) {
			return f.ID
		}
	}
	return ""
}

// overtaken are the fulfilments that can no longer ship once lines have: the newest first, until what is left has the
// others.
func (o *Order) overtaken(lines []LineQuantity) (ids []string) {
	after := *o
	after.evolveShipped(lines)
	for !after.packs() {
		k := len(after.Fulfilments) - 1
		for !after.Fulfilments[k].Pending {
			k--
		}
		ids = append(ids, after.Fulfilments[k].ID)
		after.dropFulfilment(func(f Fulfilment) bool { return f.ID == ids[len(ids)-1] })
	}
	return ids
}

// packs reports whether what is left to ship has all that is being packed.
func (o *Order) packs() bool {
	packed := leftBySKU{}
	for _, f := range o.Fulfilments {
		for _, l := range f.Lines {
			if f.Pending {
				packed[l.SKU] += l.Quantity
			}
		}
	}
	left := quantities(o.left().quantities())
	for sku, n := range packed {
		if n > left[sku] {
			return false
		}
	}
	return true
}

// fulfilment returns the index of a shipment, or -1.
func (o *Order) fulfilment(id string) int {
	return slices.IndexFunc(o.Fulfilments, func(f Fulfilment) bool { return f.ID == id })
}
