package verify_test

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// reservedFor has stock that is reserved for an order which the log does not have.
func reservedFor(orderID string) *story {
	s := healthy()
	s.orders, s.rows, s.stock = nil, nil, s.stock[:3]
	s.stock[2].Change.(*eventv1.InventoryEvent_StockReserved).StockReserved.Step.OrderId = orderID
	return s
}

// reservedApart are two such: the order is in another shard than its stock, or in the same one.
func reservedApart(layout eventlog.Layout) (apart, together *story) {
	home := layout.ShardOf(eventlog.PartitionFor("A", layout.PartitionCount))
	for i := 0; apart == nil || together == nil; i++ {
		id := fmt.Sprint("o-", i)
		if layout.ShardOf(eventlog.PartitionFor(id, layout.PartitionCount)) == home {
			together = reservedFor(id)
		} else {
			apart = reservedFor(id)
		}
	}
	return apart, together
}

// rejected adds an order that wants another SKU, and is refused it.
func (s *story) rejected(id string) {
	s.addOrder(id, 1, "k-2", schematest.OrderEvent(&eventv1.OrderPlacedV2{
		CustomerId: "c", Currency: "GBP", Lines: []*eventv1.OrderLine{{Sku: "B", Quantity: 1, UnitPriceMicros: 1_000_000}},
		SubtotalMicros: 1_000_000, TotalMicros: 1_000_000, PaymentTerms: eventv1.PaymentTerms_PAYMENT_TERMS_PREPAID}))
	s.addOrder(id, 2, "", schematest.OrderEvent(&eventv1.OrderRejected{Short: []*eventv1.ShortLine{{
		Sku: "B", Requested: 1, Reason: eventv1.RejectionReason_REJECTION_REASON_UNKNOWN_SKU}}}))
}

// Stock of another shard was asked for an order that is not in the log: it may still be written. Once nothing is under
// way, and where both are one shard's, that is wrong.
func TestStockThatWaitsForAnOrderToBeWritten(t *testing.T) {
	layout := eventlog.Layout{PartitionCount: 2, ShardCount: 2}
	apart, together := reservedApart(layout)
	otherwise, _ := reservedApart(layout)
	otherwise.rejected(otherwise.stock[2].Change.(*eventv1.InventoryEvent_StockReserved).StockReserved.Step.OrderId)
	for name, c := range map[string]struct {
		story              *story
		settled            bool
		unplaced, violated int64
	}{
		"under way":    {apart, false, 1, 0},
		"nothing is":   {apart, true, 1, 1},
		"in one shard": {together, false, 0, 1},
		// The shard of the order was lost, and the client's retry has placed it.
		"another attempt is placed":  {otherwise, false, 1, 0},
		"nothing is given back then": {otherwise, true, 1, 1},
	} {
		log := logtest.New(t, layout)
		c.story.write(t, log)
		report, err := verify.Run(log.Ctx, log.Client, verify.Options{Settled: c.settled})
		if err != nil {
			t.Fatal(err)
		}
		if int64(report.UnplacedOrders) != c.unplaced {
			t.Errorf("%s: %d orders are not placed", name, report.UnplacedOrders)
		}
		for _, inv := range report.Invariants {
			if inv.ID == verify.Agreement && inv.Violations != c.violated {
				t.Errorf("%s: %q", name, inv.Examples)
			}
		}
	}
}
