package order

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/money"
)

// ship applies ORD-14 and ORD-15.
func (o *Order) ship(c Ship) ([]Event, error) {
	if o.Kind != KindOrder || (o.Lifecycle != Confirmed && o.Lifecycle != Completed) {
		return nil, o.illegal("ship_order")
	}
	if o.Lifecycle == Completed {
		return nil, o.refuseHere(CodeNothingToShip, "everything has shipped")
	}
	if c.FulfilmentID == "" || len(c.FulfilmentID) > MaxFulfilmentBytes || !utf8.ValidString(c.FulfilmentID) {
		return nil, refuse(CodeInvalidFulfilmentID, "/fulfilment_id", "a shipment's ID is 1 to 64 bytes of UTF-8")
	}
	if err := checkText("tracking_reference", c.TrackingReference, MaxReferenceBytes); err != nil {
		return nil, err
	}
	if len(o.Fulfilments) >= MaxFulfilments {
		return nil, o.refuseHere(CodeTooManyFulfilments, "an order has at most 1000 shipments")
	}
	if o.fulfilment(c.FulfilmentID) >= 0 {
		return nil, refuse(CodeFulfilmentExists, "/fulfilment_id", "the order has a shipment of this ID")
	}
	lines, err := o.toShip(c.Lines)
	if err != nil {
		return nil, err
	}
	events := append(make([]Event, 0, 2), LinesShipped{FulfilmentID: c.FulfilmentID, Lines: lines, TrackingReference: c.TrackingReference})
	if !c.Capture {
		return events, nil
	}
	amount, err := o.dueWith(lines)
	if err != nil || amount == 0 {
		return events, err
	}
	return append(events, PaymentCaptured{AmountMicros: amount, Reference: c.FulfilmentID}), nil
}

// dueWith applies ORD-26: what a shipment is worth, of what is authorized.
func (o *Order) dueWith(lines []LineQuantity) (int64, error) {
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
	unit, ok := money.Lookup(o.Currency)
	if !ok {
		return 0, refuse(CodeUnknownCurrency, "/currency", "not an ISO 4217 currency")
	}
	rounded, err := unit.Round(worth)
	if err != nil {
		return 0, refuse(CodeAmountOverflow, "/lines", "the amount is too large")
	}
	return min(rounded, open), nil
}

// toShip returns what ships, one entry a SKU: the lines asked for, or all that can.
func (o *Order) toShip(lines []LineQuantity) ([]LineQuantity, error) {
	left := o.left()
	if len(lines) > 0 {
		return left.choose(lines, true)
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
	slices.SortFunc(all, func(a, b unshipped) int { return strings.Compare(a.sku, b.sku) })
	merged := all[:0]
	for _, l := range all {
		if n := len(merged); n > 0 && merged[n-1].sku == l.sku {
			merged[n-1].left += l.left
			merged[n-1].ready += l.ready
			continue
		}
		merged = append(merged, l)
	}
	return merged
}

// choose takes lines out of what is left and returns them added up by SKU, in the order of first mention.
func (u unshippedSKUs) choose(lines []LineQuantity, readyOnly bool) ([]LineQuantity, error) {
	if len(lines) > MaxLines {
		return nil, refuse(CodeInvalidLines, "/lines", "a shipment has at most 2000 lines")
	}
	chosen := make([]LineQuantity, 0, len(lines))
	place := make(map[string]int, len(lines))
	for i, l := range lines {
		if l.Quantity < 1 || l.Quantity > MaxQuantity*MaxLines {
			return nil, refuse(CodeInvalidQuantity, linePointer(i, "quantity"), "a quantity is 1 unit or more")
		}
		k, known := slices.BinarySearchFunc(u, l.SKU, func(a unshipped, sku string) int { return strings.Compare(a.sku, sku) })
		if !known || u[k].left < l.Quantity {
			return nil, refuse(CodeOverShipment, linePointer(i, "quantity"), "more than what is left to ship of this SKU")
		}
		if readyOnly && u[k].ready < l.Quantity {
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

// deliver applies ORD-16.
func (o *Order) deliver(c Deliver) ([]Event, error) {
	if o.Kind != KindOrder || (o.Lifecycle != Confirmed && o.Lifecycle != Completed) {
		return nil, o.illegal("deliver_order")
	}
	i := o.fulfilment(c.FulfilmentID)
	if i < 0 {
		return nil, refuse(CodeUnknownFulfilment, "/fulfilment_id", "the order has no shipment of this ID")
	}
	if o.Fulfilments[i].Delivered {
		return nil, o.refuseHere(CodeAlreadyDelivered, "the shipment has been delivered")
	}
	return []Event{LinesDelivered{FulfilmentID: c.FulfilmentID, Lines: slices.Clone(o.Fulfilments[i].Lines)}}, nil
}

// reconcileShipment applies ORD-19.
func (o *Order) reconcileShipment(c ReconcileShipment) ([]Event, error) {
	switch o.Lifecycle {
	case Placed, Reserved, Confirmed:
	default:
		return nil, o.illegal("reconcile_shipment")
	}
	if len(c.Lines) == 0 {
		return nil, o.refuseHere(CodeNothingToShip, "no line was found fulfilled")
	}
	lines, err := o.left().choose(c.Lines, false)
	if err != nil {
		return nil, err
	}
	return []Event{ShipmentReconciled{Lines: lines}}, nil
}

// fulfilment returns the index of a shipment, or -1.
func (o *Order) fulfilment(id string) int {
	return slices.IndexFunc(o.Fulfilments, func(f Fulfilment) bool { return f.ID == id })
}
