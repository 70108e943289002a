package inventory

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// by is a step with a rule.
func by(version uint64, reserved int64, policy AllocationPolicy, locations ...string) SetReservation {
	c := want(version, reserved, 0, 0)
	c.Allocation = &AllocationRule{policy, locations}
	return c
}

// step is the step of a command, with its rule.
func (c SetReservation) step() Step { return Step{c.OrderID, c.PlacedEventID, c.Version, c.Allocation} }

// three has 3 in main, 4 in north and 6 in south.
func three(more ...Command) []Command {
	return append(
		[]Command{RegisterItem{}, ReceiveStock{"", 3, "", UnitCost{}}, ReceiveStock{"north", 4, "", UnitCost{}},
			ReceiveStock{"south", 6, "", UnitCost{}}}, more...)
}

func TestINV60OrderOfLocations(t *testing.T) {
	listed := by(1, 8, Split, "south", "nowhere", "main", "south")
	given(t, three()...).when(listed).then(StockReserved{listed.step(), 8, []Allocation{{"south", 6}, {"main", 2}}, false})
	rest := by(1, 12, Split, "south")
	given(t, three()...).when(rest).
		then(StockReserved{rest.step(), 12, []Allocation{{"south", 6}, {"main", 3}, {"north", 3}}, false})
	below := given(t, RegisterItem{}, ReceiveStock{"", 3, "", UnitCost{}}, by(1, 3, SingleLocation),
		AdjustStock{"", -3, ReasonShrinkage, ""}, ReceiveStock{"north", 4, "", UnitCost{}},
		ReceiveStock{"south", 6, "", UnitCost{}})
	c := other(1, 10, 0, 0)
	c.Allocation = &AllocationRule{Split, []string{"main"}}
	below.when(c).then(StockReserved{c.step(), 10, []Allocation{{"north", 4}, {"south", 6}}, false})
	unknown := by(1, 1, Split+1)
	given(t, three()...).when(unknown).refused(CodeInvalidStep)
	unknown.Allocation.Policy = 0
	given(t, three()...).when(unknown).refused(CodeInvalidStep)
}

func TestINV61SingleLocation(t *testing.T) {
	first := by(1, 3, SingleLocation, "north")
	given(t, three()...).when(first).then(StockReserved{first.step(), 3, at("north", 3), false})
	all := by(1, 5, SingleLocation, "north")
	given(t, three()...).when(all).then(StockReserved{all.step(), 5, at("south", 5), false})
	short := by(1, 7, SingleLocation)
	given(t, three()...).when(short).then(ReservationRejected{short.step(), 7, 6, InsufficientStock})
	none := given(t, RegisterItem{})
	none.when(short).then(ReservationRejected{short.step(), 7, 0, InsufficientStock})

	grows := given(t, three(by(1, 2, SingleLocation))...)
	more, tooMuch := by(2, 3, SingleLocation), by(3, 4, SingleLocation)
	grows.when(more).then(StockReserved{more.step(), 1, at("main", 1), false})
	grows.when(tooMuch).then(ReservationRejected{tooMuch.step(), 1, 0, InsufficientStock})
}

func TestINV61FewestLocations(t *testing.T) {
	for _, c := range []struct {
		quantity int64
		listed   []string
		want     []Allocation
	}{
		{3, nil, at("main", 3)},
		{4, nil, at("north", 4)},
		{4, []string{"south"}, at("south", 4)},
		{7, nil, []Allocation{{"main", 3}, {"north", 4}}},
		{8, nil, []Allocation{{"main", 3}, {"south", 5}}},
		{9, []string{"north"}, []Allocation{{"north", 4}, {"south", 5}}},
		{10, []string{"main"}, []Allocation{{"north", 4}, {"south", 6}}},
		{11, nil, []Allocation{{"main", 3}, {"north", 4}, {"south", 4}}},
	} {
		cmd := by(1, c.quantity, FewestLocations, c.listed...)
		given(t, three()...).when(cmd).then(StockReserved{cmd.step(), c.quantity, c.want, false})
	}
	grows := given(t, three(by(1, 2, FewestLocations))...)
	more := by(2, 6, FewestLocations, "south")
	grows.when(more).then(StockReserved{more.step(), 4, []Allocation{{"main", 1}, {"south", 3}}, false})
	short := by(1, 14, FewestLocations)
	given(t, three()...).when(short).then(ReservationRejected{short.step(), 14, 13, InsufficientStock})
}

func TestINV62Backorders(t *testing.T) {
	limited := three(SetBackorderLimit{5})
	single := by(1, 9, SingleLocation, "north")
	s := given(t, limited...)
	s.when(by(1, 12, SingleLocation)).
		then(ReservationRejected{by(1, 12, SingleLocation).step(), 12, 11, InsufficientStock})
	single.Version = 2
	s.when(single).then(StockBackordered{single.step(), 9, 3, at("south", 9), false})
	s.when(ReceiveStock{"main", 9, "", UnitCost{}}).then(StockReceived{"main", 9, "", 0, UnitCost{}})
	s.when(ReceiveStock{"south", 2, "", UnitCost{}}).then(StockReceived{"south", 2, "", 0, UnitCost{}},
		BackorderFilled{Step: single.step(), Location: "south", Quantity: 2, Backordered: 1})

	fewest := by(1, 15, FewestLocations, "north")
	given(t, limited...).when(fewest).
		then(StockBackordered{fewest.step(), 15, 2, []Allocation{{"north", 6}, {"main", 3}, {"south", 6}}, false})
	split := by(1, 15, Split, "south")
	w := given(t, limited...)
	w.when(split).then(StockBackordered{split.step(), 15, 2, []Allocation{{"south", 8}, {"main", 3}, {"north", 4}}, false})
	w.when(ReceiveStock{"north", 9, "", UnitCost{}}).then(StockReceived{"north", 9, "", 0, UnitCost{}},
		BackorderFilled{Step: split.step(), Location: "south", Quantity: 2, Reserved: at("north", 2)})

	nothing := by(1, 2, FewestLocations, "south")
	given(t, RegisterItem{}, SetBackorderLimit{2}).when(nothing).
		then(StockBackordered{nothing.step(), 2, 2, at("main", 2), false})
	last := by(1, 5, FewestLocations, "south")
	given(t, three(want(1, 13, 0, 0), SetBackorderLimit{5})...).when(SetReservation{
		OrderID: "o-2", PlacedEventID: ID{2}, Version: 1, Reserved: 5, Allocation: last.Allocation,
	}).then(StockBackordered{Step{"o-2", ID{2}, 1, last.Allocation}, 5, 5, at("south", 5), false})
	b := given(t, RegisterItem{}, SetBackorderLimit{9}, by(1, 6, FewestLocations))
	b.when(ReceiveStock{"north", 2, "", UnitCost{}}).then(StockReceived{"north", 2, "", 0, UnitCost{}},
		BackorderFilled{Step: by(1, 6, FewestLocations).step(), Location: "main", Quantity: 2, Backordered: 4,
			Reserved: at("north", 2)})
}

// With any stock and any rule, an allocation is total or nothing, takes no more from a location than it has, and
// follows its policy. Fewest is compared with all subsets.
func TestRandomRulesAreFollowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		item := Item{SKU: "s", Registered: true}
		for k := range rapid.IntRange(0, 7).Draw(t, "locations") {
			n := rapid.Int64Range(-4, 12).Draw(t, "available")
			item.Locations = append(item.Locations, LocationLevel{fmt.Sprint("l-", k), Level{OnHand: n, Available: n}})
		}
		rule := &AllocationRule{
			rapid.SampledFrom([]AllocationPolicy{SingleLocation, FewestLocations, Split}).Draw(t, "policy"),
			rapid.SliceOfN(rapid.SampledFrom([]string{"l-0", "l-1", "l-4", "l-6", "l-9"}), 0, 4).Draw(t, "listed"),
		}
		quantity := rapid.Int64Range(1, 40).Draw(t, "quantity")
		cmd := want(1, quantity, 0, 0)
		cmd.Allocation = rule
		events, err := Decide(item, Reservation{}, cmd)
		if err != nil || len(events) != 1 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		fewest := fewestOf(item, quantity)
		possible := fewest > 0
		if rule.Policy == SingleLocation {
			possible = fewest == 1
		}
		reserved, ok := events[0].Change.(StockReserved)
		if ok != possible {
			t.Fatalf("%+v, possible: %v", events[0].Change, possible)
		}
		if !ok {
			return
		}
		for _, a := range reserved.Allocations {
			if a.Quantity < 1 || a.Quantity > item.at(a.Location).Available {
				t.Fatalf("%+v of %+v", a, item.at(a.Location))
			}
		}
		if units(reserved.Allocations) != quantity {
			t.Fatalf("%d of %d", units(reserved.Allocations), quantity)
		}
		if n := len(reserved.Allocations); rule.Policy != Split && n != fewest {
			t.Fatalf("%d locations, %d would do", n, fewest)
		}
		if rule.Policy == Split {
			checkSplit(t, item, rule, reserved.Allocations)
		}
	})
}

// fewestOf tries every subset: the size of the smallest one that has a quantity, 0 for none.
func fewestOf(item Item, quantity int64) (fewest int) {
	for subset := range 1 << len(item.Locations) {
		size, sum := 0, int64(0)
		for k := range item.Locations {
			if subset>>k&1 == 1 {
				size++
				sum += max(0, item.Locations[k].Level.Available)
			}
		}
		if sum >= quantity && (fewest == 0 || size < fewest) {
			fewest = size
		}
	}
	return fewest
}

// checkSplit: a location is used only when all before it are used up.
func checkSplit(t *rapid.T, item Item, rule *AllocationRule, taken []Allocation) {
	order := slices.Clone(rule.Locations)
	for _, l := range item.Locations {
		order = append(order, l.Location)
	}
	last := taken[len(taken)-1].Location
	for _, name := range order {
		if name == last {
			return
		}
		k := slices.IndexFunc(taken, func(a Allocation) bool { return a.Location == name })
		if available := item.at(name).Available; available > 0 && (k < 0 || taken[k].Quantity != available) {
			t.Fatalf("%s keeps something of %d, %s gives: %+v", name, available, last, taken)
		}
	}
}

func BenchmarkFewestOfAThousandLocations(b *testing.B) {
	item := Item{SKU: "s", Registered: true}
	for k := range MaxLocations {
		n := int64(k%97 + 1)
		item.Locations = append(item.Locations, LocationLevel{fmt.Sprint("l-", k), Level{OnHand: n, Available: n}})
	}
	for b.Loop() {
		if taken, left := item.candidates(nil).fewest(20_000); left > 0 || len(taken) == 0 {
			b.Fatal(left)
		}
	}
}
