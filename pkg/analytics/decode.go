package analytics

import (
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// add appends the rows of a record: a function of the record alone. An error leaves the rows as they were.
func (r *rows) add(rec *eventlog.Record) error {
	switch rec.Topic {
	case eventlog.TopicOrders:
		return r.addOrder(rec)
	case eventlog.TopicInventory:
		return r.addStock(rec)
	}
	return fmt.Errorf("topic %s has no rows", rec.Topic)
}

// causes are the words for what a writer decided on.
var causes = map[eventv1.Cause]string{
	eventv1.Cause_CAUSE_COMMAND:        "command",
	eventv1.Cause_CAUSE_SAGA:           "saga",
	eventv1.Cause_CAUSE_TIMER:          "timer",
	eventv1.Cause_CAUSE_RECONCILIATION: "reconciliation",
}

var errEnvelope = errors.New("an event without ID, aggregate, meta or a known change")

// Times that ClickHouse can tell apart: years 1900 to 2299.
const (
	minMicros = -2_208_988_800_000_000
	maxMicros = 10_413_791_999_999_999
)

// envelope checks what every event says of itself.
func envelope(meta *eventv1.Meta, aggregateID string) error {
	if meta == nil || aggregateID == "" || len(meta.EventId) != len(uuid.UUID{}) {
		return errEnvelope
	}
	if n := len(meta.CausationId); n != 0 && n != len(uuid.UUID{}) {
		return fmt.Errorf("a causation ID of %d bytes", n)
	}
	for _, micros := range []int64{meta.OccurredAtMicros, meta.RecordedAtMicros} {
		if micros < minMicros || micros > maxMicros {
			return fmt.Errorf("a time (%d µs) outside of the years 1900 to 2299", micros)
		}
	}
	return nil
}

func timeOf(micros int64) time.Time { return time.UnixMicro(micros) }

// addEvent appends the row that every event has.
func (r *eventRows) add(rec *eventlog.Record, typ, aggregateID string, meta *eventv1.Meta) {
	r.place.add(rec)
	r.topic = append(r.topic, rec.Topic)
	r.typ = append(r.typ, typ)
	r.aggregateID = append(r.aggregateID, aggregateID)
	r.version = append(r.version, meta.Version)
	r.eventID = append(r.eventID, uuid.UUID(meta.EventId))
	var causation uuid.UUID
	copy(causation[:], meta.CausationId)
	r.causationID = append(r.causationID, causation)
	r.cause = append(r.cause, causes[meta.Cause])
	r.idempotencyKey = append(r.idempotencyKey, meta.IdempotencyKey)
	r.occurredAt = append(r.occurredAt, timeOf(meta.OccurredAtMicros))
	r.recordedAt = append(r.recordedAt, timeOf(meta.RecordedAtMicros))
	r.digest = append(r.digest, digestOf(rec))
}

// digestOf tells events from one another.
func digestOf(rec *eventlog.Record) uint64 { return xxhash.Sum64(rec.Value) }

// orderRow is what an order's event says beyond its envelope.
type orderRow struct {
	typ, status, customerID, country, currency, reference, reason string
	lines                                                         uint32
	quantity, subtotalMicros, totalMicros, amountMicros           int64
	// priced are the lines that carry money; sign is -1 when they go back. An amendment's have signs of their own.
	priced []*eventv1.OrderLine
	sign   int64
}

func (r *rows) addOrder(rec *eventlog.Record) error {
	ev := eventv1.OrderEventFromVTPool()
	defer ev.ReturnToVTPool() // what rows keep of it are strings
	if err := schema.ReadOrder(rec.Value, ev); err != nil {
		return err
	}
	if err := envelope(ev.Meta, ev.OrderId); err != nil {
		return err
	}
	row, ok := orderRowOf(ev)
	if !ok {
		return errEnvelope
	}
	r.events.add(rec, row.typ, ev.OrderId, ev.Meta)
	r.orders.add(rec, ev, &row)
	for i, line := range row.priced {
		r.lines.add(rec, ev, &row, i, line)
	}
	return nil
}

// orderRowOf knows every change; false: the event is of a newer schema.
func orderRowOf(ev *eventv1.OrderEvent) (orderRow, bool) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlaced:
		p := c.OrderPlaced
		return document("order_placed", "placed", 1, p.Lines, orderRow{
			customerID: p.CustomerId, country: p.Country, currency: p.Currency, reference: p.Reference,
			subtotalMicros: p.SubtotalMicros, totalMicros: p.TotalMicros,
		}), true
	case *eventv1.OrderEvent_OrderImported:
		p := c.OrderImported
		return document("order_imported", "completed", 1, p.Lines, orderRow{
			customerID: p.CustomerId, country: p.Country, currency: p.Currency, reference: p.Reference,
			subtotalMicros: p.SubtotalMicros, totalMicros: p.TotalMicros,
		}), true
	case *eventv1.OrderEvent_CreditNoteImported:
		p := c.CreditNoteImported
		return document("credit_note_imported", "completed", -1, p.Lines, orderRow{
			customerID: p.CustomerId, country: p.Country, currency: p.Currency, reference: p.Reference,
			subtotalMicros: p.SubtotalMicros, totalMicros: p.TotalMicros,
		}), true
	case *eventv1.OrderEvent_LinesCancelled:
		p := c.LinesCancelled
		row := document("lines_cancelled", "", -1, p.Lines, orderRow{reason: p.Reason, amountMicros: p.VoidedMicros})
		row.subtotalMicros, row.totalMicros = p.SubtotalMicros, p.TotalMicros // of what is left
		return row, true
	case *eventv1.OrderEvent_OrderAmended:
		p := c.OrderAmended
		row := document("order_amended", "", 1, amendedBy(p.Lines), orderRow{amountMicros: p.VoidedMicros})
		row.lines, row.subtotalMicros, row.totalMicros = uint32(len(p.Lines)), p.SubtotalMicros, p.TotalMicros
		return row, true
	case *eventv1.OrderEvent_ReturnReceivedV2:
		p := c.ReturnReceivedV2
		lines := make([]*eventv1.OrderLine, len(p.Lines))
		for i, l := range p.Lines {
			lines[i] = &eventv1.OrderLine{Sku: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros}
		}
		return document("return_received", "", -1, lines, orderRow{reference: p.ReturnId, amountMicros: p.RefundDueMicros}), true
	}
	if row, ok := paymentRowOf(ev); ok {
		return row, true
	}
	return stepRowOf(ev)
}

// paymentRowOf knows the changes that are about payments.
func paymentRowOf(ev *eventv1.OrderEvent) (orderRow, bool) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_PaymentStarted:
		return orderRow{typ: "payment_started", reference: c.PaymentStarted.Reference}, true
	case *eventv1.OrderEvent_PaymentAuthorized:
		return orderRow{typ: "payment_authorized", reference: c.PaymentAuthorized.Reference, amountMicros: c.PaymentAuthorized.AmountMicros}, true
	case *eventv1.OrderEvent_PaymentCaptured:
		return orderRow{typ: "payment_captured", reference: c.PaymentCaptured.Reference, amountMicros: c.PaymentCaptured.AmountMicros}, true
	case *eventv1.OrderEvent_PaymentVoided:
		p := c.PaymentVoided
		return orderRow{typ: "payment_voided", reference: p.Reference, reason: p.Reason, amountMicros: p.AmountMicros}, true
	case *eventv1.OrderEvent_PaymentRefunded:
		p := c.PaymentRefunded
		return orderRow{typ: "payment_refunded", reference: p.Reference, reason: p.Reason, amountMicros: p.AmountMicros}, true
	case *eventv1.OrderEvent_PaymentFailed:
		return orderRow{typ: "payment_failed", reference: c.PaymentFailed.Reference, reason: c.PaymentFailed.Reason}, true
	case *eventv1.OrderEvent_OrderReopened:
		return orderRow{typ: "order_reopened", status: "placed"}, true
	}
	return orderRow{}, false
}

// stepRowOf knows the changes that carry no money of lines.
func stepRowOf(ev *eventv1.OrderEvent) (orderRow, bool) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderReserved:
		return orderRow{typ: "order_reserved", status: "reserved"}, true
	case *eventv1.OrderEvent_OrderBackordered:
		return quantities("order_backordered", c.OrderBackordered.Backordered, orderRow{status: "reserved"}), true
	case *eventv1.OrderEvent_OrderBackorderFilled:
		return quantities("order_backorder_filled", c.OrderBackorderFilled.Filled, orderRow{}), true
	case *eventv1.OrderEvent_OrderRejected:
		row := orderRow{typ: "order_rejected", status: "rejected", lines: uint32(len(c.OrderRejected.Short))}
		for _, short := range c.OrderRejected.Short {
			row.quantity += short.Requested
		}
		return row, true
	case *eventv1.OrderEvent_ImportRequested:
		return orderRow{typ: "import_requested", status: "placed"}, true // the document comes with its import, and counts from then on
	case *eventv1.OrderEvent_AmendmentRequested:
		row := document("amendment_requested", "", 1, amendedBy(c.AmendmentRequested.Lines), orderRow{reason: c.AmendmentRequested.Reason})
		row.lines, row.priced = uint32(len(c.AmendmentRequested.Lines)), nil // nothing is sold by asking
		return row, true
	case *eventv1.OrderEvent_AmendmentDeclined:
		row := orderRow{typ: "amendment_declined", reason: c.AmendmentDeclined.Reason, lines: uint32(len(c.AmendmentDeclined.Short))}
		for _, short := range c.AmendmentDeclined.Short {
			row.quantity += short.Requested
		}
		return row, true
	case *eventv1.OrderEvent_OrderConfirmed:
		return orderRow{typ: "order_confirmed", status: "confirmed"}, true
	case *eventv1.OrderEvent_OrderCancelled:
		return orderRow{typ: "order_cancelled", status: "cancelled", reason: c.OrderCancelled.Reason, amountMicros: c.OrderCancelled.VoidedMicros}, true
	case *eventv1.OrderEvent_OrderExpired:
		return orderRow{typ: "order_expired", status: "expired", amountMicros: c.OrderExpired.VoidedMicros}, true
	case *eventv1.OrderEvent_OrderHeld:
		return orderRow{typ: "order_held", status: "on_hold", reason: c.OrderHeld.Reason}, true
	case *eventv1.OrderEvent_OrderResumed:
		if c.OrderResumed.Confirmed {
			return orderRow{typ: "order_resumed", status: "confirmed"}, true
		}
		return orderRow{typ: "order_resumed", status: "reserved"}, true
	case *eventv1.OrderEvent_FulfilmentCreated:
		return quantities("fulfilment_created", c.FulfilmentCreated.Lines, orderRow{reference: c.FulfilmentCreated.FulfilmentId}), true
	case *eventv1.OrderEvent_FulfilmentCancelled:
		f := c.FulfilmentCancelled
		return orderRow{typ: "fulfilment_cancelled", reference: f.FulfilmentId, reason: f.Reason}, true
	case *eventv1.OrderEvent_ReturnRequested:
		p := c.ReturnRequested
		return quantities("return_requested", p.Lines, orderRow{reference: p.ReturnId, reason: p.Reason}), true
	case *eventv1.OrderEvent_ReturnCancelled:
		p := c.ReturnCancelled
		return quantities("return_cancelled", p.Lines, orderRow{reference: p.ReturnId, reason: p.Reason}), true
	case *eventv1.OrderEvent_LinesShipped:
		return quantities("lines_shipped", c.LinesShipped.Lines, orderRow{reference: c.LinesShipped.TrackingReference}), true
	case *eventv1.OrderEvent_LinesDelivered:
		return quantities("lines_delivered", c.LinesDelivered.Lines, orderRow{}), true
	case *eventv1.OrderEvent_ShipmentReconciled:
		return quantities("shipment_reconciled", c.ShipmentReconciled.Lines, orderRow{}), true
	case *eventv1.OrderEvent_ReservationSettled:
		return orderRow{typ: "reservation_settled"}, true
	}
	return orderRow{}, false
}

// document fills in what follows from priced lines.
func document(typ, status string, sign int64, lines []*eventv1.OrderLine, row orderRow) orderRow {
	row.typ, row.status, row.sign, row.priced, row.lines = typ, status, sign, lines, uint32(len(lines))
	row.subtotalMicros *= sign
	row.totalMicros *= sign
	for _, line := range lines {
		row.quantity += sign * line.Quantity
	}
	return row
}

// amendedBy is what an amendment adds to an order, below 0 for what it takes off: all of a line whose price changes
// goes at the old price and comes at the new one.
func amendedBy(lines []*eventv1.AmendedLine) []*eventv1.OrderLine {
	by := make([]*eventv1.OrderLine, 0, len(lines))
	add := func(sku string, quantity, price int64) {
		if quantity != 0 {
			by = append(by, &eventv1.OrderLine{Sku: sku, Quantity: quantity, UnitPriceMicros: price})
		}
	}
	for _, l := range lines {
		if l.UnitPriceMicros == l.FormerUnitPriceMicros {
			add(l.Sku, l.Quantity-l.FormerQuantity, l.UnitPriceMicros)
			continue
		}
		add(l.Sku, -l.FormerQuantity, l.FormerUnitPriceMicros)
		add(l.Sku, l.Quantity, l.UnitPriceMicros)
	}
	return by
}

func quantities(typ string, lines []*eventv1.LineQuantity, row orderRow) orderRow {
	row.typ, row.lines = typ, uint32(len(lines))
	for _, line := range lines {
		row.quantity += line.Quantity
	}
	return row
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
	r.occurredAt = append(r.occurredAt, timeOf(ev.Meta.OccurredAtMicros))
	r.recordedAt = append(r.recordedAt, timeOf(ev.Meta.RecordedAtMicros))
}

// add appends a line. Quantity times price fits: the writer has checked it (ORD-4).
func (r *lineRows) add(rec *eventlog.Record, ev *eventv1.OrderEvent, row *orderRow, i int, line *eventv1.OrderLine) {
	r.place.add(rec)
	r.line = append(r.line, uint32(i))
	r.typ = append(r.typ, row.typ)
	r.orderID = append(r.orderID, ev.OrderId)
	r.customerID = append(r.customerID, row.customerID)
	r.country = append(r.country, row.country)
	r.currency = append(r.currency, row.currency)
	r.sku = append(r.sku, line.Sku)
	r.quantity = append(r.quantity, row.sign*line.Quantity)
	r.unitPriceMicros = append(r.unitPriceMicros, line.UnitPriceMicros)
	r.amountMicros = append(r.amountMicros, row.sign*line.Quantity*line.UnitPriceMicros)
	r.occurredAt = append(r.occurredAt, timeOf(ev.Meta.OccurredAtMicros))
}
