package inventory

import "testing"

func TestINV10OnlyNewStepsCount(t *testing.T) {
	s := given(t, append(stock(10), want(3, 4, 0, 0))...)
	s.when(want(3, 4, 0, 0)).then()
	s.when(want(3, 9, 0, 0)).then()
	s.when(want(2, 0, 0, 0)).then()
	s.when(want(4, 2, 0, 0)).then(ReservationReleased{Step: stepOf(4), Quantity: 2, FromReserved: at("main", 2)})
	s.when(want(3, 4, 0, 0)).then()
	if v := s.reservations["o-1"].Version; v != 4 {
		t.Fatalf("version %d", v)
	}
}

func TestINV10CancelOvertakesReserve(t *testing.T) {
	s := given(t, stock(10)...)
	s.when(want(2, 0, 0, 0)).then(ReservationReleased{Step: stepOf(2)})
	s.when(want(1, 5, 0, 0)).then()
	s.levels(10, 10, 0, 0)
}

func TestINV11AnotherPlacementReplaces(t *testing.T) {
	s := given(t, append(stock(10), want(1, 6, 0, 0), want(2, 0, 4, 2))...)
	again := SetReservation{OrderID: "o-1", PlacedEventID: ID{2}, Version: 1, Reserved: 8}
	step := Step{"o-1", ID{2}, 1, nil}
	s.when(again).then(
		ReservationReleased{Step: step, Quantity: 4, FromCommitted: at("main", 4)},
		StockReserved{step, 8, at("main", 8), false})
	s.levels(8, 0, 8, 0).has("o-1", 8, 0, 0, 0)
	s.when(again).then()

	third := SetReservation{OrderID: "o-1", PlacedEventID: ID{3}, Version: 1, Reserved: 9}
	step = Step{"o-1", ID{3}, 1, nil}
	s.when(third).then(
		ReservationReleased{Step: step, Quantity: 8, FromReserved: at("main", 8)},
		ReservationRejected{step, 9, 8, InsufficientStock})
	s.when(SetReservation{OrderID: "o-1", PlacedEventID: ID{4}, Version: 1}).then(
		ReservationReleased{Step: Step{"o-1", ID{4}, 1, nil}})
	s.levels(8, 8, 0, 0).has("o-1", 0, 0, 0, 0)
}

func TestINV12Growth(t *testing.T) {
	s := given(t, stock(10)...)
	s.when(want(1, 10, 0, 0)).then(StockReserved{stepOf(1), 10, at("main", 10), false}).levels(10, 0, 10, 0)
	s.when(want(2, 11, 0, 0)).then(ReservationRejected{stepOf(2), 1, 0, InsufficientStock}).has("o-1", 10, 0, 0, 0)

	two := given(t, append(stock(3), ReceiveStock{"north", 4, "", UnitCost{}})...)
	two.when(want(1, 5, 0, 0)).then(StockReserved{stepOf(1), 5, []Allocation{{"main", 3}, {"north", 2}}, false})
	two.levels(7, 2, 5, 0)

	direct := given(t, stock(10)...)
	direct.when(want(1, 0, 4, 0)).then(
		StockReserved{stepOf(1), 4, at("main", 4), false}, ReservationCommitted{stepOf(1), 4, at("main", 4)})
	direct.levels(10, 6, 0, 4)
}

// An amendment reserves more, on top of what is committed and shipped; then this is committed or released.
func TestINV12GrowthOfWhatIsCommitted(t *testing.T) {
	granted := given(t, append(stock(10), want(1, 6, 0, 0), want(2, 0, 6, 0), want(3, 0, 4, 2))...)
	granted.when(want(4, 3, 4, 2)).then(StockReserved{stepOf(4), 3, at("main", 3), false}).levels(8, 1, 3, 4)
	granted.when(want(5, 0, 7, 2)).then(ReservationCommitted{stepOf(5), 3, at("main", 3)}).levels(8, 1, 0, 7)
	granted.when(want(6, 0, 1, 2)).then(ReservationReleased{Step: stepOf(6), Quantity: 6, FromCommitted: at("main", 6)})
	granted.levels(8, 7, 0, 1).has("o-1", 0, 1, 2, 0)

	dropped := given(t, append(stock(10), want(1, 0, 4, 0), want(2, 5, 4, 0))...)
	dropped.when(want(3, 0, 4, 0)).then(ReservationReleased{Step: stepOf(3), Quantity: 5, FromReserved: at("main", 5)})
	dropped.when(want(2, 5, 4, 0)).then() // late
	dropped.levels(10, 6, 0, 4)
}

func TestINV13ARejectedGrowthLosesNothing(t *testing.T) {
	s := given(t, append(stock(10), want(1, 6, 0, 0), want(2, 0, 4, 2))...)
	s.when(want(3, 5, 4, 2)).then(ReservationRejected{stepOf(3), 5, 4, InsufficientStock}).has("o-1", 0, 4, 2, 0)
	s.when(SetReservation{OrderID: "o-1", PlacedEventID: placed, Version: 4, Reserved: 1, Committed: 4, Fulfilled: 2,
		Refuse: true}).
		then(ReservationRejected{stepOf(4), 1, 4, OtherLine}).has("o-1", 0, 4, 2, 0)
	s.when(want(5, 0, 4, 2)).then(ReservationReleased{Step: stepOf(5)}).levels(8, 4, 0, 4)
	if r := s.reservations["o-1"]; r.Rejected != nil {
		t.Fatalf("still rejected: %+v", r)
	}

	waits := given(t, append(stock(3), SetBackorderLimit{5}, want(1, 0, 5, 0))...)
	waits.when(want(2, 3, 5, 0)).then(StockBackordered{stepOf(2), 3, 3, at("main", 3), false})
	waits.when(want(3, 0, 5, 0)).then(ReservationReleased{Step: stepOf(3), Quantity: 3, FromReserved: at("main", 3)})
	if r := waits.reservations["o-1"]; r.Backordered != 2 {
		t.Fatalf("%d wait of what waited before", r.Backordered)
	}
}

func TestINV12Backorders(t *testing.T) {
	s := given(t, append(stock(3), ReceiveStock{"north", 4, "", UnitCost{}}, SetBackorderLimit{5})...)
	s.when(want(1, 13, 0, 0)).then(ReservationRejected{stepOf(1), 13, 12, InsufficientStock})
	s.when(want(2, 9, 0, 0)).then(
		StockBackordered{stepOf(2), 9, 2, []Allocation{{"main", 5}, {"north", 4}}, false}).levels(7, -2, 9, 0)
	if b := s.reservations["o-1"].Backordered; b != 2 {
		t.Fatalf("backordered %d", b)
	}
	other := SetReservation{OrderID: "o-2", PlacedEventID: ID{9}, Version: 1, Reserved: 4}
	s.when(other).then(ReservationRejected{Step{"o-2", ID{9}, 1, nil}, 4, 3, InsufficientStock})

	none := given(t, RegisterItem{}, SetBackorderLimit{5})
	none.when(want(1, 5, 0, 0)).then(StockBackordered{stepOf(1), 5, 5, at("main", 5), false}).levels(0, -5, 5, 0)

	empty := given(t,
		append(stock(2), want(1, 2, 0, 0), ReceiveStock{"north", 1, "", UnitCost{}}, SetBackorderLimit{9})...)
	second := SetReservation{OrderID: "o-2", PlacedEventID: ID{9}, Version: 1, Reserved: 4}
	empty.when(second).then(
		StockBackordered{Step{"o-2", ID{9}, 1, nil}, 4, 3, []Allocation{{"main", 3}, {"north", 1}}, false})
}

func TestINV12ShortLocationTakesNothingFromOthers(t *testing.T) {
	s := given(t,
		append(stock(5), by(1, 5, SingleLocation), AdjustStock{"", -5, ReasonShrinkage, ""},
			ReceiveStock{"north", 3, "", UnitCost{}})...)
	s.levels(3, -2, 5, 0)
	other := SetReservation{OrderID: "o-2", PlacedEventID: ID{9}, Version: 1, Reserved: 3}
	s.when(other).then(StockReserved{Step{"o-2", ID{9}, 1, nil}, 3, at("north", 3), false})
}

func TestINV13Rejections(t *testing.T) {
	refuse := func(version uint64, reserved int64) SetReservation {
		c := want(version, reserved, 0, 0)
		c.Refuse = true
		return c
	}
	s := given(t, stock(2)...)
	s.when(refuse(1, 3)).then(ReservationRejected{stepOf(1), 3, 2, InsufficientStock})
	s.when(refuse(2, 2)).then(ReservationRejected{stepOf(2), 2, 2, OtherLine})
	s.when(want(3, 0, 0, 0)).then(ReservationReleased{Step: stepOf(3)})
	if s.reservations["o-1"].Rejected != nil {
		t.Fatal("still rejected")
	}
}

func TestINV64StockThatDoesNotExistRemembersNothing(t *testing.T) {
	asks := want(1, 0, 0, 0)
	asks.Imported = true
	back := want(1, 0, 0, 0)
	back.Restocked = 2
	damaged := want(1, 0, 0, 0)
	damaged.Damaged = 2
	refused := want(1, 3, 0, 0)
	refused.Refuse = true
	for _, step := range []SetReservation{want(1, 3, 0, 0), asks, back, damaged, refused} {
		s := given(t)
		s.when(step).refused(CodeUnknownSKU)
		s.when(want(2, 0, 0, 0)).then()
		if s.item.Version != 0 {
			t.Errorf("%+v: %+v", step, s.item)
		}
	}
	// A repeat is new to an item that was registered in between.
	s := given(t)
	s.when(want(1, 3, 0, 0)).refused(CodeUnknownSKU)
	s = given(t, stock(3)...)
	s.when(want(1, 3, 0, 0)).then(StockReserved{stepOf(1), 3, at("main", 3), false})
	s.when(want(2, 0, 0, 0)).then(ReservationReleased{Step: stepOf(2), Quantity: 3, FromReserved: at("main", 3)})
}

func TestINV14Imported(t *testing.T) {
	imported := func(version uint64, fulfilled int64) SetReservation {
		c := want(version, 0, 0, fulfilled)
		c.Imported = true
		return c
	}
	s := given(t, append(stock(3), ReceiveStock{"north", 4, "", UnitCost{}})...)
	s.when(imported(1, 5)).then(
		StockFulfilled{Step: stepOf(1), Quantity: 5, FromAvailable: []Allocation{{"main", 3}, {"north", 2}}})
	s.levels(2, 2, 0, 0).has("o-1", 0, 0, 5, 0)
	s.when(imported(2, 5)).then(ReservationReleased{Step: stepOf(2)})
	given(t, append(stock(4), SetBackorderLimit{9})...).when(imported(1, 5)).
		then(ReservationRejected{stepOf(1), 5, 4, InsufficientStock})

	reserved := func(quantity int64) SetReservation {
		c := want(1, quantity, 0, 0)
		c.Imported = true
		return c
	}
	s = given(t, append(stock(4), SetBackorderLimit{9})...)
	s.when(reserved(5)).then(ReservationRejected{stepOf(1), 5, 4, InsufficientStock})
	s = given(t, append(stock(4), SetBackorderLimit{9})...)
	s.when(reserved(4)).then(StockReserved{stepOf(1), 4, at("main", 4), false}).when(imported(2, 4)).then(
		StockFulfilled{Step: stepOf(2), Quantity: 4, FromReserved: at("main", 4)})
	given(t, stock(4)...).when(reserved(0)).then(ReservationReleased{Step: stepOf(1)})
}

func TestINV15Shrink(t *testing.T) {
	s := given(t, append(stock(10), want(1, 6, 0, 0), want(2, 2, 4, 0))...)
	s.when(want(3, 1, 3, 0)).then(ReservationReleased{
		Step: stepOf(3), Quantity: 2, FromReserved: at("main", 1), FromCommitted: at("main", 1),
	}).levels(10, 6, 1, 3)
	s.when(want(4, 1, 0, 0)).then(ReservationReleased{Step: stepOf(4), Quantity: 3, FromCommitted: at("main", 3)})
	s.when(want(5, 0, 0, 0)).then(ReservationReleased{Step: stepOf(5), Quantity: 1, FromReserved: at("main", 1)})
	s.levels(10, 10, 0, 0)

	back := given(t, append(stock(5), SetBackorderLimit{5}, want(1, 8, 0, 0))...)
	back.when(want(2, 6, 0, 0)).levels(5, -1, 6, 0)
	if b := back.reservations["o-1"].Backordered; b != 1 {
		t.Fatalf("backordered %d", b)
	}
	back.when(want(3, 0, 0, 0))
	if b := back.reservations["o-1"].Backordered; b != 0 {
		t.Fatalf("backordered %d", b)
	}
}

func TestINV16Commit(t *testing.T) {
	s := given(t, append(stock(3), ReceiveStock{"north", 4, "", UnitCost{}}, want(1, 5, 0, 0))...)
	s.when(want(2, 1, 4, 0)).then(ReservationCommitted{stepOf(2), 4, []Allocation{{"main", 3}, {"north", 1}}})
	s.levels(7, 2, 1, 4)
	s.when(want(3, 5, 0, 0)).then(ReservationReleased{Step: stepOf(3)}).has("o-1", 1, 4, 0, 0)
}

func TestINV17Fulfil(t *testing.T) {
	s := given(t, append(stock(10), want(1, 6, 0, 0), want(2, 0, 6, 0))...)
	s.when(want(3, 0, 4, 2)).then(StockFulfilled{Step: stepOf(3), Quantity: 2, FromCommitted: at("main", 2)})
	s.levels(8, 4, 0, 4)
	s.when(CountStock{"", 0, "", 0}).levels(0, -4, 0, 4)
	s.when(want(4, 0, 0, 6)).then(StockAdjusted{"main", 4, ReasonCorrection, "o-1"},
		StockFulfilled{Step: stepOf(4), Quantity: 4, FromCommitted: at("main", 4), Backordered: at("main", 4)})
	s.levels(0, 0, 0, 0).has("o-1", 0, 0, 6, 0)
	s.when(want(5, 0, 0, 3)).then(ReservationReleased{Step: stepOf(5)}).has("o-1", 0, 0, 6, 0)

	skip := given(t, append(stock(10), want(1, 6, 0, 0))...)
	skip.when(want(2, 0, 3, 2)).then(
		ReservationReleased{Step: stepOf(2), Quantity: 1, FromReserved: at("main", 1)},
		ReservationCommitted{stepOf(2), 3, at("main", 3)},
		StockFulfilled{Step: stepOf(2), Quantity: 2, FromReserved: at("main", 2)})
	skip.levels(8, 5, 0, 3)

	both := given(t, append(stock(10), want(1, 6, 0, 0), want(2, 3, 3, 0))...)
	both.when(want(3, 0, 0, 6)).then(StockFulfilled{
		Step: stepOf(3), Quantity: 6, FromReserved: at("main", 3), FromCommitted: at("main", 3),
	}).levels(4, 4, 0, 0)
}

func TestINV18Restock(t *testing.T) {
	credit := func(version uint64, restocked int64) SetReservation {
		c := want(version, 0, 0, 0)
		c.Restocked = restocked
		return c
	}
	s := given(t, RegisterItem{}, ReceiveStock{"north", 1, "", UnitCost{}}, ReceiveStock{"main", 1, "", UnitCost{}})
	s.when(credit(1, 3)).then(StockRestocked{stepOf(1), 3, at("north", 3), ReasonReturn, nil, nil, nil}).levels(5, 5, 0, 0)
	s.when(credit(2, 4)).then(StockRestocked{stepOf(2), 1, at("north", 1), ReasonReturn, nil, nil, nil}).
		has("o-1", 0, 0, 0, 4)
	s.when(credit(3, 1)).then(ReservationReleased{Step: stepOf(3)})
	given(t, RegisterItem{}).when(credit(1, 3)).
		then(StockRestocked{stepOf(1), 3, at("main", 3), ReasonReturn, nil, nil, nil})
}

func TestINV19ANewStepAlwaysWrites(t *testing.T) {
	s := given(t, append(stock(10), want(1, 4, 0, 0))...)
	s.when(want(2, 4, 0, 0)).then(ReservationReleased{Step: stepOf(2)}).levels(10, 6, 4, 0)
	if r := s.reservations["o-1"]; r.Version != 2 || !r.Open() {
		t.Fatalf("%+v", r)
	}
}

func TestINV20StepsAreChecked(t *testing.T) {
	s := given(t, stock(10)...)
	s.when(want(1, -1, 0, 0)).refused(CodeInvalidQuantity)
	s.when(want(1, 0, 0, MaxStepQuantity+1)).refused(CodeInvalidQuantity)
	s.when(want(0, 1, 0, 0)).refused(CodeInvalidStep)
	s.when(SetReservation{PlacedEventID: placed, Version: 1}).refused(CodeInvalidStep)
	for _, c := range []SetReservation{want(1, 0, 1, 0), want(1, 1, 0, 1)} {
		c.Imported = true
		s.when(c).refused(CodeInvalidStep)
	}
}

// Every when checks INV-21; this one has an example with numbers.
func TestINV21EventsCarryLevels(t *testing.T) {
	s := given(t, append(stock(3), ReceiveStock{"north", 4, "", UnitCost{}})...)
	s.when(want(1, 2, 0, 0))
	ev := s.events[0]
	main := Level{OnHand: 3, Available: 1, Reserved: 2}
	if len(ev.Locations) != 1 || ev.Locations[0] != (LocationLevel{"main", main}) {
		t.Fatalf("locations %+v", ev.Locations)
	}
	if ev.Total != (Level{OnHand: 7, Available: 5, Reserved: 2}) {
		t.Fatalf("total %+v", ev.Total)
	}
}

func TestINV12WhatFellShortCountsAgainstTheBackorderLimit(t *testing.T) {
	s := given(t,
		append(stock(6), SetBackorderLimit{9}, by(1, 6, SingleLocation), AdjustStock{"", -6, ReasonShrinkage, ""},
			ReceiveStock{"north", 5, "", UnitCost{}})...)
	s.when(other(1, 10, 0, 0)).then(ReservationRejected{otherStep(1), 10, 8, InsufficientStock})
	s.when(other(2, 6, 0, 0)).then(StockBackordered{otherStep(2), 6, 1, []Allocation{{"main", 1}, {"north", 5}}, false})
	s.when(other(3, 8, 0, 0)).then(StockBackordered{otherStep(3), 2, 2, at("main", 2), false})
	s.when(other(4, 9, 0, 0)).then(ReservationRejected{otherStep(4), 1, 0, InsufficientStock})
	s.when(SetBackorderLimit{1}).levels(5, -9, 14, 0) // of those that wait nobody is turned away
}
