package verify

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// checkOversold checks that stock promises no more than it has (I1). Units are short where more is promised than there
// is. Only a backorder may make an item shorter, and the orders that wait may not wait for more than its limit. Goods
// that did not arrive go to their order again also while others wait for them (INV-67).
func (c *checker) checkOversold(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent, shortBefore int64) {
	short := it.short()
	switch ch := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockReserved:
		r := ch.StockReserved
		c.check(Oversold, short <= shortBefore || r.ShipsAgain && short-shortBefore <= r.Quantity,
			"%s: SKU %s is %d short after it was reserved, and was %d short", at(rec), ev.Sku, short, shortBefore)
	case *eventv1.InventoryEvent_StockBackordered:
		waits := it.backorderedUnits()
		c.check(Oversold, waits <= it.backorderLimit || ch.StockBackordered.ShipsAgain,
			"%s: orders wait for %d of SKU %s after a backorder; its limit is %d", at(rec), waits, ev.Sku, it.backorderLimit)
		c.check(Conserved, short-shortBefore == ch.StockBackordered.Backordered && short > shortBefore,
			"%s: SKU %s says that %d are backordered, it is %d shorter",
			at(rec), ev.Sku, ch.StockBackordered.Backordered, short-shortBefore)
	case *eventv1.InventoryEvent_BackorderFilled:
		c.check(Oversold, short <= shortBefore,
			"%s: SKU %s is %d short after a backorder was filled, and was %d short", at(rec), ev.Sku, short, shortBefore)
	case *eventv1.InventoryEvent_ReservationFellShort:
		c.check(Oversold, short <= shortBefore,
			"%s: SKU %s is %d short after that had an owner, and was %d short", at(rec), ev.Sku, short, shortBefore)
	case *eventv1.InventoryEvent_StockFulfilled:
		c.check(Oversold, short <= shortBefore,
			"%s: SKU %s is %d short after it left, and was %d short", at(rec), ev.Sku, short, shortBefore)
	case *eventv1.InventoryEvent_ReservationRejected:
		c.checkRejection(rec, it, ch.ReservationRejected)
	}
}

// checkRejection checks that a rejected reservation was rejected for a true reason, with a true count (I5).
func (c *checker) checkRejection(rec *eventlog.Record, it *item, ch *eventv1.ReservationRejected) {
	there := it.reservable(ch.Step, c.reservationOf(it.sku, ch.Step.GetOrderId()))
	if ch.Available == it.sellable() {
		there = ch.Available // a past document cannot be backordered
	}
	c.check(Refused, ch.Available == there, "%s: refused with %d to be had, there are %d", at(rec), ch.Available, there)
	switch ch.Reason {
	case eventv1.RejectionReason_REJECTION_REASON_INSUFFICIENT_STOCK:
		c.check(Refused, it.registered && ch.Quantity > there,
			"%s: %d were refused with %d there", at(rec), ch.Quantity, there)
	case eventv1.RejectionReason_REJECTION_REASON_UNKNOWN_SKU:
		c.check(Refused, !it.registered, "%s: refused as unknown, and is registered", at(rec))
	case eventv1.RejectionReason_REJECTION_REASON_OTHER_LINE:
	default:
		c.check(Refused, false, "%s: refused without a reason", at(rec))
	}
}

// short is what is promised and not there, of all locations.
func (it *item) short() (n int64) {
	for _, l := range it.locations {
		n += max(0, -l.level.Available)
	}
	return n
}
