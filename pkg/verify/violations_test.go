package verify_test

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// violation is planted into a healthy log, or claimed by a client, and must be found.
type violation struct {
	name, want, acks string
	plant            func(*story)
}

func TestViolationsAreFound(t *testing.T) {
	for _, list := range [][]violation{stockViolations, orderViolations, amendmentViolations, documentViolations, agreementViolations, answerViolations, envelopeViolations, viewViolations} {
		for _, v := range list {
			t.Run(v.name, func(t *testing.T) {
				s := healthy()
				v.plant(s)
				report := s.tell(t, v.acks)
				if !violated(report)[v.want] {
					t.Fatalf("%s holds; violated are %v", v.want, violated(report))
				}
				for _, inv := range report.Invariants {
					if int64(len(inv.Examples)) < min(inv.Violations, verify.DefaultExamples) {
						t.Errorf("%s has %d violations and shows %d", inv.ID, inv.Violations, len(inv.Examples))
					}
				}
			})
		}
	}
}

func (s *story) received() *eventv1.StockReceived {
	return s.stock[1].Change.(*eventv1.InventoryEvent_StockReceived).StockReceived
}

func (s *story) placed() *eventv1.OrderPlaced {
	return s.orders[0].Change.(*eventv1.OrderEvent_OrderPlaced).OrderPlaced
}

// spoilOrders changes every record of an order before it is written.
func (s *story) spoilOrders(spoil func(*eventlog.Record)) {
	s.spoil = func(rec *eventlog.Record) {
		if rec.Topic == eventlog.TopicOrders {
			spoil(rec)
		}
	}
}

// Stock: what there is, what is held of it, and what an event says of both.
var stockViolations = []violation{
	{"oversold", verify.Oversold, "", func(s *story) {
		s.received().Quantity = 1
		for i, l := range []*eventv1.Level{level(1, 1, 0, 0), level(1, -1, 2, 0), level(1, -1, 0, 2), level(0, -1, 0, 1)} {
			s.stock[i+1].Total, s.stock[i+1].Locations[0].Level = l, l
		}
	}},
	{"levels that the changes do not make", verify.Conserved, "", func(s *story) { s.stock[2].Total = level(10, 9, 1, 0) }},
	{"a location whose states do not add up", verify.Conserved, "", func(s *story) { s.stock[1].Locations[0].Level.Damaged = 1 }},
	{"allocations that are not the quantity", verify.Conserved, "", func(s *story) {
		s.stock[2].Change.(*eventv1.InventoryEvent_StockReserved).StockReserved.Quantity = 3
	}},
	{"an older step after a newer", verify.Conserved, "", func(s *story) {
		s.stock[4].Change.(*eventv1.InventoryEvent_StockFulfilled).StockFulfilled.Step.Version = 2
	}},
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
	{"a step that is answered again", verify.Conserved, "", func(s *story) {
		s.end(level(9, 8, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_SafetyStockSet{SafetyStockSet: &eventv1.SafetyStockSet{Location: "main"}}})
		s.end(level(9, 8, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_ReservationReleased{ReservationReleased: &eventv1.ReservationReleased{Step: stepOf(s, "o-1", 5)}}})
	}},
	{"a reservation that ends twice", verify.Conserved, "", func(s *story) {
		s.end(level(7, 8, 0, -1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockFulfilled{StockFulfilled: &eventv1.StockFulfilled{
			Step: stepOf(s, "o-1", 6), Quantity: 2, FromCommitted: fromMain(2)}}})
	}},
	{"a changed location that is not stated", verify.Conserved, "", func(s *story) { s.stock[2].Locations = nil }},
	{"a count that began before goods left", verify.Transitions, "", func(s *story) { counted(s, 4) }},
	{"a count that began after it ended", verify.Transitions, "", func(s *story) { counted(s, 6) }},
	{"a count that is not what was counted", verify.Conserved, "", func(s *story) {
		s.end(level(8, 7, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockCounted{StockCounted: &eventv1.StockCounted{Location: "main", Counted: 9, Delta: -1}}})
	}},
}

// deliveries of shipment f, which has one A.
func deliveries(s *story, quantities ...int64) {
	for _, n := range quantities {
		s.addOrder("o-1", uint64(len(s.orders)+1), "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_LinesDelivered{LinesDelivered: &eventv1.LinesDelivered{
			FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: n}}}}})
	}
}

// A shipment may arrive in parts.
func TestShipmentsArriveInParts(t *testing.T) {
	s := healthy()
	s.orders[4].Change.(*eventv1.OrderEvent_LinesShipped).LinesShipped.Lines[0].Quantity = 2
	s.stock[4].Change.(*eventv1.InventoryEvent_StockFulfilled).StockFulfilled.Quantity = 2
	s.stock[4].Change.(*eventv1.InventoryEvent_StockFulfilled).StockFulfilled.FromCommitted = fromMain(2)
	end := level(8, 8, 0, 0)
	s.stock[4].Total, s.stock[4].Locations[0].Level, s.rows[0].Total, s.rows[0].Locations[0].Level = end, end, end, end
	deliveries(s, 1, 1)
	if report := s.tell(t, ""); !report.Clean() {
		t.Fatalf("violated are %v", violated(report))
	}
}

func counted(s *story, at uint64) {
	s.end(level(8, 7, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockCounted{StockCounted: &eventv1.StockCounted{
		Location: "main", Counted: 8, Delta: -1, CountedAtVersion: at}}})
}

// A count may begin before reservations, and not before goods left.
func TestCountsAreOfTheStateThatTheyBeganWith(t *testing.T) {
	s := healthy()
	counted(s, 5)
	if report := s.tell(t, ""); !report.Clean() {
		t.Fatalf("violated are %v", violated(report))
	}
}

// Orders: money and changes of status.
var orderViolations = []violation{
	{"lines that do not make the subtotal", verify.Money, "", func(s *story) { s.placed().SubtotalMicros++ }},
	{"a total rounded the wrong way", verify.Money, "", func(s *story) { s.placed().TotalMicros = 5_120_000 }},
	{"more captured than authorized", verify.Money, "", func(s *story) {
		s.addOrder("o-1", 6, "c", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_PaymentCaptured{PaymentCaptured: &eventv1.PaymentCaptured{AmountMicros: 6_000_000}}})
	}},
	{"shipped before it was confirmed", verify.Transitions, "", func(s *story) {
		s.orders[3], s.orders[4] = s.orders[4], s.orders[3]
		s.orders[3].Meta.Version, s.orders[4].Meta.Version = 4, 5
	}},
	{"more shipped than ordered", verify.Transitions, "", func(s *story) {
		s.orders[4].Change.(*eventv1.OrderEvent_LinesShipped).LinesShipped.Lines[0].Quantity = 3
	}},
	{"an order filled with more than it waits for", verify.Transitions, "", func(s *story) {
		waits2(s)
		s.addOrder("o-2", 2, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderBackordered{OrderBackordered: &eventv1.OrderBackordered{Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}}}}})
		s.addOrder("o-2", 3, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderBackorderFilled{OrderBackorderFilled: &eventv1.OrderBackorderFilled{Filled: []*eventv1.LineQuantity{{Sku: "A", Quantity: 3}}}}})
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
	{"cancelled after it shipped", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderCancelled{OrderCancelled: &eventv1.OrderCancelled{VoidedMicros: 5_110_000}}})
	}},
	{"delivered more than shipped", verify.Transitions, "", func(s *story) { deliveries(s, 2) }},
	{"delivered twice", verify.Transitions, "", func(s *story) { deliveries(s, 1, 1) }},
	{"delivered less than nothing", verify.Transitions, "", func(s *story) { deliveries(s, -1) }},
	{"delivered what was in another shipment", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_LinesShipped{LinesShipped: &eventv1.LinesShipped{
			FulfilmentId: "g", Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}}})
		deliveries(s, 1, 1)
	}},
	{"delivered without a shipment", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_LinesDelivered{LinesDelivered: &eventv1.LinesDelivered{FulfilmentId: "g"}}})
	}},
	{"expired before its deadline", verify.Transitions, "", func(s *story) {
		s.orders = s.orders[:2]
		s.addOrder("o-1", 3, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderExpired{OrderExpired: &eventv1.OrderExpired{}}})
		s.orders[0].Change.(*eventv1.OrderEvent_OrderPlaced).OrderPlaced.PaymentDeadlineMicros = occurred + 1
	}},
	{"a return with too little due", verify.Money, "", func(s *story) { comeBack(s, 1) }},
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
}

// Amendments: what was asked for, what was granted, and what it costs.
var amendmentViolations = []violation{
	{"amended without the stock", verify.Agreement, "", func(s *story) { amended(s, 3, 7_660_000, 2_550_000) }},
	{"more held than the amended order wants", verify.Agreement, "", func(s *story) { amended(s, 4, 10_220_000, 5_110_000); followed(s) }},
	{"reserved for an amendment what is not there", verify.Oversold, "", func(s *story) {
		amended(s, 11, 28_100_000, 22_990_000)
		s.end(level(9, -1, 9, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockReserved{StockReserved: &eventv1.StockReserved{Step: stepOf(s, "o-1", 6), Quantity: 9, Allocations: fromMain(9)}}})
	}},
	{"declined, and reserved all the same", verify.Agreement, "", func(s *story) {
		askedFor(s, 3)
		s.addOrder("o-1", 7, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_AmendmentDeclined{AmendmentDeclined: &eventv1.AmendmentDeclined{Reason: "order_moved_on"}}})
		followed(s)
	}},
	{"declined with stock there", verify.Refused, "", func(s *story) { askedFor(s, 3); refuse(s, 7, 1) }},
	{"declined for lines that do not grow", verify.Refused, "", func(s *story) {
		askedFor(s, 12)
		s.addOrder("o-1", 7, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_AmendmentDeclined{AmendmentDeclined: &eventv1.AmendmentDeclined{Short: []*eventv1.ShortLine{{Sku: "A", Requested: 12, Reason: short}}}}})
	}},
	{"declined for no reason", verify.Refused, "", func(s *story) {
		askedFor(s, 12)
		s.addOrder("o-1", 7, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_AmendmentDeclined{AmendmentDeclined: &eventv1.AmendmentDeclined{}}})
	}},
	{"declined without having been asked for", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_AmendmentDeclined{AmendmentDeclined: &eventv1.AmendmentDeclined{Reason: "order_moved_on"}}})
	}},
	{"amended otherwise than asked for", verify.Transitions, "", func(s *story) {
		e := amended(s, 3, 7_660_000, 2_550_000)
		e.Lines = []*eventv1.AmendedLine{{Line: 1, Sku: "A", Quantity: 3, UnitPriceMicros: 2_555_000, FormerQuantity: 2, FormerUnitPriceMicros: 2_555_001}}
	}},
	{"amended to less than has shipped", verify.Transitions, "", func(s *story) { amended(s, 0, 0, 0).VoidedMicros = 5_110_000 }},
	{"an amendment of nothing", verify.Transitions, "", func(s *story) { askedFor(s, 2) }},
	{"two amendments at a time", verify.Transitions, "", func(s *story) { askedFor(s, 3); s.orders = append(s.orders, s.orders[5]); s.orders[6].Meta.Version = 7 }},
	{"shipped while stock was asked", verify.Transitions, "", func(s *story) {
		askedFor(s, 3)
		s.addOrder("o-1", 7, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_LinesShipped{LinesShipped: &eventv1.LinesShipped{FulfilmentId: "g", Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}}})
	}},
	{"amended lines that do not make the subtotal", verify.Money, "", func(s *story) { amended(s, 3, 7_660_000, 2_550_000).SubtotalMicros++; followed(s) }},
	{"an amended total rounded the wrong way", verify.Money, "", func(s *story) { amended(s, 3, 7_670_000, 2_560_000); followed(s) }},
	{"amended down with nothing voided", verify.Money, "", func(s *story) { amended(s, 1, 2_560_000, 0) }},
	{"amended up with nothing due", verify.Money, "", func(s *story) { amended(s, 3, 7_660_000, 0); followed(s) }},
	{"shipped with a payment due", verify.Money, "", func(s *story) {
		amended(s, 3, 7_660_000, 2_550_000)
		followed(s)
		s.addOrder("o-1", 8, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_LinesShipped{LinesShipped: &eventv1.LinesShipped{FulfilmentId: "g", Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}}}}})
	}},
}

// document is o-2, which stock is asked for, of so many of A.
func document(s *story, quantity int64) *eventv1.OrderImported {
	d := &eventv1.OrderImported{
		CustomerId: "c", Currency: "GBP", Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: quantity, UnitPriceMicros: 1_000_000}},
		SubtotalMicros: quantity * 1_000_000, TotalMicros: quantity * 1_000_000,
	}
	s.addOrder("o-2", 1, "k-2", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_ImportRequested{ImportRequested: &eventv1.ImportRequested{Document: &eventv1.ImportRequested_Order{Order: d}}}})
	return d
}

// documentRefused is o-2 without stock for it.
func documentRefused(s *story) {
	document(s, 20)
	s.addOrder("o-2", 2, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderRejected{OrderRejected: &eventv1.OrderRejected{Short: []*eventv1.ShortLine{{Sku: "A", Requested: 20, Available: 8, Reason: short}}}}})
	s.end(level(9, 8, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_ReservationRejected{ReservationRejected: &eventv1.ReservationRejected{Step: stepOf(s, "o-2", 1), Quantity: 20, Available: 8, Reason: short}}})
}

// documentAgain imports what had been refused, and is there now, under the same key.
func documentAgain(s *story) {
	documentRefused(s)
	s.addOrder("o-2", 3, "k-2", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderImported{OrderImported: &eventv1.OrderImported{
		CustomerId: "c", Currency: "GBP", Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: 1, UnitPriceMicros: 1_000_000}}, SubtotalMicros: 1_000_000, TotalMicros: 1_000_000,
	}}})
	s.end(level(8, 7, 0, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockFulfilled{StockFulfilled: &eventv1.StockFulfilled{Step: stepOf(s, "o-2", 3), Quantity: 1, FromAvailable: fromMain(1)}}})
}

// Past documents that stock is asked for.
var documentViolations = []violation{
	{"imported otherwise than asked for", verify.Transitions, "", func(s *story) {
		document(s, 2)
		s.addOrder("o-2", 2, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderImported{OrderImported: document(&story{}, 3)}})
	}},
	{"an order that is imported", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "x", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_ImportRequested{ImportRequested: &eventv1.ImportRequested{Document: &eventv1.ImportRequested_Order{Order: document(&story{}, 3)}}}})
	}},
	{"asked for twice at a time", verify.Transitions, "", func(s *story) {
		document(s, 2)
		document(s, 2)
		s.orders[len(s.orders)-1].Meta.Version = 2
	}},
	{"imported without the stock", verify.Agreement, "", func(s *story) {
		d := document(s, 2)
		s.addOrder("o-2", 2, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderImported{OrderImported: d}})
	}},
	{"a refused document that holds stock", verify.Agreement, "", func(s *story) {
		documentRefused(s)
		s.end(level(9, 7, 1, 1), &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_StockReserved{StockReserved: &eventv1.StockReserved{Step: stepOf(s, "o-2", 2), Quantity: 1, Allocations: fromMain(1)}}})
	}},
	{"a refused document that is cancelled", verify.Transitions, "", func(s *story) {
		documentRefused(s)
		s.addOrder("o-2", 3, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderCancelled{OrderCancelled: &eventv1.OrderCancelled{}}})
	}},
	{"a document imported for a second time", verify.OneKey, "", func(s *story) {
		documentAgain(s)
		again := s.orders[len(s.orders)-1].GetOrderImported()
		s.addOrder("o-2", 4, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_ReservationSettled{ReservationSettled: &eventv1.ReservationSettled{ReservationVersion: 3}}})
		s.addOrder("o-2", 5, "k-2", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderImported{OrderImported: again}})
	}},
}

func TestARefusedDocumentMayComeAgain(t *testing.T) {
	for name, tell := range map[string]func(*story){"refused": documentRefused, "imported": documentAgain} {
		s := healthy()
		tell(s)
		status := map[string]int{"refused": 409, "imported": 201}[name]
		if r := s.tell(t, fmt.Sprintf(`{"key":"k-2","type":"import_order","order_id":"o-2","status":%d}`, status)); len(violated(r)) > 0 {
			t.Errorf("%s: %v", name, violated(r))
		}
	}
	s := healthy()
	documentAgain(s)
	told := `{"key":"k-2","type":"import_order","order_id":"o-2","status":%d}`
	if r := s.tell(t, fmt.Sprintf(told+"\n"+told, 409, 201)); len(violated(r)) > 0 {
		t.Errorf("refused, and imported when it came again: %v", violated(r))
	}
	if r := s.tell(t, fmt.Sprintf(told, 409)); len(violated(r)) != 1 {
		t.Errorf("imported, and told that it was not: %v", violated(r))
	}
}

// Orders and stock against each other.
var agreementViolations = []violation{
	{"stock that no order wants", verify.Agreement, "", func(s *story) { s.orders = nil }},
	{"an order that stock knows nothing of", verify.Agreement, "", func(s *story) { s.stock = s.stock[:2] }},
	{"an order that has not heard of its stock", verify.Agreement, "", func(s *story) {
		waits2(s)
		s.addOrder("o-2", 2, "", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderBackordered{OrderBackordered: &eventv1.OrderBackordered{Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}}}}})
		filled(s, 2, 0)
	}},
	{"stock kept for a cancelled line", verify.Agreement, "", func(s *story) { linesCancelled(s, 1, 2_560_000, 2_550_000) }},
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
	{"a return that stock knows nothing of", verify.Agreement, "", func(s *story) { comeBack(s, 2_560_000) }},
}

// Keys, answers and refusals: what clients were told, and what took effect.
var answerViolations = []violation{
	{"an acknowledged order that is not there", verify.Acknowledged, goodAck + `{"key":"k-2","order_id":"o-2","status":201,"outcome":"reserved"}`, func(*story) {}},
	{"an answer with another order", verify.OneKey, `{"key":"k-1","order_id":"o-9","status":201,"outcome":"reserved"}`, func(*story) {}},
	{"a refusal that reserved", verify.Refused, `{"key":"k-1","order_id":"o-1","status":409,"outcome":"insufficient_stock"}`, func(*story) {}},
	{"one key, two orders", verify.OneKey, "", func(s *story) {
		s.addOrder("o-2", 1, "k-1", &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderPlaced{OrderPlaced: s.placed()}})
	}},
	{"a key that takes effect twice", verify.OneKey, "", func(s *story) { receipt(s, "r-1"); s.stock[1].Meta.IdempotencyKey = "r-1" }},
	{"an order placed twice", verify.OneKey, "", func(s *story) {
		s.addOrder("o-1", 6, "k-2", &eventv1.OrderEvent{Change: s.orders[0].Change})
	}},
	{"refused with stock there", verify.Refused, "", func(s *story) { refused(s, 2, 8, short) }},
	{"refused with a false count", verify.Refused, "", func(s *story) { refused(s, 9, 3, short) }},
	{"a bad request that left an order", verify.Refused, `{"key":"k-1","status":400,"outcome":"invalid_quantity"}`, func(*story) {}},
	{"an acknowledged receipt that is not there", verify.Acknowledged, `{"key":"r-9","type":"receive_stock","sku":"A","status":201}`, func(*story) {}},
	{"an acknowledged shipment of an order that is not there", verify.Acknowledged, `{"key":"s","type":"ship_order","order_id":"o-9","status":201}`, func(*story) {}},
	{"an acknowledged registration of nothing", verify.Acknowledged, `{"key":"r-9","type":"register_item","sku":"B","status":200}`, func(*story) {}},
	{"a receipt beyond the log", verify.Acknowledged, `{"key":"r-9","type":"register_item","sku":"A","status":200,"position":"i0.99"}`, func(*story) {}},
	{"a refused shipment that was made", verify.Refused, `{"key":"s","type":"ship_order","order_id":"o-1","status":409}`, func(*story) {}},
	{"an acknowledged document that was refused", verify.Acknowledged, `{"key":"k-2","type":"import_order","order_id":"o-2","status":201}`, documentRefused},
	{"a position beyond the log", verify.Acknowledged, `{"key":"k-1","order_id":"o-1","status":201,"position":"o0.99"}`, func(*story) {}},
}

// What every event carries.
var envelopeViolations = []violation{
	{"a gap of versions", verify.Versions, "", func(s *story) { s.orders[3].Meta.Version = 7 }},
	{"a repeated event", verify.Versions, "", func(s *story) { s.stock = append(s.stock, s.stock[4]) }},
	{"a record under another key", verify.Versions, "", func(s *story) {
		s.spoil = func(rec *eventlog.Record) {
			if rec.Topic == eventlog.TopicInventory {
				rec.Key = []byte("B")
			}
		}
	}},
	{"an event that does not decode", verify.Envelope, "", func(s *story) {
		s.spoilOrders(func(rec *eventlog.Record) { rec.Value = []byte("garbage") })
	}},
	{"another CloudEvents id", verify.Envelope, "", func(s *story) {
		s.spoilOrders(func(rec *eventlog.Record) { rec.Headers[1].Value = []byte("someone else's") })
	}},
	{"a former generation's write", verify.Versions, "", func(s *story) { s.orders[2].Meta.Generation = 1 }},
	{"another shard's write", verify.Versions, "", func(s *story) { s.orders[4].Meta.Generation, s.orders[4].Meta.Shard = 1, 1 }},
	{"no time in the headers", verify.Envelope, "", func(s *story) {
		s.spoilOrders(func(rec *eventlog.Record) { rec.Headers = rec.Headers[:4] })
	}},
}

// Availability rows.
var viewViolations = []violation{
	{"a row that is behind", verify.View, "", func(s *story) { s.rows[0].Version, s.rows[0].SourceOffset = 4, 3 }},
	{"a row with other levels", verify.View, "", func(s *story) { s.rows[0].Total = level(9, 9, 0, 0) }},
	{"a row with a transfer that is not", verify.View, "", func(s *story) { s.rows[0].Transfers = []*eventv1.OpenTransfer{{TransferId: "t", Remaining: 1}} }},
	{"a row with a delivery that is not to come", verify.View, "", func(s *story) { s.rows[0].Deliveries = []*eventv1.OpenDelivery{{Quantity: 1}} }},
	{"a row with an order that does not wait", verify.View, "", func(s *story) { s.rows[0].Backorders = []*eventv1.WaitingOrder{{OrderId: "o-1", Quantity: 1}} }},
	{"a row of an earlier format alone", verify.View, "", func(s *story) { s.rows[0].Format = 1 }},
	{"a row too few", verify.View, "", func(s *story) { s.rows = nil }},
	{"a row with another description", verify.View, "", func(s *story) { s.rows[0].Description = "b" }},
	{"a row of an event that is not there", verify.View, "", func(s *story) { s.rows[0].SourceOffset = 40 }},
	{"a SKU that only the view has", verify.View, "", func(s *story) {
		s.rows = append(s.rows, &eventv1.AvailabilityRow{Sku: "B", Version: 1, SourceOffset: 2, Format: 2})
	}},
}
