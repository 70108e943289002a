package codec

import (
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/metadata"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// There is one sample of every event, with every field set. Golden files have their bytes. An event with a new field
// gets a new sample, and the former one moves to the older samples: the log has such events for ever.

func sampleMeta() Meta {
	return Meta{
		EventID: [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, Version: 7,
		OccurredAtMicros: 1_291_190_760_000_000, RecordedAtMicros: 1_760_000_000_123_456,
		IdempotencyKey: "key-1", Fingerprint: [16]byte{0xf0, 15: 0x0f}, Cause: eventv1.Cause_CAUSE_COMMAND,
		CausationID: [16]byte{0xc0, 15: 0x0c}, Generation: 2, Shard: 1,
	}
}

var (
	sampleLines = []order.PlaceLine{{SKU: "85123A", Quantity: 6, UnitPriceMicros: 2_550_000},
		{SKU: "22423", Quantity: 1, UnitPriceMicros: 12_750_000}}
	sampleAmended = []order.AmendedLine{
		{Line: 1, SKU: "85123A", Quantity: 9, UnitPriceMicros: 2_550_000, FormerQuantity: 6,
			FormerUnitPriceMicros: 2_550_000},
		{Line: 3, SKU: "22423", Quantity: 1, UnitPriceMicros: 12_750_000},
	}
	sampleShort = []order.ShortLine{
		{SKU: "85123A", Requested: 6, Available: 5, Reason: order.ReasonInsufficientStock},
		{SKU: "x", Requested: 1, Reason: order.ReasonUnknownSKU},
	}
	sampleTaxes = []order.Tax{
		{Name: "VAT", Jurisdiction: "GB", RateMillionths: 200_000, AmountMicros: 816_667},
		{Name: "eco", AmountMicros: 100_000},
	}
	samplePriced = []order.PlaceLine{
		{SKU: "85123A", Quantity: 6, UnitPriceMicros: 2_550_000, Details: &order.LineDetails{
			Discounts:           []order.Discount{{AmountMicros: 300_000, Code: "SUMMER", Description: "2 %"}},
			OrderDiscountMicros: 570_000, Taxes: sampleTaxes, Metadata: metadata.Map{{Key: "engraving", Value: "For Zoë"}},
		}},
		{SKU: "22423", Quantity: 1, UnitPriceMicros: 12_750_000, Details: &order.LineDetails{OrderDiscountMicros: 480_000}},
	}
	samplePricing = &order.Pricing{
		Charges: []order.Charge{
			{Kind: order.ChargeShipping, Description: "courier", AmountMicros: 4_900_000, Taxes: sampleTaxes[:1]},
			{Kind: order.ChargeGiftCard, AmountMicros: 10_000_000},
		},
		Discounts:     []order.Discount{{AmountMicros: 1_050_000, Code: "WELCOME"}},
		TaxesIncluded: true, Rounding: order.RoundByLine,
	}
	sampleAmendedPricing = []order.AmendedLine{{
		Line: 1, SKU: "85123A", Quantity: 9, UnitPriceMicros: 2_550_000, FormerQuantity: 6, FormerUnitPriceMicros: 2_550_000,
		DiscountMicros: 450_000, FormerDiscountMicros: 300_000, TaxMicros: 255_000, FormerTaxMicros: 170_000,
	}}
	sampleCredits = []order.ChargeCredit{{Charge: 1, AmountMicros: 4_900_000, TaxMicros: 816_667}}

	sampleWaiting       = []order.LineQuantity{{SKU: "85123A", Quantity: 4}, {SKU: "22423", Quantity: 1}}
	sampleStockVersions = []order.StockVersion{{SKU: "85123A", Version: 70}, {SKU: "22423", Version: 9}}
	sampleCancelled     = []order.CancelledLine{
		{Line: 1, SKU: "85123A", Quantity: 6, UnitPriceMicros: 2_550_000},
		{Line: 3, SKU: "22423", Quantity: 1, UnitPriceMicros: 12_750_000},
	}
	sampleReceived = []order.ReceivedLine{
		{Line: 1, SKU: "85123A", Quantity: 6, UnitPriceMicros: 2_550_000, Condition: order.Resellable},
		{Line: 3, SKU: "22423", Quantity: 1, UnitPriceMicros: 12_750_000, Condition: order.Damaged},
	}
	sampleQuantities = []order.LineQuantity{{SKU: "85123A", Quantity: 4, Line: 1}, {SKU: "22423", Quantity: 1, Line: 3}}
)

// samplePlaced is an order of which only lines cost something. It gained an allocation first, and metadata then.
func samplePlaced(gained int) order.OrderPlaced {
	p := order.OrderPlaced{
		CustomerID: "17850", Currency: "GBP", Lines: sampleLines, SubtotalMicros: 28_050_000, TotalMicros: 28_050_000,
		Terms: order.Prepaid, PaymentDeadlineMicros: 1_760_000_900_000_000, Country: "United Kingdom", Reference: "web 1",
	}
	if gained > 0 {
		p.Allocation = &order.AllocationRule{Policy: order.FewestLocations, Locations: []string{"north", "main"}}
	}
	if gained > 1 {
		p.Metadata = metadata.Map{{Key: "channel", Value: "web"}, {Key: "erp.id", Value: "4711"}}
	}
	return p
}

// sampleDocument is a past document. It gained metadata first, and what it costs besides its lines then.
func sampleDocument(kind order.Kind, reference string, gained int) order.DocumentImported {
	d := order.DocumentImported{
		Kind: kind, CustomerID: "17850", Currency: "GBP", Lines: sampleLines,
		SubtotalMicros: 28_050_000, TotalMicros: 28_050_000, Country: "EIRE", Reference: reference,
	}
	if gained > 0 {
		d.Metadata = metadata.Map{{Key: "channel", Value: "web"}, {Key: "erp.id", Value: "4711"}}
	}
	if gained > 1 {
		d.Lines, d.TotalMicros, d.Pricing = samplePriced, 28_900_000, samplePricing
	}
	return d
}

// orderSamples have the name of the oneof's member as key.
var orderSamples = map[string]order.Event{
	"order_placed": order.OrderPlaced{
		CustomerID: "17850", Currency: "GBP", Lines: samplePriced, SubtotalMicros: 28_050_000, TotalMicros: 28_900_000,
		Terms: order.Prepaid, PaymentDeadlineMicros: 1_760_000_900_000_000, Country: "United Kingdom", Reference: "web 1",
		Allocation: &order.AllocationRule{Policy: order.FewestLocations, Locations: []string{"north", "main"}},
		Metadata:   metadata.Map{{Key: "channel", Value: "web"}, {Key: "erp.id", Value: "4711"}},
		Pricing:    samplePricing,
	},
	"order_reserved":         order.OrderReserved{},
	"order_backordered":      order.OrderBackordered{Backordered: sampleWaiting},
	"order_backorder_filled": order.OrderBackorderFilled{Filled: sampleWaiting, StockVersions: sampleStockVersions},
	"order_fell_short":       order.OrderFellShort{Backordered: sampleWaiting, StockVersions: sampleStockVersions},
	"order_rejected":         order.OrderRejected{Short: sampleShort, RefundDueMicros: 8_050_000},
	"payment_authorized": order.PaymentAuthorized{
		AmountMicros: 28_050_000, Reference: "auth 1", ProviderEventID: "evt 1", Provider: "stripe",
		MatchedMicros: 8_050_000, VoidedMicros: 1_050_000,
	},
	"payment_captured": order.PaymentCaptured{
		AmountMicros: 8_050_000, Reference: "cap 1", ProviderEventID: "evt 2", Provider: "stripe",
		UnvoidedMicros: 3_050_000, RefundDueMicros: 2_050_000, UnmatchedMicros: 1_050_000,
	},
	"payment_started": order.PaymentStarted{
		Reference: "pi 1", Provider: "stripe", PaymentDeadlineMicros: 1_760_000_900_000_000},
	"payment_voided": order.PaymentVoided{
		AmountMicros: 20_000_000, Reference: "void 1", ProviderEventID: "evt 3", Provider: "stripe",
		Reason: "smaller order", UnmatchedMicros: 1_000_000,
	},
	"payment_refunded": order.PaymentRefunded{
		AmountMicros: 8_050_000, Reference: "refund 1", ProviderEventID: "evt 4", Provider: "stripe",
		Reason: "broken", GoodwillMicros: 1_050_000, UnmatchedMicros: 2_050_000, MatchedMicros: 3_050_000,
	},
	"cover_lost": order.CoverLost{PaymentDueMicros: 7_000_000, PaymentDeadlineMicros: 1_760_000_900_000_000},
	"payment_failed": order.PaymentFailed{
		Reference: "pi 1", ProviderEventID: "evt 5", Provider: "stripe", Reason: "card declined"},
	"payment_identified": order.PaymentIdentified{Payment: order.Payment{
		Action: order.Captured, Reference: "cap 1", AmountMicros: 8_050_000, ProviderEventID: "evt 6",
		Provider: "stripe"}},
	"order_reopened":  order.OrderReopened{PaymentDeadlineMicros: 1_760_000_900_000_000},
	"order_confirmed": order.OrderConfirmed{},
	"order_cancelled": order.OrderCancelled{Reason: "changed my mind", VoidedMicros: 20_000_000,
		RefundDueMicros: 8_050_000},
	"order_expired": order.OrderExpired{VoidedMicros: 1_000_000, RefundDueMicros: 2_220_000},
	"lines_shipped": order.LinesShipped{
		FulfilmentID: "f-1", Lines: sampleQuantities, TrackingReference: "1Z999", UncoveredReason: "paid at the door",
		BackorderedReason: "behind the shelf",
	},
	"lines_cancelled": order.LinesCancelled{
		Lines: []order.CancelledLine{{
			Line: 1, SKU: "85123A", Quantity: 6, UnitPriceMicros: 2_550_000, DiscountMicros: 300_000, TaxMicros: 170_000,
		}},
		Reason: "sold out", SubtotalMicros: 9_115_000, TotalMicros: 9_120_000, VoidedMicros: 1_000_000,
		RefundDueMicros: 2_220_000, Charges: sampleCredits,
	},
	"amendment_requested": order.AmendmentRequested{
		Lines: sampleAmendedPricing, Reason: "customer called", Charges: sampleCredits,
	},
	"order_amended": order.OrderAmended{
		Lines: sampleAmendedPricing, Backordered: sampleWaiting[:1], SubtotalMicros: 35_700_000, TotalMicros: 35_700_000,
		VoidedMicros: 1_000_000, RefundDueMicros: 2_220_000, PaymentDueMicros: 7_650_000, Charges: sampleCredits,
	},
	"amendment_declined": order.AmendmentDeclined{
		Short:  []order.ShortLine{{SKU: "85123A", Requested: 3, Available: 2, Reason: order.ReasonInsufficientStock}},
		Reason: order.EndedReason,
	},
	"order_held":           order.OrderHeld{Reason: "fraud check"},
	"order_resumed":        order.OrderResumed{Confirmed: true, PaymentDeadlineMicros: 1_760_000_900_000_000},
	"fulfilment_created":   order.FulfilmentCreated{FulfilmentID: "f-1", Lines: sampleQuantities},
	"fulfilment_cancelled": order.FulfilmentCancelled{FulfilmentID: "f-1", Reason: "no box"},
	"lines_delivered":      order.LinesDelivered{FulfilmentID: "f-1", Lines: sampleQuantities},
	"delivery_failed": order.DeliveryFailed{
		FulfilmentID: "f-1", Lines: []order.UndeliveredLine{
			{SKU: "85123A", Quantity: 2, Condition: order.Resellable, Line: 1},
			{SKU: "85123A", Quantity: 1, Condition: order.Lost, Line: 3},
		}, Location: "north", Reason: "refused at the door",
	},
	"shipment_reversed":    order.ShipmentReversed{FulfilmentID: "f-1", Lines: sampleQuantities, Reason: "wrong box"},
	"delivery_reversed":    order.DeliveryReversed{FulfilmentID: "f-1", Lines: sampleQuantities, Reason: "wrong door"},
	"order_imported":       sampleDocument(order.KindImportedOrder, "536365", 2),
	"credit_note_imported": sampleDocument(order.KindCreditNote, "C536379", 2),
	"import_requested":     order.ImportRequested{Document: sampleDocument(order.KindCreditNote, "C536379", 2)},
	"return_requested":     order.ReturnRequested{ReturnID: "r-1", Lines: sampleQuantities, Reason: "too big"},
	"return_received": order.ReturnReceived{
		ReturnID: "r-1", Lines: []order.ReceivedLine{{
			Line: 1, SKU: "85123A", Quantity: 6, UnitPriceMicros: 2_550_000, Condition: order.Resellable,
			DiscountMicros: 300_000, TaxMicros: 170_000,
		}},
		RefundDueMicros: 12_750_000, VoidedMicros: 2_550_000, Location: "north", Charges: sampleCredits,
		ReturnedMicros: 20_720_000,
	},
	"return_cancelled":    order.ReturnCancelled{ReturnID: "r-1", Lines: sampleQuantities, Reason: "kept"},
	"reservation_settled": order.ReservationSettled{ReservationVersion: 5},
	"shipment_reconciled": order.ShipmentReconciled{FulfilmentID: "reconciled-7", Lines: sampleQuantities},
}

var (
	sampleStep = inventory.Step{OrderID: "o-1", PlacedEventID: inventory.ID{0xab, 15: 0xcd}, Version: 3}
	// The step of an order with a rule, which every change of a reservation may name.
	sampleRuled = inventory.Step{OrderID: "o-1", PlacedEventID: inventory.ID{0xab, 15: 0xcd}, Version: 3,
		Allocation: &inventory.AllocationRule{Policy: inventory.SingleLocation, Locations: []string{"north", "main"}}}
	sampleMain = []inventory.Allocation{{Location: "main", Quantity: 5}}
	sampleBoth = []inventory.Allocation{{Location: "main", Quantity: 5}, {Location: "north", Quantity: 2}}
	sampleSum  = inventory.Level{
		OnHand: 30, Available: -4, Reserved: 20, Committed: 8, SafetyStock: 3, Damaged: 2, QualityControl: 1, Incoming: 100,
	}
	sampleLocations = []inventory.LocationLevel{
		{Location: "main", Level: inventory.Level{OnHand: -1, Available: -9, Reserved: 8}},
		{Location: "north", Level: sampleSum},
	}
)

var inventorySamples = map[string]inventory.Change{
	"item_registered": inventory.ItemRegistered{
		Description: "WHITE HANGING HEART T-LIGHT HOLDER",
		Metadata:    &metadata.Map{{Key: "category", Value: "lighting"}, {Key: "erp.id", Value: "4711"}},
	},
	"stock_received": inventory.StockReceived{Location: "main", Quantity: 40, Reference: "delivery 9", Expected: 30,
		Cost: inventory.UnitCost{Micros: 1_250_000, Currency: "GBP"}},
	"stock_moved": inventory.StockMoved{
		Location: "main", From: inventory.StateQualityControl, To: inventory.StateDamaged, Quantity: 4, Reference: "box 4",
	},
	"transfer_shipped": inventory.TransferShipped{TransferID: "t-1", FromLocation: "main", ToLocation: "north",
		Quantity: 5, Reference: "van 2"},
	"transfer_received": inventory.TransferReceived{
		TransferID: "t-1", FromLocation: "main", ToLocation: "north", Quantity: 3, Missing: 1, Damaged: 1, Rejected: 2,
		Reason: "wrong colour",
	},
	"transfer_cancelled": inventory.TransferCancelled{
		TransferID: "t-1", FromLocation: "main", ToLocation: "north", Quantity: 5, Reason: "no van",
	},
	"stock_expected": inventory.StockExpected{Location: "main", Quantity: 40, Delta: -10, Reference: "PO-1"},
	"stock_adjusted": inventory.StockAdjusted{Location: "main", Delta: -3, Reason: inventory.ReasonShrinkage,
		Reference: "box 4"},
	"stock_counted": inventory.StockCounted{Location: "main", Counted: 37, Delta: -3, Reference: "count 2",
		CountedAtVersion: 5},
	"safety_stock_set":    inventory.SafetyStockSet{Location: "main", Quantity: 3, Delta: -2, Target: 5},
	"backorder_limit_set": inventory.BackorderLimitSet{Limit: 10},
	"stock_reserved": inventory.StockReserved{Step: sampleRuled, Quantity: 7, Allocations: sampleBoth,
		ShipsAgain: true},
	"stock_backordered": inventory.StockBackordered{Step: sampleStep, Quantity: 7, Backordered: 2,
		Allocations: sampleBoth, ShipsAgain: true},
	"reservation_rejected": inventory.ReservationRejected{Step: sampleStep, Quantity: 7, Available: 6,
		Reason: inventory.OtherLine},
	"reservation_committed": inventory.ReservationCommitted{Step: sampleStep, Quantity: 7, Allocations: sampleBoth},
	"reservation_released": inventory.ReservationReleased{Step: sampleStep, Quantity: 12, FromReserved: sampleMain,
		FromCommitted: sampleBoth},
	"stock_fulfilled": inventory.StockFulfilled{
		Step: sampleStep, Quantity: 17, FromReserved: sampleMain, FromCommitted: sampleBoth, FromAvailable: sampleMain,
		Backordered: sampleMain,
	},
	"backorder_filled": inventory.BackorderFilled{
		Step: sampleStep, Location: "main", Quantity: 9, Backordered: 3, Reserved: sampleMain, Committed: sampleBoth,
	},
	"reservation_fell_short": inventory.ReservationFellShort{
		Step: sampleStep, Location: "main", Quantity: 9, Backordered: 3, Reserved: sampleMain, Committed: sampleBoth,
	},
	"stock_restocked": inventory.StockRestocked{
		Step: sampleStep, Quantity: 12, Allocations: sampleMain, Reason: inventory.ReasonReturn, Damaged: sampleBoth,
		ReturnedAt: []inventory.ReturnedAt{{Location: "north", Restocked: 5, Damaged: 2}},
		Reversed:   []inventory.Reversed{{Version: 5, Quantity: 2}, {Version: 8, Quantity: 1}},
	},
}

// Older samples of a change, from before it had all of its fields. The golden file of the first has no number.
var (
	olderOrderSamples = map[string][]order.Event{
		"order_placed": {samplePlaced(2)}, // only its lines cost something
		"lines_cancelled": {order.LinesCancelled{
			Lines: sampleCancelled, Reason: "sold out", SubtotalMicros: 9_115_000, TotalMicros: 9_120_000,
			VoidedMicros:    1_000_000,
			RefundDueMicros: 2_220_000,
		}},
		"return_received": {order.ReturnReceived{
			ReturnID: "r-1", Lines: sampleReceived, RefundDueMicros: 12_750_000, VoidedMicros: 2_550_000, Location: "north",
		}},
		"order_imported":       {sampleDocument(order.KindImportedOrder, "536365", 1)},
		"credit_note_imported": {sampleDocument(order.KindCreditNote, "C536379", 1)},
		"import_requested": {
			order.ImportRequested{Document: sampleDocument(order.KindImportedOrder, "536365", 1)},
		},
		"order_rejected": {order.OrderRejected{Short: sampleShort}},
		"order_expired":  {order.OrderExpired{VoidedMicros: 1_000_000}},
		"lines_shipped": {order.LinesShipped{FulfilmentID: "f-1", Lines: sampleQuantities, TrackingReference: "1Z999",
			UncoveredReason: "paid at the door"}},
		"order_backorder_filled": {order.OrderBackorderFilled{Filled: sampleWaiting}},
		"payment_started": {
			order.PaymentStarted{Reference: "pi 1", PaymentDeadlineMicros: 1_760_000_900_000_000},
		},
		"payment_failed": {
			order.PaymentFailed{Reference: "pi 1", Reason: "card declined"},
			order.PaymentFailed{Reference: "pi 1", ProviderEventID: "evt 5", Reason: "card declined"},
		},
		"payment_identified": {order.PaymentIdentified{Payment: order.Payment{
			Action: order.Captured, Reference: "cap 1", AmountMicros: 8_050_000, ProviderEventID: "evt 6"}}},
	}
	olderInventorySamples = map[string][]inventory.Change{
		"stock_fulfilled": {inventory.StockFulfilled{
			Step: sampleStep, Quantity: 17, FromReserved: sampleMain, FromCommitted: sampleBoth, FromAvailable: sampleMain}},
		"item_registered": {
			inventory.ItemRegistered{Description: "WHITE HANGING HEART T-LIGHT HOLDER"},
			inventory.ItemRegistered{Metadata: new(metadata.Map)}, // which removes it
		},
		"stock_reserved": {
			inventory.StockReserved{Step: sampleStep, Quantity: 7, Allocations: sampleBoth},
			inventory.StockReserved{Step: sampleRuled, Quantity: 7, Allocations: sampleBoth},
		},
		"stock_backordered": {
			inventory.StockBackordered{Step: sampleStep, Quantity: 7, Backordered: 2, Allocations: sampleBoth},
		},
		"stock_restocked": {
			inventory.StockRestocked{Step: sampleStep, Quantity: 5, Allocations: sampleMain, Reason: inventory.ReasonReturn},
			inventory.StockRestocked{Step: sampleStep, Quantity: 12, Allocations: sampleMain, Reason: inventory.ReasonReturn,
				Damaged: sampleBoth},
			inventory.StockRestocked{Step: sampleStep, Quantity: 12, Allocations: sampleMain, Reason: inventory.ReasonReturn,
				Damaged: sampleBoth, ReturnedAt: []inventory.ReturnedAt{{Location: "north", Restocked: 5, Damaged: 2}}},
		},
		"safety_stock_set": {inventory.SafetyStockSet{Location: "main", Quantity: 3, Delta: -2}},
		"transfer_received": {
			inventory.TransferReceived{TransferID: "t-1", FromLocation: "main", ToLocation: "north", Quantity: 4, Missing: 1},
			inventory.TransferReceived{TransferID: "t-1", FromLocation: "main", ToLocation: "north", Quantity: 3, Missing: 1,
				Damaged: 1},
		},
		"stock_counted": {inventory.StockCounted{Location: "main", Counted: 37, Delta: -3, Reference: "count 2"}},
		"stock_received": {
			inventory.StockReceived{Location: "main", Quantity: 40, Reference: "delivery 9"},
			inventory.StockReceived{Location: "main", Quantity: 40, Reference: "delivery 9", Expected: 30},
		},
	}
)

func sampleEvent(c inventory.Change) inventory.Event {
	return inventory.Event{Change: c, Locations: sampleLocations, Total: sampleSum}
}
