package order

import (
	"slices"
	"strconv"

	"github.com/holdfast/holdfast/pkg/money"
)

// What lines and charges cost, and what goes back of them. The rules are in pricing.go.

// plainLine: the line costs its price, and nothing else.
func (o *Order) plainLine(l *Line) bool { return l.DiscountMicros|l.TaxMicros == 0 && !o.RoundByLine }

// cost is an amount with its taxes, without a discount, and rounded where that is done by the line.
func (o *Order) cost(micros, discountMicros, taxMicros int64) int64 {
	micros -= discountMicros
	if !o.TaxesIncluded {
		micros += taxMicros
	}
	if o.RoundByLine {
		if unit, ok := money.Lookup(o.Currency); ok {
			if rounded, err := unit.Round(micros); err == nil {
				return rounded
			}
		}
	}
	return micros
}

// lineCost is what a line costs without what was cancelled of it.
func (o *Order) lineCost(l *Line) int64 {
	return o.cost((l.Quantity-l.Cancelled)*l.UnitPriceMicros, l.DiscountMicros, l.TaxMicros)
}

// lineReturned is what came back of a line, at what it cost.
func (o *Order) lineReturned(l *Line) int64 {
	return o.cost(l.Returned*l.UnitPriceMicros, l.ReturnedDiscountMicros, l.ReturnedTaxMicros)
}

// partCost is what units of a line cost that are neither cancelled nor came back: their share of what the line costs.
func (o *Order) partCost(l *Line, units int64) int64 {
	if o.plainLine(l) {
		return units * l.UnitPriceMicros // within the subtotal
	}
	return money.Share(o.lineCost(l)-o.lineReturned(l), units, l.kept())
}

// kept is what the customer keeps of a line, or will.
func (l *Line) kept() int64 { return l.Quantity - l.Cancelled - l.Returned }

// shares are the discounts and taxes that go with units which the customer does not keep (ORD-73).
func (l *Line) shares(units int64) (discountMicros, taxMicros int64) {
	return money.Share(l.DiscountMicros-l.ReturnedDiscountMicros, units, l.kept()),
		money.Share(l.TaxMicros-l.ReturnedTaxMicros, units, l.kept())
}

// credits checks what of charges is given back, and adds the taxes (ORD-73).
func (o *Order) credits(asked []ChargeCredit) ([]ChargeCredit, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	credits := slices.Clone(asked)
	for i := range credits {
		c, pointer := &credits[i], "/charges/"+strconv.Itoa(i)
		named := func(other ChargeCredit) bool { return other.Charge == c.Charge }
		if c.Charge < 1 || int(c.Charge) > len(o.Charges) || slices.ContainsFunc(credits[:i], named) {
			return nil, refuse(CodeUnknownCharge, pointer+"/charge",
				"the order has no such charge, or it is named twice; charges count from 1")
		}
		left := o.Charges[c.Charge-1]
		amount := left.AmountMicros - left.ReturnedMicros
		if c.AmountMicros < 1 || c.AmountMicros > amount {
			return nil, refuse(CodeOverCredit, pointer+"/amount",
				"more than 0, and at most what is left of the charge: "+money.FormatIn(o.Currency, amount))
		}
		c.TaxMicros = money.Share(left.TaxMicros-left.ReturnedTaxMicros, c.AmountMicros, amount)
	}
	return credits, nil
}

// credit takes what is given back off charges: off what the order costs, or off what the customer keeps where goods
// came back with it.
func (o *Order) credit(credits []ChargeCredit, returned bool) {
	if len(credits) == 0 {
		return
	}
	o.Charges = slices.Clone(o.Charges)
	for _, c := range credits {
		if c.Charge < 1 || int(c.Charge) > len(o.Charges) {
			continue
		}
		left := &o.Charges[c.Charge-1]
		if returned {
			left.ReturnedMicros += c.AmountMicros
			left.ReturnedTaxMicros += c.TaxMicros
		} else {
			left.AmountMicros -= c.AmountMicros
			left.TaxMicros -= c.TaxMicros
		}
	}
}
