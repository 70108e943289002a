package order_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/order/ordertest"
)

// legal says where each lifecycle may go.
var legal = map[order.Lifecycle][]order.Lifecycle{
	order.None: {order.Placed, order.Completed},
	order.Placed: {order.Placed, order.Reserved, order.Rejected, order.Cancelled, order.Expired, order.Confirmed,
		order.Completed},
	order.Reserved:  {order.Reserved, order.Confirmed, order.Cancelled, order.Expired, order.Completed, order.OnHold},
	order.Confirmed: {order.Confirmed, order.Completed, order.Cancelled, order.OnHold},
	order.OnHold:    {order.OnHold, order.Reserved, order.Confirmed, order.Completed, order.Cancelled},
	order.Completed: {order.Completed, order.Confirmed}, order.Rejected: {order.Rejected},
	order.Cancelled: {order.Cancelled},
	order.Expired:   {order.Expired, order.Placed},
}

// checkSubtotal compares what an order costs with its lines. An order that was cancelled keeps its price.
func checkSubtotal(o order.Order) string {
	if o.Lifecycle == order.Cancelled || o.Version == 0 {
		return ""
	}
	if subtotal, total, err := o.Reprice(); err != nil || subtotal != o.SubtotalMicros || total != o.TotalMicros {
		return "the lines do not make the total"
	}
	return ""
}

// checkVisible: an event that clients see gives the order its version, and any other changes nothing but the order's
// part in a step.
func checkVisible(before, after order.Order, ev order.Event) string {
	if order.Visible(ev) {
		if after.VisibleVersion != after.Version {
			return "clients see it, and not its version"
		}
		return ""
	}
	before.Version, before.ReservationVersion, before.Settled = after.Version, after.ReservationVersion, after.Settled
	before.Lines, after.Lines = slices.Clone(before.Lines), slices.Clone(after.Lines)
	for i := range before.Lines {
		before.Lines[i].ShipAgain, after.Lines[i].ShipAgain = 0, 0
	}
	if !reflect.DeepEqual(before, after) {
		return "no client sees it, and it changes the order"
	}
	return ""
}

// checkCover: what is not covered ships for a reason alone, and one is recorded only then (ORD-64). An order that has
// lost its cover says so (ORD-65).
func checkCover(before, after order.Order, ev order.Event) string {
	shipped, ok := ev.(order.LinesShipped)
	if ok && (shipped.UncoveredReason != "") != before.LacksCover() {
		return "it ships with the reason \"" + shipped.UncoveredReason + "\""
	}
	if after.CoverLost && !after.LacksCover() {
		return "its cover is not lost"
	}
	return ""
}

// checkEarlyRefunds: a refund waits only until money is captured, whoever captures it (ORD-66).
func checkEarlyRefunds(o order.Order) string {
	for _, p := range o.Unmatched {
		if p.Action == order.Refunded && o.CapturedMicros > o.RefundedMicros {
			return "a refund waits, although money was captured"
		}
	}
	return ""
}

// checkWantedOf compares what the order wants of each SKU with what it wants of all.
func checkWantedOf(o order.Order) string {
	for _, w := range o.Wanted() {
		if one, ok := o.WantedOf(w.SKU); !ok || !reflect.DeepEqual(one, w) {
			return "it wants another quantity of " + w.SKU + " alone"
		}
	}
	if _, ok := o.WantedOf("no SKU of any order"); ok {
		return "it wants what it does not have"
	}
	return ""
}

// With any commands, amounts and quantities add up, versions have no gaps, lifecycles change only as they may, and a
// wanted reservation never changes without its version.
func TestRandomCommandsKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o order.Order
		for range ordertest.Length(t) {
			cmd := ordertest.Command(t, o)
			events, err := order.Decide(o, cmd)
			var refusal *order.Error
			if err != nil && (!errors.As(err, &refusal) || len(events) > 0) {
				t.Fatalf("error %v with %d events", err, len(events))
			}
			for _, ev := range events {
				before := o
				o = order.Evolve(o, ev, order.Facts{EventID: order.ID{byte(o.Version + 1)}})
				if problem := order.CheckOrder(before, o); problem != "" {
					t.Fatalf("%T: %s", ev, problem)
				}
				if problem := checkWantedOf(o); problem != "" {
					t.Fatalf("%T: %s", ev, problem)
				}
				if problem := checkCover(before, o, ev); problem != "" {
					t.Fatalf("%T: %s", ev, problem)
				}
				if problem := checkVisible(before, o, ev); problem != "" {
					t.Fatalf("%T: %s", ev, problem)
				}
				again := before.RefusedDocument() && (o.Lifecycle == order.Placed || o.Lifecycle == order.Completed)
				if !slices.Contains(legal[before.Lifecycle], o.Lifecycle) && !again {
					t.Fatalf("%T takes an order from %s to %s", ev, before.Lifecycle, o.Lifecycle)
				}
			}
			if problem := checkEarlyRefunds(o); problem != "" {
				t.Fatal(problem)
			}
			if o.Lifecycle == order.Confirmed && o.LacksCover() && !o.CoverLost {
				t.Fatalf("after %T it is not covered, and waits for ever", cmd)
			}
			var wanted, ordered int64
			for _, w := range o.Wanted() {
				wanted += w.Reserved + w.Committed + w.Fulfilled
				if w.Restocked+w.Damaged > max(w.Fulfilled, w.Restocked) { // a credit note restocks what never left
					t.Fatalf("wants back %+v", w)
				}
			}
			for _, l := range o.Lines {
				ordered += l.Quantity + l.Undelivered
			}
			for _, r := range o.ReversedShipments {
				ordered += r.Quantity
			}
			if o.Amendment != nil {
				for _, l := range order.Growth(o.Amendment.Lines) {
					ordered += l.Quantity
				}
			}
			if problem := checkSubtotal(o); problem != "" {
				t.Fatal(problem)
			}
			if wanted > ordered {
				t.Fatalf("wants %d of %d", wanted, ordered)
			}
		}
	})
}

// What a provider tells with an ID of its own is recorded once, whatever happened since, and however late it is told
// again (ORD-67).
func TestWhatAProviderTellsAgainChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o order.Order
		var told []order.Command
		for range ordertest.Length(t) {
			cmd := ordertest.Command(t, o)
			events, err := order.Decide(o, cmd)
			if err != nil {
				continue
			}
			for _, ev := range events {
				o = order.Evolve(o, ev, order.Facts{EventID: order.ID{byte(o.Version + 1)}})
			}
			if ordertest.ProviderEventID(cmd) != "" && len(events) > 0 {
				told = append(told, cmd)
			}
		}
		for _, cmd := range told {
			if events, err := order.Decide(o, cmd); err != nil || len(events) > 0 {
				t.Fatalf("%+v again: %v, %v", cmd, events, err)
			}
		}
	})
}
