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
	counts, taxesIncluded       bool
	roundsOnce                  bool
	rows                        []moneyLine // what is left of each
	// ordered and returned are exact: all but what was cancelled, and what of it came back. cost and gone are the same
	// as events say it, rounded.
	ordered, returned, cost, gone int64
}

// payable is what the customer pays, exactly and rounded; nothing while the order does not count.
func (o *soldOrder) payable() (exact, rounded int64) {
	if !o.counts {
		return 0, 0
	}
	return o.ordered - o.returned, o.cost - o.gone
}

// apply folds an event. It returns the rows that count by it, and why.
func (o *soldOrder) apply(ev *eventv1.OrderEvent) (rows []moneyLine, reason string) {
	at := ev.Meta.OccurredAtMicros
	rows = o.sold(moneyOf(ev))
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlacedV2:
		p := c.OrderPlacedV2
		*o = soldOrder{
			customer: p.CustomerId, country: p.Country, currency: p.Currency, placedAt: at, taxesIncluded: p.TaxesIncluded,
			cost: p.TotalMicros, roundsOnce: p.Rounding != eventv1.Rounding_ROUNDING_LINE,
		}
		o.rows = o.sold(moneyOf(ev))
		o.ordered = worth(o.rows)
		return nil, ""
	case *eventv1.OrderEvent_OrderConfirmed:
		if o.counts {
			return nil, ""
		}
		o.counts, o.confirmedAt = true, at
		return o.left(1), "confirmed"
	case *eventv1.OrderEvent_OrderAmendedV2:
		o.ordered, o.cost = o.ordered+worth(rows), c.OrderAmendedV2.TotalMicros
		reason = "amended"
	case *eventv1.OrderEvent_LinesCancelledV2:
		o.ordered, o.cost = o.ordered+worth(rows), c.LinesCancelledV2.TotalMicros
		reason = "cancelled"
	case *eventv1.OrderEvent_ReturnReceivedV3:
		o.returned -= worth(rows)
		if o.gone = c.ReturnReceivedV3.ReturnedMicros; o.gone == 0 && o.roundsOnce { // events of before have none
			o.gone = roundHalfEven(o.returned, minorUnit(o.currency))
		}
		reason = "returned"
	case *eventv1.OrderEvent_OrderCancelled:
		return o.left(-1), "cancelled"
	}
	for _, row := range rows {
		o.change(row)
	}
	return rows, reason
}

// sold are the rows of an event as sales has them: charges by their names, and goods and charges without included
// taxes.
func (o *soldOrder) sold(rows []moneyLine) (out []moneyLine) {
	for _, row := range rows {
		named := slices.IndexFunc(o.rows, func(have moneyLine) bool { return have.charge == row.charge })
		if row.charge > 0 && row.sku == "" && named >= 0 {
			row.sku = o.rows[named].sku
		}
		if row.kind == "tax" && o.taxesIncluded {
			of := len(out) - 1
			for of >= 0 && (out[of].sku != row.sku || out[of].charge != row.charge ||
				out[of].kind != "goods" && out[of].kind != "charge") {
				of--
			}
			if of < 0 {
				out = append(out, moneyLine{kind: "goods", sku: row.sku})
				of = len(out) - 1
			}
			out[of].micros -= row.micros
		}
		out = append(out, row)
	}
	return out
}

// change adds a row to what is left. What is taken off comes off the last rows that it may be of.
func (o *soldOrder) change(row moneyLine) {
	if row.quantity > 0 || row.kind != "goods" && (row.kind == "discount") == (row.micros < 0) {
		o.rows = append(o.rows, row)
		return
	}
	for _, at := range slices.Backward(indexesOf(o.rows, row)) {
		of := &o.rows[at]
		if row.kind != "goods" {
			taken := max(row.micros, -of.micros)
			if row.micros > 0 {
				taken = min(row.micros, -of.micros)
			}
			of.micros, row.micros = of.micros+taken, row.micros-taken
			continue
		}
		if row.quantity == 0 || of.quantity == 0 || of.price != row.price {
			continue
		}
		units := min(of.quantity, -row.quantity)
		of.quantity, row.quantity = of.quantity-units, row.quantity+units
		of.micros, row.micros = of.micros+row.micros, 0
		if of.quantity == 0 { // what it has too much or too little is another's
			of.micros, row.micros = 0, of.micros
		}
	}
	if row.micros == 0 || row.quantity < 0 {
		return
	}
	for _, at := range slices.Backward(indexesOf(o.rows, row)) {
		if of := &o.rows[at]; of.kind == "goods" && of.quantity > 0 {
			of.micros += row.micros
			return
		}
	}
	o.rows = append(o.rows, row)
}

// indexesOf are the rows that a change may be of.
func indexesOf(rows []moneyLine, change moneyLine) (at []int) {
	for i, row := range rows {
		if row.kind == change.kind && row.sku == change.sku && row.charge == change.charge {
			at = append(at, i)
		}
	}
	return at
}

func (o *soldOrder) left(sign int64) (rows []moneyLine) {
	for _, row := range o.rows {
		if row.quantity != 0 || row.micros != 0 {
			row.quantity, row.micros = sign*row.quantity, sign*row.micros
			rows = append(rows, row)
		}
	}
	return rows
}

// hashedOfSales are the columns of the table sales in a row's hash, in the order of their values in addSales.
var hashedOfSales = []string{
	"partition", "offset", "line", "order_id", "order_offset", "customer_id", "sku", "quantity", "amount_micros",
	"rounding_micros", "ordered_at", "counted_at",
}

// orderSales adds the rows of the table sales.
func (m *mirrorSums) orderSales(rec *eventlog.Record, c change, ev *eventv1.OrderEvent) {
	if c.name == "order_imported" || c.name == "credit_note_imported" {
		var document pastDocument = ev.GetOrderImportedV2()
		reason, sign := "confirmed", int64(1)
		if note := ev.GetCreditNoteImportedV2(); note != nil {
			document, reason, sign = note, "credited", -1
		}
		at := ev.Meta.OccurredAtMicros
		o := &soldOrder{
			offset: rec.Offset, customer: c.text("customer_id"), country: c.text("country"), currency: document.GetCurrency(),
			placedAt: at, confirmedAt: at, taxesIncluded: document.GetTaxesIncluded(),
		}
		rows := o.sold(moneyOf(ev))
		m.addSales(rec, ev, o, rows, reason, sign*document.GetTotalMicros()-worth(rows))
		return
	}
	o := m.sold[ev.OrderId]
	switch {
	case ev.GetOrderPlacedV2() != nil:
		o = &soldOrder{}
		m.sold[ev.OrderId] = o
	case o == nil:
		return // a violation of the transitions, which is counted there
	}
	exactBefore, roundedBefore := o.payable()
	counted := o.counts
	rows, reason := o.apply(ev)
	if ev.GetOrderPlacedV2() != nil {
		o.offset = rec.Offset
	}
	if c.name == "order_cancelled" {
		o.counts = false
	}
	exact, rounded := o.payable()
	if counted || o.counts {
		m.addSales(rec, ev, o, rows, reason, (rounded-exact)-(roundedBefore-exactBefore))
	}
}

func (m *mirrorSums) addSales(
	rec *eventlog.Record, ev *eventv1.OrderEvent, o *soldOrder, rows []moneyLine, reason string, rounding int64,
) {
	at := max(ev.Meta.OccurredAtMicros, o.confirmedAt)
	month := time.UnixMicro(at).UTC().Format("2006-01")
	amounts := make([]int64, len(rows))
	for i, row := range rows {
		amounts[i] = row.micros
	}
	for i, share := range shares(rounding, amounts) {
		row := rows[i]
		m.sales.add(strings.Join([]string{reason, row.kind, month, o.country, o.currency}, " "),
			1, row.quantity, row.micros, share,
			m.row.of(rec.Partition, rec.Offset, i, ev.OrderId, o.offset, o.customer, row.sku, row.quantity, row.micros, share,
				o.placedAt, at))
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
