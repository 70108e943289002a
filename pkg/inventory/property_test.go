package inventory

import (
	"errors"
	"fmt"
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
	case TransferShipped:
		f.out += c.Quantity
	case StockFulfilled:
		f.out += c.Quantity
	}
}

func drawCommand(t *rapid.T) Command {
	location := rapid.SampledFrom([]string{"", "main", "north", "south"}).Draw(t, "location")
	quantity := rapid.Int64Range(-2, 40).Draw(t, "quantity")
	states := rapid.SampledFrom([]State{StateAvailable, StateDamaged, StateQualityControl, StateSafetyStock})
	reference := rapid.SampledFrom([]string{"", "PO-1"})
	switch rapid.IntRange(0, 18).Draw(t, "command") {
	case 0:
		return RegisterItem{rapid.SampledFrom([]string{"a", "b"}).Draw(t, "description")}
	case 1, 2:
		return ReceiveStock{location, quantity, reference.Draw(t, "reference")}
	case 3:
		return AdjustStock{location, quantity - 20, ReasonOther, ""}
	case 4:
		return CountStock{location, quantity, "", rapid.Uint64Range(0, 20).Draw(t, "counted at")}
	case 5:
		return SetSafetyStock{location, quantity / 4}
	case 6:
		return SetBackorderLimit{quantity}
	case 7:
		return MoveStock{location, states.Draw(t, "from"), states.Draw(t, "to"), quantity / 3, ""}
	case 8:
		return ExpectStock{location, quantity, reference.Draw(t, "reference")}
	}
	small := rapid.Int64Range(0, 12)
	transfer := rapid.SampledFrom([]string{"t-1", "t-2", ""})
	if rapid.IntRange(0, 3).Draw(t, "transfer?") == 0 {
		to := rapid.SampledFrom([]string{"main", "north", "south"}).Draw(t, "to")
		if rapid.Bool().Draw(t, "ships") {
			return ShipTransfer{transfer.Draw(t, "transfer"), location, to, quantity / 3, ""}
		}
		c := ReceiveTransfer{transfer.Draw(t, "transfer"), small.Draw(t, "arrived") / 2, small.Draw(t, "missing") / 4,
			small.Draw(t, "broken") / 4, small.Draw(t, "rejected") / 4, ""}
		if c.Rejected > 0 {
			c.Reason = "torn"
		}
		return c
	}
	c := SetReservation{
		OrderID:       rapid.SampledFrom([]string{"o-1", "o-2", "o-3"}).Draw(t, "order"),
		PlacedEventID: ID{rapid.SampledFrom([]byte{1, 1, 1, 2}).Draw(t, "placed")},
		Version:       rapid.Uint64Range(0, 12).Draw(t, "version"),
		Fulfilled:     small.Draw(t, "fulfilled"),
		Restocked:     rapid.SampledFrom([]int64{0, 0, 0, 2, 5}).Draw(t, "restocked"),
		Damaged:       rapid.SampledFrom([]int64{0, 0, 0, 1, 3}).Draw(t, "damaged"),
		Imported:      rapid.IntRange(0, 5).Draw(t, "imported") == 0,
		Refuse:        rapid.IntRange(0, 9).Draw(t, "refuse") == 0,
		Allocation:    drawRule(t),
	}
	switch {
	case c.Imported && rapid.Bool().Draw(t, "asks"):
		c.Fulfilled, c.Reserved = 0, c.Fulfilled
	case !c.Imported:
		c.Reserved, c.Committed = small.Draw(t, "reserved"), small.Draw(t, "committed")
	}
	return c
}

// checkDecision returns what is wrong with one decision, applied to the world.
func checkDecision(w *scenario, total *flows, cmd Command) string {
	step, isStep := cmd.(SetReservation)
	res := w.reservations[step.OrderID]
	fresh := isStep && (res.PlacedEventID != step.PlacedEventID || step.Version > res.Version)
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
	for _, ev := range events {
		before := w.item
		w.evolve(ev)
		if problem := checkEvent(before, w.item, ev); problem != "" {
			return fmt.Sprintf("%T: %s", ev.Change, problem)
		}
		total.add(ev.Change)
		total.note(before, w.item)
		switch c := ev.Change.(type) {
		case StockReserved:
			if before.Sellable()-w.item.Sellable() != c.Quantity {
				return "a reservation took what was not on the shelf"
			}
		case StockBackordered:
			if waits := waitedFor(w.item); waits > w.item.BackorderLimit ||
				waits-waitedFor(before) != shortOf(w.item)-shortOf(before) {
				return "a backorder went past the limit"
			}
		case StockFulfilled:
			if len(c.FromAvailable) > 0 && shortOf(w.item) > shortOf(before) {
				return "a past document took what was not on the shelf"
			}
		}
	}
	return checkBackorders(w)
}

// checkBackorders: the waiting orders are those of the reservations, what they wait for is not in stock, and no other
// order could have it either.
func checkBackorders(w *scenario) string {
	waiting, anywhere := map[string]int64{}, int64(0)
	for _, b := range w.item.Backorders {
		r := w.reservations[b.OrderID]
		k := slices.IndexFunc(r.Held, func(h HeldAt) bool { return h.Location == b.Location })
		if k < 0 || r.backorder(&r.Held[k]) != b || b.Quantity <= 0 || b.Quantity > b.Reserved+b.Committed {
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

// With any commands, on_hand adds up, versions have no gaps, stock is conserved, and the item's reserved and committed
// are those of its reservations, location by location.
func TestRandomCommandsKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &scenario{item: Item{SKU: "s"}, reservations: map[string]Reservation{}}
		var total flows
		for range rapid.IntRange(1, 60).Draw(t, "length") {
			if problem := checkDecision(w, &total, drawCommand(t)); problem != "" {
				t.Fatal(problem)
			}
			if got := w.item.Total().OnHand; got != total.in-total.out {
				t.Fatalf("on_hand %d, came %d, left %d", got, total.in, total.out)
			}
			var incoming int64
			for _, d := range w.item.Expected {
				incoming += d.Quantity
			}
			for _, way := range w.item.Transfers {
				if way.Quantity <= 0 {
					t.Fatalf("%+v is on its way", way)
				}
				incoming += way.Quantity
			}
			if got := w.item.Total().Incoming; got != incoming || got < 0 {
				t.Fatalf("incoming %d, expected %d", got, incoming)
			}
			held := map[string]Level{}
			for _, r := range w.reservations {
				reserved, committed, _, _ := r.Sums()
				if r.Backordered < 0 || r.Backordered > reserved+committed {
					t.Fatalf("backordered %d of %d", r.Backordered, reserved+committed)
				}
				for _, h := range r.Held {
					if h.Reserved < 0 || h.Committed < 0 || h.Fulfilled < 0 || h.Restocked < 0 || h.Damaged < 0 {
						t.Fatalf("negative quantity %+v", h)
					}
					held[h.Location] = held[h.Location].plus(Level{Reserved: h.Reserved, Committed: h.Committed})
				}
			}
			for _, l := range w.item.Locations {
				if h := held[l.Location]; l.Level.Reserved != h.Reserved || l.Level.Committed != h.Committed {
					t.Fatalf("%s has %+v, its reservations %+v", l.Location, l.Level, h)
				}
			}
		}
	})
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
