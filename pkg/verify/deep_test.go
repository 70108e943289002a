package verify_test

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// end appends a stock event to a healthy story, and takes its row to there.
func (s *story) end(l *eventv1.Level, ev *eventv1.InventoryEvent) {
	version := uint64(len(s.stock) + 1)
	s.addStock(version, l, ev)
	row := s.rows[0]
	row.Version, row.SourceOffset, row.Total = version, int64(version-1), l
	row.Locations[0].Level = l
}

func stepOf(s *story, order string, version uint64) *eventv1.ReservationStep {
	return &eventv1.ReservationStep{OrderId: order, PlacedEventId: s.orders[0].Meta.EventId, Version: version}
}

func fromMain(n int64) []*eventv1.Allocation {
	return []*eventv1.Allocation{{Location: "main", Quantity: n}}
}

func refused(s *story, quantity, available int64, reason eventv1.RejectionReason) {
	s.end(level(9, 8, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_ReservationRejected{ReservationRejected: &eventv1.ReservationRejected{
		Step: stepOf(s, "o-9", 1), Quantity: quantity, Available: available, Reason: reason}}})
}

func receipt(s *story, key string) {
	s.end(level(10, 9, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockReceived{StockReceived: &eventv1.StockReceived{Location: "main", Quantity: 1}}})
	s.stock[len(s.stock)-1].Meta.IdempotencyKey = key
}

// moved moves three units from one state to another.
func moved(s *story, l *eventv1.Level, from, to eventv1.StockState) {
	s.end(l, &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockMoved{StockMoved: &eventv1.StockMoved{Location: "main", From: from, To: to, Quantity: 3}}})
}

// comeBack delivers the A that o-1 has shipped, captures all its money, and takes the A back.
func comeBack(s *story, due int64) {
	a := []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}
	s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_LinesDelivered{LinesDelivered: &eventv1.LinesDelivered{FulfilmentId: "f", Lines: a}}})
	s.addOrder("o-1", 7, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_PaymentCaptured{PaymentCaptured: &eventv1.PaymentCaptured{AmountMicros: 5_110_000}}})
	s.addOrder("o-1", 8, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_ReturnRequested{ReturnRequested: &eventv1.ReturnRequested{ReturnId: "r", Lines: a}}})
	s.addOrder("o-1", 9, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_ReturnReceived{ReturnReceived: &eventv1.ReturnReceived{
		ReturnId: "r", Damaged: []*eventv1.OrderLine{{Sku: "A", Quantity: 1, UnitPriceMicros: 2_555_000}}, RefundDueMicros: due}}})
}

const short = eventv1.RejectionReason_REJECTION_REASON_INSUFFICIENT_STOCK

func TestHealthyEndings(t *testing.T) {
	for name, plant := range map[string]func(*story){
		"a true refusal": func(s *story) { refused(s, 9, 8, short) },
		"a receipt":      func(s *story) { receipt(s, "r-1") },
		"a move to damaged, and back": func(s *story) {
			moved(s, &eventv1.Level{OnHand: 9, Available: 5, Committed: 1, Damaged: 3}, 1, 2)
			moved(s, level(9, 8, 0, 1), 2, 1)
		},
		"a delivery expected and received": func(s *story) {
			s.end(&eventv1.Level{OnHand: 9, Available: 8, Committed: 1, Incoming: 5}, &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockExpected{
				StockExpected: &eventv1.StockExpected{Location: "main", Quantity: 5, Delta: 5}}})
			s.end(level(14, 13, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockReceived{
				StockReceived: &eventv1.StockReceived{Location: "main", Quantity: 5, Expected: 5}}})
		},
		"goods that come back": func(s *story) {
			comeBack(s, 2_560_000) // 2.555 half to even
			s.end(&eventv1.Level{OnHand: 10, Available: 8, Committed: 1, Damaged: 1}, &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockRestocked{StockRestocked: &eventv1.StockRestocked{
				Step: stepOf(s, "o-1", 9), Quantity: 1, Damaged: fromMain(1)}}})
		},
		"an older row after a newer": func(s *story) {
			s.rows = append(s.rows, &eventv1.AvailabilityRow{Sku: "A", SourceOffset: 1, Version: 2})
		},
		"a progress row": func(s *story) { s.rows = append(s.rows, &eventv1.AvailabilityRow{SourceOffset: 4}) },
		"a backorder within its limit": func(s *story) {
			s.end(level(9, 8, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_BackorderLimitSet{BackorderLimitSet: &eventv1.BackorderLimitSet{Limit: 2}}})
			s.rows[0].BackorderLimit = 2
			backorder(s, 10)
		},
		"a backorder that is filled": func(s *story) {
			s.end(level(9, 8, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_BackorderLimitSet{BackorderLimitSet: &eventv1.BackorderLimitSet{Limit: 9}}})
			s.rows[0].BackorderLimit = 9
			backorder(s, 10)
			s.addOrder("o-2", 2, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderBackordered{OrderBackordered: &eventv1.OrderBackordered{Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}}}}})
			s.end(level(11, 0, 10, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockReceived{StockReceived: &eventv1.StockReceived{Location: "main", Quantity: 2}}})
			filled(s, 2, 0)
			s.addOrder("o-2", 3, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderBackorderFilled{OrderBackorderFilled: &eventv1.OrderBackorderFilled{Filled: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}}}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := healthy()
			plant(s)
			if report := s.tell(t, ""); !report.Clean() {
				for _, inv := range report.Invariants {
					t.Log(inv.ID, inv.Examples)
				}
				t.Fatalf("violated: %v", violated(report))
			}
		})
	}
}

// backorder reserves for an order that waits for its outcome, so that nothing else is compared with it.
func backorder(s *story, quantity int64) {
	placed := s.addOrder("o-2", 1, "k-2", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderPlaced{OrderPlaced: &eventv1.OrderPlaced{
		CustomerId: "c", Currency: "GBP", Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: quantity}}, PaymentTerms: eventv1.PaymentTerms_PAYMENT_TERMS_PREPAID}}})
	s.end(level(9, 8-quantity, quantity, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockBackordered{StockBackordered: &eventv1.StockBackordered{
		Step: &eventv1.ReservationStep{OrderId: "o-2", PlacedEventId: placed.Meta.EventId, Version: 1}, Quantity: quantity, Backordered: quantity - 8, Allocations: fromMain(quantity)}}})
}

// filled gives order o-2 what it waits for.
func filled(s *story, quantity, left int64) {
	placed := s.orders[len(s.orders)-1]
	for _, ev := range s.orders {
		if ev.OrderId == "o-2" && ev.Meta.Version == 1 {
			placed = ev
		}
	}
	s.end(level(11, 0, 10, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_BackorderFilled{BackorderFilled: &eventv1.BackorderFilled{
		Step: &eventv1.ReservationStep{OrderId: "o-2", PlacedEventId: placed.Meta.EventId, Version: 1}, Location: "main", Quantity: quantity, Backordered: left}}})
}

// waits2 is order o-2, which waits for two more of A than there are.
func waits2(s *story) {
	s.end(level(9, 8, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_BackorderLimitSet{BackorderLimitSet: &eventv1.BackorderLimitSet{Limit: 9}}})
	s.rows[0].BackorderLimit = 9
	backorder(s, 10)
	s.end(level(11, 0, 10, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockReceived{StockReceived: &eventv1.StockReceived{Location: "main", Quantity: 2}}})
}

func TestSubtleViolationsAreFound(t *testing.T) {
	cancelled := &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderCancelled{OrderCancelled: &eventv1.OrderCancelled{VoidedMicros: 5_110_000}}}
	for _, c := range []struct {
		name, want, acks string
		plant            func(*story)
	}{
		{"backordered beyond the limit", verify.Oversold, "", func(s *story) { backorder(s, 10) }},
		{"a past document that takes what is not there", verify.Oversold, "", func(s *story) {
			s.end(level(0, -1, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockFulfilled{StockFulfilled: &eventv1.StockFulfilled{
				Step: stepOf(s, "d-1", 1), Quantity: 9, FromAvailable: fromMain(9)}}})
		}},
		{"a move out of a state that has less", verify.Oversold, "", func(s *story) {
			moved(s, &eventv1.Level{OnHand: 9, Available: 11, Committed: 1, Damaged: -3}, 2, 1)
		}},
		{"a move to no state", verify.Conserved, "", func(s *story) { moved(s, level(9, 8, 0, 1), 1, 0) }},
		{"filled more than was waited for", verify.Conserved, "", func(s *story) { waits2(s); filled(s, 3, 0) }},
		{"filled without having waited", verify.Conserved, "", func(s *story) {
			s.end(level(9, 8, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_BackorderFilled{BackorderFilled: &eventv1.BackorderFilled{
				Step: stepOf(s, "o-7", 1), Location: "main", Quantity: 1}}})
		}},
		{"filled out of turn", verify.Conserved, "", func(s *story) {
			waits2(s)
			s.end(level(11, -1, 11, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockBackordered{StockBackordered: &eventv1.StockBackordered{
				Step: stepOf(s, "o-3", 1), Quantity: 1, Backordered: 1, Allocations: fromMain(1)}}})
			s.end(level(12, 0, 11, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockReceived{StockReceived: &eventv1.StockReceived{Location: "main", Quantity: 1}}})
			s.end(level(12, 0, 11, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_BackorderFilled{BackorderFilled: &eventv1.BackorderFilled{
				Step: stepOf(s, "o-3", 1), Location: "main", Quantity: 1}}})
		}},
		{"an order that has not heard of its stock", verify.Agreement, "", func(s *story) {
			waits2(s)
			s.addOrder("o-2", 2, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderBackordered{OrderBackordered: &eventv1.OrderBackordered{Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}}}}})
			filled(s, 2, 0)
		}},
		{"an order filled with more than it waits for", verify.Transitions, "", func(s *story) {
			waits2(s)
			s.addOrder("o-2", 2, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderBackordered{OrderBackordered: &eventv1.OrderBackordered{Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}}}}})
			s.addOrder("o-2", 3, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderBackorderFilled{OrderBackorderFilled: &eventv1.OrderBackorderFilled{Filled: []*eventv1.LineQuantity{{Sku: "A", Quantity: 3}}}}})
		}},
		{"a return with too little due", verify.Money, "", func(s *story) { comeBack(s, 1) }},
		{"a return that stock knows nothing of", verify.Agreement, "", func(s *story) { comeBack(s, 2_560_000) }},
		{"more came back than was asked for", verify.Transitions, "", func(s *story) {
			comeBack(s, 2_560_000)
			s.addOrder("o-1", 10, "", &eventv1.OrderEvent{Change: s.orders[len(s.orders)-1].Change})
		}},
		{"asked back before it was delivered", verify.Transitions, "", func(s *story) {
			s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_ReturnRequested{ReturnRequested: &eventv1.ReturnRequested{
				ReturnId: "r", Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}}})
		}},
		{"gave up a return that is not there", verify.Transitions, "", func(s *story) {
			s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_ReturnCancelled{ReturnCancelled: &eventv1.ReturnCancelled{ReturnId: "q"}}})
		}},
		{"a step that is answered again", verify.Conserved, "", func(s *story) {
			s.end(level(9, 8, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_SafetyStockSet{SafetyStockSet: &eventv1.SafetyStockSet{Location: "main"}}})
			s.end(level(9, 8, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_ReservationReleased{ReservationReleased: &eventv1.ReservationReleased{Step: stepOf(s, "o-1", 5)}}})
		}},
		{"a reservation that ends twice", verify.Conserved, "", func(s *story) {
			s.end(level(7, 8, 0, -1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockFulfilled{StockFulfilled: &eventv1.StockFulfilled{
				Step: stepOf(s, "o-1", 6), Quantity: 2, FromCommitted: fromMain(2)}}})
		}},
		{"a changed location that is not stated", verify.Conserved, "", func(s *story) { s.stock[2].Locations = nil }},
		{"a count that is not what was counted", verify.Conserved, "", func(s *story) {
			s.end(level(8, 7, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockCounted{StockCounted: &eventv1.StockCounted{Location: "main", Counted: 9, Delta: -1}}})
		}},
		{"a key that takes effect twice", verify.OneKey, "", func(s *story) { receipt(s, "r-1"); s.stock[1].Meta.IdempotencyKey = "r-1" }},
		{"an order placed twice", verify.OneKey, "", func(s *story) {
			s.addOrder("o-1", 6, "k-2", &eventv1.OrderEvent{Change: s.orders[0].Change})
		}},
		{"refused with stock there", verify.Refused, "", func(s *story) { refused(s, 2, 8, short) }},
		{"refused with a false count", verify.Refused, "", func(s *story) { refused(s, 9, 3, short) }},
		{"a bad request that left an order", verify.Refused, `{"key":"k-1","status":400,"outcome":"invalid_quantity"}`, func(*story) {}},
		{"a position beyond the log", verify.Acknowledged, `{"key":"k-1","order_id":"o-1","status":201,"position":"o0.99"}`, func(*story) {}},
		{"a former generation's write", verify.Versions, "", func(s *story) { s.orders[2].Meta.Generation = 1 }},
		{"another shard's write", verify.Versions, "", func(s *story) { s.orders[4].Meta.Generation, s.orders[4].Meta.Shard = 1, 1 }},
		{"a row with another description", verify.View, "", func(s *story) { s.rows[0].Description = "b" }},
		{"a row of an event that is not there", verify.View, "", func(s *story) { s.rows[0].SourceOffset = 40 }},
		{"a SKU that only the view has", verify.View, "", func(s *story) {
			s.rows = append(s.rows, &eventv1.AvailabilityRow{Sku: "B", Version: 1, SourceOffset: 2})
		}},
		{"cancelled with too little voided", verify.Money, "", func(s *story) {
			s.orders[4] = s.addOrder("o-1", 5, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderCancelled{OrderCancelled: &eventv1.OrderCancelled{VoidedMicros: 1}}})
			s.orders = s.orders[:5]
		}},
		{"resumed as what it was not", verify.Transitions, "", func(s *story) {
			s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderHeld{OrderHeld: &eventv1.OrderHeld{}}})
			s.addOrder("o-1", 7, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderResumed{OrderResumed: &eventv1.OrderResumed{}}})
		}},
		{"shipped while on hold", verify.Transitions, "", func(s *story) {
			s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderHeld{OrderHeld: &eventv1.OrderHeld{}}})
			s.addOrder("o-1", 7, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_LinesShipped{LinesShipped: &eventv1.LinesShipped{
				FulfilmentId: "g", Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}}})
		}},
		{"more cancelled than was left", verify.Transitions, "", func(s *story) { linesCancelled(s, 2, 0, 5_110_000) }},
		{"too little voided for cancelled lines", verify.Money, "", func(s *story) { linesCancelled(s, 1, 2_560_000, 0) }},
		{"stock kept for a cancelled line", verify.Agreement, "", func(s *story) { linesCancelled(s, 1, 2_560_000, 2_550_000) }},
		{"a fulfilment cancelled after it shipped", verify.Transitions, "", func(s *story) {
			s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_FulfilmentCancelled{FulfilmentCancelled: &eventv1.FulfilmentCancelled{FulfilmentId: "f"}}})
		}},
		{"a fulfilment delivered before it shipped", verify.Transitions, "", func(s *story) {
			one := []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}
			s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_FulfilmentCreated{FulfilmentCreated: &eventv1.FulfilmentCreated{FulfilmentId: "g", Lines: one}}})
			s.addOrder("o-1", 7, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_LinesDelivered{LinesDelivered: &eventv1.LinesDelivered{FulfilmentId: "g", Lines: one}}})
		}},
		{"more voided than was held", verify.Money, "", func(s *story) {
			s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_PaymentVoided{PaymentVoided: &eventv1.PaymentVoided{AmountMicros: 5_110_001}}})
		}},
		{"more refunded than was captured", verify.Money, "", func(s *story) {
			s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_PaymentRefunded{PaymentRefunded: &eventv1.PaymentRefunded{AmountMicros: 1}}})
		}},
		{"captured after it was voided", verify.Money, "", func(s *story) {
			s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_PaymentVoided{PaymentVoided: &eventv1.PaymentVoided{AmountMicros: 5_110_000}}})
			s.addOrder("o-1", 7, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_PaymentCaptured{PaymentCaptured: &eventv1.PaymentCaptured{AmountMicros: 1}}})
		}},
		{"reopened without its money", verify.Money, "", func(s *story) {
			s.orders = s.orders[:2]
			s.orders[0].Change.(*eventv1.OrderEvent_OrderPlaced).OrderPlaced.PaymentDeadlineMicros = 1
			s.addOrder("o-1", 3, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderExpired{OrderExpired: &eventv1.OrderExpired{}}})
			s.addOrder("o-1", 4, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderReopened{OrderReopened: &eventv1.OrderReopened{}}})
		}},
		{"a deadline that goes back", verify.Transitions, "", func(s *story) {
			s.orders = s.orders[:2]
			s.orders[0].Change.(*eventv1.OrderEvent_OrderPlaced).OrderPlaced.PaymentDeadlineMicros = 10
			s.addOrder("o-1", 3, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_PaymentStarted{PaymentStarted: &eventv1.PaymentStarted{PaymentDeadlineMicros: 9}}})
		}},
		{"confirmed without its money", verify.Money, "", func(s *story) {
			s.orders[2].Change.(*eventv1.OrderEvent_PaymentAuthorized).PaymentAuthorized.AmountMicros = 1
		}},
		{"cancelled after it shipped", verify.Transitions, "", func(s *story) { s.addOrder("o-1", 6, "", cancelled) }},
		{"delivered without a shipment", verify.Transitions, "", func(s *story) {
			s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_LinesDelivered{LinesDelivered: &eventv1.LinesDelivered{FulfilmentId: "g"}}})
		}},
		{"expired before its deadline", verify.Transitions, "", func(s *story) {
			s.orders = s.orders[:2]
			s.addOrder("o-1", 3, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderExpired{OrderExpired: &eventv1.OrderExpired{}}})
			s.orders[0].Change.(*eventv1.OrderEvent_OrderPlaced).OrderPlaced.PaymentDeadlineMicros = occurred + 1
		}},
		{"stock held for another placement", verify.Agreement, "", func(s *story) {
			for _, ev := range s.stock[2:] {
				switch ch := ev.Change.(type) {
				case *eventv1.InventoryEvent_StockReserved:
					ch.StockReserved.Step.PlacedEventId = make([]byte, 16)
				case *eventv1.InventoryEvent_ReservationCommitted:
					ch.ReservationCommitted.Step.PlacedEventId = make([]byte, 16)
				case *eventv1.InventoryEvent_StockFulfilled:
					ch.StockFulfilled.Step.PlacedEventId = make([]byte, 16)
				}
			}
		}},
		{"no time in the headers", verify.Envelope, "", func(s *story) {
			s.spoil = func(rec *eventlog.Record) {
				if rec.Topic == eventlog.TopicOrders {
					rec.Headers = rec.Headers[:4]
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := healthy()
			c.plant(s)
			report := s.tell(t, c.acks)
			if !violated(report)[c.want] {
				t.Fatalf("%s holds; violated are %v", c.want, violated(report))
			}
			for _, inv := range report.Invariants {
				if int64(len(inv.Examples)) < min(inv.Violations, verify.DefaultExamples) {
					t.Errorf("%s has %d violations and shows %d", inv.ID, inv.Violations, len(inv.Examples))
				}
			}
		})
	}
}

func TestOpenOrdersAreNoViolation(t *testing.T) {
	s := healthy()
	s.end(level(9, 8, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_BackorderLimitSet{BackorderLimitSet: &eventv1.BackorderLimitSet{Limit: 2}}})
	s.rows[0].BackorderLimit = 2
	backorder(s, 10)
	report := s.tell(t, goodAck+`{"key":"torn`)
	if !report.Clean() || report.OpenOrders != 1 || report.Orders != 2 {
		t.Fatalf("%+v violated %v", report, violated(report))
	}
}

// linesCancelled takes units of A off the order.
func linesCancelled(s *story, quantity, total, voided int64) {
	s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_LinesCancelled{LinesCancelled: &eventv1.LinesCancelled{
		Lines:          []*eventv1.OrderLine{{Sku: "A", Quantity: quantity, UnitPriceMicros: 2_555_000}},
		SubtotalMicros: 5_110_000 - quantity*2_555_000, TotalMicros: total, VoidedMicros: voided,
	}}})
}
