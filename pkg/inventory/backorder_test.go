package inventory

import (
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"testing"
)

// other is a step of order o-2.
func other(version uint64, reserved, committed, fulfilled int64) SetReservation {
	c := want(version, reserved, committed, fulfilled)
	c.OrderID, c.PlacedEventID = "o-2", ID{2}
	return c
}

func otherStep(version uint64) Step { return Step{"o-2", ID{2}, version, nil} }

// waiting2 has nothing in stock; o-1 waits for 4, then o-2 for 3.
func waiting2() []Command {
	return []Command{RegisterItem{}, SetBackorderLimit{10}, want(1, 4, 0, 0), other(1, 3, 0, 0)}
}

func TestINV26FirstInFirstOut(t *testing.T) {
	s := given(t, waiting2()...)
	s.when(ReceiveStock{"", 3, "", UnitCost{}}).then(StockReceived{"main", 3, "", 0, UnitCost{}},
		BackorderFilled{Step: stepOf(1), Location: "main", Quantity: 3, Backordered: 1}).levels(3, -4, 7, 0)
	s.when(ReceiveStock{"", 2, "", UnitCost{}}).then(StockReceived{"main", 2, "", 0, UnitCost{}},
		BackorderFilled{Step: stepOf(1), Location: "main", Quantity: 1},
		BackorderFilled{Step: otherStep(1), Location: "main", Quantity: 1, Backordered: 2})
	s.when(ReceiveStock{"", 9, "", UnitCost{}}).then(StockReceived{"main", 9, "", 0, UnitCost{}},
		BackorderFilled{Step: otherStep(1), Location: "main", Quantity: 2}).levels(14, 7, 7, 0)
	if len(s.item.Backorders) > 0 || s.reservations["o-2"].Backordered != 0 {
		t.Fatalf("%+v", s.item.Backorders)
	}
}

func TestINV26FromElsewhere(t *testing.T) {
	s := given(t, append(waiting2(), want(2, 1, 3, 0))...)
	s.when(ReceiveStock{"north", 6, "", UnitCost{}}).then(StockReceived{"north", 6, "", 0, UnitCost{}},
		BackorderFilled{Step: stepOf(2), Location: "main", Quantity: 4, Reserved: at("north", 1), Committed: at("north", 3)},
		BackorderFilled{Step: otherStep(1), Location: "main", Quantity: 2, Backordered: 1, Reserved: at("north", 2)})
	s.levels(6, -1, 4, 3).has("o-1", 1, 3, 0, 0).has("o-2", 3, 0, 0, 0)
	s.when(want(3, 0, 0, 4)).levels(2, -1, 3, 0)
}

func TestINV26Whatever(t *testing.T) {
	filled := BackorderFilled{Step: stepOf(1), Location: "main", Quantity: 2, Backordered: 2}
	for name, c := range map[string]struct {
		given []Command
		when  Command
		then  Change
	}{
		"an adjustment": {nil, AdjustStock{"", 2, ReasonCorrection, ""}, StockAdjusted{"main", 2, ReasonCorrection, ""}},
		"a count":       {nil, CountStock{"", 2, "", 0}, StockCounted{"main", 2, 2, "", 0}},
		"less safety stock": {[]Command{ReceiveStock{"", 2, "", UnitCost{}}, SetSafetyStock{"", 2}}, SetSafetyStock{"", 0},
			SafetyStockSet{"main", 0, -2, 0}},
		"a move back": {[]Command{ReceiveStock{"", 2, "", UnitCost{}}, MoveStock{"", StateAvailable, StateDamaged, 2, ""}},
			MoveStock{"", StateDamaged, StateAvailable, 2, ""}, StockMoved{"main", StateDamaged, StateAvailable, 2, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			s := given(t, append(append([]Command{RegisterItem{}, SetBackorderLimit{10}}, c.given...), want(1, 4, 0, 0))...)
			s.when(c.when).then(c.then, filled)
		})
	}
	// A release of another order, and goods that come back.
	s := given(t, append(stock(2), SetBackorderLimit{10}, other(1, 2, 0, 0), want(1, 4, 0, 0))...)
	s.when(other(2, 0, 0, 0)).
		then(ReservationReleased{Step: otherStep(2), Quantity: 2, FromReserved: at("main", 2)}, filled)
	back := other(3, 0, 0, 0)
	back.Restocked = 1
	s.when(back).then(StockRestocked{otherStep(3), 1, at("main", 1), ReasonReturn, nil, nil, nil},
		BackorderFilled{Step: stepOf(1), Location: "main", Quantity: 1, Backordered: 1})
}

func TestINV26WhatFellShortWaitsBehindOthers(t *testing.T) {
	s := given(t,
		append(stock(3), SetBackorderLimit{10}, other(1, 3, 0, 0), want(1, 4, 0, 0),
			AdjustStock{"", -3, ReasonShrinkage, ""})...)
	s.levels(0, -7, 7, 0)
	s.when(ReceiveStock{"", 3, "", UnitCost{}}).then(StockReceived{"main", 3, "", 0, UnitCost{}},
		BackorderFilled{Step: stepOf(1), Location: "main", Quantity: 3, Backordered: 1})
	s.when(ReceiveStock{"", 2, "", UnitCost{}}).then(StockReceived{"main", 2, "", 0, UnitCost{}},
		BackorderFilled{Step: stepOf(1), Location: "main", Quantity: 1},
		BackorderFilled{Step: otherStep(1), Location: "main", Quantity: 1, Backordered: 2})
}

func TestINV25WhatIsNotThereGoesFirstAndShipsLast(t *testing.T) {
	s := given(t, append(stock(2), ReceiveStock{"north", 2, "", UnitCost{}}, SetBackorderLimit{10}, want(1, 7, 0, 0))...)
	s.when(want(2, 5, 0, 0)).then(ReservationReleased{Step: stepOf(2), Quantity: 2, FromReserved: at("main", 2)})
	if b := s.reservations["o-1"].Backordered; b != 1 {
		t.Fatalf("backordered %d", b)
	}
	s.when(want(3, 0, 5, 0))
	s.when(want(4, 0, 1, 4)).then(StockFulfilled{
		Step: stepOf(4), Quantity: 4, FromCommitted: []Allocation{{"main", 2}, {"north", 2}},
	})
	if b := s.item.Backorders; len(b) != 1 || b[0] != (Backorder{"o-1", placed, 4, "main", 1, 0, 1, nil}) {
		t.Fatalf("%+v", b)
	}
	// It has left the shelf, whatever the books said.
	s.when(want(5, 0, 0, 5)).then(StockAdjusted{"main", 1, ReasonCorrection, "o-1"},
		StockFulfilled{Step: stepOf(5), Quantity: 1, FromCommitted: at("main", 1), Backordered: at("main", 1)}).
		levels(0, 0, 0, 0)
	if len(s.item.Backorders) != 0 {
		t.Fatalf("%+v", s.item.Backorders)
	}
}

func TestINV25AnotherPlacementLeavesTheQueue(t *testing.T) {
	s := given(t, waiting2()...)
	again := SetReservation{OrderID: "o-1", PlacedEventID: ID{7}, Version: 1, Reserved: 2}
	s.when(again).levels(0, -5, 5, 0)
	if b := s.item.Backorders; len(b) != 2 || b[0].OrderID != "o-2" || b[1].PlacedEventID != (ID{7}) {
		t.Fatalf("%+v", b)
	}
	s.when(ReceiveStock{"", 4, "", UnitCost{}}).then(StockReceived{"main", 4, "", 0, UnitCost{}},
		BackorderFilled{Step: otherStep(1), Location: "main", Quantity: 3},
		BackorderFilled{Step: Step{"o-1", ID{7}, 1, nil}, Location: "main", Quantity: 1, Backordered: 1})
}

func TestINV25AtMostSoManyWait(t *testing.T) {
	s := given(t, append(stock(1), SetBackorderLimit{10})...)
	s.item.Backorders = make([]Backorder, MaxBackorders)
	s.when(want(1, 2, 0, 0)).then(ReservationRejected{stepOf(1), 2, 1, InsufficientStock})
	s.when(want(2, 1, 0, 0)).then(StockReserved{stepOf(2), 1, at("main", 1), false})
}

func TestINV26AnAmendedOrderKeepsItsPlace(t *testing.T) {
	s := given(t, append(waiting2(), want(2, 6, 0, 0))...) // o-1 waits for 2 more, and o-2 behind it for all
	s.when(ReceiveStock{"", 7, "", UnitCost{}}).then(StockReceived{"main", 7, "", 0, UnitCost{}},
		BackorderFilled{Step: stepOf(2), Location: "main", Quantity: 6},
		BackorderFilled{Step: otherStep(1), Location: "main", Quantity: 1, Backordered: 2})
}

// waitingFor is an item that orders wait for. The first ones wait where nothing arrives, and can be filled only there.
func waitingFor(orders, elsewhere int) Item {
	item, _ := Evolve(Item{SKU: "A"}, Reservation{}, Event{Change: ItemRegistered{}})
	item.BackorderLimit = MaxBackorderLimit
	item.Locations = []LocationLevel{
		{"main", Level{Available: -int64(orders - elsewhere), Reserved: int64(orders - elsewhere)}},
		{"north", Level{Available: -int64(elsewhere), Reserved: int64(elsewhere)}},
	}
	for k := range orders {
		b := Backorder{OrderID: fmt.Sprint("o-", k), PlacedEventID: ID{1}, Version: 1, Location: "main", Quantity: 1,
			Reserved: 1}
		if k < elsewhere {
			b.Location, b.Allocation = "north", &AllocationRule{Policy: SingleLocation}
		}
		item.Backorders = append(item.Backorders, b)
	}
	return item
}

// The longest possible list of backorders is filled at once: for all, for some, and with others before them that cannot
// have these goods. Memory shows how often the list is copied.
func TestFillingTakesTimeForEachOrderOnce(t *testing.T) {
	const mebibyte = 1 << 20
	for _, c := range []struct {
		elsewhere, come, filled int
	}{{0, MaxBackorders, MaxBackorders}, {0, 7, 7}, {MaxBackorders / 2, MaxBackorders, MaxBackorders / 2}} {
		item := waitingFor(MaxBackorders, c.elsewhere)
		var events []Event
		var after []Backorder
		if bytes := allocated(func() {
			var err error
			if events, err = Decide(item, Reservation{}, ReceiveStock{"", int64(c.come), "", UnitCost{}}); err != nil {
				t.Fatal(err)
			}
			after = AfterFills(item.Backorders, events[1:])
		}); bytes > 32*mebibyte {
			t.Errorf("%+v: deciding took %d MiB", c, bytes/mebibyte)
		}
		if len(events) != 1+c.filled || len(after) != MaxBackorders-c.filled {
			t.Fatalf("%+v: %d events, %d still wait", c, len(events), len(after))
		}
		if c.elsewhere > 0 {
			continue // each event copies the list then
		}
		if bytes := allocated(func() {
			for _, event := range events {
				item, _ = Evolve(item, Reservation{}, event)
			}
		}); bytes > 32*mebibyte {
			t.Errorf("%+v: evolving took %d MiB", c, bytes/mebibyte)
		}
	}
}

// allocated is how many bytes fn takes.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// AfterFills is the same as evolving by each event, whoever waits before the orders that are filled.
func TestAfterFillsIsEvolving(t *testing.T) {
	for _, come := range []int64{1, 3, 4, 5, 20} {
		item := waitingFor(9, 3)
		item.Backorders[4].Quantity, item.Backorders[4].Committed, item.Locations[0].Level.Available = 3, 2, -8
		item.Backorders[6].Allocation = &AllocationRule{Policy: Split}
		for _, location := range []string{"main", "north"} {
			events, err := Decide(item, Reservation{}, ReceiveStock{location, come, "", UnitCost{}})
			if err != nil {
				t.Fatal(err)
			}
			want, waiting := item, slices.Clone(item.Backorders)
			for _, event := range events {
				want, _ = Evolve(want, Reservation{}, event)
			}
			if got := AfterFills(item.Backorders, events[1:]); !reflect.DeepEqual(got, want.Backorders) {
				t.Errorf("%d come to %s: %+v, want %+v", come, location, got, want.Backorders)
			}
			if !reflect.DeepEqual(item.Backorders, waiting) {
				t.Errorf("%d come to %s: the list that was given has changed", come, location)
			}
		}
	}
}

func BenchmarkFill(b *testing.B) {
	item := waitingFor(MaxBackorders, 0)
	for b.Loop() {
		events, err := Decide(item, Reservation{}, ReceiveStock{"", MaxBackorders, "", UnitCost{}})
		if err != nil {
			b.Fatal(err)
		}
		AfterFills(item.Backorders, events[1:])
	}
}
