package analytics

import (
	"math/bits"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/money"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Why a line of the table sales counts.
const (
	soldConfirmed = "confirmed"
	soldAmended   = "amended"
	soldCancelled = "cancelled"
	soldReturned  = "returned"
	soldCredited  = "credited"
)

// saleLine is what a row of an order's money says of it, or of a change of it: quantity and amountMicros are below 0
// for what is taken off. Only goods have units and a price. charge is the place of a charge in its order, from 1.
type saleLine struct {
	kind, sku                               string
	unitPriceMicros, quantity, amountMicros int64
	charge                                  uint32
}

func goods(sku string, unitPriceMicros, quantity int64) saleLine {
	return saleLine{
		kind: kindGoods, sku: sku, unitPriceMicros: unitPriceMicros, quantity: quantity,
		amountMicros: quantity * unitPriceMicros,
	}
}

// orderChange is an event of an order, as the tables orders and order_lines have it.
type orderChange struct {
	partition                                   int32
	offset                                      int64
	typ, orderID, customerID, country, currency string
	occurredAt                                  time.Time
	lines                                       []saleLine
	// totalMicros, returnedMicros, rounding and taxesIncluded are as the table orders has them.
	totalMicros, returnedMicros int64
	rounding                    string
	taxesIncluded               uint32
}

// saleTypes are the events of an order that its sales are made of. A past document has everything in one event.
var saleTypes = []string{
	"order_placed", "order_amended", "lines_cancelled", "return_received", "order_confirmed", "order_cancelled",
}

// orderSales is what the events of one order so far mean for the table sales.
type orderSales struct {
	// offset is that of the event that placed the order.
	offset                        int64
	customerID, country, currency string
	orderedAt                     time.Time
	// confirmedAt is when the order began to count; zero: it does not count.
	confirmedAt time.Time
	// taxesIncluded and roundedByLine are how the order was placed.
	taxesIncluded, roundedByLine bool
	// lines are what the customer has ordered and pays for, without what was cancelled and returned, and without included
	// taxes, which have lines of their own. A line of which nothing is left stays.
	lines []saleLine
	// orderedMicros is what that costs without what was cancelled, returnedMicros what of that came back. Both are exact.
	orderedMicros, returnedMicros int64
	// totalMicros and returnedTotalMicros are the same as the events say it, rounded.
	totalMicros, returnedTotalMicros int64
}

// counted are the lines that an event makes count.
type counted struct {
	order  *orderSales
	reason string
	at     time.Time
	lines  []saleLine
	// roundingMicros is what rounding adds to the order's total by this event.
	roundingMicros int64
}

// change folds an event and returns what it makes count. An order counts from its confirmation on, with the lines that
// it has then, until it is cancelled.
func (o *orderSales) change(c *orderChange) counted {
	rounding := o.roundingMicros()
	sold := counted{order: o, at: c.occurredAt}
	counts := !o.confirmedAt.IsZero()
	if counts && sold.at.Before(o.confirmedAt) {
		sold.at = o.confirmedAt // nothing counts before the order does
	}
	switch c.typ {
	case "order_placed":
		*o = orderSales{
			offset: c.offset, customerID: c.customerID, country: c.country, currency: c.currency, orderedAt: c.occurredAt,
			taxesIncluded: c.taxesIncluded != 0, roundedByLine: c.rounding == roundedByLine, totalMicros: c.totalMicros,
		}
		o.add(o.pricedLines(c.lines))
		return counted{}
	case "order_amended", "lines_cancelled":
		sold.reason, sold.lines = soldAmended, o.pricedLines(c.lines)
		if c.typ == "lines_cancelled" {
			sold.reason = soldCancelled
		}
		o.add(sold.lines)
		o.totalMicros = c.totalMicros
	case "return_received":
		sold.reason, sold.lines = soldReturned, o.pricedLines(c.lines)
		o.add(sold.lines)
		for i := range sold.lines { // together below 0
			o.orderedMicros -= sold.lines[i].amountMicros
			o.returnedMicros -= sold.lines[i].amountMicros
		}
		o.returnedTotalMicros = c.returnedMicros
	case "order_confirmed":
		if counts {
			return counted{}
		}
		o.confirmedAt, counts = c.occurredAt, true
		sold.reason, sold.lines = soldConfirmed, o.left(1)
	case "order_cancelled":
		sold.reason, sold.lines = soldCancelled, o.left(-1)
		o.confirmedAt = time.Time{}
	}
	if !counts {
		return counted{}
	}
	sold.roundingMicros = o.roundingMicros() - rounding
	return sold
}

// pricedLines are the lines of an event as the table sales has them: what is given back of a charge has the name of the
// charge, and where taxes are included they are taken out of the goods or the charge before them.
func (o *orderSales) pricedLines(lines []saleLine) []saleLine {
	for i := range lines {
		if line := &lines[i]; line.charge > 0 && line.sku == "" {
			line.sku = o.chargeName(line.charge)
		}
	}
	if !o.taxesIncluded {
		return lines
	}
	priced := make([]saleLine, 0, len(lines)+1)
	for i := range lines {
		if line := &lines[i]; line.kind == kindTax {
			k := len(priced) - 1
			for k >= 0 && !priced[k].taxedBy(line) {
				k--
			}
			if k < 0 { // nothing but the tax has changed
				k = len(priced)
				priced = append(priced, saleLine{kind: kindGoods, sku: line.sku})
			}
			priced[k].amountMicros -= line.amountMicros
		}
		priced = append(priced, lines[i])
	}
	return priced
}

// taxedBy reports whether a tax may be that of the line.
func (l *saleLine) taxedBy(tax *saleLine) bool {
	return (l.kind == kindGoods || l.kind == kindCharge) && l.sku == tax.sku && l.charge == tax.charge
}

func (o *orderSales) chargeName(charge uint32) string {
	for i := range o.lines {
		if o.lines[i].charge == charge {
			return o.lines[i].sku
		}
	}
	return ""
}

// add adds changes of lines.
func (o *orderSales) add(changes []saleLine) {
	for i := range changes {
		change := &changes[i]
		o.orderedMicros += change.amountMicros
		switch {
		case change.quantity > 0, change.kind == kindDiscount && change.amountMicros < 0,
			(change.kind == kindTax || change.kind == kindCharge) && change.amountMicros > 0:
			o.lines = append(o.lines, *change)
		case change.kind == kindGoods:
			o.takeGoods(*change)
		default:
			o.takeMoney(*change)
		}
	}
}

// takeGoods takes units off the last lines of their SKU and price. Where that leaves money on a line without units,
// because units of the same price had different included taxes, another line of the SKU has it.
func (o *orderSales) takeGoods(change saleLine) {
	for i := len(o.lines) - 1; i >= 0 && change.quantity < 0; i-- {
		line := &o.lines[i]
		if line.kind != kindGoods || line.quantity == 0 || line.sku != change.sku ||
			line.unitPriceMicros != change.unitPriceMicros {
			continue
		}
		taken := min(line.quantity, -change.quantity)
		line.quantity -= taken
		change.quantity += taken
		line.amountMicros += change.amountMicros
		if change.amountMicros = 0; line.quantity == 0 {
			line.amountMicros, change.amountMicros = 0, line.amountMicros
		}
	}
	if change.amountMicros == 0 || change.quantity < 0 { // an order does not have less than nothing
		return
	}
	for i := len(o.lines) - 1; i >= 0; i-- {
		if line := &o.lines[i]; line.kind == kindGoods && line.quantity > 0 && line.sku == change.sku {
			line.amountMicros += change.amountMicros
			return
		}
	}
	o.lines = append(o.lines, change)
}

// takeMoney takes a discount, a tax or a charge off the last ones of its kind.
func (o *orderSales) takeMoney(change saleLine) {
	for i := len(o.lines) - 1; i >= 0 && change.amountMicros != 0; i-- {
		line := &o.lines[i]
		if line.kind != change.kind || line.sku != change.sku || line.charge != change.charge {
			continue
		}
		taken := min(magnitude(line.amountMicros), magnitude(change.amountMicros))
		if signed := int64(taken); change.amountMicros > 0 {
			line.amountMicros += signed
			change.amountMicros -= signed
		} else {
			line.amountMicros -= signed
			change.amountMicros += signed
		}
	}
	if change.amountMicros != 0 {
		o.lines = append(o.lines, change)
	}
}

// left are the lines of which something is left, times sign.
func (o *orderSales) left(sign int64) (lines []saleLine) {
	for i := range o.lines {
		if line := o.lines[i]; line.quantity != 0 || line.amountMicros != 0 {
			line.quantity *= sign
			line.amountMicros *= sign
			lines = append(lines, line)
		}
	}
	return lines
}

// roundingMicros is what the customer pays more than the lines cost, because of rounding to the minor unit of the
// currency; 0 while the order does not count. What was ordered is rounded as a whole (ORD-4), and so is what of it came
// back (ORD-61). Where each line is rounded, the events say what that makes.
func (o *orderSales) roundingMicros() int64 {
	currency, known := money.Lookup(o.currency)
	if o.confirmedAt.IsZero() || !known {
		return 0
	}
	total, returned := o.totalMicros, o.returnedTotalMicros
	if !o.roundedByLine {
		var err, err2 error
		total, err = currency.Round(o.orderedMicros)
		returned, err2 = currency.Round(o.returnedMicros)
		if err != nil || err2 != nil {
			return 0 // the writer refuses such a total (ORD-4)
		}
	}
	return total - returned - (o.orderedMicros - o.returnedMicros)
}

// roundingShares shares an amount among lines in proportion to what they cost.
type roundingShares struct {
	rounding int64
	lines    int    // that have no share yet
	all      uint64 // what all lines cost
	// running is what the lines that have a share cost, and shared what they have got.
	running uint64
	shared  int64
}

func shareRounding(rounding int64, lines int, amountMicros func(line int) int64) roundingShares {
	s := roundingShares{rounding: rounding, lines: lines}
	if rounding != 0 {
		for i := range lines {
			s.all += magnitude(amountMicros(i))
		}
	}
	return s
}

// next is the share of the next line. It is the difference of two running shares, rounded towards zero, so that all
// lines together get all of the amount. Lines that cost nothing get nothing, unless all do: then the last one gets it.
func (s *roundingShares) next(amountMicros int64) int64 {
	if s.rounding == 0 {
		return 0
	}
	s.lines--
	s.running += magnitude(amountMicros)
	upTo := int64(0)
	switch {
	case s.lines == 0:
		upTo = s.rounding
	case s.all > 0:
		high, low := bits.Mul64(magnitude(s.rounding), s.running)
		quotient, _ := bits.Div64(high, low, s.all)
		if upTo = int64(quotient); s.rounding < 0 {
			upTo = -upTo
		}
	}
	share := upTo - s.shared
	s.shared = upTo
	return share
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// saleRows are the rows of the table sales: one for each line whose money counts.
type saleRows struct {
	place
	line                                                      []uint32
	orderID, customerID, country, currency, sku, kind, reason []string
	orderOffset, quantity, amountMicros, roundingMicros       []int64
	orderedAt, countedAt                                      []time.Time
}

func (r *saleRows) columns() []column {
	return append(r.place.columns(),
		columnOf("line", &r.line),
		columnOf("order_id", &r.orderID),
		columnOf("order_offset", &r.orderOffset),
		columnOf("customer_id", &r.customerID),
		columnOf("country", &r.country),
		columnOf("currency", &r.currency),
		columnOf("sku", &r.sku),
		columnOf("kind", &r.kind),
		columnOf("reason", &r.reason),
		columnOf("quantity", &r.quantity),
		columnOf("amount_micros", &r.amountMicros),
		columnOf("rounding_micros", &r.roundingMicros),
		columnOf("ordered_at", &r.orderedAt),
		columnOf("counted_at", &r.countedAt),
	)
}

// add adds the lines that an event of an order makes count.
func (r *saleRows) add(c *orderChange, sold counted) {
	amount := func(i int) int64 { return sold.lines[i].amountMicros }
	shares := shareRounding(sold.roundingMicros, len(sold.lines), amount)
	for i := range sold.lines {
		line := &sold.lines[i]
		r.partition = append(r.partition, c.partition)
		r.offset = append(r.offset, c.offset)
		r.orderID = append(r.orderID, c.orderID)
		r.orderOffset = append(r.orderOffset, sold.order.offset)
		r.customerID = append(r.customerID, sold.order.customerID)
		r.country = append(r.country, sold.order.country)
		r.currency = append(r.currency, sold.order.currency)
		r.orderedAt = append(r.orderedAt, sold.order.orderedAt)
		r.countedAt = append(r.countedAt, sold.at)
		r.addLine(i, line, sold.reason, shares.next(line.amountMicros))
	}
}

// addDocument adds the lines of a past document, with its discounts, charges and taxes. They count as they are.
func (r *saleRows) addDocument(rec *eventlog.Record, ev *eventv1.OrderEvent, row *orderRow, reason string) {
	at := time.UnixMicro(ev.Meta.OccurredAtMicros)
	order := orderSales{taxesIncluded: row.taxesIncluded != 0}
	lines := order.pricedLines(row.money())
	rounding := row.totalMicros
	for i := range lines {
		rounding -= lines[i].amountMicros
	}
	shares := shareRounding(rounding, len(lines), func(i int) int64 { return lines[i].amountMicros })
	for i := range lines {
		r.place.add(rec)
		r.orderID = append(r.orderID, ev.OrderId)
		r.orderOffset = append(r.orderOffset, rec.Offset)
		r.customerID = append(r.customerID, row.customerID)
		r.country = append(r.country, row.country)
		r.currency = append(r.currency, row.currency)
		r.orderedAt = append(r.orderedAt, at)
		r.countedAt = append(r.countedAt, at)
		r.addLine(i, &lines[i], reason, shares.next(lines[i].amountMicros))
	}
}

func (r *saleRows) addLine(i int, line *saleLine, reason string, rounding int64) {
	r.line = append(r.line, uint32(i))
	r.sku = append(r.sku, line.sku)
	r.kind = append(r.kind, line.kind)
	r.reason = append(r.reason, reason)
	r.quantity = append(r.quantity, line.quantity)
	r.amountMicros = append(r.amountMicros, line.amountMicros)
	r.roundingMicros = append(r.roundingMicros, rounding)
}
