package codec

import (
	"fmt"
	"sync"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// orderScratch is what every order event needs. It is used again for the next event: nothing of an encoded
// message outlives its encoding.
type orderScratch struct {
	event   eventv1.OrderEvent
	meta    eventv1.Meta
	metaIDs Meta // keeps the bytes that meta points to
}

var orderScratches = sync.Pool{New: func() any { return new(orderScratch) }}

// AppendOrder appends the record value of an order's event to dst, and names its CloudEvents type
// ("holdfast.order_placed.v1"). It fails for an event that the schema does not know.
func AppendOrder(dst []byte, orderID string, m *Meta, ev order.Event) (value []byte, ceType string, err error) {
	s := orderScratches.Get().(*orderScratch)
	defer orderScratches.Put(s)
	s.metaIDs = *m
	fillMeta(&s.meta, &s.metaIDs)
	e := &s.event
	e.Meta, e.OrderId = &s.meta, orderID
	if ceType = setOrderChange(e, ev); ceType == "" {
		return dst, "", incomplete("order event", fmt.Sprintf("no change in the schema for %T", ev))
	}
	value, err = appendMessage(dst, e)
	return value, ceType, err
}

// setOrderChange fills the change and returns its CloudEvents type, "" for an unknown event.
func setOrderChange(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.OrderPlaced:
		e.Change = &eventv1.OrderEvent_OrderPlaced{OrderPlaced: &eventv1.OrderPlaced{
			CustomerId: c.CustomerID, Currency: c.Currency, Lines: toLines(c.Lines),
			SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros,
			PaymentTerms: eventv1.PaymentTerms(c.Terms), PaymentDeadlineMicros: c.PaymentDeadlineMicros,
			Country: c.Country, Reference: c.Reference, Allocation: ToOrderRule(c.Allocation),
		}}
		return "holdfast.order_placed.v1"
	case order.OrderReserved:
		e.Change = &eventv1.OrderEvent_OrderReserved{OrderReserved: &eventv1.OrderReserved{}}
		return "holdfast.order_reserved.v1"
	case order.OrderBackordered:
		e.Change = &eventv1.OrderEvent_OrderBackordered{
			OrderBackordered: &eventv1.OrderBackordered{Backordered: toQuantities(c.Backordered)}}
		return "holdfast.order_backordered.v1"
	case order.OrderBackorderFilled:
		e.Change = &eventv1.OrderEvent_OrderBackorderFilled{
			OrderBackorderFilled: &eventv1.OrderBackorderFilled{Filled: toQuantities(c.Filled)}}
		return "holdfast.order_backorder_filled.v1"
	case order.OrderRejected:
		e.Change = &eventv1.OrderEvent_OrderRejected{OrderRejected: &eventv1.OrderRejected{Short: toShort(c.Short), RefundDueMicros: c.RefundDueMicros}}
		return "holdfast.order_rejected.v1"
	case order.OrderConfirmed:
		e.Change = &eventv1.OrderEvent_OrderConfirmed{OrderConfirmed: &eventv1.OrderConfirmed{}}
		return "holdfast.order_confirmed.v1"
	}
	if ceType := setPaymentChange(e, ev); ceType != "" {
		return ceType
	}
	return setLaterOrderChange(e, ev)
}

// setPaymentChange is setOrderChange for money.
func setPaymentChange(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.PaymentStarted:
		e.Change = &eventv1.OrderEvent_PaymentStarted{
			PaymentStarted: &eventv1.PaymentStarted{Reference: c.Reference, PaymentDeadlineMicros: c.PaymentDeadlineMicros}}
		return "holdfast.payment_started.v1"
	case order.PaymentAuthorized:
		e.Change = &eventv1.OrderEvent_PaymentAuthorized{
			PaymentAuthorized: &eventv1.PaymentAuthorized{AmountMicros: c.AmountMicros, Reference: c.Reference}}
		return "holdfast.payment_authorized.v1"
	case order.PaymentCaptured:
		e.Change = &eventv1.OrderEvent_PaymentCaptured{PaymentCaptured: &eventv1.PaymentCaptured{
			AmountMicros: c.AmountMicros, Reference: c.Reference, UnvoidedMicros: c.UnvoidedMicros, RefundDueMicros: c.RefundDueMicros,
		}}
		return "holdfast.payment_captured.v1"
	case order.PaymentVoided:
		e.Change = &eventv1.OrderEvent_PaymentVoided{
			PaymentVoided: &eventv1.PaymentVoided{AmountMicros: c.AmountMicros, Reference: c.Reference, Reason: c.Reason}}
		return "holdfast.payment_voided.v1"
	case order.PaymentRefunded:
		e.Change = &eventv1.OrderEvent_PaymentRefunded{
			PaymentRefunded: &eventv1.PaymentRefunded{AmountMicros: c.AmountMicros, Reference: c.Reference, Reason: c.Reason}}
		return "holdfast.payment_refunded.v1"
	case order.PaymentFailed:
		e.Change = &eventv1.OrderEvent_PaymentFailed{PaymentFailed: &eventv1.PaymentFailed{Reference: c.Reference, Reason: c.Reason}}
		return "holdfast.payment_failed.v1"
	case order.OrderReopened:
		e.Change = &eventv1.OrderEvent_OrderReopened{OrderReopened: &eventv1.OrderReopened{PaymentDeadlineMicros: c.PaymentDeadlineMicros}}
		return "holdfast.order_reopened.v1"
	}
	return ""
}

// setLaterOrderChange is setOrderChange for what follows a confirmation, for ends and for documents.
func setLaterOrderChange(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.OrderCancelled:
		e.Change = &eventv1.OrderEvent_OrderCancelled{OrderCancelled: &eventv1.OrderCancelled{
			Reason: c.Reason, VoidedMicros: c.VoidedMicros, RefundDueMicros: c.RefundDueMicros,
		}}
		return "holdfast.order_cancelled.v1"
	case order.OrderExpired:
		e.Change = &eventv1.OrderEvent_OrderExpired{
			OrderExpired: &eventv1.OrderExpired{VoidedMicros: c.VoidedMicros, RefundDueMicros: c.RefundDueMicros}}
		return "holdfast.order_expired.v1"
	case order.LinesShipped:
		e.Change = &eventv1.OrderEvent_LinesShipped{LinesShipped: &eventv1.LinesShipped{
			FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines), TrackingReference: c.TrackingReference,
		}}
		return "holdfast.lines_shipped.v1"
	case order.LinesCancelled:
		e.Change = &eventv1.OrderEvent_LinesCancelled{LinesCancelled: &eventv1.LinesCancelled{
			Lines: toLines(c.Lines), Reason: c.Reason, SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros,
			VoidedMicros: c.VoidedMicros, RefundDueMicros: c.RefundDueMicros,
		}}
		return "holdfast.lines_cancelled.v1"
	case order.OrderHeld:
		e.Change = &eventv1.OrderEvent_OrderHeld{OrderHeld: &eventv1.OrderHeld{Reason: c.Reason}}
		return "holdfast.order_held.v1"
	case order.OrderResumed:
		e.Change = &eventv1.OrderEvent_OrderResumed{
			OrderResumed: &eventv1.OrderResumed{Confirmed: c.Confirmed, PaymentDeadlineMicros: c.PaymentDeadlineMicros}}
		return "holdfast.order_resumed.v1"
	case order.FulfilmentCreated:
		e.Change = &eventv1.OrderEvent_FulfilmentCreated{
			FulfilmentCreated: &eventv1.FulfilmentCreated{FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines)}}
		return "holdfast.fulfilment_created.v1"
	case order.FulfilmentCancelled:
		e.Change = &eventv1.OrderEvent_FulfilmentCancelled{
			FulfilmentCancelled: &eventv1.FulfilmentCancelled{FulfilmentId: c.FulfilmentID, Reason: c.Reason}}
		return "holdfast.fulfilment_cancelled.v1"
	}
	if ceType := setAmendment(e, ev); ceType != "" {
		return ceType
	}
	return setDocumentOrSettlement(e, ev)
}

// setDocumentOrSettlement is setOrderChange for deliveries, documents and reconciliation.
func setDocumentOrSettlement(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.LinesDelivered:
		e.Change = &eventv1.OrderEvent_LinesDelivered{
			LinesDelivered: &eventv1.LinesDelivered{FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines)}}
		return "holdfast.lines_delivered.v1"
	case order.DocumentImported:
		return setDocument(e, c)
	case order.ImportRequested:
		return setImportRequested(e, c)
	case order.ReturnRequested, order.ReturnReceived, order.ReturnCancelled:
		return setReturn(e, ev)
	case order.ReservationSettled:
		e.Change = &eventv1.OrderEvent_ReservationSettled{
			ReservationSettled: &eventv1.ReservationSettled{ReservationVersion: c.ReservationVersion}}
		return "holdfast.reservation_settled.v1"
	case order.ShipmentReconciled:
		e.Change = &eventv1.OrderEvent_ShipmentReconciled{
			ShipmentReconciled: &eventv1.ShipmentReconciled{FulfilmentId: c.FulfilmentID, Lines: toQuantities(c.Lines)}}
		return "holdfast.shipment_reconciled.v1"
	}
	return ""
}

// setAmendment is setOrderChange for amendments.
func setAmendment(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.AmendmentRequested:
		e.Change = &eventv1.OrderEvent_AmendmentRequested{
			AmendmentRequested: &eventv1.AmendmentRequested{Lines: toAmended(c.Lines), Reason: c.Reason}}
		return "holdfast.amendment_requested.v1"
	case order.OrderAmended:
		e.Change = &eventv1.OrderEvent_OrderAmended{OrderAmended: &eventv1.OrderAmended{
			Lines: toAmended(c.Lines), Backordered: toQuantities(c.Backordered),
			SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros,
			VoidedMicros: c.VoidedMicros, RefundDueMicros: c.RefundDueMicros, PaymentDueMicros: c.PaymentDueMicros,
		}}
		return "holdfast.order_amended.v1"
	case order.AmendmentDeclined:
		e.Change = &eventv1.OrderEvent_AmendmentDeclined{
			AmendmentDeclined: &eventv1.AmendmentDeclined{Short: toShort(c.Short), Reason: c.Reason}}
		return "holdfast.amendment_declined.v1"
	}
	return ""
}

// setReturn is setOrderChange for goods that come back.
func setReturn(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.ReturnRequested:
		e.Change = &eventv1.OrderEvent_ReturnRequested{ReturnRequested: &eventv1.ReturnRequested{
			ReturnId: c.ReturnID, Lines: toQuantities(c.Lines), Reason: c.Reason,
		}}
		return "holdfast.return_requested.v1"
	case order.ReturnReceived:
		e.Change = &eventv1.OrderEvent_ReturnReceivedV2{ReturnReceivedV2: &eventv1.ReturnReceivedV2{
			ReturnId: c.ReturnID, Lines: toReturned(c.Resellable, c.Damaged),
			RefundDueMicros: c.RefundDueMicros, VoidedMicros: c.VoidedMicros, Location: c.Location,
		}}
		return "holdfast.return_received.v2"
	case order.ReturnCancelled:
		e.Change = &eventv1.OrderEvent_ReturnCancelled{ReturnCancelled: &eventv1.ReturnCancelled{
			ReturnId: c.ReturnID, Lines: toQuantities(c.Lines), Reason: c.Reason,
		}}
		return "holdfast.return_cancelled.v1"
	}
	return ""
}

func setDocument(e *eventv1.OrderEvent, c order.DocumentImported) string {
	switch c.Kind {
	case order.KindImportedOrder:
		e.Change = &eventv1.OrderEvent_OrderImported{OrderImported: toImportedOrder(c)}
		return "holdfast.order_imported.v1"
	case order.KindCreditNote:
		e.Change = &eventv1.OrderEvent_CreditNoteImported{CreditNoteImported: toCreditNote(c)}
		return "holdfast.credit_note_imported.v1"
	case order.KindOrder:
	}
	return ""
}

func setImportRequested(e *eventv1.OrderEvent, c order.ImportRequested) string {
	asked := &eventv1.ImportRequested{}
	switch c.Document.Kind {
	case order.KindImportedOrder:
		asked.Document = &eventv1.ImportRequested_Order{Order: toImportedOrder(c.Document)}
	case order.KindCreditNote:
		asked.Document = &eventv1.ImportRequested_CreditNote{CreditNote: toCreditNote(c.Document)}
	case order.KindOrder:
		return ""
	}
	e.Change = &eventv1.OrderEvent_ImportRequested{ImportRequested: asked}
	return "holdfast.import_requested.v1"
}

func toImportedOrder(c order.DocumentImported) *eventv1.OrderImported {
	return &eventv1.OrderImported{
		CustomerId: c.CustomerID, Currency: c.Currency, Lines: toLines(c.Lines),
		SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros, Country: c.Country, Reference: c.Reference,
	}
}

func toCreditNote(c order.DocumentImported) *eventv1.CreditNoteImported {
	return &eventv1.CreditNoteImported{
		CustomerId: c.CustomerID, Currency: c.Currency, Lines: toLines(c.Lines),
		SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros, Country: c.Country, Reference: c.Reference,
	}
}

// DecodeOrder reads a record value of orders.events. Errors wrap ErrMalformed or ErrIncomplete.
func DecodeOrder(value []byte) (orderID string, m Meta, ev order.Event, err error) {
	var e eventv1.OrderEvent
	if err := schema.ReadOrder(value, &e); err != nil {
		return "", Meta{}, nil, unreadable("order event", err)
	}
	if m, err = readMeta(e.Meta); err != nil {
		return "", Meta{}, nil, fmt.Errorf("order event: %w", err)
	}
	if ev = orderChange(&e); ev == nil {
		return "", Meta{}, nil, incomplete("order event", "no change, or one that this version does not know")
	}
	return e.OrderId, m, ev, nil
}

// orderChange returns the change as the domain has it, nil for none.
func orderChange(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_OrderPlaced:
		p := c.OrderPlaced
		return order.OrderPlaced{
			CustomerID: p.CustomerId, Currency: p.Currency, Lines: fromLines(p.Lines),
			SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros,
			Terms: order.PaymentTerms(p.PaymentTerms), PaymentDeadlineMicros: p.PaymentDeadlineMicros,
			Country: p.Country, Reference: p.Reference, Allocation: fromOrderRule(p.Allocation),
		}
	case *eventv1.OrderEvent_OrderReserved:
		return order.OrderReserved{}
	case *eventv1.OrderEvent_OrderBackordered:
		return order.OrderBackordered{Backordered: fromQuantities(c.OrderBackordered.Backordered)}
	case *eventv1.OrderEvent_OrderBackorderFilled:
		return order.OrderBackorderFilled{Filled: fromQuantities(c.OrderBackorderFilled.Filled)}
	case *eventv1.OrderEvent_OrderRejected:
		return order.OrderRejected{Short: fromShort(c.OrderRejected.Short), RefundDueMicros: c.OrderRejected.RefundDueMicros}
	case *eventv1.OrderEvent_OrderConfirmed:
		return order.OrderConfirmed{}
	}
	if ev := paymentChange(e); ev != nil {
		return ev
	}
	return laterOrderChange(e)
}

func paymentChange(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_PaymentStarted:
		return order.PaymentStarted{Reference: c.PaymentStarted.Reference, PaymentDeadlineMicros: c.PaymentStarted.PaymentDeadlineMicros}
	case *eventv1.OrderEvent_PaymentAuthorized:
		return order.PaymentAuthorized{AmountMicros: c.PaymentAuthorized.AmountMicros, Reference: c.PaymentAuthorized.Reference}
	case *eventv1.OrderEvent_PaymentCaptured:
		p := c.PaymentCaptured
		return order.PaymentCaptured{
			AmountMicros: p.AmountMicros, Reference: p.Reference, UnvoidedMicros: p.UnvoidedMicros, RefundDueMicros: p.RefundDueMicros,
		}
	case *eventv1.OrderEvent_PaymentVoided:
		p := c.PaymentVoided
		return order.PaymentVoided{AmountMicros: p.AmountMicros, Reference: p.Reference, Reason: p.Reason}
	case *eventv1.OrderEvent_PaymentRefunded:
		p := c.PaymentRefunded
		return order.PaymentRefunded{AmountMicros: p.AmountMicros, Reference: p.Reference, Reason: p.Reason}
	case *eventv1.OrderEvent_PaymentFailed:
		return order.PaymentFailed{Reference: c.PaymentFailed.Reference, Reason: c.PaymentFailed.Reason}
	case *eventv1.OrderEvent_OrderReopened:
		return order.OrderReopened{PaymentDeadlineMicros: c.OrderReopened.PaymentDeadlineMicros}
	}
	return nil
}

func laterOrderChange(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_OrderCancelled:
		p := c.OrderCancelled
		return order.OrderCancelled{Reason: p.Reason, VoidedMicros: p.VoidedMicros, RefundDueMicros: p.RefundDueMicros}
	case *eventv1.OrderEvent_OrderExpired:
		return order.OrderExpired{VoidedMicros: c.OrderExpired.VoidedMicros, RefundDueMicros: c.OrderExpired.RefundDueMicros}
	case *eventv1.OrderEvent_LinesShipped:
		p := c.LinesShipped
		return order.LinesShipped{
			FulfilmentID: p.FulfilmentId, Lines: fromQuantities(p.Lines), TrackingReference: p.TrackingReference,
		}
	case *eventv1.OrderEvent_LinesCancelled:
		p := c.LinesCancelled
		return order.LinesCancelled{
			Lines: fromLines(p.Lines), Reason: p.Reason, SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros,
			VoidedMicros: p.VoidedMicros, RefundDueMicros: p.RefundDueMicros,
		}
	case *eventv1.OrderEvent_OrderHeld:
		return order.OrderHeld{Reason: c.OrderHeld.Reason}
	case *eventv1.OrderEvent_OrderResumed:
		return order.OrderResumed{Confirmed: c.OrderResumed.Confirmed, PaymentDeadlineMicros: c.OrderResumed.PaymentDeadlineMicros}
	case *eventv1.OrderEvent_FulfilmentCreated:
		p := c.FulfilmentCreated
		return order.FulfilmentCreated{FulfilmentID: p.FulfilmentId, Lines: fromQuantities(p.Lines)}
	case *eventv1.OrderEvent_FulfilmentCancelled:
		return order.FulfilmentCancelled{FulfilmentID: c.FulfilmentCancelled.FulfilmentId, Reason: c.FulfilmentCancelled.Reason}
	}
	if ev := amendment(e); ev != nil {
		return ev
	}
	return documentOrSettlement(e)
}

func amendment(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_AmendmentRequested:
		return order.AmendmentRequested{Lines: fromAmended(c.AmendmentRequested.Lines), Reason: c.AmendmentRequested.Reason}
	case *eventv1.OrderEvent_OrderAmended:
		p := c.OrderAmended
		return order.OrderAmended{
			Lines: fromAmended(p.Lines), Backordered: fromQuantities(p.Backordered),
			SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros,
			VoidedMicros: p.VoidedMicros, RefundDueMicros: p.RefundDueMicros, PaymentDueMicros: p.PaymentDueMicros,
		}
	case *eventv1.OrderEvent_AmendmentDeclined:
		return order.AmendmentDeclined{Short: fromShort(c.AmendmentDeclined.Short), Reason: c.AmendmentDeclined.Reason}
	}
	return nil
}

func fromImportedOrder(p *eventv1.OrderImported) order.DocumentImported {
	return order.DocumentImported{
		Kind: order.KindImportedOrder, CustomerID: p.CustomerId, Currency: p.Currency, Lines: fromLines(p.Lines),
		SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros, Country: p.Country, Reference: p.Reference,
	}
}

func fromCreditNote(p *eventv1.CreditNoteImported) order.DocumentImported {
	return order.DocumentImported{
		Kind: order.KindCreditNote, CustomerID: p.CustomerId, Currency: p.Currency, Lines: fromLines(p.Lines),
		SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros, Country: p.Country, Reference: p.Reference,
	}
}

func documentOrSettlement(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_LinesDelivered:
		return order.LinesDelivered{FulfilmentID: c.LinesDelivered.FulfilmentId, Lines: fromQuantities(c.LinesDelivered.Lines)}
	case *eventv1.OrderEvent_OrderImported:
		return fromImportedOrder(c.OrderImported)
	case *eventv1.OrderEvent_CreditNoteImported:
		return fromCreditNote(c.CreditNoteImported)
	case *eventv1.OrderEvent_ImportRequested:
		switch d := c.ImportRequested.Document.(type) {
		case *eventv1.ImportRequested_Order:
			return order.ImportRequested{Document: fromImportedOrder(d.Order)}
		case *eventv1.ImportRequested_CreditNote:
			return order.ImportRequested{Document: fromCreditNote(d.CreditNote)}
		}
	case *eventv1.OrderEvent_ReturnRequested:
		p := c.ReturnRequested
		return order.ReturnRequested{ReturnID: p.ReturnId, Lines: fromQuantities(p.Lines), Reason: p.Reason}
	case *eventv1.OrderEvent_ReturnReceivedV2:
		return fromReturned(c.ReturnReceivedV2)
	case *eventv1.OrderEvent_ReturnCancelled:
		p := c.ReturnCancelled
		return order.ReturnCancelled{ReturnID: p.ReturnId, Lines: fromQuantities(p.Lines), Reason: p.Reason}
	case *eventv1.OrderEvent_ReservationSettled:
		return order.ReservationSettled{ReservationVersion: c.ReservationSettled.ReservationVersion}
	case *eventv1.OrderEvent_ShipmentReconciled:
		return order.ShipmentReconciled{FulfilmentID: c.ShipmentReconciled.FulfilmentId, Lines: fromQuantities(c.ShipmentReconciled.Lines)}
	}
	return nil
}
