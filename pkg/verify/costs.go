package verify

import (
	"math/big"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// costs is what an order costs: prices less discounts, with charges, and with taxes unless they are included. Amounts
// are not rounded.
type costs struct {
	taxesIncluded, byLine bool
	exact                 int64
	// returned had cost what came back, with the charges that were given back with it.
	returned int64
	charges  []chargeLeft
	// parts are the lines by number, and the charges by their number below 0; only where each is rounded.
	parts map[int32]costPart
}

type costPart struct{ exact, returned int64 }

// chargeLeft is what of a charge was not given back.
type chargeLeft struct{ amount, tax int64 }

func (l *costs) add(part int32, goods, discount, tax int64, returned bool) {
	if l.taxesIncluded {
		tax = 0
	}
	micros := goods - discount + tax
	p := l.parts[part]
	if returned {
		l.returned += micros
		p.returned += micros
	} else {
		l.exact += micros
		p.exact += micros
	}
	if !l.byLine {
		return
	}
	if l.parts == nil {
		l.parts = map[int32]costPart{}
	}
	l.parts[part] = p
}

func (l *costs) addLine(line uint32, goods, discount, tax int64) {
	l.add(int32(line), goods, discount, tax, false)
}

func (l *costs) addReturned(line uint32, goods, discount, tax int64) {
	l.add(int32(line), goods, discount, tax, true)
}

// rounded is what the order costs, or what came back of it had cost, as it is paid: all of it is rounded at once, or
// each of its parts.
func (l *costs) rounded(currency string, returned bool) (sum int64) {
	unit := minorUnit(currency)
	of := func(exact, gone int64) int64 {
		if returned {
			return roundHalfEven(gone, unit)
		}
		return roundHalfEven(exact, unit)
	}
	if !l.byLine {
		return of(l.exact, l.returned)
	}
	for _, p := range l.parts {
		sum += of(p.exact, p.returned)
	}
	return sum
}

// credit gives back parts of charges.
func (o *order) credit(credits []*eventv1.ChargeCredit, returned bool) {
	for _, c := range credits {
		if i := int(c.Charge) - 1; i >= 0 && i < len(o.costs.charges) {
			o.costs.charges[i].amount -= c.AmountMicros
			o.costs.charges[i].tax -= c.TaxMicros
		}
		sign := int64(-1)
		if returned {
			sign = 1
		}
		o.costs.add(-int32(c.Charge), sign*c.AmountMicros, 0, sign*c.TaxMicros, returned)
	}
}

// foldPrices checks an order's amounts against its lines and charges (I10).
func (c *checker) foldPrices(rec *eventlog.Record, o *order, p *eventv1.OrderPlacedV2) {
	o.costs = costs{taxesIncluded: p.TaxesIncluded, byLine: p.Rounding == eventv1.Rounding_ROUNDING_LINE}
	var subtotal, spread, discounts int64
	fits := true
	for i, l := range p.Lines {
		c.check(Money, l.Quantity > 0 && l.UnitPriceMicros >= 0,
			"%s: a line of %d at %d", at(rec), l.Quantity, l.UnitPriceMicros)
		price, ok := product(l.Quantity, l.UnitPriceMicros)
		if fits = fits && ok && subtotal+price >= subtotal; !fits {
			break
		}
		subtotal += price
		spread += l.OrderDiscountMicros
		c.check(Money, discountOf(l) <= price && (!p.TaxesIncluded || taxesOf(l.Taxes) <= price-discountOf(l)),
			"%s: discounts of %d and taxes of %d on a line of %d", at(rec), discountOf(l), taxesOf(l.Taxes), price)
		o.costs.addLine(uint32(i)+1, price, discountOf(l), taxesOf(l.Taxes))
	}
	for i, charge := range p.Charges {
		o.costs.charges = append(o.costs.charges, chargeLeft{charge.AmountMicros, taxesOf(charge.Taxes)})
		o.costs.add(-int32(i)-1, charge.AmountMicros, 0, taxesOf(charge.Taxes), false)
	}
	for _, d := range p.Discounts {
		discounts += d.AmountMicros
	}
	c.check(Money, len(p.Currency) == 3, "%s: %q is no currency", at(rec), p.Currency)
	c.check(Money, spread == discounts, "%s: discounts of %d, of which lines have %d", at(rec), discounts, spread)
	c.check(Money, fits, "%s: the amounts of its lines are too large", at(rec))
	o.subtotal = subtotal
	c.checkCosts(rec, o, p.SubtotalMicros, p.TotalMicros)
}

// checkCosts compares what an event says that the order costs with its fold, and takes it.
func (c *checker) checkCosts(rec *eventlog.Record, o *order, subtotal, total int64) {
	c.check(Money, o.subtotal == subtotal, "%s: lines add up to %d, the subtotal is %d", at(rec), o.subtotal, subtotal)
	rounded := o.costs.rounded(o.currency, false)
	c.check(Money, rounded == total,
		"%s: lines and charges make %d %s, which is %d rounded and not the total %d",
		at(rec), o.costs.exact, o.currency, rounded, total)
	for i, charge := range o.costs.charges {
		c.check(Money, charge.amount >= 0 && charge.tax >= 0, "%s: more of charge %d was given back than there was",
			at(rec), i+1)
	}
	o.subtotal, o.total = subtotal, total
}

// checkShares checks the discount and the tax that go with units of a line which the customer does not keep (ORD-73).
func (c *checker) checkShares(rec *eventlog.Record, l *numberedLine, units, discount, tax int64) {
	kept := l.ordered - l.returned
	discountLeft, taxLeft := l.discount-l.returnedDiscount, l.tax-l.returnedTax
	c.check(Money, discount == shareOf(discountLeft, units, kept) && tax == shareOf(taxLeft, units, kept),
		"%s: %d of %d units of %s take %d of discounts and %d of taxes with them, of %d and %d that are left",
		at(rec), units, kept, l.sku, discount, tax, discountLeft, taxLeft)
}

// shareOf is an amount times a part of a whole, half to even.
func shareOf(amount, part, whole int64) int64 {
	if whole <= 0 {
		return amount
	}
	twice := new(big.Int).Mul(big.NewInt(2*part), big.NewInt(amount))
	share, rest := new(big.Int).DivMod(twice, big.NewInt(2*whole), new(big.Int))
	if n := rest.Cmp(big.NewInt(whole)); n > 0 || n == 0 && share.Bit(0) == 1 {
		return share.Int64() + 1
	}
	return share.Int64()
}

func discountOf(l *eventv1.OrderLine) int64 {
	sum := l.OrderDiscountMicros
	for _, d := range l.Discounts {
		sum += d.AmountMicros
	}
	return sum
}

func taxesOf(taxes []*eventv1.Tax) (sum int64) {
	for _, t := range taxes {
		sum += t.AmountMicros
	}
	return sum
}
