package verify

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// numberedLine is a line of an order, which events name by its number (ORD-69). ordered is without what was cancelled.
type numberedLine struct {
	sku                                   string
	price                                 int64
	ordered, shipped, delivered, returned int64
	// backordered are those of the units left to ship that wait for stock.
	backordered int64
	// Those of the units that are not cancelled, and of them what came back.
	discount, tax, returnedDiscount, returnedTax int64
}

func (c *checker) numberedLines(lines []*eventv1.OrderLine) []numberedLine {
	out := make([]numberedLine, len(lines))
	for i, l := range lines {
		out[i] = numberedLine{
			sku: c.intern(l.Sku), price: l.UnitPriceMicros, ordered: l.Quantity, discount: discountOf(l), tax: taxesOf(l.Taxes),
		}
	}
	return out
}

// named is the line that an event names. An event of before ORD-69 names none; from then on it is not known what each
// line of the order has.
func (c *checker) named(rec *eventlog.Record, o *order, number uint32, sku string) *numberedLine {
	if number == 0 {
		o.numbered = nil
	}
	if o.numbered == nil {
		return nil
	}
	known := int(number) <= len(o.numbered) && o.numbered[number-1].sku == sku
	c.check(Transitions, known, "%s: line %d is not of %s", at(rec), number, sku)
	if !known {
		return nil
	}
	return &o.numbered[number-1]
}

// checkNumbered checks what a line has after an event, and the price that the event gives it.
func (c *checker) checkNumbered(rec *eventlog.Record, l *numberedLine, price int64) {
	c.check(Transitions, l.ordered >= l.shipped && l.shipped >= l.delivered && l.delivered >= l.returned,
		"%s: a line of %s has %d ordered, %d shipped, %d delivered, %d returned",
		at(rec), l.sku, l.ordered, l.shipped, l.delivered, l.returned)
	c.check(Money, l.discount >= l.returnedDiscount && l.returnedDiscount >= 0 && l.tax >= l.returnedTax &&
		l.returnedTax >= 0 &&
		l.discount <= l.ordered*l.price,
		"%s: a line of %s has discounts of %d and taxes of %d, of which %d and %d came back",
		at(rec), l.sku, l.discount, l.tax, l.returnedDiscount, l.returnedTax)
	c.check(Money, price == l.price, "%s: a line of %s costs %d, here it is %d", at(rec), l.sku, l.price, price)
}

// wait spreads backordered units over an order's lines of their SKU, the last line first.
func (o *order) wait(sku string, quantity int64) {
	for i := len(o.numbered) - 1; i >= 0; i-- {
		if n := &o.numbered[i]; n.sku == sku {
			more := max(0, min(quantity, n.ordered-n.shipped-n.backordered))
			n.backordered += more
			quantity -= more
		}
	}
}

// arrive gives units that were backordered to an order's lines of their SKU, the first line first.
func (o *order) arrive(sku string, quantity int64) {
	for i := range o.numbered {
		if n := &o.numbered[i]; n.sku == sku {
			less := min(quantity, n.backordered)
			n.backordered -= less
			quantity -= less
		}
	}
}

// dropBackordered notes that units of a line are not left to ship any more. n is nil where the lines are not known.
func (o *order) dropBackordered(l *line, n *numberedLine, cancelled int64) {
	if n == nil {
		l.backordered = min(max(0, l.backordered-cancelled), l.ordered-l.shipped) // backordered units are cancelled first
		return
	}
	was := n.backordered
	n.backordered = min(max(0, was-cancelled), n.ordered-n.shipped)
	l.backordered -= was - n.backordered
}

// amendNumbered changes a line as an amendment says, or adds it.
func (c *checker) amendNumbered(rec *eventlog.Record, o *order, l *eventv1.AmendedLine) {
	if o.numbered == nil {
		return
	}
	if int(l.Line) == len(o.numbered)+1 {
		o.numbered = append(o.numbered, numberedLine{sku: c.intern(l.Sku), price: l.UnitPriceMicros})
	}
	if n := c.named(rec, o, l.Line, l.Sku); n != nil {
		n.ordered += l.Quantity - l.FormerQuantity
		n.price = l.UnitPriceMicros
		c.check(Money, n.discount == l.FormerDiscountMicros && n.tax == l.FormerTaxMicros,
			"%s: line %d has a discount of %d and a tax of %d, not of %d and %d",
			at(rec), l.Line, n.discount, n.tax, l.FormerDiscountMicros, l.FormerTaxMicros)
		n.discount, n.tax = l.DiscountMicros, l.TaxMicros
		c.checkNumbered(rec, n, n.price)
	}
}
