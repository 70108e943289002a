package orderview

import (
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/money"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Charge is something that an order costs besides goods. Its number is its place in the order, from 1.
type Charge struct {
	Number      uint32 `json:"charge"`
	Kind        string `json:"kind"`
	Description string `json:"description,omitempty"`
	Amount      string `json:"amount"` // as it was ordered
	Taxes       []Tax  `json:"taxes,omitempty"`
	// Credited is what of it was given back: with lines that were cancelled, an amendment, or goods that came back.
	Credited string `json:"credited,omitempty"`

	credited int64
}

// Discount is money off a line or an order, as it was ordered.
type Discount struct {
	Amount      string `json:"amount"`
	Code        string `json:"code,omitempty"`
	Description string `json:"description,omitempty"`
}

// Tax is a tax on a line or a charge, as it was ordered.
type Tax struct {
	Name         string `json:"name,omitempty"`
	Jurisdiction string `json:"jurisdiction,omitempty"`
	Rate         string `json:"rate,omitempty"` // such as 0.19
	Amount       string `json:"amount"`
}

// price takes what an order costs besides the prices of its goods.
func (o *Order) price(p *eventv1.OrderPlacedV2) {
	o.Charges, o.Discounts = nil, o.discounts(p.Discounts)
	o.TaxesIncluded, o.Rounding = p.TaxesIncluded, ""
	if p.Rounding == eventv1.Rounding_ROUNDING_LINE {
		o.Rounding = schema.Roundings.Word(p.Rounding)
	}
	o.discount, o.charge, o.tax = 0, 0, 0
	for i, c := range p.Charges {
		o.Charges = append(o.Charges, Charge{
			Number: uint32(i) + 1, Kind: schema.ChargeKinds.Word(c.Kind), Description: c.Description,
			Amount: o.amount(c.AmountMicros), Taxes: o.taxes(c.Taxes),
		})
		o.charge += c.AmountMicros
		o.tax += schema.TaxSum(c.Taxes)
	}
}

// priceLine takes a line's discounts and taxes.
func (o *Order) priceLine(l *Line, p *eventv1.OrderLine) {
	l.Discounts, l.Taxes, l.Metadata = o.discounts(p.Discounts), o.taxes(p.Taxes), metadataOf(p.Metadata)
	if p.OrderDiscountMicros > 0 {
		l.OrderDiscount = o.amount(p.OrderDiscountMicros)
	}
	o.changeShares(l, schema.LineDiscount(p), schema.TaxSum(p.Taxes))
}

// changeShares changes the discount and the tax of a line's units that are not cancelled.
func (o *Order) changeShares(l *Line, discount, tax int64) {
	if discount == 0 && tax == 0 {
		return
	}
	l.discount += discount
	l.tax += tax
	o.discount += discount
	o.tax += tax
	l.Discount, l.Tax = o.someAmount(l.discount), o.someAmount(l.tax)
}

// credit gives back parts of charges: returned, with goods that came back.
func (o *Order) credit(credits []*eventv1.ChargeCredit, returned bool) {
	for _, c := range credits {
		if int(c.Charge) < 1 || int(c.Charge) > len(o.Charges) {
			continue
		}
		charge := &o.Charges[c.Charge-1]
		charge.credited += c.AmountMicros
		charge.Credited = o.amount(charge.credited)
		if !returned {
			o.charge -= c.AmountMicros
			o.tax -= c.TaxMicros
		}
	}
}

// showSums fills in the sums of an order that has more than prices.
func (o *Order) showSums() {
	if o.discount != 0 || o.charge != 0 || o.tax != 0 || len(o.Charges) > 0 {
		o.DiscountTotal, o.ChargeTotal, o.TaxTotal = o.amount(o.discount), o.amount(o.charge), o.amount(o.tax)
	}
}

// someAmount is an amount, and nothing for 0.
func (o *Order) someAmount(micros int64) string {
	if micros == 0 {
		return ""
	}
	return o.amount(micros)
}

func (o *Order) discounts(discounts []*eventv1.Discount) (out []Discount) {
	for _, d := range discounts {
		out = append(out, Discount{o.amount(d.AmountMicros), d.Code, d.Description})
	}
	return out
}

func (o *Order) taxes(taxes []*eventv1.Tax) (out []Tax) {
	for _, t := range taxes {
		rate := ""
		if t.RateMillionths > 0 {
			rate = money.Format(t.RateMillionths)
		}
		out = append(out, Tax{t.Name, t.Jurisdiction, rate, o.amount(t.AmountMicros)})
	}
	return out
}
