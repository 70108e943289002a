package order

import "slices"

// place applies ORD-1 to ORD-4 and ORD-60.
func (o *Order) place(c Place) ([]Event, error) {
	if o.Lifecycle != None {
		return nil, o.refuseHere(CodeAlreadyPlaced, "the order exists")
	}
	if err := (heading{c.OrderID, c.CustomerID, c.Country, c.Reference}).check(); err != nil {
		return nil, err
	}
	subtotal, total, err := priceLines(c.Lines, c.Currency)
	if err != nil {
		return nil, err
	}
	if c.TotalMicros != nil && *c.TotalMicros != total {
		return nil, refuse(CodeTotalMismatch, "/total", "the lines add up to another total")
	}
	if c.Allocation != nil {
		if err := c.Allocation.Check(); err != nil {
			return nil, err
		}
	}
	switch c.Terms {
	case 0:
		c.Terms = Prepaid
	case Prepaid:
	case OnAccount:
		c.PaymentDeadlineMicros = 0
	default:
		return nil, refuse(CodeInvalidTerms, "/payment_terms", "terms are prepaid or on account")
	}
	return []Event{OrderPlaced{
		CustomerID: c.CustomerID, Currency: c.Currency, Lines: slices.Clone(c.Lines),
		SubtotalMicros: subtotal, TotalMicros: total,
		Terms: c.Terms, PaymentDeadlineMicros: c.PaymentDeadlineMicros,
		Country: c.Country, Reference: c.Reference, Allocation: c.Allocation,
	}}, nil
}

// importDocument applies ORD-1 to ORD-4, ORD-18 and ORD-63.
func (o *Order) importDocument(c ImportDocument) ([]Event, error) {
	if o.Lifecycle != None && !o.RefusedDocument() {
		return nil, o.refuseHere(CodeAlreadyPlaced, "the document exists")
	}
	if c.Kind != KindImportedOrder && c.Kind != KindCreditNote {
		return nil, refuse(CodeInvalidKind, "/kind", "a past document is an order or a credit note")
	}
	if err := (heading{c.OrderID, c.CustomerID, c.Country, c.Reference}).check(); err != nil {
		return nil, err
	}
	subtotal, total, err := priceLines(c.Lines, c.Currency)
	if err != nil {
		return nil, err
	}
	document := DocumentImported{
		Kind: c.Kind, CustomerID: c.CustomerID, Currency: c.Currency, Lines: slices.Clone(c.Lines),
		SubtotalMicros: subtotal, TotalMicros: total, Country: c.Country, Reference: c.Reference,
	}
	if c.AskStock {
		return []Event{ImportRequested{document}}, nil
	}
	return []Event{document}, nil
}

// RefusedDocument reports whether this is a past document that stock has refused: it is as if it had never been asked for.
func (o *Order) RefusedDocument() bool { return o.Kind != KindOrder && o.Lifecycle == Rejected }

// document is the past document that was asked for.
func (o *Order) document() DocumentImported {
	lines := make([]PlaceLine, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = PlaceLine{SKU: l.SKU, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros}
	}
	return DocumentImported{
		Kind: o.Kind, CustomerID: o.CustomerID, Currency: o.Currency, Lines: lines,
		SubtotalMicros: o.SubtotalMicros, TotalMicros: o.TotalMicros, Country: o.Country, Reference: o.Reference,
	}
}
