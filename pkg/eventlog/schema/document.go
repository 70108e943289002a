package schema

import eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"

// Priced is what an order that is placed and a past document say of what they cost besides their lines.
type Priced interface {
	GetLines() []*eventv1.OrderLine
	GetCharges() []*eventv1.Charge
	GetDiscounts() []*eventv1.Discount
	GetTaxesIncluded() bool
	GetRounding() eventv1.Rounding
}

// Document is a past document: an order or a credit note. The amounts of a credit note are positive, too.
type Document interface {
	Priced
	GetCustomerId() string
	GetCountry() string
	GetCurrency() string
	GetReference() string
	GetSubtotalMicros() int64
	GetTotalMicros() int64
	GetMetadata() []*eventv1.MetadataEntry
}

// Requested is the document that is asked for; nil: the event has none.
func Requested(r *eventv1.ImportRequestedV2) Document {
	switch d := r.GetDocument().(type) {
	case *eventv1.ImportRequestedV2_Order:
		return d.Order
	case *eventv1.ImportRequestedV2_CreditNote:
		return d.CreditNote
	}
	return nil
}

// AsPlaced is a document as if it had been placed; empty where there is none.
func AsPlaced(d Document) *eventv1.OrderPlacedV2 {
	if d == nil {
		return &eventv1.OrderPlacedV2{}
	}
	return &eventv1.OrderPlacedV2{
		CustomerId: d.GetCustomerId(), Country: d.GetCountry(), Reference: d.GetReference(), Lines: d.GetLines(),
		Currency: d.GetCurrency(), SubtotalMicros: d.GetSubtotalMicros(), TotalMicros: d.GetTotalMicros(),
		Metadata: d.GetMetadata(), Charges: d.GetCharges(), Discounts: d.GetDiscounts(),
		TaxesIncluded: d.GetTaxesIncluded(), Rounding: d.GetRounding(),
	}
}

// upgradeDocuments takes past documents from version 1, of which only lines cost anything, to version 2.
func upgradeDocuments(ev *eventv1.OrderEvent) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderImported:
		ev.Change = &eventv1.OrderEvent_OrderImportedV2{OrderImportedV2: importedOrderV2(c.OrderImported)}
	case *eventv1.OrderEvent_CreditNoteImported:
		ev.Change = &eventv1.OrderEvent_CreditNoteImportedV2{CreditNoteImportedV2: creditNoteV2(c.CreditNoteImported)}
	case *eventv1.OrderEvent_ImportRequested:
		v2 := &eventv1.ImportRequestedV2{}
		switch d := c.ImportRequested.Document.(type) {
		case *eventv1.ImportRequested_Order:
			v2.Document = &eventv1.ImportRequestedV2_Order{Order: importedOrderV2(d.Order)}
		case *eventv1.ImportRequested_CreditNote:
			v2.Document = &eventv1.ImportRequestedV2_CreditNote{CreditNote: creditNoteV2(d.CreditNote)}
		}
		ev.Change = &eventv1.OrderEvent_ImportRequestedV2{ImportRequestedV2: v2}
	}
}

func importedOrderV2(d *eventv1.OrderImported) *eventv1.OrderImportedV2 {
	return &eventv1.OrderImportedV2{
		CustomerId: d.CustomerId, Currency: d.Currency, Lines: d.Lines, SubtotalMicros: d.SubtotalMicros,
		TotalMicros: d.TotalMicros, Country: d.Country, Reference: d.Reference, Metadata: d.Metadata,
		Rounding: eventv1.Rounding_ROUNDING_ORDER,
	}
}

func creditNoteV2(d *eventv1.CreditNoteImported) *eventv1.CreditNoteImportedV2 {
	return &eventv1.CreditNoteImportedV2{
		CustomerId: d.CustomerId, Currency: d.Currency, Lines: d.Lines, SubtotalMicros: d.SubtotalMicros,
		TotalMicros: d.TotalMicros, Country: d.Country, Reference: d.Reference, Metadata: d.Metadata,
		Rounding: eventv1.Rounding_ROUNDING_ORDER,
	}
}
