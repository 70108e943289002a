package command

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/metadata"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
)

// pricedOrder is the body of an order with every member that has to do with what it costs.
const pricedOrder = `{"customer_id":"c-1","currency":"EUR","lines":[` +
	`{"sku":"A1","quantity":2,"unit_price":"11.90","discounts":[{"amount":"2.00","code":"BOX","description":"old box"}],` +
	`"taxes":[{"name":"VAT","jurisdiction":"DE","rate":"0.19","amount":"3.1"}],"metadata":{"engraving":"Ada"}},` +
	`{"sku":"A2","quantity":1,"unit_price":"5"}],` +
	`"charges":[{"kind":"shipping","description":"Parcel","amount":"4.90","taxes":[{"amount":"0.78"}]},` +
	`{"kind":"gift_card","amount":"0"}],` +
	`"discounts":[{"amount":"1","code":"HELLO","description":"first order"}],"taxes_included":true,"rounding":"line",` +
	`"subtotal":"28.80","discount_total":"3","charge_total":"4.90","tax_total":"3.88","total":"30.70"}`

// pricedDocument is a past document that costs the same.
var pricedDocument = strings.Replace(pricedOrder, "{", `{"reference":"C1","occurred_at":"1970-01-01T00:00:00Z",`, 1)

// A past document costs what an order of the same body does, and each key of an order stands for its body.
func TestPricingOfDocumentsIsDecoded(t *testing.T) {
	opts := Options{Rounding: order.RoundByLine}
	decoded, _, _, err := Decode(PlaceOrder, testOrderID, "k", []byte(pricedOrder), receivedAt, opts)
	if err != nil {
		t.Fatal(err)
	}
	placed := decoded.(order.Place)
	for _, typ := range []string{ImportOrder, ImportCreditNote} {
		decoded, _, _, err := Decode(typ, testOrderID, "k", []byte(pricedDocument), receivedAt, opts)
		if err != nil {
			t.Fatal(err)
		}
		d := decoded.(order.ImportDocument)
		if !reflect.DeepEqual(d.Lines, placed.Lines) || !reflect.DeepEqual(d.Pricing, placed.Pricing) ||
			!reflect.DeepEqual(d.Sums, placed.Sums) || d.DefaultRounding != order.RoundByLine {
			t.Errorf("%s: %+v", typ, d)
		}
		seen := map[[16]byte]bool{}
		for _, without := range []func(*order.ImportDocument){
			func(*order.ImportDocument) {}, func(d *order.ImportDocument) { d.Pricing = nil },
			func(d *order.ImportDocument) { d.Sums.TotalMicros = nil },
			func(d *order.ImportDocument) { d.Sums.TaxMicros = nil },
			func(d *order.ImportDocument) { d.Lines = []order.PlaceLine{{SKU: "A1", Quantity: 2}} },
		} {
			other := d
			without(&other)
			seen[Fingerprint(typ, testOrderID, other, nil, 0)] = true
		}
		if len(seen) != 5 {
			t.Errorf("%s: 5 requests have %d fingerprints", typ, len(seen))
		}
	}
}

func TestPricingIsDecoded(t *testing.T) {
	micros := func(cents int64) *int64 { return new(cents * 10_000) }
	want := order.Place{
		OrderID: testOrderID, CustomerID: "c-1", Currency: "EUR", Terms: order.Prepaid, AtMicros: receivedAt,
		PaymentDeadlineMicros: receivedAt + limits.DefaultPaymentWindow.Microseconds(),
		Lines: []order.PlaceLine{
			{SKU: "A1", Quantity: 2, UnitPriceMicros: 11_900_000, Details: &order.LineDetails{
				Discounts: []order.Discount{{AmountMicros: 2_000_000, Code: "BOX", Description: "old box"}},
				Taxes: []order.Tax{{
					Name: "VAT", Jurisdiction: "DE", RateMillionths: 190_000, AmountMicros: 3_100_000,
				}},
				Metadata: metadata.Map{{Key: "engraving", Value: "Ada"}},
			}},
			{SKU: "A2", Quantity: 1, UnitPriceMicros: 5_000_000},
		},
		Pricing: &order.Pricing{
			Charges: []order.Charge{
				{Kind: order.ChargeShipping, Description: "Parcel", AmountMicros: 4_900_000,
					Taxes: []order.Tax{{AmountMicros: 780_000}}},
				{Kind: order.ChargeGiftCard},
			},
			Discounts:     []order.Discount{{AmountMicros: 1_000_000, Code: "HELLO", Description: "first order"}},
			TaxesIncluded: true, Rounding: order.RoundByLine,
		},
		DefaultRounding: order.RoundByOrder,
		Sums: order.Sums{
			SubtotalMicros: micros(2880), DiscountMicros: micros(300), ChargeMicros: micros(490), TaxMicros: micros(388),
			TotalMicros: micros(3070),
		},
	}
	got, _, _, err := Decode(PlaceOrder, testOrderID, "k", []byte(pricedOrder), receivedAt,
		Options{Rounding: order.RoundByOrder})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
	amount := int64(500_000)
	credits := []order.ChargeCredit{{Charge: 2, AmountMicros: amount}}
	for _, test := range []struct {
		typ, body string
		want      order.Command
	}{
		{CancelLines, `{"charges":[{"charge":2,"amount":"0.5"}]}`, order.CancelLines{Charges: credits}},
		{CancelLines, `{"lines":[],"charges":[{"charge":2,"amount":"0.5"}]}`, order.CancelLines{Charges: credits}},
		{CancelLines, `{"lines":[{"sku":"A","quantity":1}],"charges":[{"charge":2,"amount":"0.5"}]}`, order.CancelLines{
			Lines: []order.LineQuantity{{SKU: "A", Quantity: 1}}, Charges: credits}},
		{AmendOrder, `{"charges":[{"charge":2,"amount":"0.5"}]}`, order.Amend{
			Lines: []order.AmendLine{}, Charges: credits, DeadlineMicros: want.PaymentDeadlineMicros}},
		{AmendOrder, `{"lines":[{"sku":"A","quantity":1,"discount":"0.5","tax":"0.5"}]}`, order.Amend{
			Lines:          []order.AmendLine{{SKU: "A", Quantity: 1, DiscountMicros: &amount, TaxMicros: &amount}},
			DeadlineMicros: want.PaymentDeadlineMicros}},
		{ReceiveReturn, `{"return_id":"r","lines":[{"sku":"A","quantity":1,"condition":"damaged"}],` +
			`"charges":[{"charge":2,"amount":"0.5"}]}`, order.ReceiveReturn{
			ReturnID: "r", Lines: []order.ReturnedLine{{SKU: "A", Quantity: 1, Condition: order.Damaged}}, Charges: credits}},
	} {
		got, _, _, err := Decode(test.typ, testOrderID, "k", []byte(test.body), receivedAt, Options{})
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s %s: %v\n got %+v\nwant %+v", test.typ, test.body, err, got, test.want)
		}
	}
}

// repeated is a list with one value n times.
func repeated(value string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(value+",", n), ",") + "]"
}

func TestPricingNamesItsFaults(t *testing.T) {
	long := `"` + strings.Repeat("ä", limits.MaxReasonLength+1) + `"`
	place := func(member, value string) string {
		return strings.TrimSuffix(threeLines, "}") + `,"` + member + `":` + value + "}"
	}
	line := func(member, value string) string {
		return strings.Replace(threeLines, `"unit_price":"12.5"`, `"unit_price":"12.5","`+member+`":`+value, 1)
	}
	for _, test := range []struct{ typ, body, want string }{
		{PlaceOrder, place("charges", `[{"amount":"1"}]`), "missing_field /charges/0/kind"},
		{PlaceOrder, place("charges", `[{"kind":"tip","amount":"1"}]`), "invalid_charge /charges/0/kind"},
		{PlaceOrder, place("charges", `[{"kind":"fee"}]`), "missing_field /charges/0/amount"},
		{PlaceOrder, place("charges", `[{"kind":"fee","amount":"-1"}]`), "invalid_charge /charges/0/amount"},
		{PlaceOrder, place("charges", `[{"kind":"fee","amount":1}]`), "wrong_type /charges/0/amount"},
		{PlaceOrder, place("charges", `[{"kind":"fee","amount":"1","description":" x"}]`),
			"invalid_charge /charges/0/description"},
		{PlaceOrder, place("charges", `[{"kind":"fee","amount":"1","code":"x"}]`), "unknown_field /charges/0/code"},
		{PlaceOrder, place("charges", `[{"kind":"fee","amount":"1","taxes":[{"amount":"x"}]}]`),
			"invalid_tax /charges/0/taxes/0/amount"},
		{PlaceOrder, place("charges", repeated(`{"kind":"fee","amount":"1"}`, limits.MaxCharges+1)),
			"invalid_charge /charges"},
		{PlaceOrder, place("discounts", `[{"code":"x"}]`), "missing_field /discounts/0/amount"},
		{PlaceOrder, place("discounts", `[{"amount":"0"}]`), "invalid_discount /discounts/0/amount"},
		{PlaceOrder, place("discounts", `[{"amount":"1e3"}]`), "invalid_discount /discounts/0/amount"},
		{PlaceOrder, place("discounts", `[{"amount":"1","code":`+long+`}]`), "invalid_discount /discounts/0/code"},
		{PlaceOrder, place("discounts", `[{"amount":"1"},{"amount":"1","description":"a\nb"}]`),
			"invalid_discount /discounts/1/description"},
		{PlaceOrder, place("discounts", repeated(`{"amount":"1"}`, limits.MaxDiscounts+1)), "invalid_discount /discounts"},
		{PlaceOrder, place("taxes_included", `"yes"`), "wrong_type /taxes_included"},
		{PlaceOrder, place("rounding", `"up"`), "invalid_rounding /rounding"},
		{PlaceOrder, place("rounding", `""`), "missing_field /rounding"},
		{PlaceOrder, place("subtotal", `"x"`), "invalid_amount /subtotal"},
		{PlaceOrder, place("discount_total", `"-1"`), "invalid_amount /discount_total"},
		{PlaceOrder, place("charge_total", `"1e3"`), "invalid_amount /charge_total"},
		{PlaceOrder, place("tax_total", `"0.1234567"`), "invalid_amount /tax_total"},
		{PlaceOrder, place("taxes", `[]`), "unknown_field /taxes"},
		{PlaceOrder, line("discounts", `[{"amount":"0"}]`), "invalid_discount /lines/1/discounts/0/amount"},
		{PlaceOrder, line("discounts", repeated(`{"amount":"0.01"}`, limits.MaxDiscounts+1)),
			"invalid_discount /lines/1/discounts"},
		{PlaceOrder, line("taxes", `[{"rate":"0.19"}]`), "missing_field /lines/1/taxes/0/amount"},
		{PlaceOrder, line("taxes", `[{"amount":"1","rate":"19 %"}]`), "invalid_tax /lines/1/taxes/0/rate"},
		{PlaceOrder, line("taxes", `[{"amount":"1","rate":"10.000001"}]`), "invalid_tax /lines/1/taxes/0/rate"},
		{PlaceOrder, line("taxes", `[{"amount":"1","rate":""}]`), "missing_field /lines/1/taxes/0/rate"},
		{PlaceOrder, line("taxes", `[{"amount":"1","name":`+long+`}]`), "invalid_tax /lines/1/taxes/0/name"},
		{PlaceOrder, line("taxes", `[{"amount":"1","jurisdiction":"DE "}]`), "invalid_tax /lines/1/taxes/0/jurisdiction"},
		{PlaceOrder, line("taxes", repeated(`{"amount":"0"}`, limits.MaxTaxes+1)), "invalid_tax /lines/1/taxes"},
		{PlaceOrder, line("metadata", `{"a":""}`), "invalid_metadata /lines/1/metadata/a"},
		{PlaceOrder, line("line", `1`), "unknown_field /lines/1/line"},
		{ImportOrder, strings.Replace(pricedDocument, `"subtotal":"28.80"`, `"subtotal":"x"`, 1), "invalid_amount /subtotal"},
		{ImportCreditNote, strings.Replace(pricedDocument, `"kind":"shipping"`, `"kind":"goods"`, 1),
			"invalid_charge /charges/0/kind"},
		{CancelLines, `{"charges":[]}`, "missing_field /lines"},
		{CancelLines, `{"charges":[{"amount":"1"}]}`, "missing_field /charges/0/charge"},
		{CancelLines, `{"charges":[{"charge":0,"amount":"1"}]}`, "invalid_charge /charges/0/charge"},
		{CancelLines, `{"charges":[{"charge":101,"amount":"1"}]}`, "invalid_charge /charges/0/charge"},
		{CancelLines, `{"charges":[{"charge":1}]}`, "missing_field /charges/0/amount"},
		{CancelLines, `{"charges":[{"charge":1,"amount":"0"}]}`, "invalid_amount /charges/0/amount"},
		{CancelLines, `{"charges":` + repeated(`{"charge":1,"amount":"1"}`, limits.MaxCharges+1) + `}`,
			"invalid_charge /charges"},
		{AmendOrder, `{"charges":[]}`, "missing_field /lines"},
		{AmendOrder, `{"charges":[{"charge":1,"amount":"x"}]}`, "invalid_amount /charges/0/amount"},
		{AmendOrder, `{"lines":[{"sku":"A","quantity":1,"discount":"-1"}]}`, "invalid_discount /lines/0/discount"},
		{AmendOrder, `{"lines":[{"sku":"A","quantity":1,"tax":"x"}]}`, "invalid_tax /lines/0/tax"},
		{ReceiveReturn, `{"return_id":"r","lines":[{"sku":"A","quantity":1,"condition":"damaged"}],` +
			`"charges":[{"charge":1,"amount":"0.0"}]}`, "invalid_amount /charges/0/amount"},
		{ReceiveReturn, `{"return_id":"r","charges":[{"charge":1,"amount":"1"}]}`, "missing_field /lines"},
	} {
		_, _, _, err := Decode(test.typ, testOrderID, "k", []byte(test.body), 0, Options{})
		p := problem.Of(err)
		if len(p.Errors) != 1 || p.Code+" "+p.Errors[0].Pointer != test.want || p.HTTPStatus() != 400 {
			t.Errorf("%s %s: %d %v, want %s", test.typ, test.body, p.HTTPStatus(), err, test.want)
		}
	}
}

// Each member of what an order costs makes another request of it. The setting for orders that do not say their rounding
// does not: a retry after it was changed is the same request.
func TestPricingIsFingerprinted(t *testing.T) {
	fingerprint := func(typ, body string, opts Options) string {
		t.Helper()
		r := Request{Type: typ, ID: testOrderID, Key: new("k"), Body: []byte(body), ReceivedAtMicros: receivedAt}
		cmd, err := Parse(r, opts)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return hexOf(cmd.Fingerprint)
	}
	seen := map[string]string{}
	another := func(typ, body string) {
		t.Helper()
		f := fingerprint(typ, body, Options{})
		if again := fingerprint(typ, body, Options{Rounding: order.RoundByLine}); again != f {
			t.Errorf("%s is another request once the setting has changed", body)
		}
		if other, ok := seen[f]; ok {
			t.Errorf("one request:\n%s\n%s", other, body)
		}
		seen[f] = body
	}
	another(PlaceOrder, threeLines)
	another(PlaceOrder, pricedOrder)
	changes := [][2]string{
		{`"2.00"`, `"2.01"`}, {`"BOX"`, `"BAG"`}, {`"old box"`, `""`}, {`"VAT"`, `"GST"`}, {`"DE"`, `"AT"`},
		{`"rate":"0.19",`, ``}, {`"rate":"0.19"`, `"rate":"0.2"`}, {`"3.1"`, `"3.2"`}, {`"Ada"`, `"Eve"`},
		{`,"metadata":{"engraving":"Ada"}`, ``}, {`"shipping"`, `"fee"`}, {`"Parcel"`, `"Van"`},
		{`"4.90","taxes"`, `"4.91","taxes"`},
		{`{"amount":"0.78"}`, `{"amount":"0.79"}`}, {`,"taxes":[{"amount":"0.78"}]`, ``},
		{`{"amount":"0.78"}`, `{"amount":"0.78"},{"amount":"0"}`}, {`,{"kind":"gift_card","amount":"0"}`, ``},
		{`"HELLO"`, `"BYE"`}, {`"amount":"1"`, `"amount":"2"`}, {`"first order"`, `"second order"`},
		{`"taxes_included":true,`, ``}, {`"rounding":"line",`, ``}, {`"rounding":"line"`, `"rounding":"order"`},
		{`"subtotal":"28.80",`, ``}, {`"28.80"`, `"28.81"`}, {`"discount_total":"3"`, `"discount_total":"4"`},
		{`"discount_total":"3","charge_total":"4.90"`, `"charge_total":"4.90"`},
		{`"charge_total":"4.90"`, `"charge_total":"5"`},
		{`"tax_total":"3.88"`, `"tax_total":"3.89"`}, {`"tax_total":"3.88",`, ``}, {`"total":"30.70"`, `"total":"30.71"`},
	}
	for _, change := range changes {
		body := strings.Replace(pricedOrder, change[0], change[1], 1)
		if body == pricedOrder {
			t.Fatalf("%s is not in the body", change[0])
		}
		another(PlaceOrder, body)
	}
	// A discount of the last line is not one of the order, and a tax of a line not one of a charge.
	for _, member := range []string{`"discounts":[{"amount":"1"}]`, `"discounts":[{"amount":"1"},{"amount":"1"}]`} {
		another(PlaceOrder, strings.Replace(threeLines, `]}`, `],`+member+`}`, 1))
		another(PlaceOrder, strings.Replace(threeLines, `"0.105"`, `"0.105",`+member, 1))
	}
	for i, body := range []string{
		`"charges":[{"charge":1,"amount":"1"}]`, `"charges":[{"charge":2,"amount":"1"}]`,
		`"charges":[{"charge":1,"amount":"2"}]`,
		`"charges":[{"charge":1,"amount":"1"},{"charge":2,"amount":"1"}]`, `"reason":"` + strconv.Itoa(1) + `"`,
	} {
		for _, typ := range []string{CancelLines, AmendOrder} {
			another(typ, `{"lines":[{"sku":"A","quantity":1}],`+body+`}`)
			if i < 4 {
				another(typ, `{`+body+`}`)
			}
		}
		if i < 4 {
			another(ReceiveReturn, `{"return_id":"r","lines":[{"sku":"A","quantity":1,"condition":"damaged"}],`+body+`}`)
		}
	}
	for _, member := range []string{`"discount":"0"`, `"discount":"1"`, `"tax":"0"`, `"tax":"1"`} {
		another(AmendOrder, `{"lines":[{"sku":"A","quantity":1,`+member+`}]}`)
	}
}

// Members without anything in them mean what no members mean. So does a rate of 0.
func TestEmptyPricingIsNone(t *testing.T) {
	fingerprint := func(body string) string {
		t.Helper()
		r := Request{Type: PlaceOrder, Key: new("k"), Body: []byte(body), ReceivedAtMicros: receivedAt}
		cmd, err := Parse(r, Options{})
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return hexOf(cmd.Fingerprint)
	}
	empty := strings.ReplaceAll(threeLines, `"quantity"`, `"discounts":[],"taxes":[],"metadata":{},"quantity"`)
	empty = strings.TrimSuffix(empty, "}") + `,"charges":[],"discounts":[],"taxes_included":false}`
	if fingerprint(empty) != fingerprint(threeLines) {
		t.Error("empty members make another request")
	}
	if fingerprint(strings.Replace(pricedOrder, `"0.19"`, `"0"`, 1)) !=
		fingerprint(strings.Replace(pricedOrder, `"rate":"0.19",`, ``, 1)) {
		t.Error("a rate of 0 makes another request")
	}
}
