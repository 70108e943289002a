package verify

import (
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// soldOrder is what the events of an order so far sell.
type soldOrder struct {
	offset                      int64 // of the event that placed it, or of the document
	customer, country, currency string
	placedAt, confirmedAt       int64 // in microseconds
	counts                      bool
	lines                       []*eventv1.OrderLine // with the units that are left of each
	// ordered and returned are money in micro-units: all but what was cancelled, and what of it came back.
	ordered, returned int64
}

// payable is what the customer pays, exactly and rounded; nothing while the order does not count.
func (o *soldOrder) payable() (exact, rounded int64) {
	if !o.counts {
		return 0, 0
	}
	unit := minorUnit(o.currency)
	return o.ordered - o.returned, roundHalfEven(o.ordered, unit) - roundHalfEven(o.returned, unit)
}

// takeOff takes units off the last lines of a SKU at a price.
func (o *soldOrder) takeOff(l *eventv1.OrderLine) {
	units := l.Quantity
	for _, line := range slices.Backward(o.lines) {
		if line.Sku == l.Sku && line.UnitPriceMicros == l.UnitPriceMicros {
			n := min(units, line.Quantity)
			line.Quantity -= n
			units -= n
		}
	}
}

func worth(lines []*eventv1.OrderLine) (micros int64) {
	for _, l := range lines {
		micros += l.Quantity * l.UnitPriceMicros
	}
	return micros
}

// apply folds an event. It returns the lines that count by it, and why; removed means that they are taken off.
func (o *soldOrder) apply(ev *eventv1.OrderEvent) (lines []*eventv1.OrderLine, reason string, removed bool) {
	at := ev.Meta.OccurredAtMicros
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlaced:
		p := c.OrderPlaced
		*o = soldOrder{customer: p.CustomerId, country: p.Country, currency: p.Currency, placedAt: at}
		o.lines, o.ordered = p.Lines, worth(p.Lines)
	case *eventv1.OrderEvent_OrderConfirmed:
		if o.counts {
			return nil, "", false
		}
		o.counts, o.confirmedAt = true, at
		return o.left(), "confirmed", false
	case *eventv1.OrderEvent_OrderAmended:
		changed := amendedDifferences(c.OrderAmended.Lines)
		o.ordered += worth(changed)
		for _, l := range changed {
			if l.Quantity > 0 {
				o.lines = append(o.lines, copyOf(l))
			} else {
				o.takeOff(&eventv1.OrderLine{Sku: l.Sku, Quantity: -l.Quantity, UnitPriceMicros: l.UnitPriceMicros})
			}
		}
		return changed, "amended", false
	case *eventv1.OrderEvent_LinesCancelledV2:
		lines = cancelledLines(c.LinesCancelledV2)
		o.ordered -= worth(lines)
		for _, l := range lines {
			o.takeOff(l)
		}
		return lines, "cancelled", true
	case *eventv1.OrderEvent_ReturnReceivedV3:
		for _, l := range c.ReturnReceivedV3.Lines {
			line := &eventv1.OrderLine{Sku: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros}
			lines = append(lines, line)
			o.takeOff(line)
		}
		o.returned += worth(lines)
		return lines, "returned", true
	case *eventv1.OrderEvent_OrderCancelled:
		return o.left(), "cancelled", true
	}
	return nil, "", false
}

func cancelledLines(c *eventv1.LinesCancelledV2) (lines []*eventv1.OrderLine) {
	for _, l := range c.Lines {
		lines = append(lines, &eventv1.OrderLine{Sku: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros})
	}
	return lines
}

func copyOf(l *eventv1.OrderLine) *eventv1.OrderLine {
	return &eventv1.OrderLine{Sku: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros}
}

func (o *soldOrder) left() (lines []*eventv1.OrderLine) {
	for _, l := range o.lines {
		if l.Quantity != 0 {
			lines = append(lines, copyOf(l))
		}
	}
	return lines
}

// hashedOfSales are the columns of the table sales in a row's hash, in the order of their values in addSales.
var hashedOfSales = []string{
	"partition", "offset", "line", "order_id", "order_offset", "customer_id", "sku", "kind", "quantity",
	"amount_micros", "rounding_micros", "ordered_at", "counted_at",
}

// orderSales adds the rows of the table sales.
func (m *mirrorSums) orderSales(rec *eventlog.Record, c change, ev *eventv1.OrderEvent) {
	if c.name == "order_imported" || c.name == "credit_note_imported" {
		var document pastDocument = ev.GetOrderImported()
		reason, removed := "confirmed", false
		if note := ev.GetCreditNoteImported(); note != nil {
			document, reason, removed = note, "credited", true
		}
		at := ev.Meta.OccurredAtMicros
		o := &soldOrder{
			offset: rec.Offset, customer: c.text("customer_id"), country: c.text("country"), currency: document.GetCurrency(),
			placedAt: at, confirmedAt: at,
		}
		rounding := document.GetTotalMicros() - document.GetSubtotalMicros()
		if removed {
			rounding = -rounding
		}
		m.addSales(rec, ev, o, document.GetLines(), reason, removed, rounding)
		return
	}
	o := m.sold[ev.OrderId]
	switch {
	case ev.GetOrderPlaced() != nil:
		o = &soldOrder{}
		m.sold[ev.OrderId] = o
	case o == nil:
		return // a violation of the transitions, which is counted there
	}
	exactBefore, roundedBefore := o.payable()
	counted := o.counts
	lines, reason, removed := o.apply(ev)
	if ev.GetOrderPlaced() != nil {
		o.offset = rec.Offset
	}
	if c.name == "order_cancelled" {
		o.counts = false
	}
	exact, rounded := o.payable()
	if counted || o.counts {
		m.addSales(rec, ev, o, lines, reason, removed, (rounded-exact)-(roundedBefore-exactBefore))
	}
}

func (m *mirrorSums) addSales(
	rec *eventlog.Record, ev *eventv1.OrderEvent, o *soldOrder, lines []*eventv1.OrderLine, reason string, removed bool,
	rounding int64,
) {
	at := max(ev.Meta.OccurredAtMicros, o.confirmedAt)
	group := strings.Join([]string{reason, time.UnixMicro(at).UTC().Format("2006-01"), o.country, o.currency}, " ")
	amounts := make([]int64, len(lines))
	for i, l := range lines {
		amounts[i] = l.Quantity * l.UnitPriceMicros
	}
	for i, share := range shares(rounding, amounts) {
		quantity, amount := lines[i].Quantity, amounts[i]
		if removed {
			quantity, amount = -quantity, -amount
		}
		m.sales.add(group, 1, quantity, amount, share,
			m.row.of(rec.Partition, rec.Offset, i, ev.OrderId, o.offset, o.customer, lines[i].Sku, "goods", quantity, amount,
				share, o.placedAt, at))
	}
}

// shares splits an amount in proportion to the size of others. What all up to one get together is rounded towards zero.
func shares(amount int64, by []int64) []int64 {
	all := new(big.Int)
	for _, v := range by {
		all.Add(all, new(big.Int).Abs(big.NewInt(v)))
	}
	out := make([]int64, len(by))
	if all.Sign() == 0 {
		if len(out) > 0 {
			out[len(out)-1] = amount
		}
		return out
	}
	upTo, given := new(big.Int), int64(0)
	for i, v := range by {
		upTo.Add(upTo, new(big.Int).Abs(big.NewInt(v)))
		product := new(big.Int).Mul(upTo, big.NewInt(amount))
		out[i] = product.Quo(product, all).Int64() - given
		given += out[i]
	}
	return out
}
