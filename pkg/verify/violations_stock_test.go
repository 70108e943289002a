package verify_test

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Stock: levels, reservations, and what events state of them.
var stockViolations = []violation{
	{"oversold", verify.Oversold, "", func(s *story) {
		s.received().Quantity = 1
		for i, l := range []*eventv1.Level{level(1, 1, 0, 0), level(1, -1, 2, 0), level(1, -1, 0, 2), level(0, -1, 0, 1)} {
			s.stock[i+1].Total, s.stock[i+1].Locations[0].Level = l, l
		}
	}},
	{
		"levels that the changes do not make", verify.Conserved, "", func(s *story) { s.stock[2].Total = level(10, 9, 1, 0) },
	},
	{
		"a location whose states do not add up", verify.Conserved, "",
		func(s *story) { s.stock[1].Locations[0].Level.Damaged = 1 },
	},
	{"allocations that are not the quantity", verify.Conserved, "", func(s *story) {
		s.stock[2].Change.(*eventv1.InventoryEvent_StockReserved).StockReserved.Quantity = 3
	}},
	{"an older step after a newer", verify.Conserved, "", func(s *story) {
		s.stock[4].Change.(*eventv1.InventoryEvent_StockFulfilled).StockFulfilled.Step.Version = 2
	}},
	{"backordered beyond the limit", verify.Oversold, "", func(s *story) { backorder(s, 10) }},
	{"a past document that takes what is not there", verify.Oversold, "", func(s *story) {
		s.appendStock(level(0, -1, 0, 1), schematest.StockEvent(&eventv1.StockFulfilled{
			Step: stepOf(s, "d-1", 1), Quantity: 9, FromAvailable: fromMain(9)}))
	}},
	{"a move out of a state that has less", verify.Oversold, "", func(s *story) {
		moveStock(s, &eventv1.Level{OnHand: 9, Available: 11, Committed: 1, Damaged: -3}, 2, 1)
	}},
	{"a move to no state", verify.Conserved, "", func(s *story) { moveStock(s, level(9, 8, 0, 1), 1, 0) }},
	{"filled more than was waited for", verify.Conserved, "", func(s *story) { backorderTwo(s); fillBackorder(s, 3, 0) }},
	{"filled without having waited", verify.Conserved, "", func(s *story) {
		s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.BackorderFilled{
			Step: stepOf(s, "o-7", 1), Location: "main", Quantity: 1}))
	}},
	{"filled out of turn", verify.Conserved, "", func(s *story) {
		backorderTwo(s)
		s.appendStock(level(11, -1, 11, 1), schematest.StockEvent(&eventv1.StockBackordered{
			Step: stepOf(s, "o-3", 1), Quantity: 1, Backordered: 1, Allocations: fromMain(1)}))
		s.appendStock(level(12, 0, 11, 1), schematest.StockEvent(&eventv1.StockReceived{Location: "main", Quantity: 1}))
		s.appendStock(level(12, 0, 11, 1), schematest.StockEvent(&eventv1.BackorderFilled{
			Step: stepOf(s, "o-3", 1), Location: "main", Quantity: 1}))
	}},
	{"fell short of what is not missing", verify.Conserved, "", func(s *story) {
		s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.ReservationFellShort{
			Step: stepOf(s, "o-1", 5), Location: "main", Quantity: 1, Backordered: 1}))
	}},
	{"fell short of what it does not have", verify.Conserved, "", func(s *story) {
		s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.ReservationFellShort{
			Step: stepOf(s, "o-7", 1), Location: "main", Quantity: 1, Backordered: 1}))
	}},
	{"a shortfall that nobody has", verify.Oversold, "", func(s *story) {
		backorderTwo(s)
		fillBackorder(s, 2, 0)
		s.appendStock(level(9, -2, 10, 1), schematest.StockEvent(&eventv1.StockCounted{
			Location: "main", Counted: 9, Delta: -2}))
		s.appendStock(level(9, -2, 10, 1), schematest.StockEvent(&eventv1.ReservationFellShort{
			Step: stepOf(s, "o-2", 1), Location: "main", Quantity: 1, Backordered: 1}))
		s.appendStock(level(10, -1, 10, 1), schematest.StockEvent(&eventv1.StockReceived{Location: "main", Quantity: 1}))
		s.appendStock(level(9, -2, 10, 1), schematest.StockEvent(&eventv1.StockCounted{
			Location: "main", Counted: 9, Delta: -1}))
		s.appendStock(level(9, -2, 10, 1), schematest.StockEvent(&eventv1.BackorderLimitSet{Limit: 3}))
	}},
	{"goods for sale that safety stock lacks", verify.Oversold, "", func(s *story) {
		s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.SafetyStockSet{Location: "main", Target: 3}))
		s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.BackorderLimitSet{Limit: 3}))
	}},
	{"a safety stock that is not what it states", verify.Conserved, "", func(s *story) {
		s.appendStock(&eventv1.Level{OnHand: 9, Available: 6, Committed: 1, SafetyStock: 2},
			schematest.StockEvent(&eventv1.SafetyStockSet{Location: "main", Quantity: 3, Delta: 2}))
	}},
	{"a step that is answered again", verify.Conserved, "", func(s *story) {
		s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.SafetyStockSet{Location: "main"}))
		s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.ReservationReleased{Step: stepOf(s, "o-1", 5)}))
	}},
	{"a reservation that ends twice", verify.Conserved, "", func(s *story) {
		s.appendStock(level(7, 8, 0, -1), schematest.StockEvent(&eventv1.StockFulfilled{
			Step: stepOf(s, "o-1", 6), Quantity: 2, FromCommitted: fromMain(2)}))
	}},
	{"a changed location that is not stated", verify.Conserved, "", func(s *story) { s.stock[2].Locations = nil }},
	{"a count that began before goods left", verify.Transitions, "", func(s *story) { countStock(s, 4) }},
	{"a count that began after it ended", verify.Transitions, "", func(s *story) { countStock(s, 6) }},
	{"a count that is not what was counted", verify.Conserved, "", func(s *story) {
		s.appendStock(level(8, 7, 0, 1), schematest.StockEvent(&eventv1.StockCounted{
			Location: "main", Counted: 9, Delta: -1,
		}))
	}},
}

// deliveries are of shipment f, which has one A.
func deliveries(s *story, quantities ...int64) {
	for _, n := range quantities {
		s.addOrder("o-1", uint64(len(s.orders)+1), "", schematest.OrderEvent(&eventv1.LinesDeliveredV2{
			FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: n}}}))
	}
}

// A shipment may arrive in several deliveries.
func TestAShipmentMayArriveInSeveralDeliveries(t *testing.T) {
	s := healthy()
	s.orders[4].Change.(*eventv1.OrderEvent_LinesShippedV2).LinesShippedV2.Lines[0].Quantity = 2
	s.stock[4].Change.(*eventv1.InventoryEvent_StockFulfilled).StockFulfilled.Quantity = 2
	s.stock[4].Change.(*eventv1.InventoryEvent_StockFulfilled).StockFulfilled.FromCommitted = fromMain(2)
	end := level(8, 8, 0, 0)
	s.stock[4].Total, s.stock[4].Locations[0].Level, s.rows[0].Total, s.rows[0].Locations[0].Level = end, end, end, end
	deliveries(s, 1, 1)
	if report := s.verify(t, ""); !report.Clean() {
		t.Fatalf("violated are %v", violated(report))
	}
}

func countStock(s *story, at uint64) {
	s.appendStock(level(8, 7, 0, 1), schematest.StockEvent(&eventv1.StockCounted{
		Location: "main", Counted: 8, Delta: -1, CountedAtVersion: at}))
}

// A count may begin before reservations are made, but not before goods leave.
func TestCountsAreOfTheStateThatTheyBeganWith(t *testing.T) {
	s := healthy()
	countStock(s, 5)
	if report := s.verify(t, ""); !report.Clean() {
		t.Fatalf("violated are %v", violated(report))
	}
}
