package codec

import (
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// pricing is what an event has of an order or a past document besides its lines.
type pricing struct {
	charges       []*eventv1.Charge
	discounts     []*eventv1.Discount
	taxesIncluded bool
	rounding      eventv1.Rounding
}

// toPricing has a rounding for every order: one without a pricing is rounded as a whole.
func toPricing(p *order.Pricing) pricing {
	if p == nil {
		return pricing{rounding: eventv1.Rounding_ROUNDING_ORDER}
	}
	return pricing{toCharges(p.Charges), toDiscounts(p.Discounts), p.TaxesIncluded, eventv1.Rounding(p.Rounding)}
}

// pricingOf is nil for an order of which only lines cost something, and that is rounded as a whole.
func pricingOf(m schema.Priced) *order.Pricing {
	if len(m.GetCharges())+len(m.GetDiscounts()) == 0 && !m.GetTaxesIncluded() &&
		m.GetRounding() == eventv1.Rounding_ROUNDING_ORDER {
		return nil
	}
	return &order.Pricing{
		Charges: fromCharges(m.GetCharges()), Discounts: fromDiscounts(m.GetDiscounts()),
		TaxesIncluded: m.GetTaxesIncluded(), Rounding: order.Rounding(m.GetRounding()),
	}
}

func setDetails(m *eventv1.OrderLine, d *order.LineDetails) {
	m.Discounts, m.OrderDiscountMicros = toDiscounts(d.Discounts), d.OrderDiscountMicros
	m.Taxes, m.Metadata = toTaxes(d.Taxes), toMetadata(d.Metadata)
}

// detailsOf is nil for a line that has no more than a price.
func detailsOf(m *eventv1.OrderLine) *order.LineDetails {
	if len(m.Discounts)+len(m.Taxes)+len(m.Metadata) == 0 && m.OrderDiscountMicros == 0 {
		return nil
	}
	return &order.LineDetails{
		Discounts: fromDiscounts(m.Discounts), OrderDiscountMicros: m.OrderDiscountMicros, Taxes: fromTaxes(m.Taxes),
		Metadata: fromMetadata(m.Metadata),
	}
}

func toCharges(charges []order.Charge) []*eventv1.Charge {
	return messages(charges, func(m *eventv1.Charge, c *order.Charge) {
		m.Kind, m.Description, m.AmountMicros = eventv1.ChargeKind(c.Kind), c.Description, c.AmountMicros
		m.Taxes = toTaxes(c.Taxes)
	})
}

func fromCharges(charges []*eventv1.Charge) []order.Charge {
	return values(charges, func(c *eventv1.Charge) order.Charge {
		return order.Charge{
			Kind: order.ChargeKind(c.Kind), Description: c.Description, AmountMicros: c.AmountMicros, Taxes: fromTaxes(c.Taxes),
		}
	})
}

func toDiscounts(discounts []order.Discount) []*eventv1.Discount {
	return messages(discounts, func(m *eventv1.Discount, d *order.Discount) {
		m.AmountMicros, m.Code, m.Description = d.AmountMicros, d.Code, d.Description
	})
}

func fromDiscounts(discounts []*eventv1.Discount) []order.Discount {
	return values(discounts, func(d *eventv1.Discount) order.Discount {
		return order.Discount{AmountMicros: d.AmountMicros, Code: d.Code, Description: d.Description}
	})
}

func toTaxes(taxes []order.Tax) []*eventv1.Tax {
	return messages(taxes, func(m *eventv1.Tax, t *order.Tax) {
		m.Name, m.Jurisdiction, m.RateMillionths, m.AmountMicros = t.Name, t.Jurisdiction, t.RateMillionths, t.AmountMicros
	})
}

func fromTaxes(taxes []*eventv1.Tax) []order.Tax {
	return values(taxes, func(t *eventv1.Tax) order.Tax {
		return order.Tax{
			Name: t.Name, Jurisdiction: t.Jurisdiction, RateMillionths: t.RateMillionths, AmountMicros: t.AmountMicros,
		}
	})
}

func toCredits(credits []order.ChargeCredit) []*eventv1.ChargeCredit {
	return messages(credits, func(m *eventv1.ChargeCredit, c *order.ChargeCredit) {
		m.Charge, m.AmountMicros, m.TaxMicros = uint32(c.Charge), c.AmountMicros, c.TaxMicros
	})
}

func fromCredits(credits []*eventv1.ChargeCredit) []order.ChargeCredit {
	return values(credits, func(c *eventv1.ChargeCredit) order.ChargeCredit {
		return order.ChargeCredit{Charge: int32(c.Charge), AmountMicros: c.AmountMicros, TaxMicros: c.TaxMicros}
	})
}
