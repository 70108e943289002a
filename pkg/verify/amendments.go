package verify

import (
	"math"
	"math/bits"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// foldAmendment folds an amendment: its request, and what came of it.
func (c *checker) foldAmendment(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent) {
	switch ch := ev.Change.(type) {
	case *eventv1.OrderEvent_AmendmentRequestedV2:
		o.amending = ch.AmendmentRequestedV2
		c.check(Transitions, len(o.amending.Lines)+len(o.amending.Charges) > 0, "%s: an amendment of nothing", at(rec))
		for _, l := range o.amending.Lines {
			changes := l.Quantity != l.FormerQuantity || l.UnitPriceMicros != l.FormerUnitPriceMicros ||
				l.DiscountMicros != l.FormerDiscountMicros || l.TaxMicros != l.FormerTaxMicros
			valid := l.Line > 0 && l.Sku != "" && l.Quantity >= 0 && l.UnitPriceMicros >= 0
			c.check(Transitions, valid && changes, "%s: amends line %v", at(rec), l)
		}
	case *eventv1.OrderEvent_OrderAmendedV2:
		c.foldAmended(rec, o, ch.OrderAmendedV2)
	case *eventv1.OrderEvent_AmendmentDeclined:
		d := ch.AmendmentDeclined
		c.check(Transitions, o.amending != nil, "%s: declined what was not asked for", at(rec))
		c.check(Refused, len(d.Short) > 0 != (d.Reason != ""),
			"%s: declined for %d short lines and the reason %q", at(rec), len(d.Short), d.Reason)
		growth := growth(o.amending.GetLines())
		for _, s := range d.Short {
			c.check(Refused, s.Requested > 0 && s.Requested == growth[s.Sku],
				"%s: declined for %d of %s, which grows by %d", at(rec), s.Requested, s.Sku, growth[s.Sku])
		}
		o.amending = nil
	}
}

// foldAmended folds the quantities of an amendment that was granted.
func (c *checker) foldAmended(rec *eventlog.Record, o *order, e *eventv1.OrderAmendedV2) {
	same := proto.Equal(&eventv1.AmendmentRequestedV2{Lines: e.Lines, Charges: e.Charges},
		&eventv1.AmendmentRequestedV2{Lines: o.amending.GetLines(), Charges: o.amending.GetCharges()})
	c.check(Transitions, o.amending != nil && same, "%s: amended otherwise than it was asked to be", at(rec))
	o.amending = nil
	o.credit(e.Charges, false)
	fits := true
	for _, l := range e.Lines {
		c.amendNumbered(rec, o, l)
		mine := o.line(l.Sku)
		if mine == nil {
			o.lines = append(o.lines, line{sku: c.intern(l.Sku)})
			mine = &o.lines[len(o.lines)-1]
		}
		mine.ordered += l.Quantity - l.FormerQuantity
		o.arrive(l.Sku, mine.backordered) // the event states all that is backordered
		mine.backordered = 0
		now, ok1 := product(l.Quantity, l.UnitPriceMicros)
		was, ok2 := product(l.FormerQuantity, l.FormerUnitPriceMicros)
		fits = fits && ok1 && ok2
		o.subtotal += now - was
		o.costs.addLine(l.Line, now-was, l.DiscountMicros-l.FormerDiscountMicros, l.TaxMicros-l.FormerTaxMicros)
	}
	for i := range o.lines {
		l := &o.lines[i]
		c.check(Transitions, l.ordered >= l.shipped,
			"%s: amended %s to %d, of which %d have shipped", at(rec), l.sku, l.ordered, l.shipped)
	}
	left := slices.ContainsFunc(o.lines, func(l line) bool { return l.ordered > l.shipped })
	c.check(Transitions, left, "%s: nothing is left to ship", at(rec))
	c.foldBackordered(rec, o, e.Backordered, 1)
	c.check(Money, fits, "%s: the amounts of its lines are too large", at(rec))
	c.foldAmendedMoney(rec, o, e)
}

func (c *checker) foldAmendedMoney(rec *eventlog.Record, o *order, e *eventv1.OrderAmendedV2) {
	rises := e.TotalMicros > o.total
	c.checkCosts(rec, o, e.SubtotalMicros, e.TotalMicros)
	c.foldExcess(rec, o, e.VoidedMicros, e.RefundDueMicros)
	missing := int64(0)
	if !o.onAccount && o.statusWithoutHold() == "confirmed" && (o.paymentDue || rises) {
		missing = o.uncovered()
	}
	c.check(Money, e.PaymentDueMicros == missing,
		"%s: %d are due before it ships, it should be %d", at(rec), e.PaymentDueMicros, missing)
	o.paymentDue, o.coverLost = missing > 0, o.coverLost && missing > 0
}

// growth is how much more of each SKU an amendment wants.
func growth(lines []*eventv1.AmendedLine) map[string]int64 {
	more := map[string]int64{}
	for _, l := range lines {
		more[l.Sku] += l.Quantity - l.FormerQuantity
	}
	return more
}

// product multiplies; false where the result does not fit.
func product(quantity, price int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(quantity), uint64(price))
	return int64(lo), quantity >= 0 && price >= 0 && hi == 0 && lo <= math.MaxInt64
}
