package order

import (
	"math/bits"
	"strconv"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/money"
)

// price checks charges, discounts and taxes (ORD-70 to ORD-72), and gives the lines their shares of the order's
// discounts.
func (e *OrderPlaced) price() error {
	plain := e.Pricing == nil
	for i := range e.Lines {
		if e.Lines[i].Details == nil {
			continue
		}
		plain = false
		if err := checkLineDetails(i, &e.Lines[i]); err != nil {
			return err
		}
	}
	if plain {
		return nil
	}
	if p := e.Pricing; p != nil {
		if err := p.check(); err != nil {
			return err
		}
		if err := e.spreadDiscounts(); err != nil {
			return err
		}
	}
	return e.checkTaxes()
}

func checkLineDetails(i int, l *PlaceLine) error {
	d := *l.Details
	if d.OrderDiscountMicros = 0; len(d.Discounts)+len(d.Taxes)+len(d.Metadata) == 0 {
		l.Details = nil
		return nil
	}
	l.Details = &d // a copy, which gets its share of the order's discounts
	pointer := "/lines/" + strconv.Itoa(i)
	if err := checkDiscounts(pointer, d.Discounts, l.Quantity*l.UnitPriceMicros, "the line"); err != nil {
		return err
	}
	if err := checkTaxTexts(pointer, d.Taxes); err != nil {
		return err
	}
	if at, fault := d.Metadata.Fault(pointer + "/metadata"); fault != "" {
		return refuse(CodeInvalidMetadata, at, fault)
	}
	return nil
}

// check checks what the order has of its own.
func (p *Pricing) check() error {
	if len(p.Charges) > limits.MaxCharges {
		return refuse(CodeInvalidCharge, "/charges", "an order has at most 100 charges")
	}
	if p.Rounding != 0 && p.Rounding != RoundByOrder && p.Rounding != RoundByLine {
		return refuse(CodeInvalidRounding, "/rounding", "an order is rounded by order or by line")
	}
	var sum int64
	for i := range p.Charges {
		c := &p.Charges[i]
		pointer := "/charges/" + strconv.Itoa(i)
		var err error
		switch {
		case c.Kind < ChargeShipping || c.Kind > ChargeOther:
			return refuse(CodeInvalidCharge, pointer+"/kind",
				"a charge is for shipping, gift_wrap, fee, service, gift_card or other")
		case !validText(c.Description):
			return refuse(CodeInvalidCharge, pointer+"/description", textRule)
		case c.AmountMicros < 0:
			return refuse(CodeInvalidCharge, pointer+"/amount", "a charge is not negative")
		}
		if sum, err = money.Add(sum, c.AmountMicros); err != nil {
			return refuse(CodeAmountOverflow, pointer+"/amount", "the amount is too large")
		}
		if err := checkTaxTexts(pointer, c.Taxes); err != nil {
			return err
		}
		if c.AmountMicros == 0 && taxesOf(c.Taxes) > 0 {
			return refuse(CodeInvalidTax, pointer+"/taxes", "a charge of 0 has no taxes: nothing of it could be given back")
		}
	}
	return nil
}

const textRule = "a text is at most 255 characters, without control characters or outer spaces"

func validText(s string) bool { return !limits.Longer(s, limits.MaxReasonLength) && plain(s) }

// checkDiscounts checks discounts on what costs a price.
func checkDiscounts(pointer string, discounts []Discount, priceMicros int64, what string) error {
	pointer += "/discounts"
	if len(discounts) > limits.MaxDiscounts {
		return refuse(CodeInvalidDiscount, pointer, "there are at most 20 discounts")
	}
	left := priceMicros
	for i, d := range discounts {
		at := pointer + "/" + strconv.Itoa(i)
		switch {
		case d.AmountMicros <= 0:
			return refuse(CodeInvalidDiscount, at+"/amount", "a discount is more than 0")
		case !validText(d.Code):
			return refuse(CodeInvalidDiscount, at+"/code", textRule)
		case !validText(d.Description):
			return refuse(CodeInvalidDiscount, at+"/description", textRule)
		case d.AmountMicros > left:
			return refuse(CodeInvalidDiscount, at+"/amount", "discounts are at most the price of "+what+": "+
				money.Format(d.AmountMicros-left)+" less")
		}
		left -= d.AmountMicros
	}
	return nil
}

func checkTaxTexts(pointer string, taxes []Tax) error {
	pointer += "/taxes"
	if len(taxes) > limits.MaxTaxes {
		return refuse(CodeInvalidTax, pointer, "there are at most 10 taxes")
	}
	var sum int64
	for i := range taxes {
		t, at := &taxes[i], pointer+"/"+strconv.Itoa(i)
		var err error
		switch {
		case !validText(t.Name):
			return refuse(CodeInvalidTax, at+"/name", textRule)
		case !validText(t.Jurisdiction):
			return refuse(CodeInvalidTax, at+"/jurisdiction", textRule)
		case t.RateMillionths < 0 || t.RateMillionths > limits.MaxTaxRate*money.MicrosPerUnit:
			return refuse(CodeInvalidTax, at+"/rate", "a rate is from 0 to 10, such as 0.19")
		case t.AmountMicros < 0:
			return refuse(CodeInvalidTax, at+"/amount", "a tax is not negative")
		}
		if sum, err = money.Add(sum, t.AmountMicros); err != nil {
			return refuse(CodeAmountOverflow, at+"/amount", "the amount is too large")
		}
	}
	return nil
}

// spreadDiscounts spreads the order's discounts over its lines (ORD-71).
func (e *OrderPlaced) spreadDiscounts() error {
	costs := make([]int64, len(e.Lines))
	var sum int64
	for i := range e.Lines {
		l := &e.Lines[i]
		costs[i] = l.Quantity*l.UnitPriceMicros - l.Details.DiscountMicros()
		sum += costs[i]
	}
	if err := checkDiscounts("", e.Pricing.Discounts, sum, "the goods"); err != nil {
		return err
	}
	discount := discountsOf(e.Pricing.Discounts)
	if discount == 0 {
		return nil
	}
	unit, _ := money.Lookup(e.Currency)
	for i, share := range money.Spread(discount, costs, unit.MinorUnit()) {
		if l := &e.Lines[i]; share > 0 {
			if l.Details == nil {
				l.Details = &LineDetails{}
			}
			l.Details.OrderDiscountMicros = share
		}
	}
	return nil
}

// checkTaxes compares taxes with their rates (ORD-72).
func (e *OrderPlaced) checkTaxes() error {
	unit, _ := money.Lookup(e.Currency)
	included := e.Pricing != nil && e.Pricing.TaxesIncluded
	for i := range e.Lines {
		l := &e.Lines[i]
		if l.Details == nil || len(l.Details.Taxes) == 0 {
			continue
		}
		cost := l.Quantity*l.UnitPriceMicros - l.Details.DiscountMicros()
		if err := checkTaxes("/lines/"+strconv.Itoa(i), l.Details.Taxes, cost, l.Quantity, included, unit); err != nil {
			return err
		}
	}
	if e.Pricing == nil {
		return nil
	}
	for i := range e.Pricing.Charges {
		c := &e.Pricing.Charges[i]
		if err := checkTaxes("/charges/"+strconv.Itoa(i), c.Taxes, c.AmountMicros, 1, included, unit); err != nil {
			return err
		}
	}
	return nil
}

func checkTaxes(pointer string, taxes []Tax, costMicros, units int64, included bool, unit money.Currency) error {
	if included {
		if costMicros -= taxesOf(taxes); costMicros < 0 {
			return refuse(CodeInvalidTax, pointer+"/taxes",
				"taxes that are included are at most what the line or charge costs: "+
					unit.Format(-costMicros)+" less")
		}
	}
	for i := range taxes {
		t := &taxes[i]
		if t.RateMillionths == 0 {
			continue
		}
		high, low := bits.Mul64(uint64(costMicros), uint64(t.RateMillionths))
		if high >= money.MicrosPerUnit {
			return refuse(CodeAmountOverflow, pointer+"/taxes/"+strconv.Itoa(i)+"/amount", "the amount is too large")
		}
		exact, _ := bits.Div64(high, low, money.MicrosPerUnit)
		difference := t.AmountMicros - int64(exact)
		if tolerance := units * unit.MinorUnit() / 2; difference > tolerance+1 || difference < -tolerance-1 {
			return refuse(CodeTaxMismatch, pointer+"/taxes/"+strconv.Itoa(i)+"/amount",
				money.Format(t.RateMillionths)+" of "+unit.Format(costMicros)+" is "+unit.Format(int64(exact))+
					offBy(unit, t.AmountMicros, difference))
		}
	}
	return nil
}

// offBy says by how much an amount that was told is wrong: ", and 5.00 is 0.05 too much".
func offBy(unit money.Currency, told, difference int64) string {
	much := " too much"
	if difference < 0 {
		much, difference = " too little", -difference
	}
	return ", and " + unit.Format(told) + " is " + unit.Format(difference) + much
}

// checkSums compares what the client has computed with what the order costs.
func (e *OrderPlaced) checkSums(want *Sums) error {
	if *want == (Sums{}) {
		return nil
	}
	var discount, charge, tax int64
	for i := range e.Lines {
		discount += e.Lines[i].Details.DiscountMicros()
		tax += e.Lines[i].Details.TaxMicros()
	}
	if e.Pricing != nil {
		for i := range e.Pricing.Charges {
			charge += e.Pricing.Charges[i].AmountMicros
			tax += taxesOf(e.Pricing.Charges[i].Taxes)
		}
	}
	unit, _ := money.Lookup(e.Currency)
	for _, sum := range []struct {
		want    *int64
		got     int64
		pointer string
		what    string
	}{
		{want.SubtotalMicros, e.SubtotalMicros, "/subtotal", "the prices of the lines"},
		{want.DiscountMicros, discount, "/discount_total", "discounts"},
		{want.ChargeMicros, charge, "/charge_total", "charges"},
		{want.TaxMicros, tax, "/tax_total", "taxes"},
		{want.TotalMicros, e.TotalMicros, "/total", "the lines, with charges, discounts and taxes,"},
	} {
		if sum.want != nil && *sum.want != sum.got {
			return refuse(CodeTotalMismatch, sum.pointer, sum.what+" add up to "+unit.Format(sum.got)+
				offBy(unit, *sum.want, *sum.want-sum.got))
		}
	}
	return nil
}
