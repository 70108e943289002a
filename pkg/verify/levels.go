package verify

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// checkLevels checks conservation (I2): the levels that an event states are those that the deltas make, the states of a
// level add up to what is on hand, and every level that changed is stated.
func (c *checker) checkLevels(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent) {
	total := it.total()
	c.check(Conserved, sameLevel(total, ev.Total),
		"%s: SKU %s states %v in all, its changes make %v", at(rec), ev.Sku, ev.Total, total)
	for _, stated := range ev.Locations {
		mine := &eventv1.Level{}
		if l := it.find(stated.Location); l != nil {
			mine, l.touched = &l.level, false
			if l.onHand != mine.OnHand {
				l.onHand, l.onHandVersion = mine.OnHand, it.version
			}
		}
		c.check(Conserved, sameLevel(mine, stated.Level),
			"%s: SKU %s states %v at %s, its changes make %v", at(rec), ev.Sku, stated.Level, stated.Location, mine)
		sum := mine.Available + mine.Reserved + mine.Committed + mine.SafetyStock + mine.Damaged + mine.QualityControl
		c.check(Conserved, mine.OnHand == sum,
			"%s: SKU %s has %d on hand at %s, its states add up to %d", at(rec), ev.Sku, mine.OnHand, stated.Location, sum)
		least := min(mine.Reserved, mine.Committed, mine.SafetyStock, mine.Damaged, mine.QualityControl, mine.Incoming)
		c.check(Conserved, least >= 0,
			"%s: SKU %s has less than nothing of a state at %s: %v", at(rec), ev.Sku, stated.Location, mine)
	}
	for _, l := range it.locations {
		if l.touched {
			c.check(Conserved, false, "%s: SKU %s changed at %s without stating it", at(rec), ev.Sku, l.name)
			l.touched = false
		}
	}
}

func (it *item) total() *eventv1.Level {
	if len(it.locations) == 1 {
		return &it.locations[0].level
	}
	sum := &eventv1.Level{}
	for _, l := range it.locations {
		sum.OnHand += l.level.OnHand
		sum.Available += l.level.Available
		sum.Reserved += l.level.Reserved
		sum.Committed += l.level.Committed
		sum.SafetyStock += l.level.SafetyStock
		sum.Damaged += l.level.Damaged
		sum.QualityControl += l.level.QualityControl
		sum.Incoming += l.level.Incoming
	}
	return sum
}

func sameLevel(a, b *eventv1.Level) bool {
	return a.GetOnHand() == b.GetOnHand() && a.GetAvailable() == b.GetAvailable() && a.GetReserved() == b.GetReserved() &&
		a.GetCommitted() == b.GetCommitted() && a.GetSafetyStock() == b.GetSafetyStock() &&
		a.GetDamaged() == b.GetDamaged() &&
		a.GetQualityControl() == b.GetQualityControl() && a.GetIncoming() == b.GetIncoming()
}
