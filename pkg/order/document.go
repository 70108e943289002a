package order

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/metadata"
)

// ImportDocument records a past order or credit note. Quantities are positive.
//
//	ORD-18  The kind is an order or a credit note (invalid_kind). ORD-2 to ORD-4, ORD-68 and ORD-70 to ORD-72 apply. An
//	        imported order has shipped in full; a credit note gives its lines back to stock.
//	ORD-90  One kind and reference is one document: its ID derives from them. The same one under another key is the one
//	        that there is. One that says something else is refused: already_placed.
//	ORD-63  Where stock of other shards is asked for a past document, ImportRequested goes first: goods of an order are
//	        reserved, and a credit note wants nothing yet. Answers that cover it import it as ORD-18 says; one rejected
//	        SKU rejects it. A rejected document keeps no key and no place: ImportDocument may bring it, or another one in
//	        its place, again.
type ImportDocument struct {
	OrderID              string
	Kind                 Kind
	CustomerID, Currency string
	Country, Reference   string
	Lines                []PlaceLine
	AtMicros             int64
	Metadata             metadata.Map
	// Pricing, DefaultRounding and Sums are as those of Place.
	Pricing         *Pricing
	DefaultRounding Rounding
	Sums            Sums
	// AskStock is set by the writer where stock belongs to other shards: the document then waits for their answers.
	AskStock bool
}

// DocumentImported is OrderImported or CreditNoteImported of the schema, by its Kind.
type DocumentImported struct {
	Kind                        Kind
	CustomerID, Currency        string
	Lines                       []PlaceLine
	SubtotalMicros, TotalMicros int64
	Country, Reference          string
	Metadata                    metadata.Map
	Pricing                     *Pricing
}

// ImportRequested asks stock whether it has the Document, which follows if it does.
type ImportRequested struct{ Document DocumentImported }

func (c ImportDocument) decide(o *Order) ([]Event, error) {
	if o.Lifecycle != None && !o.RefusedDocument() {
		return nil, o.refuseHere(CodeAlreadyPlaced, "a document of this kind and reference exists, and says something else")
	}
	if c.Kind != KindImportedOrder && c.Kind != KindCreditNote {
		return nil, refuse(CodeInvalidKind, "/kind", "a past document is an order or a credit note")
	}
	if err := (heading{c.OrderID, c.CustomerID, c.Country, c.Reference}).check(); err != nil {
		return nil, err
	}
	if err := checkLines(c.Lines, c.Currency); err != nil {
		return nil, err
	}
	priced := OrderPlaced{
		Currency: c.Currency, Lines: slices.Clone(c.Lines), Pricing: c.Pricing.orDefault(c.DefaultRounding),
	}
	if err := priced.total(&c.Sums); err != nil {
		return nil, err
	}
	if at, fault := c.Metadata.Fault("/metadata"); fault != "" {
		return nil, refuse(CodeInvalidMetadata, at, fault)
	}
	document := DocumentImported{
		Kind: c.Kind, CustomerID: c.CustomerID, Currency: c.Currency, Lines: priced.Lines,
		SubtotalMicros: priced.SubtotalMicros, TotalMicros: priced.TotalMicros, Country: c.Country, Reference: c.Reference,
		Metadata: c.Metadata, Pricing: priced.Pricing,
	}
	if c.AskStock {
		return []Event{ImportRequested{document}}, nil
	}
	return []Event{document}, nil
}

func (e ImportRequested) evolve(o *Order, f Facts) {
	o.evolveDocument(e.Document, f)
	o.RequestedDocument = &e.Document
}

func (e DocumentImported) evolve(o *Order, f Facts) {
	o.evolveDocument(e, f)
	o.Lifecycle, o.RequestedDocument = Completed, nil
	if e.Kind == KindImportedOrder {
		for i := range o.Lines {
			o.Lines[i].Shipped = o.Lines[i].Quantity
		}
	}
}

// evolveDocument places a past document. If it was asked for and rejected before, it stays the same order to stock, and
// wants 0 of the lines that it no longer has: stock may still have reserved them.
func (o *Order) evolveDocument(e DocumentImported, f Facts) {
	for i := range o.Lines {
		sku := o.Lines[i].SKU
		ordered := slices.ContainsFunc(e.Lines, func(l PlaceLine) bool { return l.SKU == sku })
		if !ordered && !slices.Contains(o.SKUsToRelease, sku) {
			o.SKUsToRelease = append(slices.Clip(o.SKUsToRelease), sku)
		}
	}
	if o.Lifecycle != None {
		f.EventID = o.PlacedEventID
	}
	OrderPlaced{
		CustomerID: e.CustomerID, Currency: e.Currency, Lines: e.Lines,
		SubtotalMicros: e.SubtotalMicros, TotalMicros: e.TotalMicros,
		Terms: OnAccount, Country: e.Country, Reference: e.Reference, Pricing: e.Pricing,
	}.evolve(o, f)
	o.Kind, o.Short = e.Kind, nil
}

// RefusedDocument reports whether this is a past document that stock has rejected. It is then as if it had never been
// asked for.
func (o *Order) RefusedDocument() bool { return o.Kind != KindOrder && o.Lifecycle == Rejected }
