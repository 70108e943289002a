package inventory

import "testing"

func placedAs(id byte, quantity int64) SetReservation {
	return SetReservation{
		OrderID: "o-" + string('0'+id), PlacedEventID: ID{id}, Version: 1, Reserved: quantity,
	}
}

func (c SetReservation) fellShort(location string, quantity, backordered int64) ReservationFellShort {
	return ReservationFellShort{Step: c.step(), Location: location, Quantity: quantity, Backordered: backordered}
}

// The reservation that was promised last loses first. Those that lose at once wait in the order of their promises.
func TestINV70LatestPromisedFirst(t *testing.T) {
	one, two, three := placedAs(1, 3), placedAs(2, 3), placedAs(3, 3)
	s := given(t, append(stock(9), one, two, three)...)
	again := one // an amendment keeps the place
	again.Version, again.Reserved = 2, 2
	s.when(again)
	again.Version, again.Reserved = 3, 3
	s.when(again)
	s.when(CountStock{"", 8, "", 0}).then(StockCounted{"main", 8, -1, "", 0}, three.fellShort("main", 1, 1))
	s.when(CountStock{"", 4, "", 0}).then(StockCounted{"main", 4, -4, "", 0},
		two.fellShort("main", 2, 2), three.fellShort("main", 2, 3)).levels(4, -5, 9, 0)
	s.when(ReceiveStock{"", 4, "", UnitCost{}}).then(StockReceived{"main", 4, "", 0, UnitCost{}},
		BackorderFilled{Step: three.step(), Location: "main", Quantity: 3},
		BackorderFilled{Step: two.step(), Location: "main", Quantity: 1, Backordered: 1})
	s.when(ReceiveStock{"", 2, "", UnitCost{}}).levels(10, 1, 9, 0)
}

// Safety stock covers what is promised before any order loses it.
func TestINV70SafetyStockFirst(t *testing.T) {
	one := placedAs(1, 4)
	s := given(t, append(stock(10), SetSafetyStock{"", 3}, one)...)
	s.when(CountStock{"", 6, "", 0}).then(StockCounted{"main", 6, -4, "", 0}, SafetyStockSet{"main", 2, -1, 3}).
		levels(6, 0, 4, 0)
	s.when(AdjustStock{"", -5, ReasonShrinkage, ""}).then(StockAdjusted{"main", -5, ReasonShrinkage, ""},
		SafetyStockSet{"main", 0, -2, 3}, one.fellShort("main", 3, 3)).levels(1, -3, 4, 0)
}

// What is damaged or in quality control is nobody's promise: where only that is missing, no order loses anything.
func TestINV70MissingDamagedGoodsAreNobodys(t *testing.T) {
	s := given(t, append(stock(5), MoveStock{"", StateAvailable, StateDamaged, 3, ""}, placedAs(1, 2))...)
	s.when(CountStock{"", 0, "", 0}).then(StockCounted{"main", 0, -5, "", 0}, placedAs(1, 2).fellShort("main", 2, 2)).
		levels(0, -5, 2, 0)
	s.when(ReceiveStock{"", 4, "", UnitCost{}}).then(StockReceived{"main", 4, "", 0, UnitCost{}},
		BackorderFilled{Step: placedAs(1, 2).step(), Location: "main", Quantity: 1, Backordered: 1})
}

func TestINV71OtherLocations(t *testing.T) {
	for name, c := range map[string]struct {
		policy AllocationPolicy
		then   ReservationFellShort
	}{
		"none": {0, ReservationFellShort{Quantity: 4, Backordered: 1,
			Committed: []Allocation{{"north", 2}}, Reserved: []Allocation{{"south", 1}}}},
		"split": {Split, ReservationFellShort{Quantity: 4, Backordered: 1,
			Committed: []Allocation{{"north", 2}}, Reserved: []Allocation{{"south", 1}}}},
		"fewest": {FewestLocations, ReservationFellShort{Quantity: 4, Backordered: 1,
			Committed: []Allocation{{"north", 2}}, Reserved: []Allocation{{"south", 1}}}},
		"single": {SingleLocation, ReservationFellShort{Quantity: 4, Backordered: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			order := placedAs(1, 5)
			if c.policy > 0 {
				order.Allocation = &AllocationRule{Policy: c.policy}
			}
			s := given(t, append(stock(5), order)...)
			order.Version, order.Reserved, order.Committed = 2, 3, 2
			s.when(order).when(ReceiveStock{"north", 2, "", UnitCost{}}).when(ReceiveStock{"south", 1, "", UnitCost{}})
			c.then.Step, c.then.Location = order.step(), "main"
			s.when(CountStock{"", 1, "", 0}).then(StockCounted{"main", 1, -4, "", 0}, c.then)
		})
	}
}

// An order of single_location moves whole, to a location that has all of it, and leaves what it had to others.
func TestINV71SingleLocationMovesWhole(t *testing.T) {
	single := placedAs(2, 3)
	single.Allocation = &AllocationRule{Policy: SingleLocation}
	s := given(t, append(stock(8), placedAs(1, 5), single, ReceiveStock{"north", 2, "", UnitCost{}},
		ReceiveStock{"south", 3, "", UnitCost{}})...)
	moved := single.fellShort("main", 1, 0)
	moved.Reserved = at("south", 3)
	s.when(CountStock{"", 7, "", 0}).then(StockCounted{"main", 7, -1, "", 0}, moved)
	if l := s.item.at("main"); l.Available != 2 || s.item.at("south").Available != 0 {
		t.Fatalf("%+v", s.item.Locations)
	}
	// Once some has shipped, the rest waits where it is.
	shipped := placedAs(3, 2)
	shipped.Allocation = single.Allocation
	s = given(t, append(stock(2), shipped)...)
	shipped.Version, shipped.Reserved, shipped.Fulfilled = 2, 1, 1
	s.when(shipped).when(ReceiveStock{"south", 3, "", UnitCost{}})
	s.when(CountStock{"", 0, "", 0}).then(StockCounted{"main", 0, -1, "", 0}, shipped.fellShort("main", 1, 1))
}

// A shortfall of a log from before has its owner after the next change of the item.
func TestINV72OldLogs(t *testing.T) {
	one := placedAs(1, 3)
	s := given(t, append(stock(3), one)...)
	events, err := Decide(s.item, Reservation{}, CountStock{"", 1, "", 0})
	if err != nil {
		t.Fatal(err)
	}
	s.evolveAll(events) // and nobody asks who loses what is missing
	s.when(ReceiveStock{"north", 1, "", UnitCost{}}).then(StockReceived{"north", 1, "", 0, UnitCost{}},
		ReservationFellShort{Step: one.step(), Location: "main", Quantity: 2, Backordered: 1, Reserved: at("north", 1)})
}

// At most so many orders wait; the others keep what they have until there is room.
func TestINV72AtMostSoManyWait(t *testing.T) {
	s := given(t, append(stock(3), placedAs(1, 3))...)
	s.item.Backorders = make([]Backorder, MaxBackorders)
	s.when(CountStock{"", 1, "", 0}).then(StockCounted{"main", 1, -2, "", 0})
	s.item.Backorders = nil
	s.when(RegisterItem{Description: "found"}).
		then(ItemRegistered{Description: "found"}, placedAs(1, 3).fellShort("main", 2, 2))
}

// Goods that are promised to an order can turn out to be damaged.
func TestINV70DamagedGoodsOfAnOrder(t *testing.T) {
	one := placedAs(1, 4)
	s := given(t, append(stock(5), one)...)
	s.when(MoveStock{"", StateAvailable, StateSafetyStock, 2, ""}).refused(CodeInsufficientStock)
	s.when(MoveStock{"", StateAvailable, StateDamaged, 6, ""}).refused(CodeInsufficientStock)
	s.when(MoveStock{"", StateAvailable, StateDamaged, 3, ""}).
		then(StockMoved{"main", StateAvailable, StateDamaged, 3, ""}, one.fellShort("main", 2, 2)).levels(5, -2, 4, 0)
	s.when(MoveStock{"", StateAvailable, StateQualityControl, 3, ""}).refused(CodeInsufficientStock)
	s.when(MoveStock{"", StateAvailable, StateQualityControl, 2, ""}).
		then(StockMoved{"main", StateAvailable, StateQualityControl, 2, ""}, one.fellShort("main", 2, 4))
	s.when(MoveStock{"", StateDamaged, StateAvailable, 3, ""}).then(
		StockMoved{"main", StateDamaged, StateAvailable, 3, ""},
		BackorderFilled{Step: one.step(), Location: "main", Quantity: 3, Backordered: 1})
}
