package analytics

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// BenchmarkDecode decodes records into columns, without the broker and without ClickHouse.
func BenchmarkDecode(b *testing.B) {
	const orders = 1_000
	for _, linesAnOrder := range []int{1, 20} {
		var recs []*eventlog.Record
		for n := range orders {
			recs = append(recs, benchOrder(b, n, linesAnOrder), benchReservation(b, n))
		}
		b.Run(fmt.Sprintf("lines=%d", linesAnOrder), func(b *testing.B) {
			b.ReportAllocs()
			batch, fold := newBatch(), newSalesFold(nil, nil)
			decoded := 0
			for b.Loop() {
				batch.reset()
				for _, rec := range recs {
					if err := batch.add(rec); err != nil {
						b.Fatal(err)
					}
				}
				if err := batch.foldSales(b.Context(), fold); err != nil {
					b.Fatal(err)
				}
				decoded += batch.count()
			}
			b.ReportMetric(float64(decoded)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func benchMeta(version uint64) *eventv1.Meta {
	eventID := uuid.New()
	now := time.Now().UnixMicro()
	return &eventv1.Meta{
		EventId: eventID[:], Version: version, OccurredAtMicros: now, RecordedAtMicros: now,
		IdempotencyKey: eventID.String(), Cause: eventv1.Cause_CAUSE_COMMAND,
	}
}

// encodable is an event that can be encoded.
type encodable interface{ MarshalVT() ([]byte, error) }

func benchRecord(b *testing.B, topic string, offset int, ev encodable) *eventlog.Record {
	b.Helper()
	value, err := ev.MarshalVT()
	if err != nil {
		b.Fatal(err)
	}
	return &eventlog.Record{TopicPartition: eventlog.TopicPartition{Topic: topic}, Offset: int64(offset), Value: value}
}

func benchOrder(b *testing.B, n, lines int) *eventlog.Record {
	b.Helper()
	imported := &eventv1.OrderImported{
		CustomerId: fmt.Sprint(12_000 + n%500), Currency: "GBP", Country: "United Kingdom",
		Reference: fmt.Sprint(536_365 + n),
	}
	for i := range lines {
		imported.Lines = append(imported.Lines, &eventv1.OrderLine{
			Sku: fmt.Sprint(20_000 + (n*7+i*31)%4_000), Quantity: int64(i + 1), UnitPriceMicros: 2_550_000,
		})
	}
	return benchRecord(b, eventlog.TopicOrders, n, &eventv1.OrderEvent{
		OrderId: uuid.NewString(), Meta: benchMeta(1),
		Change: &eventv1.OrderEvent_OrderImported{OrderImported: imported},
	})
}

func benchReservation(b *testing.B, n int) *eventlog.Record {
	b.Helper()
	level := &eventv1.Level{OnHand: 1_000, Available: 900, Reserved: 100}
	return benchRecord(b, eventlog.TopicInventory, n, &eventv1.InventoryEvent{
		Sku: fmt.Sprint(20_000 + n), Meta: benchMeta(uint64(n + 1)), Total: level,
		Locations: []*eventv1.LocationLevel{{Location: "main", Level: level}},
		Change: &eventv1.InventoryEvent_StockReserved{StockReserved: &eventv1.StockReserved{
			Step: &eventv1.ReservationStep{OrderId: uuid.NewString(), Version: 1}, Quantity: 1,
			Allocations: []*eventv1.Allocation{{Location: "main", Quantity: 1}},
		}},
	})
}
