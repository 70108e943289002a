package analytics

import (
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// orderRow is the content of an order's event. The envelope of the event has the other columns of the table orders.
type orderRow struct {
	typ, status, customerID, country, currency, reference, reason, provider string
	lines                                                                   uint32
	quantity, subtotalMicros, totalMicros, amountMicros                     int64
	// returnedMicros and rounding are as the tables have them, and taxesIncluded is 1 where prices have their taxes in
	// them.
	returnedMicros int64
	rounding       string
	taxesIncluded  uint32
	// priced are the lines that get rows in order_lines, because they carry money. Their quantities are multiplied by
	// sign: it is -1 for lines that go back to stock. The lines of an amendment have signs of their own.
	priced []*eventv1.OrderLine
	sign   int64
	// shares are the discounts and taxes of the lines, in their order; nil where no line has any.
	shares  []lineShares
	charges []chargeAmount
}

func (r *rows) addOrder(rec *eventlog.Record) error {
	ev := eventv1.OrderEventFromVTPool()
	defer ev.ReturnToVTPool() // the rows keep only strings of it
	if err := schema.ReadOrder(rec.Value, ev); err != nil {
		return err
	}
	if err := checkEnvelope(ev.Meta, ev.OrderId); err != nil {
		return err
	}
	row, ok := orderRowOf(ev)
	if !ok {
		return errEnvelope
	}
	var err error
	if r.body, err = schema.AppendJSON(r.body[:0], ev); err != nil {
		return err
	}
	r.events.add(rec, row.typ, ev.OrderId, ev.Meta, r.body)
	r.orders.add(rec, ev, &row)
	r.lines.addEvent(rec, ev, &row)
	switch row.typ {
	case "order_imported":
		r.sales.addDocument(rec, ev, &row, soldConfirmed)
	case "credit_note_imported":
		r.sales.addDocument(rec, ev, &row, soldCredited)
	}
	return nil
}

// orderRowOf decodes every change of an order. ok is false for a change of a newer schema.
func orderRowOf(ev *eventv1.OrderEvent) (row orderRow, ok bool) {
	if row, ok = pricedRowOf(ev); ok {
		return row, true
	}
	if row, ok = paymentRowOf(ev); ok {
		return row, true
	}
	if row, ok = statusRowOf(ev); ok {
		return row, true
	}
	return deliveryRowOf(ev)
}

// pricedRowOf decodes the changes that carry money for lines. ok is false for another change.
func pricedRowOf(ev *eventv1.OrderEvent) (row orderRow, ok bool) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlacedV2:
		return documentRow("order_placed", "placed", 1, c.OrderPlacedV2), true
	case *eventv1.OrderEvent_OrderImportedV2:
		return documentRow("order_imported", "completed", 1, c.OrderImportedV2), true
	case *eventv1.OrderEvent_CreditNoteImportedV2:
		return documentRow("credit_note_imported", "completed", -1, c.CreditNoteImportedV2), true
	case *eventv1.OrderEvent_LinesCancelledV2:
		p := c.LinesCancelledV2
		lines := make([]*eventv1.OrderLine, len(p.Lines))
		for i, l := range p.Lines {
			lines[i] = &eventv1.OrderLine{Sku: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros}
		}
		row = linesRow("lines_cancelled", -1, lines, orderRow{reason: p.Reason, amountMicros: p.VoidedMicros})
		// The amounts are those of the lines that remain.
		row.subtotalMicros, row.totalMicros = p.SubtotalMicros, p.TotalMicros
		for i, l := range p.Lines {
			row.share(i, lineShares{l.DiscountMicros, -l.TaxMicros})
		}
		row.credit(p.Charges)
		return row, true
	case *eventv1.OrderEvent_OrderAmendedV2:
		p := c.OrderAmendedV2
		lines, shares := linesOfAmendment(p.Lines)
		row = linesRow("order_amended", 1, lines, orderRow{amountMicros: p.VoidedMicros, shares: shares})
		row.credit(p.Charges)
		row.lines, row.subtotalMicros, row.totalMicros = uint32(len(p.Lines)), p.SubtotalMicros, p.TotalMicros
		return row, true
	case *eventv1.OrderEvent_ReturnReceivedV3:
		p := c.ReturnReceivedV3
		lines := make([]*eventv1.OrderLine, len(p.Lines))
		for i, l := range p.Lines {
			lines[i] = &eventv1.OrderLine{Sku: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros}
		}
		row = linesRow("return_received", -1, lines, orderRow{reference: p.ReturnId, amountMicros: p.RefundDueMicros})
		row.returnedMicros = p.ReturnedMicros
		for i, l := range p.Lines {
			row.share(i, lineShares{l.DiscountMicros, -l.TaxMicros})
		}
		row.credit(p.Charges)
		return row, true
	}
	return orderRow{}, false
}

// paymentRowOf decodes the changes that are about payments. ok is false for another change.
func paymentRowOf(ev *eventv1.OrderEvent) (row orderRow, ok bool) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_PaymentStarted:
		p := c.PaymentStarted
		return orderRow{typ: "payment_started", reference: p.Reference, provider: p.Provider}, true
	case *eventv1.OrderEvent_PaymentAuthorizedV3:
		p := c.PaymentAuthorizedV3
		return orderRow{
			typ: "payment_authorized", reference: p.Reference, provider: p.Provider, amountMicros: p.AmountMicros,
		}, true
	case *eventv1.OrderEvent_PaymentCapturedV3:
		p := c.PaymentCapturedV3
		return orderRow{
			typ: "payment_captured", reference: p.Reference, provider: p.Provider, amountMicros: p.AmountMicros,
		}, true
	case *eventv1.OrderEvent_PaymentVoidedV3:
		p := c.PaymentVoidedV3
		return orderRow{
			typ: "payment_voided", reference: p.Reference, reason: p.Reason, provider: p.Provider,
			amountMicros: p.AmountMicros,
		}, true
	case *eventv1.OrderEvent_PaymentRefundedV3:
		p := c.PaymentRefundedV3
		return orderRow{
			typ: "payment_refunded", reference: p.Reference, reason: p.Reason, provider: p.Provider,
			amountMicros: p.AmountMicros,
		}, true
	case *eventv1.OrderEvent_CoverLost:
		return orderRow{typ: "cover_lost"}, true
	case *eventv1.OrderEvent_PaymentFailed:
		p := c.PaymentFailed
		return orderRow{typ: "payment_failed", reference: p.Reference, reason: p.Reason, provider: p.Provider}, true
	case *eventv1.OrderEvent_PaymentIdentified:
		p := c.PaymentIdentified
		return orderRow{
			typ: "payment_identified", reference: p.Reference, provider: p.Provider, amountMicros: p.AmountMicros,
		}, true
	case *eventv1.OrderEvent_OrderReopened:
		return orderRow{typ: "order_reopened", status: "placed"}, true
	}
	return orderRow{}, false
}

// statusRowOf decodes the changes of an order's reservation and status. ok is false for another change.
func statusRowOf(ev *eventv1.OrderEvent) (row orderRow, ok bool) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderReserved:
		return orderRow{typ: "order_reserved", status: "reserved"}, true
	case *eventv1.OrderEvent_OrderBackordered:
		return quantityRow("order_backordered", c.OrderBackordered.Backordered, orderRow{status: "reserved"}), true
	case *eventv1.OrderEvent_OrderBackorderFilled:
		return quantityRow("order_backorder_filled", c.OrderBackorderFilled.Filled, orderRow{}), true
	case *eventv1.OrderEvent_OrderFellShort:
		return quantityRow("order_fell_short", c.OrderFellShort.Backordered, orderRow{}), true
	case *eventv1.OrderEvent_OrderRejected:
		return shortageRow("order_rejected", c.OrderRejected.Short, orderRow{status: "rejected"}), true
	case *eventv1.OrderEvent_ImportRequestedV2:
		// The document counts once it is imported; that event carries it.
		return orderRow{typ: "import_requested", status: "placed"}, true
	case *eventv1.OrderEvent_AmendmentRequestedV2:
		p := c.AmendmentRequestedV2
		lines, _ := linesOfAmendment(p.Lines)
		row = linesRow("amendment_requested", 1, lines, orderRow{reason: p.Reason})
		row.lines, row.priced = uint32(len(p.Lines)), nil // a request sells nothing yet
		return row, true
	case *eventv1.OrderEvent_AmendmentDeclined:
		p := c.AmendmentDeclined
		return shortageRow("amendment_declined", p.Short, orderRow{reason: p.Reason}), true
	case *eventv1.OrderEvent_OrderConfirmed:
		return orderRow{typ: "order_confirmed", status: "confirmed"}, true
	case *eventv1.OrderEvent_OrderCancelled:
		p := c.OrderCancelled
		return orderRow{
			typ: "order_cancelled", status: "cancelled", reason: p.Reason, amountMicros: p.VoidedMicros,
		}, true
	case *eventv1.OrderEvent_OrderExpired:
		return orderRow{typ: "order_expired", status: "expired", amountMicros: c.OrderExpired.VoidedMicros}, true
	case *eventv1.OrderEvent_OrderHeld:
		return orderRow{typ: "order_held", status: "on_hold", reason: c.OrderHeld.Reason}, true
	case *eventv1.OrderEvent_OrderResumed:
		if c.OrderResumed.Confirmed {
			return orderRow{typ: "order_resumed", status: "confirmed"}, true
		}
		return orderRow{typ: "order_resumed", status: "reserved"}, true
	case *eventv1.OrderEvent_ReservationSettled:
		return orderRow{typ: "reservation_settled"}, true
	}
	return orderRow{}, false
}

// deliveryRowOf decodes the changes of fulfilments and returns. ok is false for another change.
func deliveryRowOf(ev *eventv1.OrderEvent) (row orderRow, ok bool) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_FulfilmentCreatedV2:
		f := c.FulfilmentCreatedV2
		return quantityRow("fulfilment_created", f.Lines, orderRow{reference: f.FulfilmentId}), true
	case *eventv1.OrderEvent_FulfilmentCancelled:
		f := c.FulfilmentCancelled
		return orderRow{typ: "fulfilment_cancelled", reference: f.FulfilmentId, reason: f.Reason}, true
	case *eventv1.OrderEvent_LinesShippedV2:
		p := c.LinesShippedV2
		return quantityRow("lines_shipped", p.Lines, orderRow{reference: p.TrackingReference}), true
	case *eventv1.OrderEvent_LinesDeliveredV2:
		return quantityRow("lines_delivered", c.LinesDeliveredV2.Lines, orderRow{}), true
	case *eventv1.OrderEvent_DeliveryFailed:
		f := c.DeliveryFailed
		row = orderRow{
			typ: "delivery_failed", reference: f.FulfilmentId, reason: f.Reason, lines: uint32(len(f.Lines)),
		}
		for _, l := range f.Lines {
			row.quantity += l.Quantity
		}
		return row, true
	case *eventv1.OrderEvent_ShipmentReversed:
		r := c.ShipmentReversed
		return quantityRow("shipment_reversed", r.Lines, orderRow{reference: r.FulfilmentId, reason: r.Reason}), true
	case *eventv1.OrderEvent_DeliveryReversed:
		r := c.DeliveryReversed
		return quantityRow("delivery_reversed", r.Lines, orderRow{reference: r.FulfilmentId, reason: r.Reason}), true
	case *eventv1.OrderEvent_ShipmentReconciledV2:
		return quantityRow("shipment_reconciled", c.ShipmentReconciledV2.Lines, orderRow{}), true
	case *eventv1.OrderEvent_ReturnRequestedV2:
		p := c.ReturnRequestedV2
		return quantityRow("return_requested", p.Lines, orderRow{reference: p.ReturnId, reason: p.Reason}), true
	case *eventv1.OrderEvent_ReturnCancelledV2:
		p := c.ReturnCancelledV2
		return quantityRow("return_cancelled", p.Lines, orderRow{reference: p.ReturnId, reason: p.Reason}), true
	}
	return orderRow{}, false
}

// documentRow is the row of a whole order, or of a whole credit note with the sign -1.
func documentRow(typ, status string, sign int64, d schema.Document) orderRow {
	row := linesRow(typ, sign, d.GetLines(), orderRow{
		status: status, customerID: d.GetCustomerId(), country: d.GetCountry(), currency: d.GetCurrency(),
		reference: d.GetReference(), subtotalMicros: sign * d.GetSubtotalMicros(), totalMicros: sign * d.GetTotalMicros(),
	})
	row.price(d)
	return row
}

// linesRow adds lines that carry money, and their units, to a row.
func linesRow(typ string, sign int64, lines []*eventv1.OrderLine, row orderRow) orderRow {
	row.typ, row.sign, row.priced, row.lines = typ, sign, lines, uint32(len(lines))
	for _, line := range lines {
		row.quantity += sign * line.Quantity
	}
	return row
}

// quantityRow adds lines that carry no money, and their units, to a row.
func quantityRow(typ string, lines []*eventv1.LineQuantity, row orderRow) orderRow {
	row.typ, row.lines = typ, uint32(len(lines))
	for _, line := range lines {
		row.quantity += line.Quantity
	}
	return row
}

// shortageRow adds the lines that stock could not cover, and the units that they asked for, to a row.
func shortageRow(typ string, short []*eventv1.ShortLine, row orderRow) orderRow {
	row.typ, row.lines = typ, uint32(len(short))
	for _, line := range short {
		row.quantity += line.Requested
	}
	return row
}

// orderRows are the rows of the table orders: one for each event of an order.
type orderRows struct {
	place
	typ, orderID, status, customerID, country, currency, reference, reason []string
	version                                                                []uint64
	lines, taxesIncluded                                                   []uint32
	quantity, subtotalMicros, totalMicros, amountMicros, returnedMicros    []int64
	rounding, provider                                                     []string
	occurredAt, recordedAt                                                 []time.Time
}

func (r *orderRows) columns() []column {
	return append(r.place.columns(),
		columnOf("type", &r.typ),
		columnOf("order_id", &r.orderID),
		columnOf("version", &r.version),
		columnOf("status", &r.status),
		columnOf("customer_id", &r.customerID),
		columnOf("country", &r.country),
		columnOf("currency", &r.currency),
		columnOf("reference", &r.reference),
		columnOf("reason", &r.reason),
		columnOf("lines", &r.lines),
		columnOf("quantity", &r.quantity),
		columnOf("subtotal_micros", &r.subtotalMicros),
		columnOf("total_micros", &r.totalMicros),
		columnOf("amount_micros", &r.amountMicros),
		columnOf("returned_micros", &r.returnedMicros),
		columnOf("rounding", &r.rounding),
		columnOf("taxes_included", &r.taxesIncluded),
		columnOf("provider", &r.provider),
		columnOf("occurred_at", &r.occurredAt),
		columnOf("recorded_at", &r.recordedAt),
	)
}

func (r *orderRows) add(rec *eventlog.Record, ev *eventv1.OrderEvent, row *orderRow) {
	r.place.add(rec)
	r.typ = append(r.typ, row.typ)
	r.orderID = append(r.orderID, ev.OrderId)
	r.version = append(r.version, ev.Meta.Version)
	r.status = append(r.status, row.status)
	r.customerID = append(r.customerID, row.customerID)
	r.country = append(r.country, row.country)
	r.currency = append(r.currency, row.currency)
	r.reference = append(r.reference, row.reference)
	r.reason = append(r.reason, row.reason)
	r.lines = append(r.lines, row.lines)
	r.quantity = append(r.quantity, row.quantity)
	r.subtotalMicros = append(r.subtotalMicros, row.subtotalMicros)
	r.totalMicros = append(r.totalMicros, row.totalMicros)
	r.amountMicros = append(r.amountMicros, row.amountMicros)
	r.returnedMicros = append(r.returnedMicros, row.returnedMicros)
	r.rounding = append(r.rounding, row.rounding)
	r.taxesIncluded = append(r.taxesIncluded, row.taxesIncluded)
	r.provider = append(r.provider, row.provider)
	r.occurredAt = append(r.occurredAt, time.UnixMicro(ev.Meta.OccurredAtMicros))
	r.recordedAt = append(r.recordedAt, time.UnixMicro(ev.Meta.RecordedAtMicros))
}

// lineRows are the rows of the table order_lines: those of each line of the events that carry money for lines, and of
// each charge.
type lineRows struct {
	place
	line, charge                                           []uint32
	typ, orderID, customerID, country, currency, kind, sku []string
	quantity, unitPriceMicros, amountMicros                []int64
	occurredAt                                             []time.Time
}

func (r *lineRows) columns() []column {
	return append(r.place.columns(),
		columnOf("line", &r.line),
		columnOf("type", &r.typ),
		columnOf("order_id", &r.orderID),
		columnOf("customer_id", &r.customerID),
		columnOf("country", &r.country),
		columnOf("currency", &r.currency),
		columnOf("kind", &r.kind),
		columnOf("sku", &r.sku),
		columnOf("charge", &r.charge),
		columnOf("quantity", &r.quantity),
		columnOf("unit_price_micros", &r.unitPriceMicros),
		columnOf("amount_micros", &r.amountMicros),
		columnOf("occurred_at", &r.occurredAt),
	)
}

// addEvent adds the rows of an event: each line with its discount and its tax behind it, then each charge with its tax.
// Quantity times price does not overflow: the writer has checked it (ORD-4).
func (r *lineRows) addEvent(rec *eventlog.Record, ev *eventv1.OrderEvent, row *orderRow) {
	first := len(r.offset)
	add := func(line saleLine) {
		r.add(rec)
		r.line = append(r.line, uint32(len(r.line)-first))
		r.typ = append(r.typ, row.typ)
		r.orderID = append(r.orderID, ev.OrderId)
		r.customerID = append(r.customerID, row.customerID)
		r.country = append(r.country, row.country)
		r.currency = append(r.currency, row.currency)
		r.kind = append(r.kind, line.kind)
		r.sku = append(r.sku, line.sku)
		r.charge = append(r.charge, line.charge)
		r.quantity = append(r.quantity, line.quantity)
		r.unitPriceMicros = append(r.unitPriceMicros, line.unitPriceMicros)
		r.amountMicros = append(r.amountMicros, line.amountMicros)
		r.occurredAt = append(r.occurredAt, time.UnixMicro(ev.Meta.OccurredAtMicros))
	}
	for _, line := range row.money() {
		add(line)
	}
}
