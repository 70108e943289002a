package analytics

import (
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// What the money of a row is for. The rows of an order add up to what it costs: the goods, less discounts, with
// charges and taxes.
const (
	kindGoods    = "goods"
	kindCharge   = "charge"
	kindDiscount = "discount"
	kindTax      = "tax"
)

// roundedByLine is the rounding of an order of which each line and each charge is rounded.
const roundedByLine = "line"

// lineShares are what the discounts and the taxes of a line add to what its order costs: a discount that is given is
// below 0, a tax that is given back as well.
type lineShares struct{ discountMicros, taxMicros int64 }

// chargeAmount is what a charge, or what is given back of one, adds to what its order costs. number is its place in the
// order, from 1. word is its kind, such as shipping; empty where it is given back: the event does not say it.
type chargeAmount struct {
	number                  uint32
	word                    string
	amountMicros, taxMicros int64
}

// price takes from an order or a past document what it has besides goods and prices. Most have nothing. A credit note
// gives all of it back.
func (row *orderRow) price(p schema.Priced) {
	for i, l := range p.GetLines() {
		if len(l.Discounts)+len(l.Taxes) > 0 || l.OrderDiscountMicros != 0 {
			row.share(i, lineShares{-row.sign * schema.LineDiscount(l), row.sign * schema.TaxSum(l.Taxes)})
		}
	}
	for i, c := range p.GetCharges() {
		row.charges = append(row.charges, chargeAmount{
			uint32(i + 1), schema.ChargeKinds.Word(c.Kind), row.sign * c.AmountMicros, row.sign * schema.TaxSum(c.Taxes),
		})
	}
	if p.GetTaxesIncluded() {
		row.taxesIncluded = 1
	}
	if p.GetRounding() == eventv1.Rounding_ROUNDING_LINE {
		row.rounding = roundedByLine
	}
}

// share notes what line number i has besides its price.
func (row *orderRow) share(i int, shares lineShares) {
	if shares == (lineShares{}) {
		return
	}
	if row.shares == nil {
		row.shares = make([]lineShares, len(row.priced))
	}
	row.shares[i] = shares
}

// money are the rows that an event has in order_lines: lines with their discounts and taxes, then charges with theirs.
func (row *orderRow) money() []saleLine {
	lines := make([]saleLine, 0, len(row.priced)+len(row.shares)+2*len(row.charges))
	for i, line := range row.priced {
		shares := row.sharesOf(i)
		if line.Quantity != 0 || shares == (lineShares{}) {
			lines = append(lines, goods(line.Sku, line.UnitPriceMicros, row.sign*line.Quantity))
		}
		if shares.discountMicros != 0 {
			lines = append(lines, saleLine{kind: kindDiscount, sku: line.Sku, amountMicros: shares.discountMicros})
		}
		if shares.taxMicros != 0 {
			lines = append(lines, saleLine{kind: kindTax, sku: line.Sku, amountMicros: shares.taxMicros})
		}
	}
	for _, c := range row.charges {
		lines = append(lines, saleLine{kind: kindCharge, sku: c.word, charge: c.number, amountMicros: c.amountMicros})
		if c.taxMicros != 0 {
			lines = append(lines, saleLine{kind: kindTax, sku: c.word, charge: c.number, amountMicros: c.taxMicros})
		}
	}
	return lines
}

func (row *orderRow) sharesOf(i int) lineShares {
	if i >= len(row.shares) {
		return lineShares{}
	}
	return row.shares[i]
}

// credit notes what is given back of charges.
func (row *orderRow) credit(credits []*eventv1.ChargeCredit) {
	for _, c := range credits {
		row.charges = append(row.charges, chargeAmount{number: c.Charge, amountMicros: -c.AmountMicros,
			taxMicros: -c.TaxMicros})
	}
}

// linesOfAmendment are the lines that an amendment adds to an order, with what it adds to their discounts and taxes;
// what it removes has quantities below 0. When the price of a line changes, all its units are removed at the old price
// and added at the new one. A line of which only the discount or the tax changes has the quantity 0.
func linesOfAmendment(amended []*eventv1.AmendedLine) ([]*eventv1.OrderLine, []lineShares) {
	lines, shares := make([]*eventv1.OrderLine, 0, len(amended)), []lineShares(nil)
	add := func(sku string, quantity, price int64, share lineShares) {
		if quantity == 0 && share == (lineShares{}) {
			return
		}
		lines = append(lines, &eventv1.OrderLine{Sku: sku, Quantity: quantity, UnitPriceMicros: price})
		if share != (lineShares{}) {
			shares = append(shares, make([]lineShares, len(lines)-1-len(shares))...)
			shares = append(shares, share)
		}
	}
	for _, l := range amended {
		before, after := lineShares{l.FormerDiscountMicros, -l.FormerTaxMicros}, lineShares{-l.DiscountMicros, l.TaxMicros}
		if l.UnitPriceMicros == l.FormerUnitPriceMicros {
			share := lineShares{before.discountMicros + after.discountMicros, before.taxMicros + after.taxMicros}
			add(l.Sku, l.Quantity-l.FormerQuantity, l.UnitPriceMicros, share)
			continue
		}
		add(l.Sku, -l.FormerQuantity, l.FormerUnitPriceMicros, before)
		add(l.Sku, l.Quantity, l.UnitPriceMicros, after)
	}
	return lines, shares
}
