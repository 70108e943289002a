package verify

import (
	"math"
	"math/bits"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// money holds a document's amounts to its lines: the subtotal is exact, the total rounded once.
func (c *checker) money(rec *eventlog.Record, lines []*eventv1.OrderLine, currency string, subtotal, total int64) {
	sum, fits := int64(0), true
	for _, l := range lines {
		c.check(Money, l.Quantity > 0 && l.UnitPriceMicros >= 0, "%s: a line of %d at %d", at(rec), l.Quantity, l.UnitPriceMicros)
		hi, lo := bits.Mul64(uint64(l.Quantity), uint64(l.UnitPriceMicros))
		fits = fits && hi == 0 && lo <= uint64(math.MaxInt64-sum)
		if !fits {
			break
		}
		sum += int64(lo)
	}
	c.check(Money, fits && sum == subtotal, "%s: lines add up to %d, the subtotal is %d", at(rec), sum, subtotal)
	c.check(Money, len(currency) == 3, "%s: %q is no currency", at(rec), currency)
	rounded := roundHalfEven(subtotal, minorUnit(currency))
	c.check(Money, rounded == total, "%s: the subtotal %d %s rounds to %d, not to the total %d", at(rec), subtotal, currency, rounded, total)
}

// minorUnit is the smallest amount of a currency that is paid, in micro-units (ISO 4217's exponent).
func minorUnit(currency string) int64 {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 1_000_000
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 1_000
	case "CLF", "UYW":
		return 100
	}
	return 10_000
}

func roundHalfEven(amount, unit int64) int64 {
	whole, rest := amount/unit, amount%unit
	if 2*rest > unit || 2*rest == unit && whole%2 == 1 {
		whole++
	}
	return whole * unit
}
