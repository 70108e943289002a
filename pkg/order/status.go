package order

import (
	"slices"
	"strings"
)

// Wanted returns what the order wants of each SKU, sorted by SKU.
// Until it is confirmed that is reserved, from then on committed, and fulfilled what has shipped;
// an order that ended wants no more than what has shipped, a credit note its lines back in stock, a document that was
// refused nothing. What came
// back of an order is restocked, or damaged. What an amendment under way wants more is to be reserved; what it wants
// less is kept until it is decided.
func (o Order) Wanted() []Wanted {
	wanted := make([]Wanted, len(o.Lines), len(o.Lines)+len(o.Asked))
	for i := range o.Lines {
		wanted[i] = o.wantedOf(&o.Lines[i])
	}
	for _, sku := range o.Asked {
		wanted = append(wanted, Wanted{SKU: sku})
	}
	if o.Amendment != nil {
		for _, l := range growth(o.Amendment.Lines) {
			wanted = append(wanted, Wanted{SKU: l.SKU, Reserved: l.Quantity})
		}
	}
	bySKU := func(a, b Wanted) int { return strings.Compare(a.SKU, b.SKU) }
	if !slices.IsSortedFunc(wanted, bySKU) {
		slices.SortFunc(wanted, bySKU)
	}
	merged := wanted[:0]
	for _, w := range wanted {
		if n := len(merged); n > 0 && merged[n-1].SKU == w.SKU {
			merged[n-1].Reserved += w.Reserved
			merged[n-1].Committed += w.Committed
			merged[n-1].Fulfilled += w.Fulfilled
			merged[n-1].Restocked += w.Restocked
			merged[n-1].Damaged += w.Damaged
			merged[n-1].Imported = merged[n-1].Imported || w.Imported
			continue
		}
		merged = append(merged, w)
	}
	for _, back := range o.ReturnedTo {
		if k := slices.IndexFunc(merged, func(w Wanted) bool { return w.SKU == back.SKU }); k >= 0 {
			merged[k].ReturnedAt = append(merged[k].ReturnedAt, back.ReturnedAt)
		}
	}
	return merged
}

// Nothing reports whether no unit is wanted.
func (w *Wanted) Nothing() bool {
	return w.Reserved|w.Committed|w.Fulfilled|w.Restocked|w.Damaged == 0
}

func (o *Order) wantedOf(l *Line) Wanted {
	w := Wanted{SKU: l.SKU, Fulfilled: l.Shipped, Restocked: l.Returned - l.Damaged, Damaged: l.Damaged}
	switch o.Kind {
	case KindCreditNote, KindImportedOrder:
		return o.wantedOfDocument(l)
	case KindOrder:
	}
	switch o.phase() {
	case Placed, Reserved:
		w.Reserved = l.left()
	case Confirmed, Completed:
		w.Committed = l.left()
	case None, Rejected, Cancelled, Expired, OnHold:
	}
	return w
}

// wantedOfDocument: until it is imported, an order's goods are reserved, and a credit note wants nothing yet, so that stock
// only says whether it knows the SKU.
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

// left is what is still to ship of a line, the backordered part included.
func (l *Line) left() int64 { return l.Quantity - l.Cancelled - l.Shipped }

func (o *Order) shippedUnits() int64 {
	var shipped int64
	for i := range o.Lines {
		shipped += o.Lines[i].Shipped
	}
	return shipped
}

// PaymentStatus derives: pending, authorized, partially_captured, captured, partially_refunded, refunded, voided,
// failed. It is pending until the total is authorized, without what came back. Money that is due for refund counts as captured until it
// has gone back.
func (o Order) PaymentStatus() string {
	switch {
	case o.RefundedMicros > 0 && o.RefundedMicros >= o.CapturedMicros:
		return "refunded"
	case o.RefundedMicros > 0:
		return "partially_refunded"
	case o.CapturedMicros > 0 && o.CapturedMicros >= o.keptOf(o.TotalMicros):
		return "captured"
	case o.CapturedMicros > 0:
		return "partially_captured"
	case o.VoidedMicros > 0 && o.openAuthorization() == 0:
		return "voided"
	case o.authorized() > 0 && o.authorized() >= o.keptOf(o.TotalMicros):
		return "authorized"
	case o.PaymentFailed:
		return "failed"
	}
	return "pending"
}

// FulfilmentStatus derives: unfulfilled, partially_fulfilled, fulfilled, delivered; none ("") for a credit
// note, which has nothing to fulfil.
func (o Order) FulfilmentStatus() string {
	if o.Kind == KindCreditNote {
		return ""
	}
	var left, shipped, delivered int64
	for i := range o.Lines {
		left += o.Lines[i].left()
		shipped += o.Lines[i].Shipped
		delivered += o.Lines[i].Delivered
	}
	switch {
	case shipped == 0:
		return "unfulfilled"
	case left > 0:
		return "partially_fulfilled"
	case delivered < shipped:
		return "fulfilled"
	}
	return "delivered"
}

// String is the API's word for a lifecycle: "placed", "reserved", …
func (l Lifecycle) String() string {
	switch l {
	case None:
		return "none"
	case Placed:
		return "placed"
	case Reserved:
		return "reserved"
	case Confirmed:
		return "confirmed"
	case Completed:
		return "completed"
	case Rejected:
		return "rejected"
	case Cancelled:
		return "cancelled"
	case Expired:
		return "expired"
	case OnHold:
		return "on_hold"
	}
	return "unknown"
}

// Undecided reports whether what stock answers decides something: of the order itself, or of an amendment.
func (o *Order) Undecided() bool { return o.Lifecycle == Placed || o.Amendment != nil }

// Open reports whether the order may still change stock: it has not ended, or stock has not answered
// its last step.
func (o Order) Open() bool {
	switch o.Lifecycle {
	case None:
		return false
	case Placed, Reserved, Confirmed, OnHold:
		return true
	case Completed, Rejected, Cancelled, Expired:
	}
	return !o.Settled
}
