package verify_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

const occurred = 1_700_000_000_000_000

// story is the events of a log before they are written, so that a test can spoil them.
type story struct {
	stock  []*eventv1.InventoryEvent
	orders []*eventv1.OrderEvent
	rows   []*eventv1.AvailabilityRow
	// spoil changes a record before it is written.
	spoil func(*eventlog.Record)
	next  byte
}

func (s *story) meta(version uint64, key string) *eventv1.Meta {
	s.next++
	id := make([]byte, 16)
	id[0] = s.next
	return &eventv1.Meta{
		EventId: id, Version: version, OccurredAtMicros: occurred, RecordedAtMicros: occurred, IdempotencyKey: key,
		Cause: eventv1.Cause_CAUSE_COMMAND,
	}
}

func level(onHand, available, reserved, committed int64) *eventv1.Level {
	return &eventv1.Level{OnHand: onHand, Available: available, Reserved: reserved, Committed: committed}
}

func (s *story) addStock(version uint64, l *eventv1.Level, ev *eventv1.InventoryEvent) *eventv1.InventoryEvent {
	ev.Sku, ev.Meta, ev.Total = "A", s.meta(version, ""), l
	if l.OnHand != 0 || l.Available != 0 {
		ev.Locations = []*eventv1.LocationLevel{{Location: "main", Level: l}}
	}
	s.stock = append(s.stock, ev)
	return ev
}

func (s *story) addOrder(id string, version uint64, key string, ev *eventv1.OrderEvent) *eventv1.OrderEvent {
	ev.OrderId, ev.Meta = id, s.meta(version, key)
	s.orders = append(s.orders, ev)
	return ev
}

// healthy is an order of two units, of ten in stock. It is paid, and one unit has shipped.
func healthy() *story {
	s := &story{}
	placed := s.addOrder("o-1", 1, "k-1", schematest.OrderEvent(&eventv1.OrderPlacedV2{
		CustomerId: "c", Currency: "GBP", Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: 2, UnitPriceMicros: 2_555_000}},
		SubtotalMicros: 5_110_000, TotalMicros: 5_110_000, PaymentTerms: eventv1.PaymentTerms_PAYMENT_TERMS_PREPAID}))
	s.addOrder("o-1", 2, "", schematest.OrderEvent(&eventv1.OrderReserved{}))
	s.addOrder("o-1", 3, "p", schematest.OrderEvent(&eventv1.PaymentAuthorizedV3{AmountMicros: 5_110_000}))
	s.addOrder("o-1", 4, "p", schematest.OrderEvent(&eventv1.OrderConfirmed{}))
	s.addOrder("o-1", 5, "s", schematest.OrderEvent(&eventv1.LinesShippedV2{
		FulfilmentId: "f", Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: 1}}}))
	step := func(version uint64) *eventv1.ReservationStep {
		return &eventv1.ReservationStep{OrderId: "o-1", PlacedEventId: placed.Meta.EventId, Version: version}
	}
	take := func(n int64) []*eventv1.Allocation { return []*eventv1.Allocation{{Location: "main", Quantity: n}} }
	s.addStock(1, level(0, 0, 0, 0), schematest.StockEvent(&eventv1.ItemRegistered{
		Description: "a", Metadata: &eventv1.Metadata{Entries: []*eventv1.MetadataEntry{{Key: "erp.id", Value: "4711"}}},
	}))
	s.addStock(2, level(10, 10, 0, 0), schematest.StockEvent(&eventv1.StockReceived{Location: "main", Quantity: 10}))
	s.addStock(3, level(10, 8, 2, 0), schematest.StockEvent(&eventv1.StockReserved{
		Step: step(1), Quantity: 2, Allocations: take(2),
	}))
	s.addStock(4, level(10, 8, 0, 2), schematest.StockEvent(&eventv1.ReservationCommitted{
		Step: step(4), Quantity: 2, Allocations: take(2),
	}))
	s.addStock(5, level(9, 8, 0, 1), schematest.StockEvent(&eventv1.StockFulfilled{
		Step: step(5), Quantity: 1, FromCommitted: take(1),
	}))
	s.rows = []*eventv1.AvailabilityRow{
		{Sku: "A", Description: "a", Registered: true, Version: 5, VisibleVersion: 5, Total: level(9, 8, 0, 1),
			Locations: []*eventv1.LocationLevel{{Location: "main", Level: level(9, 8, 0, 1)}}, SourceOffset: 4,
			OccurredAtMicros: occurred, Format: 4, Metadata: []*eventv1.MetadataEntry{{Key: "erp.id", Value: "4711"}}},
	}
	return s
}

func (s *story) verify(t *testing.T, acks string) *verify.Report {
	t.Helper()
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	if err := log.Client.Produce(log.Ctx, s.records(t, log.Layout)); err != nil {
		t.Fatal(err)
	}
	var o verify.Options
	if acks != "" {
		o.Acks = strings.NewReader(acks)
	}
	report, err := verify.Run(log.Ctx, log.Client, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func (s *story) records(t *testing.T, layout eventlog.Layout) []*eventlog.Record {
	t.Helper()
	var out []*eventlog.Record
	for _, ev := range s.orders {
		v, err := ev.MarshalVT()
		out = append(out,
			s.record(t, layout, eventlog.TopicOrders, ev.OrderId, v, err, ev.Meta, "/holdfast/orders", typeOf(ev)))
	}
	for _, ev := range s.stock {
		v, err := ev.MarshalVT()
		out = append(out,
			s.record(t, layout, eventlog.TopicInventory, ev.Sku, v, err, ev.Meta, "/holdfast/inventory", typeOf(ev)))
	}
	for _, row := range s.rows {
		v, err := row.MarshalVT()
		out = append(out, s.record(t, layout, eventlog.TopicAvailability, row.Sku, v, err, nil, "", ""))
	}
	return out
}

func (s *story) record(
	t *testing.T, layout eventlog.Layout, topic, key string, value []byte, err error, m *eventv1.Meta,
	source, ceType string,
) *eventlog.Record {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	rec := &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: topic, Partition: eventlog.PartitionFor(key, layout.PartitionCount)},
		Key:            []byte(key), Value: value, TimestampMicros: occurred,
	}
	if m != nil {
		id := hex.EncodeToString(m.EventId)
		header := func(key, value string) {
			rec.Headers = append(rec.Headers, eventlog.Header{Key: key, Value: []byte(value)})
		}
		header("ce_specversion", "1.0")
		header("ce_id", fmt.Sprintf("%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:]))
		header("ce_source", source)
		header("ce_type", ceType)
		header("ce_time", time.UnixMicro(m.OccurredAtMicros).UTC().Format(time.RFC3339Nano))
	}
	if s.spoil != nil {
		s.spoil(rec)
	}
	return rec
}

func violated(r *verify.Report) map[string]bool {
	ids := map[string]bool{}
	for _, inv := range r.Invariants {
		if inv.Violations > 0 {
			ids[inv.ID] = true
		}
	}
	return ids
}

const goodAck = `{"key":"k-1","order_id":"o-1","status":201,"outcome":"reserved"}` + "\n"

// goodAcks are of every kind: of a placement and of other commands, done, repeated, refused, and unknown.
const goodAcks = goodAck + `{"key":"k-1","type":"place_order","order_id":"o-1","status":201,"outcome":"reserved"}
{"key":"s","type":"ship_order","order_id":"o-1","status":201,"outcome":"confirmed","position":"o0.5"}
{"key":"again","type":"register_item","sku":"A","status":200}
{"key":"s-2","type":"ship_order","order_id":"o-1","status":409,"outcome":"nothing_to_ship"}
{"key":"s","type":"ship_order","order_id":"o-1","status":422,"outcome":"idempotency_key_reused"}
{"key":"p","type":"authorize_payment","order_id":"o-1","status":429}
{"key":"p","type":"authorize_payment","order_id":"o-1","status":503}
`

func TestAHealthyLogIsClean(t *testing.T) {
	report := healthy().verify(t, goodAcks)
	if !report.Clean() {
		t.Fatalf("%v: %+v", violated(report), report.Invariants)
	}
	for _, inv := range report.Invariants {
		if inv.Checked == 0 && inv.Note == "" {
			t.Errorf("%s checked nothing", inv.ID)
		}
	}
}

// typeOf is an event's CloudEvents type.
func typeOf(ev proto.Message) string {
	name, version := schema.Name(ev)
	return fmt.Sprintf("holdfast.%s.v%d", name, version)
}
