package codec

import (
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setImport fills the change for past documents.
func setImport(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.DocumentImported:
		return setDocument(e, c)
	case order.ImportRequested:
		return setImportRequested(e, c)
	}
	return ""
}

// readImport is the inverse of setImport.
func readImport(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
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
	}
	return nil
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
		Metadata: toMetadata(c.Metadata),
	}
}

func fromImportedOrder(p *eventv1.OrderImported) order.DocumentImported {
	return order.DocumentImported{
		Kind: order.KindImportedOrder, CustomerID: p.CustomerId, Currency: p.Currency, Lines: fromLines(p.Lines),
		SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros, Country: p.Country, Reference: p.Reference,
		Metadata: fromMetadata(p.Metadata),
	}
}

func toCreditNote(c order.DocumentImported) *eventv1.CreditNoteImported {
	return &eventv1.CreditNoteImported{
		CustomerId: c.CustomerID, Currency: c.Currency, Lines: toLines(c.Lines),
		SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros, Country: c.Country, Reference: c.Reference,
		Metadata: toMetadata(c.Metadata),
	}
}

func fromCreditNote(p *eventv1.CreditNoteImported) order.DocumentImported {
	return order.DocumentImported{
		Kind: order.KindCreditNote, CustomerID: p.CustomerId, Currency: p.Currency, Lines: fromLines(p.Lines),
		SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros, Country: p.Country, Reference: p.Reference,
		Metadata: fromMetadata(p.Metadata),
	}
}
