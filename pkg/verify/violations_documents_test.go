package verify_test

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// document requests the import of o-2, a past order of A.
func document(s *story, quantity int64) *eventv1.OrderImported {
	d := &eventv1.OrderImported{
		CustomerId: "c", Currency: "GBP",
		Lines:          []*eventv1.OrderLine{{Sku: "A", Quantity: quantity, UnitPriceMicros: 1_000_000}},
		SubtotalMicros: quantity * 1_000_000, TotalMicros: quantity * 1_000_000,
	}
	s.addOrder("o-2", 1, "k-2", schematest.OrderEvent(&eventv1.ImportRequested{
		Document: &eventv1.ImportRequested_Order{Order: d},
	}))
	return d
}

// importedOtherwise imports o-2, whose stock ships, with a difference to what was asked for.
func importedOtherwise(differs func(*eventv1.OrderImported)) func(*story) {
	return func(s *story) {
		document(s, 2)
		d := document(&story{}, 2)
		differs(d)
		s.addOrder("o-2", 2, "", schematest.OrderEvent(d))
		s.appendStock(level(7, 6, 0, 1), schematest.StockEvent(&eventv1.StockFulfilled{
			Step: stepOf(s, "o-2", 2), Quantity: 2, FromAvailable: fromMain(2),
		}))
	}
}

// documentRefused is o-2 with too little stock for it.
func documentRefused(s *story) {
	document(s, 20)
	s.addOrder("o-2", 2, "", schematest.OrderEvent(&eventv1.OrderRejected{
		Short: []*eventv1.ShortLine{{Sku: "A", Requested: 20, Available: 8, Reason: short}},
	}))
	s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.ReservationRejected{
		Step: stepOf(s, "o-2", 1), Quantity: 20, Available: 8, Reason: short,
	}))
}

// documentAgain imports a document that was refused, with less of A, under the same key.
func documentAgain(s *story) {
	documentRefused(s)
	s.addOrder("o-2", 3, "k-2", schematest.OrderEvent(&eventv1.OrderImported{
		CustomerId: "c", Currency: "GBP", Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: 1, UnitPriceMicros: 1_000_000}},
		SubtotalMicros: 1_000_000, TotalMicros: 1_000_000,
	}))
	s.appendStock(level(8, 7, 0, 1), schematest.StockEvent(&eventv1.StockFulfilled{
		Step: stepOf(s, "o-2", 3), Quantity: 1, FromAvailable: fromMain(1),
	}))
}

// Past documents.
var documentViolations = []violation{
	{"imported otherwise than asked for", verify.Transitions, "", func(s *story) {
		document(s, 2)
		s.addOrder("o-2", 2, "", schematest.OrderEvent(document(&story{}, 3)))
	}},
	{"imported for another customer", verify.Transitions, "", importedOtherwise(func(d *eventv1.OrderImported) {
		d.CustomerId = "d"
	})},
	{"imported for another country", verify.Transitions, "", importedOtherwise(func(d *eventv1.OrderImported) {
		d.Country = "FR"
	})},
	{"imported with another number", verify.Transitions, "", importedOtherwise(func(d *eventv1.OrderImported) {
		d.Reference = "536366"
	})},
	{"imported with other metadata", verify.Transitions, "", importedOtherwise(func(d *eventv1.OrderImported) {
		d.Metadata = []*eventv1.MetadataEntry{{Key: "channel", Value: "web"}}
	})},
	{"imported at other prices", verify.Transitions, "", importedOtherwise(func(d *eventv1.OrderImported) {
		d.Lines = []*eventv1.OrderLine{
			{Sku: "A", Quantity: 1, UnitPriceMicros: 500_000}, {Sku: "A", Quantity: 1, UnitPriceMicros: 1_500_000},
		}
	})},
	{"imported with a charge that its total does not have", verify.Money, "", func(s *story) {
		s.addOrder("o-2", 1, "k-2", schematest.OrderEvent(&eventv1.OrderImportedV2{
			Currency: "GBP", Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: 1, UnitPriceMicros: 1_000_000}},
			Charges:        []*eventv1.Charge{{Kind: eventv1.ChargeKind_CHARGE_KIND_SHIPPING, AmountMicros: 4_900_000}},
			SubtotalMicros: 1_000_000, TotalMicros: 1_000_000, Rounding: eventv1.Rounding_ROUNDING_ORDER,
		}))
		s.appendStock(level(8, 7, 0, 1), schematest.StockEvent(&eventv1.StockFulfilled{
			Step: stepOf(s, "o-2", 1), Quantity: 1, FromAvailable: fromMain(1),
		}))
	}},
	{"an order that is imported", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "x", schematest.OrderEvent(&eventv1.ImportRequested{
			Document: &eventv1.ImportRequested_Order{Order: document(&story{}, 3)},
		}))
	}},
	{"asked for twice at a time", verify.Transitions, "", func(s *story) {
		document(s, 2)
		document(s, 2)
		s.orders[len(s.orders)-1].Meta.Version = 2
	}},
	{"imported without the stock", verify.Agreement, "", func(s *story) {
		d := document(s, 2)
		s.addOrder("o-2", 2, "", schematest.OrderEvent(d))
	}},
	{"a refused document that holds stock", verify.Agreement, "", func(s *story) {
		documentRefused(s)
		s.appendStock(level(9, 7, 1, 1), schematest.StockEvent(&eventv1.StockReserved{
			Step: stepOf(s, "o-2", 2), Quantity: 1, Allocations: fromMain(1),
		}))
	}},
	{"a refused document that is cancelled", verify.Transitions, "", func(s *story) {
		documentRefused(s)
		s.addOrder("o-2", 3, "", schematest.OrderEvent(&eventv1.OrderCancelled{}))
	}},
	{"a document imported for a second time", verify.OneKey, "", func(s *story) {
		documentAgain(s)
		again := s.orders[len(s.orders)-1].GetOrderImported()
		s.addOrder("o-2", 4, "", schematest.OrderEvent(&eventv1.ReservationSettled{ReservationVersion: 3}))
		s.addOrder("o-2", 5, "k-2", schematest.OrderEvent(again))
	}},
}

func TestARefusedDocumentMayComeAgain(t *testing.T) {
	for name, tell := range map[string]func(*story){"refused": documentRefused, "imported": documentAgain} {
		s := healthy()
		tell(s)
		status := map[string]int{"refused": 409, "imported": 201}[name]
		acks := fmt.Sprintf(`{"key":"k-2","type":"import_order","order_id":"o-2","status":%d}`, status)
		if r := s.verify(t, acks); len(violated(r)) > 0 {
			t.Errorf("%s: %v", name, violated(r))
		}
	}
	s := healthy()
	documentAgain(s)
	told := `{"key":"k-2","type":"import_order","order_id":"o-2","status":%d}`
	if r := s.verify(t, fmt.Sprintf(told+"\n"+told, 409, 201)); len(violated(r)) > 0 {
		t.Errorf("refused, and imported when it came again: %v", violated(r))
	}
	if r := s.verify(t, fmt.Sprintf(told, 409)); len(violated(r)) != 1 {
		t.Errorf("imported, and told that it was not: %v", violated(r))
	}
}

// A document that is imported just as it was asked for is none of the violations above.
func TestADocumentIsImportedAsItWasAskedFor(t *testing.T) {
	s := healthy()
	importedOtherwise(func(*eventv1.OrderImported) {})(s)
	if r := s.verify(t, ""); len(violated(r)) > 0 {
		t.Errorf("%v", violated(r))
	}
}
