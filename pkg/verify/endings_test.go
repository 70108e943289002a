package verify_test

import (
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// appendStock appends a stock event to a healthy story, and brings its availability row up to date.
func (s *story) appendStock(l *eventv1.Level, ev *eventv1.InventoryEvent) {
	version := uint64(len(s.stock) + 1)
	s.addStock(version, l, ev)
	row := s.rows[0]
	row.Version, row.SourceOffset, row.Total = version, int64(version-1), l
	row.Locations[0].Level = l
	released := ev.GetReservationReleased()
	if ev.GetReservationRejected() == nil && (released == nil || released.Quantity > 0) {
		row.VisibleVersion = version
	}
	applyOpenWork(row, ev)
}

// applyOpenWork changes the open work of a row as the view does, for one order or transfer at a time. Main is its
// first location.
func applyOpenWork(row *eventv1.AvailabilityRow, ev *eventv1.InventoryEvent) {
	place := map[string]uint32{"north": 1, "south": 2}
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockBackordered:
		b := c.StockBackordered
		row.Backorders = append(row.Backorders, &eventv1.WaitingOrder{
			OrderId: b.Step.OrderId, Location: place[b.Allocations[0].Location], Quantity: b.Backordered,
		})
	case *eventv1.InventoryEvent_BackorderFilled:
		row.Backorders = slices.DeleteFunc(row.Backorders, func(w *eventv1.WaitingOrder) bool {
			w.Quantity = c.BackorderFilled.Backordered
			return w.Quantity == 0
		})
	case *eventv1.InventoryEvent_TransferShipped:
		row.Transfers = append(row.Transfers, &eventv1.OpenTransfer{
			TransferId: c.TransferShipped.TransferId, ToLocation: 1, Remaining: c.TransferShipped.Quantity,
		})
	case *eventv1.InventoryEvent_TransferCancelled:
		row.Transfers = nil
	case *eventv1.InventoryEvent_TransferReceived:
		r := c.TransferReceived
		row.Transfers = slices.DeleteFunc(row.Transfers, func(t *eventv1.OpenTransfer) bool {
			t.Remaining -= r.Quantity + r.Missing + r.Damaged + r.Rejected
			return t.Remaining <= 0
		})
	}
}

func stepOf(s *story, order string, version uint64) *eventv1.ReservationStep {
	placed := s.orders[0]
	if i := slices.IndexFunc(s.orders, func(ev *eventv1.OrderEvent) bool { return ev.OrderId == order }); i >= 0 {
		placed = s.orders[i]
	}
	return &eventv1.ReservationStep{OrderId: order, PlacedEventId: placed.Meta.EventId, Version: version}
}

func fromMain(n int64) []*eventv1.Allocation {
	return []*eventv1.Allocation{{Location: "main", Quantity: n}}
}

func rejectReservation(s *story, quantity, available int64, reason eventv1.RejectionReason) {
	s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.ReservationRejected{
		Step: stepOf(s, "o-9", 1), Quantity: quantity, Available: available, Reason: reason}))
}

func receiveOne(s *story, key string) {
	s.appendStock(level(10, 9, 0, 1), schematest.StockEvent(&eventv1.StockReceived{Location: "main", Quantity: 1}))
	s.stock[len(s.stock)-1].Meta.IdempotencyKey = key
}

// moveStock moves three units from one state to another.
func moveStock(s *story, l *eventv1.Level, from, to eventv1.StockState) {
	s.appendStock(l, schematest.StockEvent(&eventv1.StockMoved{Location: "main", From: from, To: to, Quantity: 3}))
}

// receiveReturnV1 delivers the A that o-1 has shipped, captures all money and returns the A, in version 1 of the event.
func receiveReturnV1(s *story, due int64) {
	requestReturn(s)
	s.addOrder("o-1", 9, "", schematest.OrderEvent(&eventv1.ReturnReceived{
		ReturnId: "r", Damaged: []*eventv1.OrderLine{{Sku: "A", Quantity: 1, UnitPriceMicros: 2_555_000}},
		RefundDueMicros: due}))
}

// receiveReturn is receiveReturnV1 in the version that is written today.
func receiveReturn(s *story, condition eventv1.Condition) {
	requestReturn(s)
	s.addOrder("o-1", 9, "", schematest.OrderEvent(&eventv1.ReturnReceivedV3{
		ReturnId:        "r",
		Lines:           []*eventv1.ReturnedLine{{Sku: "A", Quantity: 1, UnitPriceMicros: 2_555_000, Condition: condition}},
		RefundDueMicros: 2_560_000}))
	s.appendStock(&eventv1.Level{OnHand: 10, Available: 8, Committed: 1, Damaged: 1},
		schematest.StockEvent(&eventv1.StockRestocked{
			Step: stepOf(s, "o-1", 9), Quantity: 1, Damaged: fromMain(1)}))
}

// failDelivery lets the unit that has shipped come back, in units and condition as given, and ship again.
func failDelivery(s *story, units int64, condition eventv1.UndeliveredCondition) {
	s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.DeliveryFailed{
		FulfilmentId: "f", Lines: []*eventv1.UndeliveredLine{{Line: 1, Sku: "A", Quantity: units, Condition: condition}},
	}))
	step := stepOf(s, "o-1", 6)
	s.appendStock(level(10, 9, 0, 1), schematest.StockEvent(&eventv1.StockRestocked{
		Step: step, Quantity: 1, Allocations: fromMain(1)}))
	s.appendStock(level(10, 8, 1, 1), schematest.StockEvent(&eventv1.StockReserved{
		Step: step, Quantity: 1, Allocations: fromMain(1), ShipsAgain: true}))
	s.appendStock(level(10, 8, 0, 2), schematest.StockEvent(&eventv1.ReservationCommitted{
		Step: step, Quantity: 1, Allocations: fromMain(1)}))
	s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.OrderBackorderFilled{
		Filled: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}))
	s.addOrder("o-1", 8, "", schematest.OrderEvent(&eventv1.ReservationSettled{ReservationVersion: 6}))
}

// reverseShipment takes back the shipment of one unit, in units as given. What stock does follows.
func reverseShipment(s *story, units int64) {
	s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.ShipmentReversed{
		FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: units}}}))
	step := stepOf(s, "o-1", 6)
	s.appendStock(level(10, 9, 0, 1), schematest.StockEvent(&eventv1.StockRestocked{
		Step: step, Quantity: 1, Allocations: fromMain(1), Reason: eventv1.Reason_REASON_CORRECTION,
		Reversed: []*eventv1.ReversedShipment{{Version: 5, Quantity: 1}}}))
	s.appendStock(level(10, 8, 1, 1), schematest.StockEvent(&eventv1.StockReserved{
		Step: step, Quantity: 1, Allocations: fromMain(1), ShipsAgain: true}))
	s.appendStock(level(10, 8, 0, 2), schematest.StockEvent(&eventv1.ReservationCommitted{
		Step: step, Quantity: 1, Allocations: fromMain(1)}))
	s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.OrderBackorderFilled{
		Filled: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}))
	s.addOrder("o-1", 8, "", schematest.OrderEvent(&eventv1.ReservationSettled{ReservationVersion: 6}))
}

// deliverAndReverse records a delivery of one unit, and takes back as many.
func deliverAndReverse(s *story, units int64) {
	s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.LinesDeliveredV2{
		FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 1}}}))
	s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.DeliveryReversed{
		FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: units}}}))
}

const (
	cameBack = eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_RESELLABLE
	gotLost  = eventv1.UndeliveredCondition_UNDELIVERED_CONDITION_LOST
)

func requestReturn(s *story) {
	a := []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}
	s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: "f", Lines: a}))
	s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.PaymentCapturedV3{AmountMicros: 5_110_000}))
	s.addOrder("o-1", 8, "", schematest.OrderEvent(&eventv1.ReturnRequestedV2{ReturnId: "r", Lines: a}))
}

const short = eventv1.RejectionReason_REJECTION_REASON_INSUFFICIENT_STOCK

func TestHealthyEndings(t *testing.T) {
	for name, plant := range map[string]func(*story){
		"a true refusal": func(s *story) { rejectReservation(s, 9, 8, short) },
		"a refusal, and a step that wants nothing": func(s *story) {
			rejectReservation(s, 9, 8, short)
			s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.ReservationReleased{Step: stepOf(s, "o-9", 2)}))
		},
		"a receipt": func(s *story) { receiveOne(s, "r-1") },
		"a parcel that came back, and ships again": func(s *story) {
			failDelivery(s, 1, cameBack)
			s.addOrder("o-1", 9, "", schematest.OrderEvent(&eventv1.LinesShippedV2{
				FulfilmentId: "g", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 2}}}))
			s.appendStock(level(8, 8, 0, 0), schematest.StockEvent(&eventv1.StockFulfilled{
				Step: stepOf(s, "o-1", 9), Quantity: 2, FromCommitted: fromMain(2)}))
		},
		"a parcel that came back, and an order that is cancelled for it": func(s *story) {
			s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.DeliveryFailed{
				FulfilmentId: "f", Lines: []*eventv1.UndeliveredLine{{Line: 1, Sku: "A", Quantity: 1, Condition: cameBack}}}))
			s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.OrderCancelled{VoidedMicros: 5_110_000}))
			s.appendStock(level(9, 9, 0, 0), schematest.StockEvent(&eventv1.ReservationReleased{
				Step: stepOf(s, "o-1", 7), Quantity: 1, FromCommitted: fromMain(1)}))
			s.appendStock(level(10, 10, 0, 0), schematest.StockEvent(&eventv1.StockRestocked{
				Step: stepOf(s, "o-1", 7), Quantity: 1, Allocations: fromMain(1)}))
		},
		"a shipment that was taken back, and another one": func(s *story) {
			reverseShipment(s, 1)
			s.addOrder("o-1", 9, "", schematest.OrderEvent(&eventv1.LinesShippedV2{
				FulfilmentId: "g", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 2}}}))
			s.appendStock(level(8, 8, 0, 0), schematest.StockEvent(&eventv1.StockFulfilled{
				Step: stepOf(s, "o-1", 9), Quantity: 2, FromCommitted: fromMain(2)}))
		},
		"a delivery that was taken back": func(s *story) { deliverAndReverse(s, 1) },
		"a move to damaged, and back": func(s *story) {
			moveStock(s, &eventv1.Level{OnHand: 9, Available: 5, Committed: 1, Damaged: 3}, 1, 2)
			moveStock(s, level(9, 8, 0, 1), 2, 1)
		},
		"a delivery expected and received": func(s *story) {
			s.appendStock(&eventv1.Level{OnHand: 9, Available: 8, Committed: 1, Incoming: 5},
				schematest.StockEvent(&eventv1.StockExpected{Location: "main", Quantity: 5, Delta: 5}))
			s.appendStock(level(14, 13, 0, 1), schematest.StockEvent(&eventv1.StockReceived{
				Location: "main", Quantity: 5, Expected: 5,
			}))
		},
		"goods that come back, as events say it today": func(s *story) {
			receiveReturn(s, eventv1.Condition_CONDITION_DAMAGED)
		},
		"goods that come back": func(s *story) {
			receiveReturnV1(s, 2_560_000) // 2.555 half to even
			s.appendStock(&eventv1.Level{OnHand: 10, Available: 8, Committed: 1, Damaged: 1},
				schematest.StockEvent(&eventv1.StockRestocked{
					Step: stepOf(s, "o-1", 9), Quantity: 1, Damaged: fromMain(1)}))
		},
		"an amendment that stock has followed": func(s *story) { amendOrder(s, 3, 7_660_000, 2_550_000); stockFollows(s) },
		"one that stock does not have": func(s *story) {
			requestAmendment(s, 12)
			stockRejects(s, 7, 10)
			s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.AmendmentDeclined{
				Short: []*eventv1.ShortLine{{Sku: "A", Requested: 10, Available: 8, Reason: short}}}))
		},
		"goods that leave without cover, for a reason": func(s *story) {
			voidAndShip(s, schematest.OrderEvent(&eventv1.LinesShippedV2{
				FulfilmentId: "g", Lines: oneA, UncoveredReason: "paid at the door"}))
		},
		"goods that left without cover before that was refused": func(s *story) {
			voidAndShip(s, schematest.OrderEvent(&eventv1.LinesShipped{FulfilmentId: "g", Lines: oneA}))
		},
		"goods that stock has shipped without cover": func(s *story) {
			voidAndShip(s, schematest.OrderEvent(&eventv1.ShipmentReconciledV2{FulfilmentId: "g", Lines: oneA}))
		},
		"one under way": func(s *story) { requestAmendment(s, 3) },
		"an older row after a newer": func(s *story) {
			s.rows = append(s.rows, &eventv1.AvailabilityRow{Sku: "A", SourceOffset: 1, Version: 2, Format: 4})
		},
		"a progress row": func(s *story) { s.rows = append(s.rows, &eventv1.AvailabilityRow{SourceOffset: 4, Format: 4}) },
		"a backorder within its limit": func(s *story) {
			s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.BackorderLimitSet{Limit: 2}))
			s.rows[0].BackorderLimit = 2
			backorder(s, 10)
		},
		"a backorder that is filled": func(s *story) {
			s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.BackorderLimitSet{Limit: 9}))
			s.rows[0].BackorderLimit = 9
			backorder(s, 10)
			s.addOrder("o-2", 2, "", schematest.OrderEvent(&eventv1.OrderBackordered{
				Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}},
			}))
			s.appendStock(level(11, 0, 10, 1), schematest.StockEvent(&eventv1.StockReceived{Location: "main", Quantity: 2}))
			fillBackorder(s, 2, 0)
			s.addOrder("o-2", 3, "", schematest.OrderEvent(&eventv1.OrderBackorderFilled{
				Filled: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}},
			}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := healthy()
			plant(s)
			if report := s.verify(t, ""); !report.Clean() {
				for _, inv := range report.Invariants {
					t.Log(inv.ID, inv.Examples)
				}
				t.Fatalf("violated: %v", violated(report))
			}
		})
	}
}

// oneA is one unit of A, of whatever line.
var oneA = []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}

// voidAndShip voids all money of o-1, and the rest of it ships.
func voidAndShip(s *story, shipped *eventv1.OrderEvent) {
	s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.PaymentVoidedV3{AmountMicros: 5_110_000}))
	s.addOrder("o-1", 7, "", shipped)
	theRestShips(s, 7)
}

// theRestShips ships the other unit of o-1 from stock, for the order's version.
func theRestShips(s *story, version uint64) {
	s.appendStock(level(8, 8, 0, 0), schematest.StockEvent(&eventv1.StockFulfilled{
		Step: stepOf(s, "o-1", version), Quantity: 1, FromCommitted: fromMain(1),
	}))
}

// backorder reserves for an order that waits for its outcome, so that nothing else is compared with it.
func backorder(s *story, quantity int64) {
	placed := s.addOrder("o-2", 1, "k-2", schematest.OrderEvent(&eventv1.OrderPlacedV2{
		CustomerId: "c", Currency: "GBP", Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: quantity}},
		PaymentTerms: eventv1.PaymentTerms_PAYMENT_TERMS_PREPAID}))
	s.appendStock(level(9, 8-quantity, quantity, 1), schematest.StockEvent(&eventv1.StockBackordered{
		Step: &eventv1.ReservationStep{OrderId: "o-2", PlacedEventId: placed.Meta.EventId, Version: 1}, Quantity: quantity,
		Backordered: quantity - 8, Allocations: fromMain(quantity)}))
}

// fillBackorder fills units of order o-2.
func fillBackorder(s *story, quantity, left int64) {
	placed := s.orders[len(s.orders)-1]
	for _, ev := range s.orders {
		if ev.OrderId == "o-2" && ev.Meta.Version == 1 {
			placed = ev
		}
	}
	s.appendStock(level(11, 0, 10, 1), schematest.StockEvent(&eventv1.BackorderFilled{
		Step: &eventv1.ReservationStep{OrderId: "o-2", PlacedEventId: placed.Meta.EventId, Version: 1}, Location: "main",
		Quantity: quantity, Backordered: left}))
}

// backorderTwo places order o-2 of ten A, of which two are backordered. Then two are received.
func backorderTwo(s *story) {
	s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.BackorderLimitSet{Limit: 9}))
	s.rows[0].BackorderLimit = 9
	backorder(s, 10)
	s.appendStock(level(11, 0, 10, 1), schematest.StockEvent(&eventv1.StockReceived{Location: "main", Quantity: 2}))
}

// requestAmendment amends the two A of o-1, of which one has shipped.
func requestAmendment(s *story, quantity int64) []*eventv1.AmendedLine {
	lines := []*eventv1.AmendedLine{
		{
			Line: 1, Sku: "A", Quantity: quantity, UnitPriceMicros: 2_555_000, FormerQuantity: 2,
			FormerUnitPriceMicros: 2_555_000,
		},
	}
	s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.AmendmentRequestedV2{Lines: lines}))
	return lines
}

func amendOrder(s *story, quantity, total, due int64) *eventv1.OrderAmendedV2 {
	e := &eventv1.OrderAmendedV2{
		Lines: requestAmendment(s, quantity), SubtotalMicros: quantity * 2_555_000, TotalMicros: total, PaymentDueMicros: due,
	}
	s.addOrder("o-1", 7, "", schematest.OrderEvent(e))
	return e
}

// stockFollows reserves one more A for o-1, and commits it.
func stockFollows(s *story) {
	s.appendStock(level(9, 7, 1, 1), schematest.StockEvent(&eventv1.StockReserved{
		Step: stepOf(s, "o-1", 6), Quantity: 1, Allocations: fromMain(1),
	}))
	s.appendStock(level(9, 7, 0, 2), schematest.StockEvent(&eventv1.ReservationCommitted{
		Step: stepOf(s, "o-1", 7), Quantity: 1, Allocations: fromMain(1),
	}))
}

// stockRejects is stock that has too little for the growth of o-1, and keeps the reservation as it was.
func stockRejects(s *story, version uint64, quantity int64) {
	s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.ReservationRejected{
		Step: stepOf(s, "o-1", version-1), Quantity: quantity, Available: 8, Reason: short}))
	s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.ReservationReleased{Step: stepOf(s, "o-1", version)}))
}

func TestOpenOrdersAreNoViolation(t *testing.T) {
	s := healthy()
	s.appendStock(level(9, 8, 0, 1), schematest.StockEvent(&eventv1.BackorderLimitSet{Limit: 2}))
	s.rows[0].BackorderLimit = 2
	backorder(s, 10)
	report := s.verify(t, goodAck+`{"key":"torn`)
	if !report.Clean() || report.OpenOrders != 1 || report.Orders != 2 {
		t.Fatalf("%+v violated %v", report, violated(report))
	}
}

// linesCancelled cancels units of A.
func linesCancelled(s *story, quantity, total, voided int64) {
	s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.LinesCancelledV2{
		Lines:          []*eventv1.CancelledLine{{Sku: "A", Quantity: quantity, UnitPriceMicros: 2_555_000}},
		SubtotalMicros: 5_110_000 - quantity*2_555_000, TotalMicros: total, VoidedMicros: voided,
	}))
}
