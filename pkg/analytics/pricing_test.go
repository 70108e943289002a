package analytics

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// salesOf are the rows of sales that the events of one order make: why, what, units, amount and rounding.
func salesOf(t *testing.T, changes ...proto.Message) string {
	t.Helper()
	b := newBatch()
	for i, change := range changes {
		ev := schematest.OrderEvent(change)
		id := [16]byte{byte(i + 1)}
		ev.OrderId, ev.Meta = "o-1", &eventv1.Meta{EventId: id[:], Version: uint64(i + 1), RecordedAtMicros: 1}
		value, err := ev.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		rec := &eventlog.Record{
			TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders}, Offset: int64(i), Value: value,
		}
		if err := b.add(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.foldSales(t.Context(), newSalesFold(nil, nil)); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i := range b.sales.offset {
		fmt.Fprintf(&text, "%s %s %s %d %d %d\n", b.sales.reason[i], b.sales.kind[i], b.sales.sku[i], b.sales.quantity[i],
			b.sales.amountMicros[i], b.sales.roundingMicros[i])
	}
	return text.String()
}

// pricedLife is 3 units at 10.00 with a discount of 1.00, their tax, and 5.00 of shipping with its tax; one unit is
// cancelled with 2.00 of the shipping, and one comes back.
func pricedLife(included bool, rounding eventv1.Rounding, total, left, returned int64) []proto.Message {
	return []proto.Message{
		&eventv1.OrderPlacedV2{
			Currency: "EUR", TaxesIncluded: included, Rounding: rounding, TotalMicros: total,
			Lines: []*eventv1.OrderLine{{
				Sku: "A", Quantity: 3, UnitPriceMicros: 10_000_000, Discounts: []*eventv1.Discount{{AmountMicros: 600_000}},
				OrderDiscountMicros: 400_000, Taxes: []*eventv1.Tax{{AmountMicros: 4_000_000}, {AmountMicros: 630_000}},
			}},
			Charges: []*eventv1.Charge{{
				Kind: eventv1.ChargeKind_CHARGE_KIND_SHIPPING, AmountMicros: 5_000_000,
				Taxes: []*eventv1.Tax{{AmountMicros: 800_000}},
			}},
		},
		&eventv1.OrderConfirmed{},
		&eventv1.LinesCancelledV2{
			Lines: []*eventv1.CancelledLine{{
				Line: 1, Sku: "A", Quantity: 1, UnitPriceMicros: 10_000_000, DiscountMicros: 333_333, TaxMicros: 1_543_333,
			}},
			Charges:     []*eventv1.ChargeCredit{{Charge: 1, AmountMicros: 2_000_000, TaxMicros: 320_000}},
			TotalMicros: left,
		},
		&eventv1.ReturnReceivedV3{
			Lines: []*eventv1.ReturnedLine{{
				Line: 1, Sku: "A", Quantity: 1, UnitPriceMicros: 10_000_000, DiscountMicros: 333_334, TaxMicros: 1_543_334,
			}},
			ReturnedMicros: returned,
		},
	}
}

// All kinds of a line come and go with it, and the rows add up to what is paid, whether taxes are added or included.
func TestSalesOfAnOrderWithDiscountTaxAndCharge(t *testing.T) {
	const added = `confirmed goods A 3 30000000 0
confirmed discount A 0 -1000000 0
confirmed tax A 0 4630000 0
confirmed charge shipping 0 5000000 0
confirmed tax shipping 0 800000 0
cancelled goods A -1 -10000000 0
cancelled discount A 0 333333 0
cancelled tax A 0 -1543333 0
cancelled charge shipping 0 -2000000 0
cancelled tax shipping 0 -320000 0
returned goods A -1 -10000000 0
returned discount A 0 333334 0
returned tax A 0 -1543334 0
`
	life := pricedLife(false, eventv1.Rounding_ROUNDING_ORDER, 39_430_000, 25_900_000, 11_210_000)
	if got := salesOf(t, life...); got != added {
		t.Errorf("taxes are added:\n%s\nwant\n%s", got, added)
	}
	// What is left is taken off when the order is cancelled, and then all is 0.
	const included = `cancelled goods A -1 -8456667 0
cancelled discount A 0 333333 0
cancelled tax A 0 -1543333 0
cancelled charge shipping 0 -2520000 0
cancelled tax shipping 0 -480000 0
`
	life = pricedLife(true, eventv1.Rounding_ROUNDING_ORDER, 34_000_000, 22_330_000, 9_670_000)
	if got := salesOf(t, append(life, &eventv1.OrderCancelled{})...); !strings.HasSuffix(withoutRounding(got), included) {
		t.Errorf("taxes are included:\n%s\nwant at the end\n%s", got, included)
	}
}

// withoutRounding are rows with 0 for their rounding.
func withoutRounding(rows string) string {
	lines := strings.Split(strings.TrimSpace(rows), "\n")
	for i, line := range lines {
		lines[i] = line[:strings.LastIndex(line, " ")] + " 0"
	}
	return strings.Join(lines, "\n") + "\n"
}

// Where each line is rounded, the rounding is what the events say: the sum of the rows is what the customer pays.
func TestRoundingByLineIsThatOfTheEvents(t *testing.T) {
	life := pricedLife(false, eventv1.Rounding_ROUNDING_LINE, 39_430_000, 25_890_000, 11_220_000)
	var sum int64
	for line := range strings.SplitSeq(strings.TrimSpace(salesOf(t, life...)), "\n") {
		var reason, kind, sku string
		var units, amount, rounding int64
		if _, err := fmt.Sscan(line, &reason, &kind, &sku, &units, &amount, &rounding); err != nil {
			t.Fatal(err)
		}
		sum += amount + rounding
	}
	if want := int64(25_890_000 - 11_220_000); sum != want {
		t.Errorf("the customer pays %d, and sales say %d", want, sum)
	}
}

// A line whose price changes takes its discount and tax off, and has others; one whose tax alone changes has no units.
func TestSalesFollowAmendedDiscountsAndTaxes(t *testing.T) {
	placed := &eventv1.OrderPlacedV2{Currency: "EUR", TaxesIncluded: true, TotalMicros: 20_000_000}
	for _, sku := range []string{"A", "B"} {
		placed.Lines = append(placed.Lines, &eventv1.OrderLine{
			Sku: sku, Quantity: 1, UnitPriceMicros: 10_000_000, Taxes: []*eventv1.Tax{{AmountMicros: 1_000_000}},
		})
	}
	amended := &eventv1.OrderAmendedV2{TotalMicros: 18_000_000, Lines: []*eventv1.AmendedLine{
		{Line: 1, Sku: "A", Quantity: 1, FormerQuantity: 1, UnitPriceMicros: 9_000_000, FormerUnitPriceMicros: 10_000_000,
			DiscountMicros: 1_000_000, TaxMicros: 800_000, FormerTaxMicros: 1_000_000},
		{Line: 2, Sku: "B", Quantity: 1, FormerQuantity: 1, UnitPriceMicros: 10_000_000, FormerUnitPriceMicros: 10_000_000,
			TaxMicros: 1_500_000, FormerTaxMicros: 1_000_000},
	}}
	const want = `amended goods A -1 -9000000 0
amended tax A 0 -1000000 0
amended goods A 1 8200000 0
amended discount A 0 -1000000 0
amended tax A 0 800000 0
amended goods B 0 -500000 0
amended tax B 0 500000 0
cancelled goods B -1 -8500000 0
cancelled tax B 0 -1000000 0
cancelled goods A -1 -8200000 0
cancelled discount A 0 1000000 0
cancelled tax A 0 -800000 0
cancelled tax B 0 -500000 0
`
	got := salesOf(t, placed, &eventv1.OrderConfirmed{}, amended, &eventv1.OrderCancelled{})
	if _, after, _ := strings.Cut(got, "confirmed tax B 0 1000000 0\n"); after != want {
		t.Errorf("%s\nwant\n%s", after, want)
	}
}

// A past document counts with all that it costs, and a credit note gives all of it back.
func TestSalesOfDocumentsWithDiscountTaxAndCharge(t *testing.T) {
	placed := pricedLife(true, eventv1.Rounding_ROUNDING_ORDER, 0, 0, 0)[0].(*eventv1.OrderPlacedV2)
	placed.Lines[0].OrderDiscountMicros = 402_000 // the document costs 33.998, and 34.00 was paid
	order := &eventv1.OrderImportedV2{
		Currency: "EUR", Lines: placed.Lines, Charges: placed.Charges, TaxesIncluded: true,
		SubtotalMicros: 30_000_000, TotalMicros: 34_000_000, Rounding: eventv1.Rounding_ROUNDING_ORDER,
	}
	const sold = `confirmed goods A 3 25370000 0
confirmed discount A 0 -1002000 0
confirmed tax A 0 4630000 0
confirmed charge shipping 0 4200000 0
confirmed tax shipping 0 800000 0
`
	if got := salesOf(t, order); withoutRounding(got) != sold || sumOfRounding(t, got) != 2_000 {
		t.Errorf("\n%s\nwant\n%s", got, sold)
	}
	note := &eventv1.CreditNoteImportedV2{
		Currency: "EUR", Lines: placed.Lines, Charges: placed.Charges,
		SubtotalMicros: 30_000_000, TotalMicros: 39_430_000, Rounding: eventv1.Rounding_ROUNDING_LINE,
	}
	const credited = `credited goods A -3 -30000000 0
credited discount A 0 1002000 0
credited tax A 0 -4630000 0
credited charge shipping 0 -5000000 0
credited tax shipping 0 -800000 0
`
	if got := salesOf(t, note); withoutRounding(got) != credited || sumOfRounding(t, got) != -2_000 {
		t.Errorf("\n%s\nwant\n%s", got, credited)
	}
}

func sumOfRounding(t *testing.T, rows string) (sum int64) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(rows), "\n") {
		rounding, err := strconv.ParseInt(line[strings.LastIndex(line, " ")+1:], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += rounding
	}
	return sum
}
