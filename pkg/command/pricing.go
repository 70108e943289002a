package command

import (
	"strconv"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/order"
)

// pricingBody is what an order may cost besides its lines. Sums are checked where they are given.
type pricingBody struct {
	Charges       []chargeBody   `json:"charges"`
	Discounts     []discountBody `json:"discounts"`
	TaxesIncluded bool           `json:"taxes_included"`
	Rounding      *string        `json:"rounding"` // nil: as the platform is set
	Total         *string        `json:"total"`    // nil: the client does not check it, here and below
	Subtotal      *string        `json:"subtotal"`
	DiscountTotal *string        `json:"discount_total"`
	ChargeTotal   *string        `json:"charge_total"`
	TaxTotal      *string        `json:"tax_total"`
}

// placeLineBody is a line of a new order, or of a past document.
type placeLineBody struct {
	SKU       string            `json:"sku"`
	Quantity  int64             `json:"quantity"`
	UnitPrice string            `json:"unit_price"`
	Discounts []discountBody    `json:"discounts"`
	Taxes     []taxBody         `json:"taxes"`
	Metadata  map[string]string `json:"metadata"`
}

type chargeBody struct {
	Kind        string    `json:"kind"`
	Description string    `json:"description"`
	Amount      string    `json:"amount"`
	Taxes       []taxBody `json:"taxes"`
}

type discountBody struct {
	Amount      string `json:"amount"`
	Code        string `json:"code"`
	Description string `json:"description"`
}

type taxBody struct {
	Name         string  `json:"name"`
	Jurisdiction string  `json:"jurisdiction"`
	Rate         *string `json:"rate"` // nil: the tax has no rate
	Amount       string  `json:"amount"`
}

// creditBody is a part of a charge that is given back.
type creditBody struct {
	Charge *int64 `json:"charge"` // its number from 1
	Amount string `json:"amount"`
}

// orderLines reads the lines of an order. Most have nothing but a price.
func (d *decoding) orderLines(lines []placeLineBody) []order.PlaceLine {
	if !d.countLines(len(lines)) {
		return nil
	}
	placed := make([]order.PlaceLine, len(lines))
	for i := range lines {
		line := &lines[i]
		placed[i] = d.placeLine(i, line.SKU, line.Quantity, line.UnitPrice)
		if len(line.Discounts)+len(line.Taxes)+len(line.Metadata) > 0 {
			pointer := linePointer(i)
			placed[i].Details = &order.LineDetails{
				Discounts: d.discounts(pointer, line.Discounts), Taxes: d.taxes(pointer, line.Taxes),
				Metadata: d.metadata(pointer+"/metadata", line.Metadata),
			}
		}
	}
	return placed
}

// sums reads what the client has computed.
func (d *decoding) sums(b *pricingBody) order.Sums {
	return order.Sums{
		TotalMicros:    d.sum("/total", b.Total),
		SubtotalMicros: d.sum("/subtotal", b.Subtotal),
		DiscountMicros: d.sum("/discount_total", b.DiscountTotal),
		ChargeMicros:   d.sum("/charge_total", b.ChargeTotal),
		TaxMicros:      d.sum("/tax_total", b.TaxTotal),
	}
}

// pricing reads what an order or a past document costs besides its lines; nil: nothing.
func (d *decoding) pricing(b *pricingBody) *order.Pricing {
	if len(b.Charges)+len(b.Discounts) == 0 && !b.TaxesIncluded && b.Rounding == nil {
		return nil
	}
	p := &order.Pricing{
		Charges: d.charges(b.Charges), Discounts: d.discounts("", b.Discounts), TaxesIncluded: b.TaxesIncluded,
	}
	if b.Rounding != nil {
		p.Rounding = order.Rounding(input.Word(&d.Body, "/rounding", *b.Rounding, order.CodeInvalidRounding,
			schema.Roundings.All, schema.Roundings.Parse))
	}
	return p
}

func (d *decoding) sum(pointer string, s *string) *int64 {
	if s == nil {
		return nil
	}
	micros := d.Amount(pointer, *s, order.CodeInvalidAmount)
	return &micros
}

func (d *decoding) charges(bodies []chargeBody) []order.Charge {
	if !d.fits("/charges", len(bodies), limits.MaxCharges, order.CodeInvalidCharge) {
		return nil
	}
	charges := make([]order.Charge, len(bodies))
	for i := range bodies {
		b, pointer := &bodies[i], "/charges/"+strconv.Itoa(i)
		charges[i] = order.Charge{
			Kind: order.ChargeKind(input.Word(&d.Body, pointer+"/kind", b.Kind, order.CodeInvalidCharge,
				schema.ChargeKinds.All, schema.ChargeKinds.Parse)),
			Description:  d.label(pointer+"/description", b.Description, order.CodeInvalidCharge),
			AmountMicros: d.Amount(pointer+"/amount", b.Amount, order.CodeInvalidCharge),
			Taxes:        d.taxes(pointer, b.Taxes),
		}
	}
	return charges
}

func (d *decoding) discounts(pointer string, bodies []discountBody) []order.Discount {
	pointer += "/discounts"
	if !d.fits(pointer, len(bodies), limits.MaxDiscounts, order.CodeInvalidDiscount) {
		return nil
	}
	discounts := make([]order.Discount, len(bodies))
	for i, b := range bodies {
		at := pointer + "/" + strconv.Itoa(i)
		discounts[i] = order.Discount{
			AmountMicros: d.positive(at+"/amount", b.Amount, order.CodeInvalidDiscount),
			Code:         d.label(at+"/code", b.Code, order.CodeInvalidDiscount),
			Description:  d.label(at+"/description", b.Description, order.CodeInvalidDiscount),
		}
	}
	return discounts
}

func (d *decoding) taxes(pointer string, bodies []taxBody) []order.Tax {
	pointer += "/taxes"
	if !d.fits(pointer, len(bodies), limits.MaxTaxes, order.CodeInvalidTax) {
		return nil
	}
	taxes := make([]order.Tax, len(bodies))
	for i, b := range bodies {
		at := pointer + "/" + strconv.Itoa(i)
		taxes[i] = order.Tax{
			Name:         d.label(at+"/name", b.Name, order.CodeInvalidTax),
			Jurisdiction: d.label(at+"/jurisdiction", b.Jurisdiction, order.CodeInvalidTax),
			AmountMicros: d.Amount(at+"/amount", b.Amount, order.CodeInvalidTax),
		}
		if b.Rate != nil {
			taxes[i].RateMillionths = d.rate(at+"/rate", *b.Rate)
		}
	}
	return taxes
}

func (d *decoding) credits(bodies []creditBody) []order.ChargeCredit {
	if !d.fits("/charges", len(bodies), limits.MaxCharges, order.CodeInvalidCharge) {
		return nil
	}
	credits := make([]order.ChargeCredit, len(bodies))
	for i, b := range bodies {
		pointer := "/charges/" + strconv.Itoa(i)
		credits[i].AmountMicros = d.positive(pointer+"/amount", b.Amount, order.CodeInvalidAmount)
		switch {
		case b.Charge == nil:
			d.Missing(pointer + "/charge")
		case *b.Charge < 1 || *b.Charge > limits.MaxCharges:
			d.Fault(order.CodeInvalidCharge, pointer+"/charge", "must be from 1 to "+strconv.Itoa(limits.MaxCharges))
		default:
			credits[i].Charge = int32(*b.Charge)
		}
	}
	return credits
}

// label reads a text that may be empty.
func (d *decoding) label(pointer, s, code string) string {
	if fault := input.LabelFault(s, limits.MaxReasonLength); fault != "" {
		d.Fault(code, pointer, fault)
	}
	return s
}

// rate reads the rate of a tax, which has as many decimals as an amount.
func (d *decoding) rate(pointer, s string) int64 {
	millionths, fault := input.ParseAmount(s)
	if fault == "" && millionths > limits.MaxTaxRate*money.MicrosPerUnit {
		d.Fault(order.CodeInvalidTax, pointer, "must be from 0 to "+strconv.Itoa(limits.MaxTaxRate)+`; 19 % is "0.19"`)
		return 0
	}
	return d.Amount(pointer, s, order.CodeInvalidTax)
}

// fits reports whether there is something of a list, and not too much.
func (d *decoding) fits(pointer string, n, most int, code string) bool {
	if n > most {
		d.Fault(code, pointer, "holds "+strconv.Itoa(n)+"; at most "+strconv.Itoa(most)+" are taken")
	}
	return n > 0 && n <= most
}

// pricing adds what an order costs besides its lines to its fingerprint, with the sums but for the total.
func (f *fingerprint) pricing(p *order.Pricing, sums *order.Sums) {
	f.optional(tagSubtotal, sums.SubtotalMicros)
	f.optional(tagDiscountTotal, sums.DiscountMicros)
	f.optional(tagChargeTotal, sums.ChargeMicros)
	f.optional(tagTaxTotal, sums.TaxMicros)
	if p == nil {
		return
	}
	f.flag(tagOfOrder, true)
	for i := range p.Charges {
		c := &p.Charges[i]
		f.b = append(f.b, tagCharge)
		f.number(tagKind, int64(c.Kind))
		f.text(tagDescription, c.Description)
		f.number(tagAmount, c.AmountMicros)
		f.taxes(c.Taxes)
	}
	f.discounts(p.Discounts)
	f.flag(tagTaxesIncluded, p.TaxesIncluded)
	f.number(tagRounding, int64(p.Rounding))
}

func (f *fingerprint) discounts(discounts []order.Discount) {
	for _, d := range discounts {
		f.b = append(f.b, tagDiscount)
		f.number(tagAmount, d.AmountMicros)
		f.text(tagCode, d.Code)
		f.text(tagDescription, d.Description)
	}
}

func (f *fingerprint) taxes(taxes []order.Tax) {
	for i := range taxes {
		t := &taxes[i]
		f.b = append(f.b, tagTax)
		f.text(tagName, t.Name)
		f.text(tagJurisdiction, t.Jurisdiction)
		f.number(tagRate, t.RateMillionths)
		f.number(tagAmount, t.AmountMicros)
	}
}

func (f *fingerprint) credits(credits []order.ChargeCredit) {
	for _, c := range credits {
		f.b = append(f.b, tagCharge)
		f.number(tagChargeNumber, int64(c.Charge))
		f.number(tagAmount, c.AmountMicros)
	}
}
