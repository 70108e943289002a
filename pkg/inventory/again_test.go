package inventory

import "testing"

// again is a step of an order whose shipped units did not arrive and ship again.
func again(version uint64, shipAgain, restocked, damaged int64) SetReservation {
	c := want(version, 0, shipAgain, 3)
	c.ShipAgain, c.Restocked, c.Damaged = shipAgain, restocked, damaged
	return c
}

func TestINV67WhatShipsAgainIsNotRefused(t *testing.T) {
	shipped := append(stock(3), want(1, 3, 0, 0), want(2, 0, 0, 3))

	// All that came back goes to the order, although none is available.
	given(t, shipped...).when(again(3, 3, 3, 0)).then(
		StockRestocked{stepOf(3), 3, at("main", 3), ReasonReturn, nil, nil, nil},
		StockReserved{stepOf(3), 3, at("main", 3), true},
		ReservationCommitted{stepOf(3), 3, at("main", 3)}).levels(3, 0, 0, 3)

	// 1 came back, 1 is broken, 1 is lost. What is missing is backordered, although the item has no backorder limit.
	s := given(t, shipped...).when(again(3, 3, 1, 1)).then(
		StockRestocked{stepOf(3), 2, at("main", 1), ReasonReturn, at("main", 1), nil, nil},
		StockReserved{stepOf(3), 1, at("main", 1), true},
		StockBackordered{stepOf(3), 2, 2, at("main", 2), true},
		ReservationCommitted{stepOf(3), 3, at("main", 3)}).levels(2, -2, 0, 3)
	s.when(again(3, 3, 1, 1)).then()
	s.when(ReceiveStock{"", 2, "", UnitCost{}}).then(StockReceived{Location: "main", Quantity: 2},
		BackorderFilled{Step: stepOf(3), Location: "main", Quantity: 2}).levels(4, 0, 0, 3)

	// An answered step has nothing that ships again: growth is refused as ever.
	s.when(want(4, 1, 3, 3)).then(ReservationRejected{stepOf(4), 1, 0, InsufficientStock})

	// The shelf has some: nothing is backordered.
	given(t, append(shipped, ReceiveStock{"north", 5, "", UnitCost{}})...).when(again(3, 3, 0, 0)).then(
		StockReserved{stepOf(3), 3, at("north", 3), false},
		ReservationCommitted{stepOf(3), 3, at("north", 3)}).levels(5, 2, 0, 3)
}

func TestINV67WhatCameBackIsNotForThoseThatWait(t *testing.T) {
	waits := SetReservation{OrderID: "o-2", PlacedEventID: ID{9}, Version: 1, Reserved: 5}
	s := given(t, append(stock(3), want(1, 3, 0, 0), want(2, 0, 0, 3), SetBackorderLimit{5}, waits)...)
	s.when(again(3, 3, 2, 0)).then(
		StockRestocked{stepOf(3), 2, at("main", 2), ReasonReturn, nil, nil, nil},
		StockReserved{stepOf(3), 2, at("main", 2), true},
		StockBackordered{stepOf(3), 1, 1, at("main", 1), true},
		ReservationCommitted{stepOf(3), 3, at("main", 3)}).levels(2, -6, 5, 3)
	// What comes fills those that have waited longer first.
	s.when(ReceiveStock{"", 6, "", UnitCost{}}).then(StockReceived{Location: "main", Quantity: 6},
		BackorderFilled{Step: Step{"o-2", ID{9}, 1, nil}, Location: "main", Quantity: 5},
		BackorderFilled{Step: stepOf(3), Location: "main", Quantity: 1})
}

func TestINV67ASingleLocationShipsAgainFromItsOwn(t *testing.T) {
	rule := &AllocationRule{Policy: SingleLocation}
	with := func(c SetReservation) SetReservation {
		c.Allocation = rule
		return c
	}
	s := given(t, append(stock(3), with(want(1, 3, 0, 0)), with(want(2, 0, 0, 3)))...)
	back := with(again(3, 2, 1, 0))
	back.ReturnedAt = []ReturnedAt{{"north", 1, 0}}
	step := stepOf(3)
	step.Allocation = rule
	s.when(back).then(
		StockRestocked{step, 1, at("north", 1), ReasonReturn, nil, back.ReturnedAt, nil},
		StockBackordered{step, 2, 2, at("main", 2), true},
		ReservationCommitted{step, 2, at("main", 2)})
}

// A step that stock sees late brings the shipment and what came back of it at once.
func TestINV67ShippedAndBackInOneStep(t *testing.T) {
	s := given(t, append(stock(3), want(1, 0, 3, 0))...)
	s.when(again(2, 3, 3, 0)).then(
		StockFulfilled{Step: stepOf(2), Quantity: 3, FromCommitted: at("main", 3)},
		StockRestocked{stepOf(2), 3, at("main", 3), ReasonReturn, nil, nil, nil},
		StockReserved{stepOf(2), 3, at("main", 3), true},
		ReservationCommitted{stepOf(2), 3, at("main", 3)}).levels(3, 0, 0, 3)
	given(t, stock(3)...).when(again(1, -1, 0, 0)).refused(CodeInvalidQuantity)
}
