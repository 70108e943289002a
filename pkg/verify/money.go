package verify

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// uncaptured is what is authorized and not captured: providers keep it for the order.
func (o *order) uncaptured() int64 { return o.authorized - o.voided - o.captured }

// paid is what was captured, was not refunded, and is not due for refund.
func (o *order) paid() int64 { return o.captured - o.refunded - o.refundDue }

// owed is the order's total without goodwill and what had cost what came back.
func (o *order) owed() int64 {
	return max(0, o.total-o.costs.rounded(o.currency, true)-o.goodwill)
}

// uncovered is what of the owed amount is neither paid nor authorized.
func (o *order) uncovered() int64 { return max(0, o.owed()-o.paid()-o.uncaptured()) }

// refundsWait: a refund was told before its capture, and there is money by now that it may be of. It goes back with the
// next event.
func (o *order) refundsWait() bool { return o.earlyRefunded > 0 && o.captured > o.refunded }

// excess is the money beyond the owed amount: what is authorized is voided, what is paid is due for refund.
func (o *order) excess() (voided, refundDue int64) {
	refundDue = max(0, o.paid()-o.owed())
	return min(o.uncaptured(), max(0, o.uncaptured()+o.paid()-refundDue-o.owed())), refundDue
}

// numberedVersion is the version of the events that pack and ship which names lines. Earlier ones may be from before
// prepaid orders had to be covered. They are held to what an amendment had said to be due alone.
const numberedVersion = 2

// checkCover checks that a prepaid order packs and ships only what its money covers (ORD-64), by what all events up to
// now add up to, or for a reason. An order that is covered ships without one.
func (c *checker) checkCover(rec *eventlog.Record, o *order, ev *eventv1.OrderEvent, name string, version int) {
	missing := o.uncovered()
	o.paymentDue = o.paymentDue && missing > 0
	o.coverLost = o.coverLost && o.paymentDue
	lacks := !o.onAccount && missing > 0
	reason := ev.GetLinesShippedV2().GetUncoveredReason()
	c.check(Money, reason == "" || lacks, "%s: shipped without cover, although the order is covered", at(rec))
	if name == "fulfilment_created" || name == "lines_shipped" && reason == "" {
		if version < numberedVersion {
			lacks = o.paymentDue
		}
		c.check(Money, !lacks, "%s: %s with %d of %d neither paid nor authorized", at(rec), name, missing, o.owed())
	}
}

// minorUnit is the smallest amount of a currency that is paid, in micro-units (ISO 4217's exponent).
func minorUnit(currency string) int64 {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
		"XPF":
		return 1_000_000
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 1_000
	case "CLF", "UYW":
		return 100
	}
	return 10_000
}

// roundHalfEven rounds an amount that is not negative to a multiple of unit, and halves to the even multiple.
func roundHalfEven(amount, unit int64) int64 {
	whole, remainder := amount/unit, amount%unit
	if 2*remainder > unit || 2*remainder == unit && whole%2 == 1 {
		whole++
	}
	return whole * unit
}
