package verify

import (
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// transfer is what is on its way between two locations.
type transfer struct {
	from, to string
	left     int64
}

func (c *checker) foldTransferShipped(rec *eventlog.Record, it *item, t *eventv1.TransferShipped) {
	c.check(Conserved, t.Quantity > 0 && t.FromLocation != t.ToLocation && it.transfers[t.TransferId] == nil,
		"%s: ships %d from %s to %s as %s", at(rec), t.Quantity, t.FromLocation, t.ToLocation, t.TransferId)
	left := it.addUnits(t.FromLocation, -t.Quantity)
	c.check(Oversold, left.Available >= 0, "%s: shipped more to another location than %s had", at(rec), t.FromLocation)
	it.touch(t.ToLocation).Incoming += t.Quantity
	it.transfers[t.TransferId] = &transfer{t.FromLocation, t.ToLocation, t.Quantity}
}

func (c *checker) foldTransferReceived(rec *eventlog.Record, it *item, t *eventv1.TransferReceived) {
	way := it.transfers[t.TransferId]
	moved := t.Quantity + t.Damaged + t.Missing + t.Rejected
	sameRoute := way != nil && way.from == t.FromLocation && way.to == t.ToLocation
	nonNegative := min(t.Quantity, t.Damaged, t.Missing, t.Rejected) >= 0
	c.check(Conserved, sameRoute && nonNegative && moved > 0 && moved <= way.left,
		"%s: %d arrive, %d damaged, %d are missing and %d rejected of transfer %s, of which %+v is on its way",
		at(rec), t.Quantity, t.Damaged, t.Missing, t.Rejected, t.TransferId, way)
	c.check(Transitions, (t.Reason != "") == (t.Rejected > 0),
		"%s: %d are rejected for the reason %q", at(rec), t.Rejected, t.Reason)
	l := it.addUnits(t.ToLocation, t.Quantity)
	l.OnHand += t.Damaged
	l.Damaged += t.Damaged
	l.Incoming -= moved
	if t.Rejected != 0 {
		back := it.touch(t.FromLocation)
		back.OnHand += t.Rejected
		back.QualityControl += t.Rejected
	}
	if way == nil {
		return
	}
	if way.left -= moved; way.left <= 0 {
		delete(it.transfers, t.TransferId)
	}
}

func (c *checker) foldTransferCancelled(rec *eventlog.Record, it *item, t *eventv1.TransferCancelled) {
	way := it.transfers[t.TransferId]
	c.check(Conserved, way != nil && *way == transfer{t.FromLocation, t.ToLocation, t.Quantity},
		"%s: %d from %s to %s are cancelled of transfer %s, of which %+v is on its way",
		at(rec), t.Quantity, t.FromLocation, t.ToLocation, t.TransferId, way)
	it.addUnits(t.FromLocation, t.Quantity)
	it.touch(t.ToLocation).Incoming -= t.Quantity
	delete(it.transfers, t.TransferId)
}
