package verify

import (
	"maps"
	"math/bits"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// order is the naive fold of one order or document.
type order struct {
	version              uint64
	status               string
	kind                 string // order, imported, credit_note
	placed               string
	ordered, shipped     map[string]int64
	total                int64
	authorized, captured int64
	fulfilments          map[string]bool // delivered?
	outcome              string
	onAccount            bool
}

// field is the name of the change in the schema.
func field(m interface{ ProtoReflect() protoreflect.Message }) string {
	r := m.ProtoReflect()
	if f := r.WhichOneof(r.Descriptor().Oneofs().ByName("change")); f != nil {
		return string(f.Name())
	}
	return ""
}

// before lists the statuses that an event may follow.
var before = map[string][]string{
	"order_placed": {""}, "order_imported": {""}, "credit_note_imported": {""},
	"order_reserved": {"placed"}, "order_backordered": {"placed"}, "order_rejected": {"placed"},
	"payment_authorized": {"reserved", "confirmed", "completed"}, "payment_captured": {"confirmed", "completed"},
	"order_confirmed": {"reserved"}, "order_cancelled": {"placed", "reserved", "confirmed"}, "order_expired": {"placed", "reserved"},
	"lines_shipped": {"confirmed"}, "shipment_reconciled": {"confirmed", "reserved", "completed"}, "lines_delivered": {"confirmed", "completed"},
	"reservation_settled": {"placed", "reserved", "confirmed", "completed", "rejected", "cancelled", "expired"},
}

func (c *checker) orderRecord(rec *eventlog.Record) {
	var ev eventv1.OrderEvent
	if err := ev.UnmarshalVT(rec.Value); err != nil {
		c.check(Envelope, false, "%s: %v", at(rec), err)
		return
	}
	name := field(&ev)
	if !c.envelope(rec, ev.Meta, ev.OrderId, "/holdfast/orders", name) {
		return
	}
	o := c.orders[ev.OrderId]
	if o == nil {
		o = &order{ordered: map[string]int64{}, shipped: map[string]int64{}, fulfilments: map[string]bool{}}
		c.orders[ev.OrderId] = o
	}
	c.check(Versions, ev.Meta.Version == o.version+1, "%s: order %s has version %d after %d", at(rec), ev.OrderId, ev.Meta.Version, o.version)
	o.version = ev.Meta.Version
	c.check(Transitions, slices.Contains(before[name], o.status), "%s: %s of order %s while it is %q", at(rec), name, ev.OrderId, o.status)
	c.orderChange(rec, o, &ev)
}

func (c *checker) orderChange(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlaced:
		p := ch.OrderPlaced
		o.onAccount = p.PaymentTerms == eventv1.PaymentTerms_PAYMENT_TERMS_ON_ACCOUNT
		c.open(rec, o, ev, "order", "placed", p.Lines, p.Currency, p.SubtotalMicros, p.TotalMicros)
	case *eventv1.OrderEvent_OrderImported:
		d := ch.OrderImported
		c.open(rec, o, ev, "imported", "completed", d.Lines, d.Currency, d.SubtotalMicros, d.TotalMicros)
		maps.Copy(o.shipped, o.ordered)
	case *eventv1.OrderEvent_CreditNoteImported:
		d := ch.CreditNoteImported
		c.open(rec, o, ev, "credit_note", "completed", d.Lines, d.Currency, d.SubtotalMicros, d.TotalMicros)
	case *eventv1.OrderEvent_OrderReserved, *eventv1.OrderEvent_OrderBackordered:
		o.status, o.outcome = "reserved", "reserved"
	case *eventv1.OrderEvent_OrderRejected:
		o.status, o.outcome = "rejected", "rejected"
	case *eventv1.OrderEvent_OrderConfirmed:
		o.status = "confirmed"
		c.check(Money, o.onAccount || o.authorized >= o.total, "%s: confirmed with %d of %d authorized", at(rec), o.authorized, o.total)
	case *eventv1.OrderEvent_PaymentAuthorized:
		o.authorized += ch.PaymentAuthorized.AmountMicros
		c.check(Money, ch.PaymentAuthorized.AmountMicros > 0 && o.authorized <= o.total, "%s: authorized %d of a total of %d", at(rec), o.authorized, o.total)
	case *eventv1.OrderEvent_PaymentCaptured:
		o.captured += ch.PaymentCaptured.AmountMicros
		c.check(Money, ch.PaymentCaptured.AmountMicros > 0 && o.captured <= o.authorized, "%s: captured %d of %d authorized", at(rec), o.captured, o.authorized)
	case *eventv1.OrderEvent_OrderCancelled:
		o.status = "cancelled"
		c.check(Money, ch.OrderCancelled.VoidedMicros == o.authorized-o.captured && ch.OrderCancelled.RefundDueMicros == o.captured,
			"%s: cancelled with %d voided and %d to refund, of %d authorized and %d captured", at(rec), ch.OrderCancelled.VoidedMicros, ch.OrderCancelled.RefundDueMicros, o.authorized, o.captured)
	case *eventv1.OrderEvent_OrderExpired:
		o.status = "expired"
		c.check(Money, ch.OrderExpired.VoidedMicros == o.authorized, "%s: expired with %d voided of %d authorized", at(rec), ch.OrderExpired.VoidedMicros, o.authorized)
	case *eventv1.OrderEvent_LinesShipped:
		o.fulfilments[ch.LinesShipped.FulfilmentId] = false
		c.ship(rec, o, ch.LinesShipped.Lines)
	case *eventv1.OrderEvent_ShipmentReconciled:
		c.ship(rec, o, ch.ShipmentReconciled.Lines)
	case *eventv1.OrderEvent_LinesDelivered:
		delivered, ok := o.fulfilments[ch.LinesDelivered.FulfilmentId]
		c.check(Transitions, ok && !delivered, "%s: delivered fulfilment %s, which was not on its way", at(rec), ch.LinesDelivered.FulfilmentId)
		o.fulfilments[ch.LinesDelivered.FulfilmentId] = true
	}
}

func (c *checker) open(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent, kind, status string, lines []*eventv1.OrderLine, currency string, subtotal, total int64) {
	o.kind, o.status, o.placed, o.total = kind, status, string(ev.Meta.EventId), total
	var sum int64
	for _, l := range lines {
		o.ordered[l.Sku] += l.Quantity
		hi, lo := bits.Mul64(uint64(l.Quantity), uint64(l.UnitPriceMicros))
		c.check(Money, l.Quantity > 0 && l.UnitPriceMicros >= 0 && hi == 0, "%s: a line of %d at %d", at(rec), l.Quantity, l.UnitPriceMicros)
		sum += int64(lo)
	}
	c.check(Money, sum == subtotal, "%s: lines add up to %d, the subtotal is %d", at(rec), sum, subtotal)
	c.check(Money, roundHalfEven(subtotal, minorUnit(currency)) == total, "%s: the subtotal %d %s does not round to the total %d", at(rec), subtotal, currency, total)
	key := ev.Meta.IdempotencyKey
	if key == "" {
		c.check(OneKey, false, "%s: an order without its key", at(rec))
		return
	}
	other, seen := c.keys[key]
	c.check(OneKey, !seen, "%s: key %q placed %s and %s", at(rec), key, other, ev.OrderId)
	c.keys[key] = ev.OrderId
}

func (c *checker) ship(rec *eventlog.Record, o *order, lines []*eventv1.LineQuantity) {
	for _, l := range lines {
		o.shipped[l.Sku] += l.Quantity
		c.check(Transitions, l.Quantity > 0 && o.shipped[l.Sku] <= o.ordered[l.Sku], "%s: shipped %d of %d ordered of %s", at(rec), o.shipped[l.Sku], o.ordered[l.Sku], l.Sku)
	}
	if maps.Equal(o.shipped, o.ordered) {
		o.status = "completed"
	}
}

// minorUnit is the smallest amount of a currency that is paid, in micro-units (ISO 4217's exponent).
func minorUnit(currency string) int64 {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 1_000_000
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 1_000
	case "CLF", "UYW":
		return 100
	}
	return 10_000
}

func roundHalfEven(amount, unit int64) int64 {
	whole, rest := amount/unit, amount%unit
	if 2*rest > unit || 2*rest == unit && whole%2 == 1 {
		whole++
	}
	return whole * unit
}
