package order

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/metadata"
)

func TestORD1OnlyOnce(t *testing.T) {
	s := given(t, twoSKUs(Prepaid))
	s.when(twoSKUs(Prepaid)).refused(CodeAlreadyPlaced)
	s.when(ImportDocument{Kind: KindCreditNote}).refused(CodeAlreadyPlaced)
	s.at(Placed, "pending", "unfulfilled").wants(true, Wanted{SKU: "a", Reserved: 3}, Wanted{SKU: "b", Reserved: 4})
	if s.order.PlacedEventID != (ID{1}) || s.order.OccurredAtMicros != 1_000 || s.order.ReservationVersion != 1 {
		t.Fatalf("%+v", s.order)
	}
}

func TestORD2Lines(t *testing.T) {
	for code, lines := range map[string][]PlaceLine{
		CodeInvalidLines:    make([]PlaceLine, limits.MaxLines+1),
		CodeInvalidSKU:      {{"a", 1, 1, nil}, {"", 1, 1, nil}},
		CodeInvalidQuantity: {{"a", 0, 1, nil}},
		CodeInvalidPrice:    {{"a", 1, -1, nil}},
	} {
		c := twoSKUs(Prepaid)
		c.Lines = lines
		given(t).when(c).refused(code)
	}
	c := twoSKUs(Prepaid)
	c.Lines = nil
	given(t).when(c).refused(CodeInvalidLines)
	c.Lines = []PlaceLine{{"a", 1, 1, nil}, {"a", limits.MaxQuantity + 1, 1, nil}}
	s := given(t).when(c).refused(CodeInvalidQuantity)
	if p := s.err.(*Error).Pointer; p != "/lines/1/quantity" {
		t.Fatalf("pointer %s", p)
	}
	c.Lines = []PlaceLine{{strings.Repeat("x", limits.MaxSKULength+1), 1, 1, nil}}
	given(t).when(c).refused(CodeInvalidSKU)
	c.Lines = []PlaceLine{{"a ", 1, 1, nil}}
	given(t).when(c).refused(CodeInvalidSKU)
	c.Lines = []PlaceLine{{"a", limits.MaxQuantity, 0, nil}, {"a", limits.MaxQuantity, 0, nil}}
	given(t, c).wants(true, Wanted{SKU: "a", Reserved: 2 * limits.MaxQuantity})
}

func TestORD3Heading(t *testing.T) {
	for code, change := range map[string]func(*Place){
		CodeUnknownCurrency:   func(c *Place) { c.Currency = "EURO" },
		CodeInvalidTerms:      func(c *Place) { c.Terms = 3 },
		CodeInvalidOrderID:    func(c *Place) { c.OrderID = strings.Repeat("x", limits.MaxOrderIDBytes+1) },
		"invalid_customer_id": func(c *Place) { c.CustomerID = strings.Repeat("x", limits.MaxCustomerIDLength+1) },
		"invalid_country":     func(c *Place) { c.Country = "\xff" },
		"invalid_reference":   func(c *Place) { c.Reference = strings.Repeat("x", limits.MaxReferenceLength+1) },
	} {
		c := twoSKUs(Prepaid)
		change(&c)
		given(t).when(c).refused(code)
	}
	for code, change := range map[string]func(*Place){ // one that looks like another
		"invalid_customer_id": func(c *Place) { c.CustomerID += "\u200b" },
		"invalid_country":     func(c *Place) { c.Country = "Cura\u0063\u0327ao" },
		"invalid_reference":   func(c *Place) { c.Reference = "PO\u00a07" },
	} {
		c := twoSKUs(Prepaid)
		change(&c)
		given(t).when(c).refused(code)
	}
	if o := given(t, twoSKUs(0)).order; o.Terms != Prepaid || o.PaymentDeadlineMicros != 5_000 {
		t.Fatalf("%+v", o)
	}
	if o := given(t, twoSKUs(OnAccount)).order; o.Terms != OnAccount || o.PaymentDeadlineMicros != 0 {
		t.Fatalf("%+v", o)
	}
}

func TestORD4Totals(t *testing.T) {
	c := twoSKUs(Prepaid)
	o := given(t, c).order // 12.345 rounds half to even
	if o.SubtotalMicros != 12_345_000 || o.TotalMicros != twoSKUsTotal {
		t.Fatalf("subtotal %d, total %d", o.SubtotalMicros, o.TotalMicros)
	}
	total := int64(twoSKUsTotal)
	c.Sums.TotalMicros = &total
	given(t, c)
	total = 12_350_000
	given(t).when(c).refused(CodeTotalMismatch)

	c = twoSKUs(Prepaid)
	c.Lines = []PlaceLine{{"a", 2, math.MaxInt64, nil}}
	given(t).when(c).refused(CodeAmountOverflow)
	c.Lines = []PlaceLine{{"a", 1, math.MaxInt64, nil}, {"b", 1, 1, nil}}
	given(t).when(c).refused(CodeAmountOverflow)
	c.Lines = []PlaceLine{{"a", 1, math.MaxInt64, nil}}
	given(t).when(c).refused(CodeAmountOverflow)
}

func TestORD68Metadata(t *testing.T) {
	c := twoSKUs(Prepaid)
	c.Metadata = metadata.Map{{Key: "channel", Value: "web"}, {Key: "erp.id", Value: "4711"}}
	if events, err := Decide(Order{}, c); err != nil || !slices.Equal(events[0].(OrderPlaced).Metadata, c.Metadata) {
		t.Errorf("%v %v", events, err)
	}
	d := ImportDocument{OrderID: "o-1", Kind: KindCreditNote, Currency: "GBP", Lines: c.Lines, Metadata: c.Metadata}
	if events, err := Decide(Order{}, d); err != nil || !slices.Equal(events[0].(DocumentImported).Metadata, c.Metadata) {
		t.Errorf("%v %v", events, err)
	}
	c.Metadata = metadata.Map{{Key: "erp.id", Value: ""}}
	if p := given(t).when(c).refused(CodeInvalidMetadata).err.(*Error).Pointer; p != "/metadata/erp.id" {
		t.Errorf("the fault is at %s", p)
	}
	d.Metadata = c.Metadata
	if p := given(t).when(d).refused(CodeInvalidMetadata).err.(*Error).Pointer; p != "/metadata/erp.id" {
		t.Errorf("the fault is at %s", p)
	}
}

func TestORD18Documents(t *testing.T) {
	document := ImportDocument{
		OrderID: "o-1", Kind: KindImportedOrder, Currency: "GBP", Country: "EIRE", Reference: "536365",
		Lines: []PlaceLine{{"b", 6, 2_550_000, nil}, {"a", 1, 125_000, nil}, {"b", 1, 0, nil}},
	}
	s := given(t, document)
	s.at(Completed, "pending", "fulfilled").wants(true,
		Wanted{SKU: "a", Fulfilled: 1, Imported: true}, Wanted{SKU: "b", Fulfilled: 7, Imported: true})
	if o := s.order; o.SubtotalMicros != 15_425_000 || o.TotalMicros != 15_420_000 || o.PlacedEventID != (ID{1}) ||
		!o.Open() {
		t.Fatalf("%+v", o)
	}
	s.when(stockAnswers(granted)).then(ReservationSettled{1})
	if s.order.Open() {
		t.Fatal("still open")
	}
	for _, cmd := range []Command{
		Cancel{}, Confirm{}, Ship{FulfilmentID: "f"}, Deliver{FulfilmentID: "f"}, authorize(10_000, "", 0),
		CapturePayment{AmountMicros: 10_000},
		ReconcileShipment{Lines: line("a", 1)},
	} {
		s.when(cmd).refused(CodeIllegalTransition)
	}
	document.Kind = KindCreditNote
	s = given(t, document).at(Completed, "pending", "")
	s.wants(true, Wanted{SKU: "a", Restocked: 1}, Wanted{SKU: "b", Restocked: 7})

	document.Kind = KindOrder
	given(t).when(document).refused(CodeInvalidKind)
	document.Kind, document.Currency = KindCreditNote, "gbp"
	given(t).when(document).refused(CodeUnknownCurrency)
	document.Currency, document.Country = "GBP", "\xff"
	given(t).when(document).refused("invalid_country")
}

// A document that exists under its kind and reference is not imported again as another one.
func TestORD90OneReferenceIsOneDocument(t *testing.T) {
	document := ImportDocument{
		OrderID: "o-1", Kind: KindImportedOrder, Currency: "GBP", Reference: "536365",
		Lines: []PlaceLine{{"a", 1, 125_000, nil}},
	}
	s := given(t, document)
	document.Lines = []PlaceLine{{"a", 2, 125_000, nil}}
	s.when(document).refused(CodeAlreadyPlaced)
}

// Six screws at 0.115 with a voucher, their VAT and a parcel: what was asked for is what is imported.
func TestORD18DocumentsCostWhatOrdersDo(t *testing.T) {
	total, parts := int64(5_390_000), int64(4_900_000)
	document := ImportDocument{
		OrderID: "o-1", Kind: KindCreditNote, Currency: "EUR", Reference: "C1", AskStock: true,
		Lines: []PlaceLine{{"a", 6, 115_000, &LineDetails{
			Taxes:    []Tax{{Name: "VAT", RateMillionths: 190_000, AmountMicros: 80_000}},
			Metadata: metadata.Map{{Key: "k", Value: "v"}},
		}}},
		Pricing: &Pricing{
			Charges:       []Charge{{Kind: ChargeShipping, Description: "courier", AmountMicros: parts}},
			Discounts:     []Discount{{AmountMicros: 200_000, Code: "SUMMER"}},
			TaxesIncluded: true,
		},
		Sums: Sums{TotalMicros: &total, ChargeMicros: &parts},
	}
	imported := DocumentImported{
		Kind: KindCreditNote, Currency: "EUR", Reference: "C1", SubtotalMicros: 690_000, TotalMicros: 5_390_000,
		Lines: []PlaceLine{{"a", 6, 115_000, &LineDetails{
			OrderDiscountMicros: 200_000, Taxes: document.Lines[0].Details.Taxes, Metadata: document.Lines[0].Details.Metadata,
		}}},
		Pricing: &Pricing{
			Charges: document.Pricing.Charges, Discounts: document.Pricing.Discounts, TaxesIncluded: true,
			Rounding: RoundByOrder,
		},
	}
	s := given(t).when(document).then(ImportRequested{imported})
	s.when(stockAnswers(granted)).then(imported).at(Completed, "pending", "")
	if s.order.RequestedDocument != nil || document.Lines[0].Details.OrderDiscountMicros != 0 {
		t.Errorf("the order waits with %+v, the command is %+v", s.order.RequestedDocument, document.Lines[0].Details)
	}
	document.AskStock, document.DefaultRounding = false, RoundByLine
	imported.Pricing.Rounding = RoundByLine
	given(t).when(document).then(imported)

	wrong := total + 10_000
	document.Sums.TotalMicros = &wrong
	given(t).when(document).refused(CodeTotalMismatch)
	document.Sums.TotalMicros, document.Pricing.Charges[0].Kind = nil, 0
	given(t).when(document).refused(CodeInvalidCharge)
	document.Pricing.Charges = nil
	document.Lines[0].Details.Taxes[0].AmountMicros = 300_000
	document.Sums = Sums{}
	given(t).when(document).refused(CodeTaxMismatch)
	document.Pricing.Discounts[0].AmountMicros = 1_000_000
	given(t).when(document).refused(CodeInvalidDiscount)
}

func TestORD63DocumentsThatStockIsAskedFor(t *testing.T) {
	document := ImportDocument{
		OrderID: "o-1", Kind: KindImportedOrder, Currency: "GBP", Country: "EIRE", Reference: "536365",
		Lines: []PlaceLine{{"b", 6, 2_550_000, nil}, {"a", 1, 125_000, nil}, {"b", 1, 0, nil}}, AskStock: true,
		Metadata: metadata.Map{{Key: "erp.id", Value: "4711"}},
	}
	imported := DocumentImported{
		Kind: KindImportedOrder, Currency: "GBP", Country: "EIRE", Reference: "536365", Lines: document.Lines,
		SubtotalMicros: 15_425_000, TotalMicros: 15_420_000, Metadata: document.Metadata,
	}
	refusing := stockAnswers(func(o Order) RecordReservation {
		c := granted(o)
		c.Answers[0].Reserved, c.Answers[0].Rejected, c.Answers[0].RejectionReason = 0, true, ReasonOtherLine
		h := &c.Answers[1]
		h.Reserved, h.Rejected, h.Available, h.RejectionReason = 0, true, 2, ReasonInsufficientStock
		return c
	})
	s := given(t).when(document).then(ImportRequested{imported}).at(Placed, "pending", "unfulfilled")
	s.wants(true, Wanted{SKU: "a", Reserved: 1, Imported: true}, Wanted{SKU: "b", Reserved: 7, Imported: true})
	for _, cmd := range []Command{
		Cancel{}, Confirm{}, Hold{}, Ship{FulfilmentID: "f"}, authorize(10_000, "", 0),
		CapturePayment{AmountMicros: 10_000},
		ReconcileShipment{Lines: line("a", 1)},
	} {
		s.when(cmd).refused(CodeIllegalTransition)
	}
	s.when(Expire{AtMicros: math.MaxInt64}).then()
	s.when(document).refused(CodeAlreadyPlaced)
	s.when(stockAnswers(granted)).then(imported).at(Completed, "pending", "fulfilled")
	s.wants(true, Wanted{SKU: "a", Fulfilled: 1, Imported: true}, Wanted{SKU: "b", Fulfilled: 7, Imported: true})
	if s.order.PlacedEventID != (ID{1}) {
		t.Fatalf("to stock it is another document: %+v", s.order)
	}
	s.when(stockAnswers(granted)).then(ReservationSettled{2})
	s.when(document).refused(CodeAlreadyPlaced)

	s = given(t, document).when(refusing).then(OrderRejected{Short: []ShortLine{{"b", 7, 2, ReasonInsufficientStock}}}).
		at(Rejected, "pending", "unfulfilled")
	s.wants(true, Wanted{SKU: "a"}, Wanted{SKU: "b"})
	s.when(Place{Currency: "GBP", Lines: document.Lines}).refused(CodeAlreadyPlaced)
	again := document
	again.Kind, again.Lines = KindCreditNote, []PlaceLine{{"c", 2, 1_000_000, nil}, {"b", 1, 0, nil}}
	again.Metadata = metadata.Map{{Key: "channel", Value: "web"}}
	s.when(again).at(Placed, "pending", "")
	s.wants(true, Wanted{SKU: "a"}, Wanted{SKU: "b", Imported: true}, Wanted{SKU: "c", Imported: true})
	if s.order.PlacedEventID != (ID{1}) || s.order.Short != nil {
		t.Fatalf("%+v", s.order)
	}
	unknown := stockAnswers(func(o Order) RecordReservation {
		c := granted(o)
		c.Answers[0].Rejected, c.Answers[0].RejectionReason = true, ReasonUnknownSKU // it is not in the document any more
		c.Answers[2].Rejected, c.Answers[2].RejectionReason = true, ReasonUnknownSKU
		return c
	})
	s.when(unknown).then(OrderRejected{Short: []ShortLine{{"c", 2, 0, ReasonUnknownSKU}}})
	s.wants(true, Wanted{SKU: "a"}, Wanted{SKU: "b"}, Wanted{SKU: "c"})
	again.AskStock = false // all of it is of one shard by now
	s.when(again).at(Completed, "pending", "")
	if last := s.events[len(s.events)-1].(DocumentImported); !slices.Equal(last.Metadata, again.Metadata) ||
		s.order.RequestedDocument != nil {
		t.Fatalf("%+v, and the order waits with %+v", last, s.order.RequestedDocument)
	}
	s.wants(true, Wanted{SKU: "a"}, Wanted{SKU: "b", Restocked: 1}, Wanted{SKU: "c", Restocked: 2})
}
