package schema

import eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"

// LineDiscount is what all discounts take off a line: its own, and its share of those of the order.
func LineDiscount(l *eventv1.OrderLine) int64 {
	sum := l.OrderDiscountMicros
	for _, d := range l.Discounts {
		sum += d.AmountMicros
	}
	return sum
}

// TaxSum is what the taxes of a line or a charge add up to.
func TaxSum(taxes []*eventv1.Tax) (sum int64) {
	for _, t := range taxes {
		sum += t.AmountMicros
	}
	return sum
}
