package order

import (
	"slices"
	"strings"
)

// Wanted is the reservation of one SKU as the order wants it: absolute, summed over its lines.
type Wanted struct {
	SKU                                       string
	Reserved, Committed, Fulfilled, Restocked int64
	// Restocked goods came back and can be sold again, Damaged ones cannot. ReturnedAt is how much of both has a location
	// named for it.
	Damaged    int64
	ReturnedAt []ReturnedAt
	// Reversed are the shipments that were taken back. Fulfilled and Restocked include them.
	Reversed []Reversed
	// ShipAgain had left and did not arrive, or was taken back: stock takes on so much of Committed without fail. It is 0
	// once stock has answered, which changes no step: it is about what stock does not have yet.
	ShipAgain int64
	Imported  bool
}

// ReturnedAt is what came back to a location that was named for it.
type ReturnedAt struct {
	Location           string
	Restocked, Damaged int64
}

// Reversed is a shipment that was taken back: the ReservationVersion that it left with, and its quantity of the SKU.
type Reversed struct {
	Version  uint64
	Quantity int64
}

// Wanted returns what the order wants of each SKU, sorted by SKU.
//
// What is left to ship is reserved until the order is confirmed, and committed from then on. What has left is
// fulfilled, whether it arrived or not; what came back is restocked, or damaged. A shipment that was taken back is
// both, because what stock has counted as fulfilled stays so (INV-17). An order that ended wants no more than what has
// left. A credit note wants its lines restocked, a rejected document wants nothing. What a pending amendment adds is to
// be reserved; what it removes stays until the amendment is decided.
func (o Order) Wanted() []Wanted {
	return o.appendWanted(make([]Wanted, 0, len(o.Lines)+len(o.SKUsToRelease)))
}

// appendWanted appends what Wanted returns to an empty slice.
func (o *Order) appendWanted(wanted []Wanted) []Wanted {
	for i := range o.Lines {
		wanted = append(wanted, o.wantedOf(&o.Lines[i]))
	}
	for _, sku := range o.SKUsToRelease {
		wanted = append(wanted, Wanted{SKU: sku})
	}
	if o.Amendment != nil {
		for _, l := range growth(o.Amendment.Lines) {
			wanted = append(wanted, Wanted{SKU: l.SKU, Reserved: l.Quantity})
		}
	}
	compare := func(a, b Wanted) int { return strings.Compare(a.SKU, b.SKU) }
	if !slices.IsSortedFunc(wanted, compare) {
		slices.SortFunc(wanted, compare)
	}
	merged := wanted[:0]
	for _, w := range wanted {
		if n := len(merged); n > 0 && merged[n-1].SKU == w.SKU {
			merged[n-1].Reserved += w.Reserved
			merged[n-1].Committed += w.Committed
			merged[n-1].Fulfilled += w.Fulfilled
			merged[n-1].Restocked += w.Restocked
			merged[n-1].Damaged += w.Damaged
			merged[n-1].ShipAgain += w.ShipAgain
			merged[n-1].Imported = merged[n-1].Imported || w.Imported
			continue
		}
		merged = append(merged, w)
	}
	for _, back := range o.ReturnedTo {
		if k, ok := slices.BinarySearchFunc(merged, back.SKU, compareSKU); ok {
			merged[k].ReturnedAt = append(merged[k].ReturnedAt, back.ReturnedAt)
		}
	}
	for _, r := range o.ReversedShipments {
		if k, ok := slices.BinarySearchFunc(merged, r.SKU, compareSKU); ok {
			merged[k].Fulfilled += r.Quantity
			merged[k].Restocked += r.Quantity
			merged[k].Reversed = append(merged[k].Reversed, r.Reversed)
		}
	}
	return merged
}

func compareSKU(w Wanted, sku string) int { return strings.Compare(w.SKU, sku) }

// WantedOf is what Wanted has of one SKU; false: nothing. It does not sort thousands of lines for it.
func (o Order) WantedOf(sku string) (Wanted, bool) {
	var lines []Line
	for i := range o.Lines {
		if o.Lines[i].SKU == sku {
			lines = append(lines, o.Lines[i])
		}
	}
	o.Lines = lines
	wanted := o.Wanted()
	k := slices.IndexFunc(wanted, func(w Wanted) bool { return w.SKU == sku })
	if k < 0 {
		return Wanted{}, false
	}
	return wanted[k], true
}

// Nothing reports whether no unit is wanted.
func (w *Wanted) Nothing() bool {
	return w.Reserved|w.Committed|w.Fulfilled|w.Restocked|w.Damaged == 0
}

func (o *Order) wantedOf(l *Line) Wanted {
	w := Wanted{
		SKU: l.SKU, Fulfilled: l.Shipped + l.Undelivered,
		Restocked: l.Returned - l.Damaged + l.Undelivered - l.UndeliveredDamaged - l.Lost,
		Damaged:   l.Damaged + l.UndeliveredDamaged,
	}
	switch o.Kind {
	case KindCreditNote, KindImportedOrder:
		return o.wantedOfDocument(l)
	case KindOrder:
	}
	switch o.offHold() {
	case Placed, Reserved:
		w.Reserved = l.left()
	case Confirmed, Completed:
		w.Committed, w.ShipAgain = l.left(), l.ShipAgain
	case None, Rejected, Cancelled, Expired, OnHold:
	}
	return w
}

// wantedOfDocument is wantedOf for a past document. Until it is imported, the goods of an order are reserved, and a
// credit note wants nothing: stock only says whether it knows the SKU.
func (o *Order) wantedOfDocument(l *Line) Wanted {
	w := Wanted{SKU: l.SKU}
	switch {
	case o.Lifecycle == Placed:
		w.Imported = true
		if o.Kind == KindImportedOrder {
			w.Reserved = l.Quantity
		}
	case o.Lifecycle == Rejected:
	case o.Kind == KindImportedOrder:
		w.Imported, w.Fulfilled = true, l.Shipped
	default:
		w.Restocked = l.Quantity
	}
	return w
}
