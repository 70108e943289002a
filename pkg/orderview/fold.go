// Package orderview is the view of orders: each order with its lines, payments, fulfilments, returns and timeline, and
// lists of orders by what they have (Filter).
//
// It stores the events of each order as they stand in the log, with indexes beside them, and folds an order when it is
// asked for: a change of what is shown then needs no rebuild of the store. It owns the fold, the storage (Pebble) and
// the queries. It reads the event schema, and does not know the rules by which orders are decided.
package orderview

import (
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// apply folds one event. A change that this version does not know still gets its entry in the timeline. An event that
// no client sees (order.Visible) changes nothing, not even the version: what is shown has the same version as before.
func (o *Order) apply(ev *eventv1.OrderEvent) {
	if _, hidden := ev.Change.(*eventv1.OrderEvent_ReservationSettled); hidden {
		return
	}
	o.ID, o.Version = ev.OrderId, ev.Meta.Version
	e := newEntry(ev)
	if status := statusAfter(ev); status != "" {
		o.Status = status
	}
	o.applyFulfilment(ev, e.OccurredAt)
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlacedV2, *eventv1.OrderEvent_ImportRequestedV2, *eventv1.OrderEvent_OrderImportedV2,
		*eventv1.OrderEvent_CreditNoteImportedV2:
		o.applyPlacing(ev)
	case *eventv1.OrderEvent_OrderRejected, *eventv1.OrderEvent_OrderCancelled, *eventv1.OrderEvent_OrderExpired:
		o.applyEnd(ev, &e)
	case *eventv1.OrderEvent_OrderBackordered, *eventv1.OrderEvent_OrderBackorderFilled,
		*eventv1.OrderEvent_OrderFellShort,
		*eventv1.OrderEvent_LinesShippedV2, *eventv1.OrderEvent_ShipmentReconciledV2, *eventv1.OrderEvent_LinesDeliveredV2,
		*eventv1.OrderEvent_DeliveryFailed, *eventv1.OrderEvent_ShipmentReversed, *eventv1.OrderEvent_DeliveryReversed,
		*eventv1.OrderEvent_LinesCancelledV2, *eventv1.OrderEvent_FulfilmentCreatedV2,
		*eventv1.OrderEvent_FulfilmentCancelled:
		o.applyLines(ev, &e)
	case *eventv1.OrderEvent_AmendmentRequestedV2, *eventv1.OrderEvent_OrderAmendedV2,
		*eventv1.OrderEvent_AmendmentDeclined:
		o.applyAmendment(ev, &e)
	case *eventv1.OrderEvent_OrderHeld:
		e.Reason = c.OrderHeld.Reason
	case *eventv1.OrderEvent_OrderResumed:
		if !c.OrderResumed.Confirmed || c.OrderResumed.PaymentDeadlineMicros > 0 {
			o.setDeadline(c.OrderResumed.PaymentDeadlineMicros)
		}
	case *eventv1.OrderEvent_ReturnRequestedV2, *eventv1.OrderEvent_ReturnReceivedV3,
		*eventv1.OrderEvent_ReturnCancelledV2:
		o.applyReturn(ev, &e)
	default:
		o.applyPayment(ev, &e)
	}
	o.Timeline = append(o.Timeline, e)
}

// newEntry is an event's entry in the timeline, without what its change says.
func newEntry(ev *eventv1.OrderEvent) Entry {
	e := Entry{
		Type: TypeOf(ev), Version: ev.Meta.Version, Cause: schema.Causes.Word(ev.Meta.Cause),
		OccurredAt: time.UnixMicro(ev.Meta.OccurredAtMicros).UTC(),
		RecordedAt: time.UnixMicro(ev.Meta.RecordedAtMicros).UTC(),
	}
	if p := ev.Meta.Principal; p != nil {
		e.Principal = &Principal{p.Name, p.Verified}
	}
	return e
}

// applyPlacing folds the event that an order or a document begins with. An import has two: what was asked for, and what
// came of it.
func (o *Order) applyPlacing(ev *eventv1.OrderEvent) {
	o.place(placedBy(ev))
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_ImportRequestedV2:
		o.Kind = "imported_order"
		if c.ImportRequestedV2.GetCreditNote() != nil {
			o.Kind = "credit_note"
		}
	case *eventv1.OrderEvent_OrderImportedV2:
		o.Kind = "imported_order"
		for i := range o.Lines {
			o.Lines[i].Shipped = o.Lines[i].Quantity
		}
	case *eventv1.OrderEvent_CreditNoteImportedV2:
		o.Kind = "credit_note"
	}
}

// applyEnd folds the event that an order ends with before it has shipped whole.
func (o *Order) applyEnd(ev *eventv1.OrderEvent, e *Entry) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderRejected:
		o.Short = short(c.OrderRejected.Short)
		o.due.cancellation += c.OrderRejected.RefundDueMicros
	case *eventv1.OrderEvent_OrderCancelled:
		o.voided += c.OrderCancelled.VoidedMicros
		o.due.cancellation += c.OrderCancelled.RefundDueMicros
		e.Reason = c.OrderCancelled.Reason
		o.endLines(func(l *Line) { l.Cancelled = l.Quantity - l.Shipped })
	case *eventv1.OrderEvent_OrderExpired:
		o.voided += c.OrderExpired.VoidedMicros
		o.due.cancellation += c.OrderExpired.RefundDueMicros
		o.endLines(func(*Line) {}) // nothing is cancelled: an order that is reopened wants the same lines
	}
}

// applyLines folds an event that some units of some lines go on with, or not.
func (o *Order) applyLines(ev *eventv1.OrderEvent, e *Entry) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderBackordered:
		e.Lines = o.backorder(c.OrderBackordered.Backordered)
	case *eventv1.OrderEvent_OrderBackorderFilled:
		e.Lines = o.fill(c.OrderBackorderFilled.Filled)
	case *eventv1.OrderEvent_OrderFellShort:
		e.Lines = o.backorder(c.OrderFellShort.Backordered)
	case *eventv1.OrderEvent_LinesShippedV2:
		e.Lines = o.ship(c.LinesShippedV2.Lines)
		e.FulfilmentID, e.Reference = c.LinesShippedV2.FulfilmentId, c.LinesShippedV2.TrackingReference
		e.Reason = strings.Join(slices.DeleteFunc(
			[]string{c.LinesShippedV2.UncoveredReason, c.LinesShippedV2.BackorderedReason},
			func(reason string) bool { return reason == "" }), "; ")
	case *eventv1.OrderEvent_ShipmentReconciledV2:
		e.Lines = o.ship(c.ShipmentReconciledV2.Lines)
		e.FulfilmentID = c.ShipmentReconciledV2.FulfilmentId
	case *eventv1.OrderEvent_LinesDeliveredV2:
		e.Lines = o.deliver(c.LinesDeliveredV2.Lines)
		e.FulfilmentID = c.LinesDeliveredV2.FulfilmentId
	case *eventv1.OrderEvent_DeliveryFailed:
		e.Lines = o.failDelivery(c.DeliveryFailed)
		e.FulfilmentID, e.Reason = c.DeliveryFailed.FulfilmentId, c.DeliveryFailed.Reason
	case *eventv1.OrderEvent_ShipmentReversed:
		e.Lines = o.reverseShipment(c.ShipmentReversed.Lines)
		e.FulfilmentID, e.Reason = c.ShipmentReversed.FulfilmentId, c.ShipmentReversed.Reason
	case *eventv1.OrderEvent_DeliveryReversed:
		e.Lines = o.reverseDelivery(c.DeliveryReversed.Lines)
		e.FulfilmentID, e.Reason = c.DeliveryReversed.FulfilmentId, c.DeliveryReversed.Reason
	case *eventv1.OrderEvent_LinesCancelledV2:
		e.Lines, e.Reason = o.cancelLines(c.LinesCancelledV2), c.LinesCancelledV2.Reason
	case *eventv1.OrderEvent_FulfilmentCreatedV2:
		e.FulfilmentID = c.FulfilmentCreatedV2.FulfilmentId
		e.Lines = lineQuantities(c.FulfilmentCreatedV2.Lines)
	case *eventv1.OrderEvent_FulfilmentCancelled:
		e.FulfilmentID, e.Reason = c.FulfilmentCancelled.FulfilmentId, c.FulfilmentCancelled.Reason
	}
}

// TypeOf is the API's name of an event: the same in all its versions.
func TypeOf(ev *eventv1.OrderEvent) string {
	if name, _ := schema.Name(ev); name != "" {
		return name
	}
	return "unknown"
}

// short are lines that stock had too little for. Events before reasons were recorded mean that there was too little.
func short(lines []*eventv1.ShortLine) (out []Short) {
	for _, s := range lines {
		reason := schema.RejectionReasons.Word(s.Reason)
		if reason == "" {
			reason = schema.RejectionReasons.Word(eventv1.RejectionReason_REJECTION_REASON_INSUFFICIENT_STOCK)
		}
		out = append(out, Short{s.Sku, s.Requested, s.Available, reason})
	}
	return out
}
