package verify_test

import (
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Orders: money and changes of status.
var orderViolations = []violation{
	{"lines that do not make the subtotal", verify.Money, "", func(s *story) { s.placed().SubtotalMicros++ }},
	{"a total rounded the wrong way", verify.Money, "", func(s *story) { s.placed().TotalMicros = 5_120_000 }},
	{"more captured than authorized", verify.Money, "", func(s *story) {
		s.addOrder("o-1", 6, "c", schematest.OrderEvent(&eventv1.PaymentCapturedV3{AmountMicros: 6_000_000}))
	}},
	{"shipped before it was confirmed", verify.Transitions, "", func(s *story) {
		s.orders[3], s.orders[4] = s.orders[4], s.orders[3]
		s.orders[3].Meta.Version, s.orders[4].Meta.Version = 4, 5
	}},
	{"more shipped than ordered", verify.Transitions, "", func(s *story) {
		s.orders[4].Change.(*eventv1.OrderEvent_LinesShippedV2).LinesShippedV2.Lines[0].Quantity = 3
	}},
	{"a line shipped under another SKU's number", verify.Transitions, "", func(s *story) {
		s.orders[4].Change.(*eventv1.OrderEvent_LinesShippedV2).LinesShippedV2.Lines[0].Line = 2
	}},
	{"a line cancelled at another price than its own", verify.Money, "", func(s *story) {
		s.orders[4].Change.(*eventv1.OrderEvent_LinesShippedV2).LinesShippedV2.Lines[0].Line = 1
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.LinesCancelledV2{
			Lines:          []*eventv1.CancelledLine{{Line: 1, Sku: "A", Quantity: 1, UnitPriceMicros: 1}},
			SubtotalMicros: 5_109_999, TotalMicros: 5_110_000,
		}))
	}},
	{"an order filled with more than it waits for", verify.Transitions, "", func(s *story) {
		backorderTwo(s)
		s.addOrder("o-2", 2, "", schematest.OrderEvent(&eventv1.OrderBackordered{
			Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}},
		}))
		s.addOrder("o-2", 3, "", schematest.OrderEvent(&eventv1.OrderBackorderFilled{
			Filled: []*eventv1.LineQuantity{{Sku: "A", Quantity: 3}},
		}))
	}},
	{"cancelled with too little voided", verify.Money, "", func(s *story) {
		s.orders[4] = s.addOrder("o-1", 5, "", schematest.OrderEvent(&eventv1.OrderCancelled{VoidedMicros: 1}))
		s.orders = s.orders[:5]
	}},
	{"resumed as what it was not", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.OrderHeld{}))
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.OrderResumed{}))
	}},
	{"shipped while on hold", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.OrderHeld{}))
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.LinesShippedV2{
			FulfilmentId: "g", Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}))
	}},
	{"more cancelled than was left", verify.Transitions, "", func(s *story) { linesCancelled(s, 2, 0, 5_110_000) }},
	{"too little voided for cancelled lines", verify.Money, "", func(s *story) { linesCancelled(s, 1, 2_560_000, 0) }},
	{"a fulfilment cancelled after it shipped", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.FulfilmentCancelled{FulfilmentId: "f"}))
	}},
	{"a fulfilment delivered before it shipped", verify.Transitions, "", func(s *story) {
		one := []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.FulfilmentCreatedV2{FulfilmentId: "g", Lines: one}))
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: "g", Lines: one}))
	}},
	{"more did not arrive than was on its way", verify.Transitions, "", func(s *story) { failDelivery(s, 2, cameBack) }},
	{"did not arrive and became of nothing", verify.Transitions, "", func(s *story) { failDelivery(s, 1, 0) }},
	{"lost, and in stock again", verify.Agreement, "", func(s *story) { failDelivery(s, 1, gotLost) }},
	{"did not arrive before it shipped", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.DeliveryFailed{
			FulfilmentId: "g", Lines: []*eventv1.UndeliveredLine{{Line: 1, Sku: "A", Quantity: 1, Condition: gotLost}}}))
	}},
	{"arrived after it had not", verify.Transitions, "", func(s *story) {
		failDelivery(s, 1, cameBack)
		s.addOrder("o-1", 9, "", schematest.OrderEvent(&eventv1.LinesDeliveredV2{
			FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 1}}}))
	}},
	{"another quantity taken back than was shipped", verify.Transitions, "", func(s *story) { reverseShipment(s, 2) }},
	{"another line taken back than was shipped", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.ShipmentReversed{
			FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "B", Quantity: 1}}}))
	}},
	{"stock takes another quantity back than was shipped", verify.Conserved, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.ShipmentReversed{
			FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 1}}}))
		s.appendStock(level(10, 9, 0, 1), schematest.StockEvent(&eventv1.StockRestocked{
			Step: stepOf(s, "o-1", 6), Quantity: 1, Allocations: fromMain(1), Reason: eventv1.Reason_REASON_CORRECTION,
			Reversed: []*eventv1.ReversedShipment{{Version: 5, Quantity: 2}}}))
	}},
	{"a return that says a shipment was taken back", verify.Conserved, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.ShipmentReversed{
			FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 1}}}))
		s.appendStock(level(10, 9, 0, 1), schematest.StockEvent(&eventv1.StockRestocked{
			Step: stepOf(s, "o-1", 6), Quantity: 1, Allocations: fromMain(1), Reason: eventv1.Reason_REASON_RETURN,
			Reversed: []*eventv1.ReversedShipment{{Version: 5, Quantity: 1}}}))
	}},
	{"a shipment taken back twice", verify.Transitions, "", func(s *story) {
		reverseShipment(s, 1)
		s.addOrder("o-1", 9, "", schematest.OrderEvent(&eventv1.ShipmentReversed{
			FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 1}}}))
	}},
	{"a shipment taken back that had arrived", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.LinesDeliveredV2{
			FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 1}}}))
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.ShipmentReversed{
			FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 1}}}))
	}},
	{"a shipment taken back, and stock not told", verify.Agreement, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.ShipmentReversed{
			FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 1}}}))
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.ReservationSettled{ReservationVersion: 6}))
	}},
	{"a delivery taken back that was none", verify.Transitions, "", func(s *story) { deliverAndReverse(s, 2) }},
	{"a delivery taken back of goods that came back", verify.Transitions, "", func(s *story) {
		receiveReturn(s, eventv1.Condition_CONDITION_DAMAGED)
		s.addOrder("o-1", 10, "", schematest.OrderEvent(&eventv1.DeliveryReversed{
			FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "A", Quantity: 1}}}))
	}},
	{"more voided than was held", verify.Money, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.PaymentVoidedV3{AmountMicros: 5_110_001}))
	}},
	{"more refunded than was captured", verify.Money, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.PaymentRefundedV3{AmountMicros: 1}))
	}},
	{"a refund that waits, although money was captured", verify.Money, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.PaymentRefundedV3{UnmatchedMicros: 1_000_000}))
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.PaymentCapturedV3{AmountMicros: 1_000_000}))
		s.addOrder("o-1", 8, "", schematest.OrderEvent(&eventv1.PaymentFailed{}))
	}},
	{"one event of the provider recorded twice", verify.Money, "", func(s *story) {
		for _, version := range []uint64{6, 7} {
			s.addOrder("o-1", version, "", schematest.OrderEvent(&eventv1.PaymentFailed{ProviderEventId: "evt"}))
		}
	}},
	{"one event of a provider recorded again without its name", verify.Money, "", func(s *story) {
		for i, provider := range []string{"stripe", "gift card", ""} {
			s.addOrder("o-1", uint64(6+i), "",
				schematest.OrderEvent(&eventv1.PaymentFailed{ProviderEventId: "evt", Provider: provider}))
		}
	}},
	{"an ID of the provider for a payment that is not there", verify.Money, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.PaymentIdentified{
			Action: eventv1.PaymentAction_PAYMENT_ACTION_FAILED, Reference: "pi", ProviderEventId: "evt",
		}))
	}},
	{"an ID of the provider for what is no payment", verify.Money, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.PaymentIdentified{Action: 99, ProviderEventId: "evt"}))
	}},
	{"an ID of the provider for two payments", verify.Money, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.PaymentFailed{Reference: "pi"}))
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.PaymentFailed{ProviderEventId: "evt"}))
		s.addOrder("o-1", 8, "", schematest.OrderEvent(&eventv1.PaymentIdentified{
			Action: eventv1.PaymentAction_PAYMENT_ACTION_FAILED, Reference: "pi", ProviderEventId: "evt",
		}))
	}},
	{"captured after it was voided", verify.Money, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.PaymentVoidedV3{AmountMicros: 5_110_000}))
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.PaymentCapturedV3{AmountMicros: 1}))
	}},
	{"shipped after its money was voided", verify.Money, "", func(s *story) {
		voidAndShip(s, schematest.OrderEvent(&eventv1.LinesShippedV2{FulfilmentId: "g", Lines: oneA}))
	}},
	{"packed after its money was voided", verify.Money, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.PaymentVoidedV3{AmountMicros: 5_110_000}))
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.FulfilmentCreatedV2{FulfilmentId: "g", Lines: oneA}))
	}},
	{"shipped for a reason that was not needed", verify.Money, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.LinesShippedV2{
			FulfilmentId: "g", Lines: oneA, UncoveredReason: "paid at the door"}))
		theRestShips(s, 6)
	}},
	{"shipped as backordered for a reason that was not needed", verify.Transitions, "", func(s *story) {
		shipped := s.orders[4].Change.(*eventv1.OrderEvent_LinesShippedV2).LinesShippedV2
		shipped.Lines[0].Line, shipped.BackorderedReason = 1, "behind the shelf"
	}},
	{"fell short of more than was ordered", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.OrderFellShort{
			Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: 9}}}))
	}},
	{"reopened without its money", verify.Money, "", func(s *story) {
		s.orders = s.orders[:2]
		s.orders[0].Change.(*eventv1.OrderEvent_OrderPlacedV2).OrderPlacedV2.PaymentDeadlineMicros = 1
		s.addOrder("o-1", 3, "", schematest.OrderEvent(&eventv1.OrderExpired{}))
		s.addOrder("o-1", 4, "", schematest.OrderEvent(&eventv1.OrderReopened{}))
	}},
	{"a deadline that goes back", verify.Transitions, "", func(s *story) {
		s.orders = s.orders[:2]
		s.orders[0].Change.(*eventv1.OrderEvent_OrderPlacedV2).OrderPlacedV2.PaymentDeadlineMicros = 10
		s.addOrder("o-1", 3, "", schematest.OrderEvent(&eventv1.PaymentStarted{PaymentDeadlineMicros: 9}))
	}},
	{"confirmed without its money", verify.Money, "", func(s *story) {
		s.orders[2].Change.(*eventv1.OrderEvent_PaymentAuthorizedV3).PaymentAuthorizedV3.AmountMicros = 1
	}},
	{"cancelled after it shipped", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.OrderCancelled{VoidedMicros: 5_110_000}))
	}},
	{"delivered more than shipped", verify.Transitions, "", func(s *story) { deliveries(s, 2) }},
	{"delivered twice", verify.Transitions, "", func(s *story) { deliveries(s, 1, 1) }},
	{"delivered less than nothing", verify.Transitions, "", func(s *story) { deliveries(s, -1) }},
	{"delivered what was in another shipment", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.LinesShippedV2{
			FulfilmentId: "g", Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}))
		deliveries(s, 1, 1)
	}},
	{"delivered without a shipment", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: "g"}))
	}},
	{"expired before its deadline", verify.Transitions, "", func(s *story) {
		s.orders = s.orders[:2]
		s.addOrder("o-1", 3, "", schematest.OrderEvent(&eventv1.OrderExpired{}))
		s.orders[0].Change.(*eventv1.OrderEvent_OrderPlacedV2).OrderPlacedV2.PaymentDeadlineMicros = occurred + 1
	}},
	{"a return with too little due", verify.Money, "", func(s *story) { receiveReturnV1(s, 1) }},
	{"more came back than was asked for", verify.Transitions, "", func(s *story) {
		receiveReturnV1(s, 2_560_000)
		s.addOrder("o-1", 10, "", &eventv1.OrderEvent{Change: s.orders[len(s.orders)-1].Change})
	}},
	{"asked back before it was delivered", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.ReturnRequestedV2{
			ReturnId: "r", Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}))
	}},
	{"gave up a return that is not there", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.ReturnCancelledV2{ReturnId: "q"}))
	}},
}
