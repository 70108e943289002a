package order

import "github.com/holdfast/holdfast/pkg/metadata"

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
