package inventory

import "testing"

// reversed is a step of an order whose shipments of these steps, each of a quantity, were taken back. left was still to
// ship, and fulfilled has left and stays so.
func reversed(version uint64, left, fulfilled int64, shipments ...Reversed) SetReservation {
	c := want(version, 0, left, fulfilled)
	for _, r := range shipments {
		c.Committed += r.Quantity
		c.Fulfilled += r.Quantity
		c.Restocked += r.Quantity
	}
	c.ShipAgain, c.Reversed = c.Committed-left, shipments
	return c
}

// split has 3 units at main and 5 at north. An order has all, and shipped 2, and then 4: 1 from main, 3 from north.
func split() []Command {
	return append(stock(3), ReceiveStock{"north", 5, "", UnitCost{}},
		want(1, 8, 0, 0), want(2, 0, 8, 0), want(3, 0, 6, 2), want(4, 0, 2, 6))
}

func TestINV69AShipmentComesBackToWhereItLeft(t *testing.T) {
	first, second := Reversed{3, 2}, Reversed{4, 4}
	left := []Allocation{{"main", 1}, {"north", 3}}
	s := given(t, split()...).when(reversed(5, 2, 2, second)).then(
		StockRestocked{stepOf(5), 4, left, ReasonCorrection, nil, nil, []Reversed{second}},
		StockReserved{stepOf(5), 4, left, true},
		ReservationCommitted{stepOf(5), 4, left})
	if main, north := s.item.at("main"), s.item.at("north"); main.Committed != 1 || north.Committed != 5 {
		t.Fatalf("main has %+v, north %+v", main, north)
	}
	// The first one comes back too. What the second gave back is not given back again.
	both := []Reversed{first, second}
	s.when(reversed(6, 2, 0, both...)).then(
		StockRestocked{stepOf(6), 2, at("main", 2), ReasonCorrection, nil, nil, both},
		StockReserved{stepOf(6), 2, at("main", 2), true},
		ReservationCommitted{stepOf(6), 2, at("main", 2)}).levels(8, 0, 0, 8)

	// The first one alone, although the second left main, too.
	given(t, split()...).when(reversed(5, 2, 4, first)).then(
		StockRestocked{stepOf(5), 2, at("main", 2), ReasonCorrection, nil, nil, []Reversed{first}},
		StockReserved{stepOf(5), 2, at("main", 2), true},
		ReservationCommitted{stepOf(5), 2, at("main", 2)})
}

// Stock has heard of no shipment before it hears that one was taken back: one step took them together.
func TestINV69ShippedAndReversedInOneStep(t *testing.T) {
	all := append(stock(3), ReceiveStock{"north", 5, "", UnitCost{}}, want(1, 8, 0, 0))
	s := given(t, all...).when(reversed(4, 2, 2, Reversed{3, 4}))
	if main, north := s.item.at("main"), s.item.at("north"); main.OnHand+north.OnHand != 6 ||
		main.Committed+north.Committed != 6 || main.Available+north.Available != 0 || s.item.Total().Reserved != 0 {
		t.Fatalf("main has %+v, north %+v", main, north)
	}
}

// What came back otherwise is not taken from the shelf again: the rest goes where there is something away.
func TestINV69WhatIsNotAwayAnyMore(t *testing.T) {
	back := want(5, 0, 2, 6)
	back.Restocked, back.ReturnedAt = 3, []ReturnedAt{{"north", 3, 0}}
	step := reversed(6, 2, 2, Reversed{4, 4})
	step.Restocked, step.ReturnedAt = 7, back.ReturnedAt
	given(t, append(split(), back)...).when(step).then(
		StockRestocked{stepOf(6), 4, at("main", 4), ReasonCorrection, nil, back.ReturnedAt, step.Reversed},
		StockReserved{stepOf(6), 4, at("main", 4), true},
		ReservationCommitted{stepOf(6), 4, at("main", 4)})
}

func TestINV69WhatWasReversedIsNotForThoseThatWait(t *testing.T) {
	waits := SetReservation{OrderID: "o-2", PlacedEventID: ID{9}, Version: 1, Reserved: 5}
	s := given(t, append(stock(3), want(1, 3, 0, 0), want(2, 0, 0, 3), SetBackorderLimit{5}, waits)...)
	all := []Reversed{{2, 3}}
	s.when(reversed(3, 0, 0, all...)).then(
		StockRestocked{stepOf(3), 3, at("main", 3), ReasonCorrection, nil, nil, all},
		StockReserved{stepOf(3), 3, at("main", 3), true},
		ReservationCommitted{stepOf(3), 3, at("main", 3)}).levels(3, -5, 5, 3)
	s.when(reversed(3, 0, 0, all...)).then() // the same step again
}

// What had left a reservation of one location is noted with the step that it left with, although the step that takes
// goods from the second location releases something first.
func TestINV69OneLocationAndThenTwo(t *testing.T) {
	s := given(t, append(stock(5), ReceiveStock{"north", 5, "", UnitCost{}},
		want(1, 5, 0, 0), want(2, 0, 5, 0), want(3, 0, 1, 4))...)
	s.when(want(5, 2, 1, 4)).when(want(6, 0, 3, 4)).when(want(7, 0, 0, 6)).then(
		ReservationReleased{Step: stepOf(7), Quantity: 1, FromCommitted: at("main", 1)},
		StockFulfilled{Step: stepOf(7), Quantity: 2, FromCommitted: at("north", 2)})
	second := Reversed{7, 2}
	s.when(reversed(8, 0, 4, second)).then(
		StockRestocked{stepOf(8), 2, at("north", 2), ReasonCorrection, nil, nil, []Reversed{second}},
		StockReserved{stepOf(8), 2, at("north", 2), true},
		ReservationCommitted{stepOf(8), 2, at("north", 2)})
	first := Reversed{3, 4}
	s.when(reversed(9, 0, 0, second, first)).then(
		StockRestocked{stepOf(9), 4, at("main", 4), ReasonCorrection, nil, nil, []Reversed{second, first}},
		StockReserved{stepOf(9), 4, at("main", 4), true},
		ReservationCommitted{stepOf(9), 4, at("main", 4)})
}

// The second location comes with the step that takes goods. A shipment of between, which came with the same step, left
// with it, and not with what had left before.
func TestINV69TheSecondLocationComesWithTheShipment(t *testing.T) {
	s := given(t, append(stock(5), ReceiveStock{"north", 5, "", UnitCost{}},
		want(1, 5, 0, 0), want(2, 0, 5, 0), want(3, 0, 1, 4))...)
	s.when(want(6, 0, 0, 8))
	between := Reversed{5, 3}
	s.when(reversed(7, 0, 5, between)).then(
		StockRestocked{stepOf(7), 3, at("north", 3), ReasonCorrection, nil, nil, []Reversed{between}},
		StockReserved{stepOf(7), 3, at("north", 3), true},
		ReservationCommitted{stepOf(7), 3, at("north", 3)})
}

// An order that never has more than one location costs no notes, whatever comes back.
func TestINV69OneLocationHasNoNotes(t *testing.T) {
	back := want(4, 0, 0, 3)
	back.Restocked = 1
	s := given(t, append(stock(5), want(1, 3, 0, 0), want(2, 0, 1, 2), want(3, 0, 0, 3), back)...)
	if res := s.reservations["o-1"]; len(res.Departures) != 0 {
		t.Fatalf("%+v", res.Departures)
	}
}

// An event of a former release says nothing of shipments that were taken back. They stay so.
func TestINV69AFormerReleaseForgetsNone(t *testing.T) {
	second := Reversed{4, 4}
	s := given(t, append(split(), reversed(5, 2, 2, second))...)
	restocked := StockRestocked{Step: stepOf(6), Quantity: 1, Allocations: at("main", 1)}
	_, res := Evolve(s.item, s.reservations["o-1"], Event{Change: restocked})
	if len(res.Reversed) != 1 || res.Reversed[0] != second {
		t.Fatalf("%+v", res.Reversed)
	}
}
