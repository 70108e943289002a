package verify

import (
	"math"
	"math/bits"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// notWhileAmending lists what an order does not do before stock has answered its amendment.
var notWhileAmending = []string{
	"amendment_requested", "order_cancelled", "order_expired", "lines_cancelled", "fulfilment_created", "lines_shipped", "shipment_reconciled",
}

// amendment follows what an order asks stock for after it was placed.
func (c *checker) amendment(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_AmendmentRequested:
		o.amending = ch.AmendmentRequested.Lines
		c.check(Transitions, len(o.amending) > 0, "%s: an amendment of nothing", at(rec))
		for _, l := range o.amending {
			c.check(Transitions, l.Line > 0 && l.Sku != "" && l.Quantity >= 0 && l.UnitPriceMicros >= 0 &&
				(l.Quantity != l.FormerQuantity || l.UnitPriceMicros != l.FormerUnitPriceMicros), "%s: amends line %v", at(rec), l)
		}
	case *eventv1.OrderEvent_OrderAmended:
		c.amended(rec, o, ch.OrderAmended)
	case *eventv1.OrderEvent_AmendmentDeclined:
		d := ch.AmendmentDeclined
		c.check(Transitions, o.amending != nil, "%s: declined what was not asked for", at(rec))
		c.check(Refused, len(d.Short) > 0 != (d.Reason != ""), "%s: declined for %d short lines and the reason %q", at(rec), len(d.Short), d.Reason)
		grown := grown(o.amending)
		for _, s := range d.Short {
			c.check(Refused, s.Requested > 0 && s.Requested == grown[s.Sku], "%s: declined for %d of %s, which grows by %d", at(rec), s.Requested, s.Sku, grown[s.Sku])
		}
		o.amending = nil
	default:
		c.returns(rec, o, ev)
	}
}

// amended follows the quantities and the money of an amendment that stock has followed.
func (c *checker) amended(rec *eventlog.Record, o *order, e *eventv1.OrderAmended) {
	same := slices.EqualFunc(o.amending, e.Lines, func(a, b *eventv1.AmendedLine) bool { return proto.Equal(a, b) })
	c.check(Transitions, o.amending != nil && same, "%s: amended otherwise than it was asked to be", at(rec))
	o.amending = nil
	subtotal, fits := o.subtotal, true
	for _, l := range e.Lines {
		mine := o.line(l.Sku)
		if mine == nil {
			o.lines = append(o.lines, line{sku: c.intern(l.Sku)})
			mine = &o.lines[len(o.lines)-1]
		}
		mine.ordered += l.Quantity - l.FormerQuantity
		mine.backordered = 0 // what waits still is stated anew
		now, ok1 := product(l.Quantity, l.UnitPriceMicros)
		was, ok2 := product(l.FormerQuantity, l.FormerUnitPriceMicros)
		fits = fits && ok1 && ok2
		subtotal += now - was
	}
	left := false
	for i := range o.lines {
		l := &o.lines[i]
		left = left || l.ordered > l.shipped
		c.check(Transitions, l.ordered >= l.shipped, "%s: amended %s to %d, of which %d have shipped", at(rec), l.sku, l.ordered, l.shipped)
	}
	c.check(Transitions, left, "%s: nothing is left to ship", at(rec))
	c.backordered(rec, o, e.Backordered, 1)
	c.check(Money, fits && subtotal == e.SubtotalMicros, "%s: lines add up to %d, the subtotal is %d", at(rec), subtotal, e.SubtotalMicros)
	c.amendedMoney(rec, o, e)
}

func (c *checker) amendedMoney(rec *eventlog.Record, o *order, e *eventv1.OrderAmended) {
	rounded := roundHalfEven(e.SubtotalMicros, minorUnit(o.currency))
	c.check(Money, rounded == e.TotalMicros, "%s: the subtotal %d %s rounds to %d, not to the total %d", at(rec), e.SubtotalMicros, o.currency, rounded, e.TotalMicros)
	rises := e.TotalMicros > o.total
	o.subtotal, o.total = e.SubtotalMicros, e.TotalMicros
	voided, refund := o.setFree()
	c.check(Money, e.VoidedMicros == voided && e.RefundDueMicros == refund,
		"%s: %d voided and %d due, should be %d and %d", at(rec), e.VoidedMicros, e.RefundDueMicros, voided, refund)
	o.voided += e.VoidedMicros
	o.refundDue += e.RefundDueMicros
	missing := int64(0)
	if !o.onAccount && o.phase() == "confirmed" && (o.paymentDue || rises) {
		missing = o.uncovered()
	}
	c.check(Money, e.PaymentDueMicros == missing, "%s: %d are due before it ships, it should be %d", at(rec), e.PaymentDueMicros, missing)
	o.paymentDue = missing > 0
}

// stillDue holds what is set aside or ships to what is paid: it waits for what an amendment has added.
func (c *checker) stillDue(rec *eventlog.Record, o *order, name string) {
	o.paymentDue = o.paymentDue && o.uncovered() > 0
	if name == "fulfilment_created" || name == "lines_shipped" {
		c.check(Money, !o.paymentDue, "%s: %s with %d of %d authorized", at(rec), name, o.authorized-o.voided, o.total)
	}
}

// grown is how much more of each SKU an amendment wants.
func grown(lines []*eventv1.AmendedLine) map[string]int64 {
	more := map[string]int64{}
	for _, l := range lines {
		more[l.Sku] += l.Quantity - l.FormerQuantity
	}
	return more
}

func product(quantity, price int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(quantity), uint64(price))
	return int64(lo), quantity >= 0 && price >= 0 && hi == 0 && lo <= math.MaxInt64
}
