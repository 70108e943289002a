package order

import (
	"math/bits"
	"slices"
	"strconv"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/metadata"
	"github.com/holdfast/holdfast/pkg/money"
)

// What an order costs besides the prices of its goods. The caller says it all; it is checked, and nothing is computed
// from rules for taxes or vouchers.
//
//	ORD-70  An order has at most 100 charges, each with a kind, a text of 255 characters and an amount of 0 or more
//	        (invalid_charge). They need no stock. A discount on a charge is a lower charge.
//	ORD-71  A line, and the order, has at most 20 discounts, each of more than 0, with texts of 255 characters; together
//	        they are at most the price of what they are on (invalid_discount). The order's discounts are spread over the
//	        lines in proportion to what these cost without their own discounts, in whole minor units of the currency, by
//	        the method of the largest remainder.
//	ORD-72  A line, and a charge, has at most 10 taxes, with texts of 255 characters, rates of 0 to 10 and amounts of 0
//	        or more, and a charge of 0 has none (invalid_tax). Taxes are added to what the order costs, or included in
//	        it. A tax that has a rate is the rate of what the line or charge costs with its discounts and without
//	        included taxes, to half a minor unit for each unit (tax_mismatch): it may have been rounded by the unit, by
//	        the line or not at all.
//	ORD-73  Where units of a line are cancelled or come back, their shares of its discounts and taxes go with them,
//	        each of what is left, half to even: so all units together give back all of it, to the last minor unit.
//	        Charges are given back as the command tells, at most what is left of them, with their share of their taxes
//	        (unknown_charge, over_credit).

// Charge is something that an order costs besides goods.
type Charge struct {
	Kind         ChargeKind
	Description  string
	AmountMicros int64
	Taxes        []Tax
}

// ChargeKind says what a charge is for. A closed set; values equal those of the event schema.
type ChargeKind int32

// The kinds of charges.
const (
	ChargeShipping ChargeKind = iota + 1
	ChargeGiftWrap
	ChargeFee
	ChargeService
	ChargeGiftCard
	ChargeOther
)

// Discount is money off a line or an order.
type Discount struct {
	AmountMicros      int64
	Code, Description string
}

// Tax is a tax on a line or a charge. RateMillionths of 0.19 is 190000; 0: it has no rate.
type Tax struct {
	Name, Jurisdiction           string
	RateMillionths, AmountMicros int64
}

// Rounding is how what an order costs becomes whole minor units. Values equal those of the event schema.
type Rounding int32

// The roundings: all of an order together, or each line and each charge.
const (
	RoundByOrder Rounding = 1
	RoundByLine  Rounding = 2
)

// Pricing is what an order costs besides its lines, and how that is computed.
type Pricing struct {
	Charges       []Charge
	Discounts     []Discount
	TaxesIncluded bool
	Rounding      Rounding
}

// LineDetails is what a line has besides its price, for all of its units. OrderDiscountMicros is its share of the
// order's discounts, which Place computes.
type LineDetails struct {
	Discounts           []Discount
	OrderDiscountMicros int64
	Taxes               []Tax
	Metadata            metadata.Map
}

// Sums are what the client has computed; nil: not checked.
type Sums struct{ SubtotalMicros, DiscountMicros, ChargeMicros, TaxMicros, TotalMicros *int64 }

// ChargeLeft is a charge of an order without what was cancelled of it. What was given back with goods is a part of it.
type ChargeLeft struct {
	AmountMicros, TaxMicros           int64
	ReturnedMicros, ReturnedTaxMicros int64
}

// ChargeCredit is a part of a charge that is given back, with its share of the taxes. Charge is its place, from 1.
type ChargeCredit struct {
	Charge                  int32
	AmountMicros, TaxMicros int64
}

func discountsOf(discounts []Discount) (sum int64) {
	for _, d := range discounts {
		sum += d.AmountMicros
	}
	return sum
}

func taxesOf(taxes []Tax) (sum int64) {
	for i := range taxes {
		sum += taxes[i].AmountMicros
	}
	return sum
}

// DiscountMicros are all discounts of the line.
func (d *LineDetails) DiscountMicros() int64 {
	if d == nil {
		return 0
	}
	return discountsOf(d.Discounts) + d.OrderDiscountMicros
}

// TaxMicros are all taxes of the line.
func (d *LineDetails) TaxMicros() int64 {
	if d == nil {
		return 0
	}
	return taxesOf(d.Taxes)
}

// orDefault is the pricing with its rounding; nil where only the lines cost something, and all of it is rounded once.
func (p *Pricing) orDefault(rounding Rounding) *Pricing {
	if p == nil && rounding != RoundByLine {
		return nil
	}
	priced := Pricing{}
	if p != nil {
		priced = *p
	}
	if priced.Rounding == 0 {
		priced.Rounding = max(rounding, RoundByOrder)
	}
	if len(priced.Charges)+len(priced.Discounts) == 0 && !priced.TaxesIncluded && priced.Rounding == RoundByOrder {
		return nil
	}
	return &priced
}

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
