package verify_test

import (
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Amendments: what was asked for, what was granted, and what it costs.
var amendmentViolations = []violation{
	{"amended without the stock", verify.Agreement, "", func(s *story) { amendOrder(s, 3, 7_660_000, 2_550_000) }},
	{
		"more held than the amended order wants", verify.Agreement, "",
		func(s *story) { amendOrder(s, 4, 10_220_000, 5_110_000); stockFollows(s) },
	},
	{"reserved for an amendment what is not there", verify.Oversold, "", func(s *story) {
		amendOrder(s, 11, 28_100_000, 22_990_000)
		s.appendStock(level(9, -1, 9, 1), schematest.StockEvent(&eventv1.StockReserved{
			Step: stepOf(s, "o-1", 6), Quantity: 9, Allocations: fromMain(9),
		}))
	}},
	{"declined, and reserved all the same", verify.Agreement, "", func(s *story) {
		requestAmendment(s, 3)
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.AmendmentDeclined{Reason: "order_moved_on"}))
		stockFollows(s)
	}},
	{"declined with stock there", verify.Refused, "", func(s *story) { requestAmendment(s, 3); stockRejects(s, 7, 1) }},
	{"declined for lines that do not grow", verify.Refused, "", func(s *story) {
		requestAmendment(s, 12)
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.AmendmentDeclined{
			Short: []*eventv1.ShortLine{{Sku: "A", Requested: 12, Reason: short}},
		}))
	}},
	{"declined for no reason", verify.Refused, "", func(s *story) {
		requestAmendment(s, 12)
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.AmendmentDeclined{}))
	}},
	{"declined without having been asked for", verify.Transitions, "", func(s *story) {
		s.addOrder("o-1", 6, "", schematest.OrderEvent(&eventv1.AmendmentDeclined{Reason: "order_moved_on"}))
	}},
	{"amended otherwise than asked for", verify.Transitions, "", func(s *story) {
		e := amendOrder(s, 3, 7_660_000, 2_550_000)
		e.Lines = []*eventv1.AmendedLine{
			{Line: 1, Sku: "A", Quantity: 3, UnitPriceMicros: 2_555_000, FormerQuantity: 2, FormerUnitPriceMicros: 2_555_001},
		}
	}},
	{
		"amended to less than has shipped", verify.Transitions, "",
		func(s *story) { amendOrder(s, 0, 0, 0).VoidedMicros = 5_110_000 },
	},
	{"an amendment of nothing", verify.Transitions, "", func(s *story) { requestAmendment(s, 2) }},
	{
		"two amendments at a time", verify.Transitions, "",
		func(s *story) {
			requestAmendment(s, 3)
			s.orders = append(s.orders, s.orders[5])
			s.orders[6].Meta.Version = 7
		},
	},
	{"shipped while stock was asked", verify.Transitions, "", func(s *story) {
		requestAmendment(s, 3)
		s.addOrder("o-1", 7, "", schematest.OrderEvent(&eventv1.LinesShippedV2{
			FulfilmentId: "g",
			Lines:        []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}},
		}))
	}},
	{
		"amended lines that do not make the subtotal", verify.Money, "",
		func(s *story) { amendOrder(s, 3, 7_660_000, 2_550_000).SubtotalMicros++; stockFollows(s) },
	},
	{
		"an amended total rounded the wrong way", verify.Money, "",
		func(s *story) { amendOrder(s, 3, 7_670_000, 2_560_000); stockFollows(s) },
	},
	{"amended down with nothing voided", verify.Money, "", func(s *story) { amendOrder(s, 1, 2_560_000, 0) }},
	{"amended up with nothing due", verify.Money, "", func(s *story) { amendOrder(s, 3, 7_660_000, 0); stockFollows(s) }},
	{"cancelled at the end of no deadline", verify.Transitions, "", func(s *story) {
		amendOrder(s, 3, 7_660_000, 2_550_000)
		stockFollows(s)
		ev := s.addOrder("o-1", 8, "", schematest.OrderEvent(&eventv1.LinesCancelledV2{
			Lines:          []*eventv1.CancelledLine{{Sku: "A", Quantity: 2, UnitPriceMicros: 2_555_000}},
			SubtotalMicros: 2_555_000, TotalMicros: 2_560_000, VoidedMicros: 2_550_000, Reason: "payment_expired",
		}))
		ev.Meta.Cause = eventv1.Cause_CAUSE_TIMER
	}},
	{"shipped with a payment due", verify.Money, "", func(s *story) {
		amendOrder(s, 3, 7_660_000, 2_550_000)
		stockFollows(s)
		s.addOrder("o-1", 8, "", schematest.OrderEvent(&eventv1.LinesShippedV2{
			FulfilmentId: "g",
			Lines:        []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}},
		}))
	}},
}
