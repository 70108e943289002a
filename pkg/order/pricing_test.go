package order

import (
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/metadata"
)

// priced is an order in GBP of a (3 at 10.00, 1.00 off) and b (1 at 5.00), with 4.90 for shipping and a voucher of
// 5.00. VAT of 20 % is added. a costs 29.00 and b 5.00, so the voucher is spread as 4.26 and 0.74.
func priced() Place {
	return Place{
		OrderID: "o-1", Currency: "GBP", Terms: OnAccount,
		Lines: []PlaceLine{
			{"a", 3, 10_000_000, &LineDetails{
				Discounts: []Discount{{AmountMicros: 1_000_000, Code: "SUMMER"}},
				Taxes:     []Tax{{"VAT", "GB", 200_000, 4_950_000}}, // of 24.74
			}},
			{"b", 1, 5_000_000, &LineDetails{
				Taxes: []Tax{{"VAT", "GB", 200_000, 850_000}}, Metadata: metadata.Map{{Key: "gift", Value: "yes"}},
			}},
		},
		Pricing: &Pricing{
			Charges: []Charge{
				{ChargeShipping, "courier", 4_900_000, []Tax{{"VAT", "GB", 200_000, 980_000}}}, {Kind: ChargeGiftCard},
			},
			Discounts: []Discount{{AmountMicros: 5_000_000, Code: "WELCOME"}},
		},
	}
}

const pricedTotal = 40_680_000 // 35.00 - 6.00 + 4.90 + 6.78

func shippedWhole() []Command {
	return []Command{priced(), stockAnswers(granted), Ship{FulfilmentID: "f"}, Deliver{FulfilmentID: "f"},
		RequestReturn{ReturnID: "r"}}
}

func TestORD70Charges(t *testing.T) {
	refused := func(code, pointer string, change func(*Place)) {
		t.Helper()
		c := priced()
		change(&c)
		if p := given(t).when(c).refused(code).err.(*Error).Pointer; p != pointer {
			t.Errorf("%s at %s, want %s", code, p, pointer)
		}
	}
	refused(CodeInvalidCharge, "/charges/1/kind", func(c *Place) { c.Pricing.Charges[1].Kind = 7 })
	refused(CodeInvalidCharge, "/charges/1/kind", func(c *Place) { c.Pricing.Charges[1].Kind = 0 })
	refused(CodeInvalidCharge, "/charges/1/amount", func(c *Place) { c.Pricing.Charges[1].AmountMicros = -1 })
	refused(CodeInvalidCharge, "/charges/1/description", func(c *Place) { c.Pricing.Charges[1].Description = tooLong })
	refused(CodeInvalidCharge, "/charges", func(c *Place) { c.Pricing.Charges = make([]Charge, limits.MaxCharges+1) })
	refused(CodeAmountOverflow, "/charges/1/amount", func(c *Place) { c.Pricing.Charges[1].AmountMicros = 1<<63 - 1 })
	refused(CodeAmountOverflow, "/charges/1", func(c *Place) { c.Pricing.Charges[1].AmountMicros = 1<<63 - 5_000_000 })
	refused(CodeInvalidRounding, "/rounding", func(c *Place) { c.Pricing.Rounding = 3 })

	s := given(t, priced())
	if o := s.order; o.TotalMicros != pricedTotal || o.SubtotalMicros != 35_000_000 {
		t.Fatalf("%d, %d", o.SubtotalMicros, o.TotalMicros)
	}
	s.wants(true, Wanted{SKU: "a", Reserved: 3}, Wanted{SKU: "b", Reserved: 1}) // charges need no stock
}

func TestORD71Discounts(t *testing.T) {
	refused := func(pointer string, change func(*Place)) {
		t.Helper()
		c := priced()
		change(&c)
		if p := given(t).when(c).refused(CodeInvalidDiscount).err.(*Error).Pointer; p != pointer {
			t.Errorf("at %s, want %s", p, pointer)
		}
	}
	line := func(c *Place) *Discount { return &c.Lines[0].Details.Discounts[0] }
	refused("/lines/0/discounts/0/amount", func(c *Place) { line(c).AmountMicros = 0 })
	refused("/lines/0/discounts/0/amount", func(c *Place) { line(c).AmountMicros = 30_000_001 })
	refused("/lines/0/discounts/0/code", func(c *Place) { line(c).Code = tooLong })
	refused("/lines/0/discounts/0/description", func(c *Place) { line(c).Description = " x" })
	refused("/lines/0/discounts", func(c *Place) {
		c.Lines[0].Details.Discounts = make([]Discount,
			limits.MaxDiscounts+1)
	})
	refused("/discounts/0/amount", func(c *Place) { c.Pricing.Discounts[0].AmountMicros = 34_000_001 })
	refused("/discounts", func(c *Place) { c.Pricing.Discounts = make([]Discount, limits.MaxDiscounts+1) })

	placed := given(t, priced()).events[0].(OrderPlaced)
	for i, want := range []int64{4_260_000, 740_000} {
		if got := placed.Lines[i].Details.OrderDiscountMicros; got != want {
			t.Errorf("line %d has %d of the voucher, want %d", i+1, got, want)
		}
	}
	c := priced() // what the client sends of it counts for nothing, and its command is not changed
	c.Lines[0].Details.OrderDiscountMicros = 1
	again := given(t).when(c).events[0].(OrderPlaced)
	if !reflect.DeepEqual(again, placed) || c.Lines[0].Details.OrderDiscountMicros != 1 {
		t.Errorf("%+v", again.Lines[0].Details)
	}
	whole := Place{OrderID: "o-1", Currency: "GBP", Lines: []PlaceLine{{"a", 1, 1_000_000, nil}, {"b", 1, 0,
		&LineDetails{}}},
		Pricing: &Pricing{Discounts: []Discount{{AmountMicros: 1_000_000}}}}
	s := given(t, whole) // free of charge
	if d := s.events[0].(OrderPlaced).Lines; d[1].Details != nil || d[0].Details.OrderDiscountMicros != 1_000_000 {
		t.Errorf("%+v", d)
	}
	s.when(stockAnswers(granted)).at(Confirmed, "not_required", "unfulfilled")
}

func TestORD72Taxes(t *testing.T) {
	refused := func(code, pointer string, change func(*Place)) {
		t.Helper()
		c := priced()
		change(&c)
		if p := given(t).when(c).refused(code).err.(*Error).Pointer; p != pointer {
			t.Errorf("%s at %s, want %s", code, p, pointer)
		}
	}
	tax := func(c *Place) *Tax { return &c.Lines[0].Details.Taxes[0] }
	refused(CodeInvalidTax, "/lines/0/taxes/0/rate", func(c *Place) { tax(c).RateMillionths = -1 })
	refused(CodeInvalidTax, "/lines/0/taxes/0/rate", func(c *Place) { tax(c).RateMillionths = 10_000_001 })
	refused(CodeInvalidTax, "/lines/0/taxes/0/amount", func(c *Place) { tax(c).AmountMicros = -1 })
	refused(CodeInvalidTax, "/lines/0/taxes/0/name", func(c *Place) { tax(c).Name = tooLong })
	refused(CodeInvalidTax, "/lines/0/taxes/0/jurisdiction", func(c *Place) { tax(c).Jurisdiction = "GB " })
	refused(CodeInvalidTax, "/charges/0/taxes", func(c *Place) {
		c.Pricing.Charges[0].Taxes = make([]Tax,
			limits.MaxTaxes+1)
	})
	refused(CodeInvalidTax, "/lines/0/taxes", func(c *Place) {
		c.Pricing.TaxesIncluded = true
		*tax(c) = Tax{AmountMicros: 24_740_001}
	})
	refused(CodeInvalidTax, "/charges/1/taxes", func(c *Place) { c.Pricing.Charges[1].Taxes = []Tax{{AmountMicros: 1}} })
	refused(CodeAmountOverflow, "/lines/0/taxes/1/amount", func(c *Place) {
		tax(c).RateMillionths = 0
		c.Lines[0].Details.Taxes = append(c.Lines[0].Details.Taxes, Tax{AmountMicros: 1<<63 - 1})
	})
	refused(CodeTaxMismatch, "/charges/0/taxes/0/amount", func(c *Place) {
		c.Pricing.Charges[0].Taxes[0].AmountMicros = 970_000
	})
	// 20 % of 24.74 is 4.948. Three units may have been rounded one by one: 1.5 pence are no fault.
	refused(CodeTaxMismatch, "/lines/0/taxes/0/amount", func(c *Place) { tax(c).AmountMicros = 4_963_002 })
	c := priced()
	tax(&c).AmountMicros = 4_963_000
	given(t, c)
	if s := given(t).when(func() Place { c := priced(); tax(&c).AmountMicros = 5_948_000; return c }()); !strings.Contains(
		s.err.Error(), "0.2 of 24.74 is 4.948, and 5.948 is 1.00 too much") {
		t.Error(s.err)
	}
	// Included taxes are of what remains without them, and are not added.
	c = priced()
	c.Pricing.TaxesIncluded = true
	tax(&c).AmountMicros, c.Lines[1].Details.Taxes[0].AmountMicros = 4_120_000, 710_000
	c.Pricing.Charges[0].Taxes[0].AmountMicros = 820_000
	if s := given(t, c); s.order.TotalMicros != 33_900_000 {
		t.Errorf("%d", s.order.TotalMicros)
	}
}

func TestORD4SumsThatTheClientExpects(t *testing.T) {
	for _, sum := range []struct {
		of      func(*Sums) **int64
		micros  int64
		pointer string
	}{
		{func(s *Sums) **int64 { return &s.SubtotalMicros }, 35_000_000, "/subtotal"},
		{func(s *Sums) **int64 { return &s.DiscountMicros }, 6_000_000, "/discount_total"},
		{func(s *Sums) **int64 { return &s.ChargeMicros }, 4_900_000, "/charge_total"},
		{func(s *Sums) **int64 { return &s.TaxMicros }, 6_780_000, "/tax_total"},
		{func(s *Sums) **int64 { return &s.TotalMicros }, pricedTotal, "/total"},
	} {
		c := priced()
		*sum.of(&c.Sums) = new(sum.micros)
		given(t, c)
		*sum.of(&c.Sums) = new(sum.micros + 10_000)
		err := given(t).when(c).refused(CodeTotalMismatch).err.(*Error)
		if err.Pointer != sum.pointer || !strings.HasSuffix(err.Detail, "is 0.01 too much") {
			t.Errorf("%s: %s", err.Pointer, err.Detail)
		}
	}
}

func TestORD4RoundingByLine(t *testing.T) {
	c := Place{OrderID: "o-1", Currency: "JPY", Terms: OnAccount, Lines: []PlaceLine{
		{"a", 1, 16_400_000, nil}, {"b", 1, 16_400_000, nil}}}
	if o := given(t, c).order; o.TotalMicros != 33_000_000 { // 32.8
		t.Errorf("by order: %d", o.TotalMicros)
	}
	byDefault := c
	byDefault.DefaultRounding = RoundByLine
	c.Pricing = &Pricing{Rounding: RoundByLine}
	for _, c := range []Place{c, byDefault} {
		s := given(t, c, stockAnswers(granted), Ship{FulfilmentID: "f"}, Deliver{FulfilmentID: "f"},
			RequestReturn{ReturnID: "r"})
		if o := s.order; o.TotalMicros != 32_000_000 || !o.RoundByLine {
			t.Errorf("by line: %d", o.TotalMicros)
		}
		s.when(back(ReturnedLine{"a", 1, Damaged, 0}))
		if got := s.events[0].(ReturnReceived).ReturnedMicros; got != 16_000_000 {
			t.Errorf("%d came back", got)
		}
	}
	c.Pricing = &Pricing{Rounding: RoundByOrder}
	c.DefaultRounding = RoundByLine
	if p := given(t, c).events[0].(OrderPlaced).Pricing; p != nil {
		t.Errorf("%+v", p)
	}
}

func TestORD73SharesGoBackToTheLastMinorUnit(t *testing.T) {
	// a has 5.26 of discounts and 4.95 of tax for 3 units, so 1 of 3 has 1.753333 and 1.65.
	s := given(t, priced(), stockAnswers(granted), CancelLines{Lines: line("a", 1)})
	s.then(LinesCancelled{
		Lines:          []CancelledLine{{1, "a", 1, 10_000_000, 1_753_333, 1_650_000}},
		SubtotalMicros: 25_000_000, TotalMicros: 30_780_000, // 40.68 less 9.896667
	})
	s.when(CancelLines{Charges: []ChargeCredit{{Charge: 1, AmountMicros: 2_450_000}}}).then(LinesCancelled{
		Charges: []ChargeCredit{{1, 2_450_000, 490_000}}, SubtotalMicros: 25_000_000, TotalMicros: 27_840_000,
	})
	s.when(Ship{FulfilmentID: "f"}).when(Deliver{FulfilmentID: "f"}).when(RequestReturn{ReturnID: "r"})
	s.when(back(ReturnedLine{"a", 1, Resellable, 0}, ReturnedLine{"a", 1, Damaged, 0})).then(ReturnReceived{
		ReturnID: "r", ReturnedMicros: 19_790_000, Lines: []ReceivedLine{
			{1, "a", 1, 10_000_000, Resellable, 1_753_334, 1_650_000}, {1, "a", 1, 10_000_000, Damaged, 1_753_333, 1_650_000},
		},
	})
	rest := back(ReturnedLine{"b", 1, Resellable, 0})
	rest.Charges = []ChargeCredit{{Charge: 1, AmountMicros: 2_450_000}}
	s.when(rest).then(ReturnReceived{
		ReturnID: "r", ReturnedMicros: 27_840_000, Lines: []ReceivedLine{{2, "b", 1, 5_000_000, Resellable, 740_000,
			850_000}},
		Charges: []ChargeCredit{{1, 2_450_000, 490_000}},
	})
	if kept := s.order.kept(); kept != 0 {
		t.Errorf("%d is kept of nothing", kept)
	}
	s = given(t, shippedWhole()...)
	for _, c := range []struct {
		credit []ChargeCredit
		code   string
	}{
		{[]ChargeCredit{{Charge: 3, AmountMicros: 1}}, CodeUnknownCharge},
		{[]ChargeCredit{{Charge: 0, AmountMicros: 1}}, CodeUnknownCharge},
		{[]ChargeCredit{{Charge: 1, AmountMicros: 1}, {Charge: 1, AmountMicros: 1}}, CodeUnknownCharge},
		{[]ChargeCredit{{Charge: 1, AmountMicros: 4_900_001}}, CodeOverCredit},
		{[]ChargeCredit{{Charge: 2, AmountMicros: 1}}, CodeOverCredit},
		{[]ChargeCredit{{Charge: 1}}, CodeOverCredit},
	} {
		receive := back(ReturnedLine{"a", 1, Damaged, 0})
		receive.Charges = c.credit
		s.when(receive).refused(c.code)
	}
}

func TestORD26ACaptureHasTheSharesOfWhatShips(t *testing.T) {
	c := priced()
	c.Terms = Prepaid
	s := given(t, c, stockAnswers(granted), authorize(pricedTotal, "p", 0))
	s.when(Ship{FulfilmentID: "f", Lines: line("a", 1), Capture: true}).then(
		LinesShipped{FulfilmentID: "f", Lines: numbered("a", 1)},
		PaymentCaptured{AmountMicros: 9_900_000, Reference: "f"}) // 29.69 of three units
	s.when(Ship{FulfilmentID: "g", Capture: true}).at(Completed, "captured", "fulfilled")
	if o := s.order; o.CapturedMicros != pricedTotal {
		t.Errorf("%d captured", o.CapturedMicros)
	}
}

func TestORD74AmendedDiscountsAndTaxes(t *testing.T) {
	amend := func(l AmendLine) Amend { return Amend{Lines: []AmendLine{l}} }
	s := given(t, priced(), stockAnswers(granted))
	s.when(amend(AmendLine{SKU: "a", Quantity: 4})).refused(CodeInvalidDiscount)
	s.when(amend(AmendLine{SKU: "a", Quantity: 4, DiscountMicros: new(int64(0))})).refused(CodeInvalidTax)
	s.when(amend(AmendLine{SKU: "a", Quantity: 3, UnitPriceMicros: new(int64(9_000_000))})).refused(CodeInvalidDiscount)
	s.when(amend(AmendLine{SKU: "a", Quantity: 3, DiscountMicros: new(int64(30_000_001))})).refused(CodeInvalidDiscount)
	s.when(amend(AmendLine{SKU: "a", Quantity: 3, DiscountMicros: new(int64(-1))})).refused(CodeInvalidDiscount)
	s.when(amend(AmendLine{SKU: "a", Quantity: 3, TaxMicros: new(int64(-1))})).refused(CodeInvalidTax)
	s.when(Amend{Charges: []ChargeCredit{{Charge: 9, AmountMicros: 1}}}).refused(CodeUnknownCharge)
	// Fewer units take their shares with them.
	s.when(amend(AmendLine{SKU: "a", Quantity: 2}))
	lines := []AmendedLine{{1, "a", 2, 10_000_000, 3, 10_000_000, 3_506_667, 5_260_000, 3_300_000, 4_950_000}}
	s.then(AmendmentRequested{Lines: lines}, OrderAmended{Lines: lines, SubtotalMicros: 25_000_000,
		TotalMicros: 30_780_000})
	// More of them need them told, and so does a discount alone.
	s.when(Amend{
		Lines:   []AmendLine{{SKU: "a", Quantity: 2, DiscountMicros: new(int64(0)), TaxMicros: new(int64(4_000_000))}},
		Charges: []ChargeCredit{{Charge: 1, AmountMicros: 4_900_000}},
	})
	lines = []AmendedLine{{1, "a", 2, 10_000_000, 2, 10_000_000, 0, 3_506_667, 4_000_000, 3_300_000}}
	credits := []ChargeCredit{{1, 4_900_000, 980_000}}
	s.then(AmendmentRequested{Lines: lines, Charges: credits},
		OrderAmended{Lines: lines, SubtotalMicros: 25_000_000, TotalMicros: 29_110_000, Charges: credits})
	s.when(Amend{Charges: []ChargeCredit{{Charge: 1, AmountMicros: 1}}}).refused(CodeOverCredit)
	s.when(Amend{}).refused(CodeInvalidLines)

	// What came back while stock was asked may have taken the charge: the amendment is declined.
	s = given(t, priced(), stockAnswers(granted), Ship{FulfilmentID: "f", Lines: line("a", 1)}, Deliver{FulfilmentID: "f"},
		RequestReturn{ReturnID: "r"}, Amend{
			Charges: credits,
			Lines:   []AmendLine{{SKU: "b", Quantity: 2, TaxMicros: new(int64(1_000_000)), DiscountMicros: new(int64(0))}},
		})
	receive := back(ReturnedLine{"a", 1, Damaged, 0})
	receive.Charges = credits
	s.when(receive).when(stockAnswers(granted)).then(AmendmentDeclined{Reason: EndedReason})
}
