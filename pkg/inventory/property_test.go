package inventory

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// flows adds up what moved, from the events alone, and at which version on_hand of each location changed.
type flows struct {
	in, out int64
	onHand  map[string]uint64
}

func (f *flows) note(before, after Item) {
	for _, l := range after.Locations {
		if before.at(l.Location).OnHand != l.Level.OnHand {
			if f.onHand == nil {
				f.onHand = map[string]uint64{}
			}
			f.onHand[l.Location] = after.Version
		}
	}
}

// checkCount: a count is accepted if on_hand of its location has not changed since it began.
func (f *flows) checkCount(item Item, cmd Command, err error) string {
	c, ok := cmd.(CountStock)
	if !ok || !item.Registered || c.Counted < 0 {
		return ""
	}
	if c.Location == "" {
		c.Location = DefaultLocation
	}
	fresh := c.CountedAtVersion == 0 || c.CountedAtVersion <= item.Version && f.onHand[c.Location] <= c.CountedAtVersion
	if fresh != (err == nil) {
		return fmt.Sprintf("%+v at version %d, changed at %v: %v", c, item.Version, f.onHand, err)
	}
	return ""
}

func (f *flows) add(c Change) {
	switch c := c.(type) {
	case StockReceived:
		f.in += c.Quantity
	case StockAdjusted:
		f.in += c.Delta
	case StockCounted:
		f.in += c.Delta
	case StockRestocked:
		f.in += c.Quantity
	case TransferReceived:
		f.in += c.Quantity + c.Damaged + c.Rejected
	case TransferCancelled:
		f.in += c.Quantity
	case TransferShipped:
		f.out += c.Quantity
	case StockFulfilled:
		f.out += c.Quantity
	}
}

// checkDecision returns what is wrong with one decision, applied to the world.
func checkDecision(w *scenario, total *flows, cmd Command) string {
	step, isStep := cmd.(SetReservation)
	res := w.reservations[step.OrderID]
	// An item that is not registered remembers no step (INV-64).
	fresh := isStep && w.item.Registered && (res.PlacedEventID != step.PlacedEventID || step.Version > res.Version)
	events, err := Decide(w.item, res, cmd)
	if problem := total.checkCount(w.item, cmd, err); problem != "" {
		return problem
	}
	var refusal *Error
	if err != nil && (!errors.As(err, &refusal) || len(events) > 0) {
		return fmt.Sprintf("error %v with %d events", err, len(events))
	}
	if isStep && err == nil && fresh != (len(events) > 0) {
		return fmt.Sprintf("new step %v, %d events", fresh, len(events))
	}
	if problem := checkEvents(w, total, events); problem != "" {
		return problem
	}
	if w.item.FallsShort() {
		short := DecideShortfall(w.item, w.promised)
		if problem := checkLatest(w, short); problem != "" {
			return problem
		}
		if problem := checkEvents(w, total, short); problem != "" {
			return problem
		}
	}
	if problem := checkOwners(w); problem != "" {
		return problem
	}
	return checkBackorders(w)
}

// checkEvents applies events to the world, and returns what is wrong with one of them.
func checkEvents(w *scenario, total *flows, events []Event) string {
	var back int64 // since the last event that was no restocking
	for _, ev := range events {
		before := w.item
		w.evolve(ev)
		if problem := checkEvent(before, w.item, ev); problem != "" {
			return fmt.Sprintf("%T: %s", ev.Change, problem)
		}
		if problem := checkVisible(before, w.item, ev); problem != "" {
			return fmt.Sprintf("%T: %s", ev.Change, problem)
		}
		total.add(ev.Change)
		total.note(before, w.item)
		switch c := ev.Change.(type) {
		case StockRestocked:
			back += units(c.Allocations)
		case StockReserved:
			if c.ShipsAgain {
				if before.Total().Available-w.item.Total().Available != c.Quantity || c.Quantity > back {
					return "more ships again than came back"
				}
				continue
			}
			if before.Sellable()-w.item.Sellable() != c.Quantity {
				return "a reservation took what was not on the shelf"
			}
		case StockBackordered:
			if waits := waitedFor(w.item); !c.ShipsAgain && waits > w.item.BackorderLimit ||
				waits-waitedFor(before) != shortOf(w.item)-shortOf(before) {
				return "a backorder went past the limit"
			}
		case StockFulfilled:
			if len(c.FromAvailable) > 0 && shortOf(w.item) > shortOf(before) {
				return "a past document took what was not on the shelf"
			}
		}
	}
	return ""
}

// checkOwners: whatever a location lacks of what is promised, an order waits for (INV-70).
func checkOwners(w *scenario) string {
	for _, l := range w.item.Locations {
		missing := max(0, -l.Level.Available) - w.item.waitingAt(l.Location)
		var inStock int64
		for _, r := range w.reservations {
			if k := r.find(l.Location); k >= 0 {
				inStock += inStockAt(&r.Locations[k])
			}
		}
		if missing > 0 && (inStock > 0 || l.Level.SafetyStock > 0) {
			return fmt.Sprintf("%s lacks %d that nobody waits for: %+v, orders have %d", l.Location, missing, l.Level, inStock)
		}
		if target := w.item.safetyStockTarget(l.Location); l.Level.Available > 0 && target > l.Level.SafetyStock {
			return fmt.Sprintf("%s sells, and its safety stock is to be %d: %+v", l.Location, target, l.Level)
		}
		if l.Level.OnHand < 0 {
			return fmt.Sprintf("%s has %d on hand", l.Location, l.Level.OnHand)
		}
	}
	return ""
}

// checkLatest: whoever was promised something at a location later than one who loses it there loses it too, before the
// events of a shortfall; unless a reservation has moved as a whole, and what it left there is enough for others.
func checkLatest(w *scenario, events []Event) string {
	loses := map[[2]string]int64{} // by location and order
	left := map[string]int64{}     // by location
	for _, ev := range events {
		if c, ok := ev.Change.(ReservationFellShort); ok {
			loses[[2]string{c.Location, c.Step.OrderID}] += c.Quantity
			left[c.Location] += max(0, units(c.Reserved)+units(c.Committed)-c.Quantity)
		}
	}
	for key, quantity := range loses {
		r := w.reservations[key[1]]
		if k := r.find(key[0]); k < 0 || quantity <= 0 || quantity > inStockAt(&r.Locations[k]) {
			return fmt.Sprintf("%v loses %d of %+v", key, quantity, r)
		}
		for id, later := range w.reservations {
			k := later.find(key[0])
			if later.PromisedVersion > r.PromisedVersion && k >= 0 && inStockAt(&later.Locations[k]) > 0 &&
				loses[[2]string{key[0], id}] == 0 && left[key[0]] == 0 {
				return fmt.Sprintf("%v loses %d, and %s nothing, which was promised later", key, quantity, id)
			}
		}
	}
	return ""
}

// checkVisible: an event that clients see gives the item its version, and changes what they are shown; a count may
// confirm it. Any other event changes neither.
func checkVisible(before, after Item, ev Event) string {
	changed := !reflect.DeepEqual(shownOf(before), shownOf(after))
	_, counted := ev.Change.(StockCounted)
	switch {
	case !Visible(ev.Change) && (changed || after.VisibleVersion != before.VisibleVersion):
		return "no client sees it, and what they are shown changes"
	case Visible(ev.Change) && after.VisibleVersion != after.Version:
		return "clients see it, and not its version"
	case Visible(ev.Change) && !changed && !counted:
		return "clients see it, and are shown what they were"
	}
	return ""
}

// shownOf is what clients are shown of an item, its version left aside. Of an order that waits they see where and for
// how much.
func shownOf(item Item) Item {
	shown := item
	shown.Version, shown.VisibleVersion, shown.OnHandVersions, shown.Backorders = 0, 0, nil, nil
	for _, b := range item.Backorders {
		waits := Backorder{OrderID: b.OrderID, Location: b.Location, Quantity: b.Quantity}
		shown.Backorders = append(shown.Backorders, waits)
	}
	return shown
}

// checkBackorders: the waiting orders are those of the reservations, what they wait for is not in stock, and no other
// order could have it either.
func checkBackorders(w *scenario) string {
	waiting, anywhere := map[string]int64{}, int64(0)
	for _, b := range w.item.Backorders {
		r := w.reservations[b.OrderID]
		k := slices.IndexFunc(r.Locations, func(h ReservationAt) bool { return h.Location == b.Location })
		if k < 0 || r.backorder(&r.Locations[k]) != b || b.Quantity <= 0 || b.Quantity > b.Reserved+b.Committed {
			return fmt.Sprintf("%+v waits, its reservation is %+v", b, r)
		}
		waiting[b.Location] += b.Quantity
		if b.Allocation == nil || b.Allocation.Policy != SingleLocation {
			anywhere += b.Quantity
		}
	}
	var held, sum int64
	for _, r := range w.reservations {
		held += r.Backordered
	}
	for location, quantity := range waiting {
		sum += quantity
		if quantity > -w.item.at(location).Available {
			return fmt.Sprintf("%d wait at %s, which has %d available", quantity, location, w.item.at(location).Available)
		}
	}
	if sum != held {
		return fmt.Sprintf("%d wait, reservations say %d", sum, held)
	}
	if anywhere > 0 && w.item.Sellable() > 0 {
		return "stock is for sale while orders wait for it"
	}
	return ""
}

func waitedFor(item Item) (units int64) {
	for _, b := range item.Backorders {
		units += b.Quantity
	}
	return units
}

func shortOf(item Item) (short int64) {
	for _, l := range item.Locations {
		short += max(0, -l.Level.Available)
	}
	return short
}

// world is an item with the reservations of orders, and what moved.
type world struct {
	scenario
	total flows
}

// decide decides a command, applies its events, and returns what is then wrong; "" for nothing.
func (w *world) decide(cmd Command) string {
	if problem := checkDecision(&w.scenario, &w.total, cmd); problem != "" {
		return problem
	}
	if got := w.item.Total().OnHand; got != w.total.in-w.total.out {
		return fmt.Sprintf("on_hand %d, came %d, left %d", got, w.total.in, w.total.out)
	}
	if problem := w.checkIncoming(); problem != "" {
		return problem
	}
	return w.checkReservations()
}

// checkIncoming: incoming is what is expected and on its way.
func (w *world) checkIncoming() string {
	var incoming int64
	for _, d := range w.item.Expected {
		incoming += d.Quantity
	}
	for _, transfer := range w.item.Transfers {
		if transfer.Quantity <= 0 {
			return fmt.Sprintf("%+v is on its way", transfer)
		}
		incoming += transfer.Quantity
	}
	if got := w.item.Total().Incoming; got != incoming || got < 0 {
		return fmt.Sprintf("incoming %d, expected %d", got, incoming)
	}
	return ""
}

// checkReservations: the item's reserved and committed are those of its reservations, location by location.
func (w *world) checkReservations() string {
	sums := map[string]Level{}
	for _, r := range w.reservations {
		reserved, committed, _, _ := r.Sums()
		if r.Backordered < 0 || r.Backordered > reserved+committed {
			return fmt.Sprintf("backordered %d of %d", r.Backordered, reserved+committed)
		}
		for _, h := range r.Locations {
			if h.Reserved < 0 || h.Committed < 0 || h.Fulfilled < 0 || h.Restocked < 0 || h.Damaged < 0 {
				return fmt.Sprintf("negative quantity %+v", h)
			}
			sums[h.Location] = sums[h.Location].plus(Level{Reserved: h.Reserved, Committed: h.Committed})
		}
	}
	for _, l := range w.item.Locations {
		if sum := sums[l.Location]; l.Level.Reserved != sum.Reserved || l.Level.Committed != sum.Committed {
			return fmt.Sprintf("%s has %+v, its reservations %+v", l.Location, l.Level, sum)
		}
	}
	return ""
}

// The reservation is exactly what an accepted step wants, as long as steps only go forward.
func TestForwardStepsAreFollowedExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &scenario{item: Item{SKU: "s", Registered: true}, reservations: map[string]Reservation{}}
		s.item.Locations = []LocationLevel{{"a", Level{OnHand: 30, Available: 30}}, {"b", Level{OnHand: 30, Available: 30}}}
		ordered := rapid.Int64Range(1, 60).Draw(t, "ordered")
		var shipped int64
		var res Reservation
		for version := uint64(1); version < 6; version++ {
			shipped += rapid.Int64Range(0, ordered-shipped).Draw(t, "shipped")
			c := want(version, 0, ordered-shipped, shipped)
			if version == 1 {
				c, shipped = want(1, ordered, 0, 0), 0
			}
			events, err := Decide(s.item, res, c)
			if err != nil || len(events) == 0 {
				t.Fatalf("%v, %d events", err, len(events))
			}
			for _, ev := range events {
				s.item, res = Evolve(s.item, res, ev)
			}
			if r, k, f, _ := res.Sums(); r != c.Reserved || k != c.Committed || f != c.Fulfilled {
				t.Fatalf("holds %d %d %d, wanted %+v", r, k, f, c)
			}
		}
	})
}

func BenchmarkReserve(b *testing.B) {
	item := Item{SKU: "s", Registered: true, Locations: []LocationLevel{{"main", Level{OnHand: 100, Available: 100}}}}
	cmd := Command(want(1, 5, 0, 0))
	b.ReportAllocs()
	for b.Loop() {
		events, err := Decide(item, Reservation{}, cmd)
		if err != nil || len(events) != 1 {
			b.Fatal(err)
		}
		Evolve(item, Reservation{}, events[0])
	}
}
