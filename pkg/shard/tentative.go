package shard

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// tentativeFor is far longer than an order may ask first: one that was asked about so long before the newest of its
// shard is written, or its shard has another owner.
const tentativeFor = 10 * askFirstFor

// tentativeSteps are the steps of late that stock of this shard has answered for orders that were not written yet, by
// the orders' shards, the oldest first. When a shard has a new owner, it is asked about them: what the former owner has
// not written never will be. They are in memory only: who acquires a shard asks about everything that is reserved.
//
// A step may come late, after the question. It is found by the slow sweep, which is every sweepEvery.
type tentativeSteps map[int32][]tentativeStep

type tentativeStep struct {
	orderID  string
	atMicros int64
}

// note takes in a step.
func (t tentativeSteps) note(source int32, orderID string, nowMicros int64) {
	steps, old := t[source], 0
	for old < len(steps) && steps[old].atMicros < nowMicros-tentativeFor.Microseconds() {
		old++
	}
	t[source] = append(steps[old:], tentativeStep{orderID, nowMicros})
}

// knowsTentative reports whether the owner of a shard knows tentative steps: one of an earlier release does not.
func (n *Node) knowsTentative(shard int32) bool {
	if n.takesMessages(uint32(shard)) != nil {
		return true
	}
	owner, err := n.owners.lookup(shard)
	return err == nil && owner.tentative
}

// sweepTentative has the new owner of a shard asked about the orders that its former owner may not have written, before
// all others: a sweep that is under way may have a million of them.
func (d *decider) sweepTentative(source int32) {
	steps := d.tentative[source]
	delete(d.tentative, source)
	ids := make([]string, len(steps), len(steps)+len(d.sweep.orders))
	for i := range steps {
		ids[i] = steps[i].orderID
	}
	if len(ids) > 0 {
		d.sweep.orders = append(ids, d.sweep.orders...)
	}
}

// hasOtherAttempt reports whether stock has anything of another attempt to place the order of a tentative step.
func (d *decider) hasOtherAttempt(step *inventory.Step, wanted []order.Wanted) (bool, error) {
	reservations, err := d.store.Reservations(step.OrderID)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(wanted, func(w order.Wanted) bool {
		res := reservations.Find(w.SKU)
		return res != nil && res.Version > 0 && res.PlacedEventID != step.PlacedEventID
	}), nil
}
