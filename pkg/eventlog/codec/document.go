package codec

import (
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setImport fills the change for past documents.
func setImport(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.DocumentImported:
		return setDocument(e, &c)
	case order.ImportRequested:
		return setImportRequested(e, c)
	}
	return ""
}

// readImport is the inverse of setImport.
func readImport(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_OrderImportedV2:
		return fromDocument(order.KindImportedOrder, c.OrderImportedV2)
	case *eventv1.OrderEvent_CreditNoteImportedV2:
		return fromDocument(order.KindCreditNote, c.CreditNoteImportedV2)
	case *eventv1.OrderEvent_ImportRequestedV2:
		if d := fromRequested(c.ImportRequestedV2); d != nil {
			return order.ImportRequested{Document: *d}
		}
	}
	return nil
}

func setDocument(e *eventv1.OrderEvent, c *order.DocumentImported) string {
	switch c.Kind {
	case order.KindImportedOrder:
		e.Change = &eventv1.OrderEvent_OrderImportedV2{OrderImportedV2: toImportedOrder(c)}
		return "holdfast.order_imported.v2"
	case order.KindCreditNote:
		e.Change = &eventv1.OrderEvent_CreditNoteImportedV2{CreditNoteImportedV2: toCreditNote(c)}
		return "holdfast.credit_note_imported.v2"
	case order.KindOrder:
	}
	return ""
}

func setImportRequested(e *eventv1.OrderEvent, c order.ImportRequested) string {
	asked := toRequested(&c.Document)
	if asked == nil {
		return ""
	}
	e.Change = &eventv1.OrderEvent_ImportRequestedV2{ImportRequestedV2: asked}
	return "holdfast.import_requested.v2"
}

// toRequested is nil for what is no past document.
func toRequested(d *order.DocumentImported) *eventv1.ImportRequestedV2 {
	if d == nil {
		return nil
	}
	switch d.Kind {
	case order.KindImportedOrder:
		return &eventv1.ImportRequestedV2{Document: &eventv1.ImportRequestedV2_Order{Order: toImportedOrder(d)}}
	case order.KindCreditNote:
		return &eventv1.ImportRequestedV2{Document: &eventv1.ImportRequestedV2_CreditNote{CreditNote: toCreditNote(d)}}
	case order.KindOrder:
	}
	return nil
}

// fromRequested is the inverse of toRequested.
func fromRequested(asked *eventv1.ImportRequestedV2) *order.DocumentImported {
	var d order.DocumentImported
	switch c := asked.GetDocument().(type) {
	case *eventv1.ImportRequestedV2_Order:
		d = fromDocument(order.KindImportedOrder, c.Order)
	case *eventv1.ImportRequestedV2_CreditNote:
		d = fromDocument(order.KindCreditNote, c.CreditNote)
	default:
		return nil
	}
	return &d
}

func toImportedOrder(c *order.DocumentImported) *eventv1.OrderImportedV2 {
	p := toPricing(c.Pricing)
	return &eventv1.OrderImportedV2{
		CustomerId: c.CustomerID, Currency: c.Currency, Lines: toLines(c.Lines),
		SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros, Country: c.Country, Reference: c.Reference,
		Metadata: toMetadata(c.Metadata), Charges: p.charges, Discounts: p.discounts, TaxesIncluded: p.taxesIncluded,
		Rounding: p.rounding,
	}
}

func toCreditNote(c *order.DocumentImported) *eventv1.CreditNoteImportedV2 {
	p := toPricing(c.Pricing)
	return &eventv1.CreditNoteImportedV2{
		CustomerId: c.CustomerID, Currency: c.Currency, Lines: toLines(c.Lines),
		SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros, Country: c.Country, Reference: c.Reference,
		Metadata: toMetadata(c.Metadata), Charges: p.charges, Discounts: p.discounts, TaxesIncluded: p.taxesIncluded,
		Rounding: p.rounding,
	}
}

func fromDocument(kind order.Kind, d schema.Document) order.DocumentImported {
	return order.DocumentImported{
		Kind: kind, CustomerID: d.GetCustomerId(), Currency: d.GetCurrency(), Lines: fromLines(d.GetLines()),
		SubtotalMicros: d.GetSubtotalMicros(), TotalMicros: d.GetTotalMicros(), Country: d.GetCountry(),
		Reference: d.GetReference(), Metadata: fromMetadata(d.GetMetadata()), Pricing: pricingOf(d),
	}
}
