package verify_test

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// violation is planted into a healthy log, or claimed by acks, and must be found.
type violation struct {
	name, want, acks string
	plant            func(*story)
}

func TestViolationsAreFound(t *testing.T) {
	for _, list := range [][]violation{
		stockViolations, orderViolations, amendmentViolations, documentViolations, agreementViolations, answerViolations,
		envelopeViolations, viewViolations,
	} {
		for _, v := range list {
			t.Run(v.name, func(t *testing.T) {
				s := healthy()
				v.plant(s)
				report := s.verify(t, v.acks)
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

func (s *story) placed() *eventv1.OrderPlacedV2 {
	return s.orders[0].Change.(*eventv1.OrderEvent_OrderPlacedV2).OrderPlacedV2
}

// spoilOrders changes every record of an order before it is written.
func (s *story) spoilOrders(spoil func(*eventlog.Record)) {
	s.spoil = func(rec *eventlog.Record) {
		if rec.Topic == eventlog.TopicOrders {
			spoil(rec)
		}
	}
}

// Orders and stock against each other.
var agreementViolations = []violation{
	{"stock that no order wants", verify.Agreement, "", func(s *story) { s.orders = nil }},
	{"an order that stock knows nothing of", verify.Agreement, "", func(s *story) { s.stock = s.stock[:2] }},
	{"an order that has not heard of its stock", verify.Agreement, "", func(s *story) {
		backorderTwo(s)
		s.addOrder("o-2", 2, "", schematest.OrderEvent(&eventv1.OrderBackordered{
			Backordered: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}},
		}))
		fillBackorder(s, 2, 0)
	}},
	{
		"stock kept for a cancelled line", verify.Agreement, "",
		func(s *story) { linesCancelled(s, 1, 2_560_000, 2_550_000) },
	},
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
	{"a return that stock knows nothing of", verify.Agreement, "", func(s *story) { receiveReturnV1(s, 2_560_000) }},
}

// Keys, answers and refusals: what clients were told, and what took effect.
var answerViolations = []violation{
	{
		"an acknowledged order that is not there", verify.Acknowledged,
		goodAck + `{"key":"k-2","order_id":"o-2","status":201,"outcome":"reserved"}`, func(*story) {},
	},
	{
		"an answer with another order", verify.OneKey, `{"key":"k-1","order_id":"o-9","status":201,"outcome":"reserved"}`,
		func(*story) {},
	},
	{
		"a refusal that reserved", verify.Refused,
		`{"key":"k-1","order_id":"o-1","status":409,"outcome":"insufficient_stock"}`, func(*story) {},
	},
	{"one key, two orders", verify.OneKey, "", func(s *story) {
		s.addOrder("o-2", 1, "k-1", schematest.OrderEvent(s.placed()))
	}},
	{
		"a key that takes effect twice", verify.OneKey, "",
		func(s *story) { receiveOne(s, "r-1"); s.stock[1].Meta.IdempotencyKey = "r-1" },
	},
	{"an order placed twice", verify.OneKey, "", func(s *story) {
		s.addOrder("o-1", 6, "k-2", &eventv1.OrderEvent{Change: s.orders[0].Change})
	}},
	{"refused with stock there", verify.Refused, "", func(s *story) { rejectReservation(s, 2, 8, short) }},
	{"refused with a false count", verify.Refused, "", func(s *story) { rejectReservation(s, 9, 3, short) }},
	{
		"a bad request that left an order", verify.Refused, `{"key":"k-1","status":400,"outcome":"invalid_quantity"}`,
		func(*story) {},
	},
	{
		"an acknowledged receipt that is not there", verify.Acknowledged,
		`{"key":"r-9","type":"receive_stock","sku":"A","status":201}`, func(*story) {},
	},
	{
		"an acknowledged shipment of an order that is not there", verify.Acknowledged,
		`{"key":"s","type":"ship_order","order_id":"o-9","status":201}`, func(*story) {},
	},
	{
		"an acknowledged registration of nothing", verify.Acknowledged,
		`{"key":"r-9","type":"register_item","sku":"B","status":200}`, func(*story) {},
	},
	{
		"a receipt beyond the log", verify.Acknowledged,
		`{"key":"r-9","type":"register_item","sku":"A","status":200,"position":"i0.99"}`, func(*story) {},
	},
	{
		"a refused shipment that was made", verify.Refused, `{"key":"s","type":"ship_order","order_id":"o-1","status":409}`,
		func(*story) {},
	},
	{
		"an acknowledged document that was refused", verify.Acknowledged,
		`{"key":"k-2","type":"import_order","order_id":"o-2","status":201}`, documentRefused,
	},
	{
		"a position beyond the log", verify.Acknowledged, `{"key":"k-1","order_id":"o-1","status":201,"position":"o0.99"}`,
		func(*story) {},
	},
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
	{
		"another shard's write", verify.Versions, "",
		func(s *story) { s.orders[4].Meta.Generation, s.orders[4].Meta.Shard = 1, 1 },
	},
	{"somebody who asked for what no command wanted", verify.Envelope, "", func(s *story) {
		s.orders[1].Meta.Cause = eventv1.Cause_CAUSE_SAGA
		s.orders[1].Meta.Principal = &eventv1.Principal{Name: "alice"}
	}},
	{"somebody without a name", verify.Envelope, "", func(s *story) {
		s.orders[0].Meta.Cause, s.orders[0].Meta.Principal = eventv1.Cause_CAUSE_COMMAND, &eventv1.Principal{}
	}},
	{"no time in the headers", verify.Envelope, "", func(s *story) {
		s.spoilOrders(func(rec *eventlog.Record) { rec.Headers = rec.Headers[:4] })
	}},
}

// Availability rows.
var viewViolations = []violation{
	{"a row that is behind", verify.View, "", func(s *story) { s.rows[0].Version, s.rows[0].SourceOffset = 4, 3 }},
	{"a row with other levels", verify.View, "", func(s *story) { s.rows[0].Total = level(9, 9, 0, 0) }},
	{
		"a row with a transfer that is not", verify.View, "",
		func(s *story) { s.rows[0].Transfers = []*eventv1.OpenTransfer{{TransferId: "t", Remaining: 1}} },
	},
	{
		"a row with a delivery that is not to come", verify.View, "",
		func(s *story) { s.rows[0].Deliveries = []*eventv1.OpenDelivery{{Quantity: 1}} },
	},
	{
		"a row with an order that does not wait", verify.View, "",
		func(s *story) { s.rows[0].Backorders = []*eventv1.WaitingOrder{{OrderId: "o-1", Quantity: 1}} },
	},
	{"a row of an earlier format alone", verify.View, "", func(s *story) { s.rows[0].Format = 3 }},
	{"a row with another version for clients", verify.View, "", func(s *story) { s.rows[0].VisibleVersion = 4 }},
	{"a row too few", verify.View, "", func(s *story) { s.rows = nil }},
	{"a row with another description", verify.View, "", func(s *story) { s.rows[0].Description = "b" }},
	{"a row with other metadata", verify.View, "", func(s *story) { s.rows[0].Metadata[0].Value = "4712" }},
	{"a row without its metadata", verify.View, "", func(s *story) { s.rows[0].Metadata = nil }},
	{"a row of an event that is not there", verify.View, "", func(s *story) { s.rows[0].SourceOffset = 40 }},
	{"a SKU that only the view has", verify.View, "", func(s *story) {
		s.rows = append(s.rows, &eventv1.AvailabilityRow{Sku: "B", Version: 1, SourceOffset: 2, Format: 4})
	}},
}
