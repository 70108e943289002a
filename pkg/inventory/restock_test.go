package inventory

import (
	"strconv"
	"testing"
)

func TestINV40DamagedReturns(t *testing.T) {
	back := func(version uint64, restocked, damaged int64) SetReservation {
		c := want(version, 0, 0, 5)
		c.Restocked, c.Damaged = restocked, damaged
		return c
	}
	s := given(t, append(stock(10), want(1, 5, 0, 0), want(2, 0, 0, 5))...)
	s.when(back(3, 1, 2)).then(StockRestocked{stepOf(3), 3, at("main", 1), ReasonReturn, at("main", 2), nil, nil}).
		levels(8, 6, 0, 0)
	s.when(back(4, 1, 3)).then(StockRestocked{stepOf(4), 1, nil, ReasonReturn, at("main", 1), nil, nil}).levels(9, 6, 0, 0)
	s.when(back(5, 1, 2)).then(ReservationReleased{Step: stepOf(5)})
	if total := s.item.Total(); total.Damaged != 3 || s.reservations["o-1"].Damaged() != 3 {
		t.Fatalf("%+v", total)
	}
	s.when(back(6, 0, -1)).refused(CodeInvalidQuantity)
}

func TestINV18GoodsComeBackToWhereTheyLeftFrom(t *testing.T) {
	s := given(t, append(stock(2), ReceiveStock{"north", 5, "", UnitCost{}}, want(1, 5, 0, 0), want(2, 0, 0, 5))...)
	c := want(3, 0, 0, 5)
	c.Restocked, c.Damaged = 1, 2
	s.when(c).then(StockRestocked{
		stepOf(3), 3, at("main", 1), ReasonReturn, []Allocation{{"main", 1}, {"north", 1}}, nil, nil})
	c.Version, c.Restocked = 4, 3
	s.when(c).then(StockRestocked{stepOf(4), 2, at("north", 2), ReasonReturn, nil, nil, nil})
	if main, north := s.item.at("main"), s.item.at("north"); main.OnHand != 2 || main.Damaged != 1 || north.OnHand != 5 ||
		north.Damaged != 1 {
		t.Fatalf("main has %+v, north %+v", main, north)
	}
	// A credit note gives back what never left.
	note := SetReservation{OrderID: "o-9", PlacedEventID: ID{9}, Version: 1, Restocked: 2, Imported: true}
	s.when(note).then(StockRestocked{Step{"o-9", ID{9}, 1, nil}, 2, at("main", 2), ReasonReturn, nil, nil, nil})
}

func TestINV18GoodsComeBackToWhereTheyAreNamedFor(t *testing.T) {
	s := given(t, append(stock(2), ReceiveStock{"north", 5, "", UnitCost{}}, want(1, 5, 0, 0), want(2, 0, 0, 5))...)
	back := func(version uint64, restocked int64, at ...ReturnedAt) SetReservation {
		c := want(version, 0, 0, 5)
		c.Restocked, c.Damaged, c.ReturnedAt = restocked, 1, at
		return c
	}
	south := ReturnedAt{"south", 1, 1}
	s.when(back(3, 2, south)).
		then(StockRestocked{stepOf(3), 3, []Allocation{{"south", 1}, {"main", 1}}, ReasonReturn, at("south", 1),
			[]ReturnedAt{south}, nil})
	// Named quantities are absolute: a step that names more brings the difference there.
	more := []ReturnedAt{south, {"main", 1, 0}}
	s.when(back(4, 3, more...)).then(StockRestocked{stepOf(4), 1, at("main", 1), ReasonReturn, nil, more, nil})
	s.when(back(5, 4, more...)).then(StockRestocked{stepOf(5), 1, at("north", 1), ReasonReturn, nil, more, nil})

	// The item has no room for another location: the goods go where they had left from.
	full := given(t, append(stock(5), want(1, 5, 0, 0), want(2, 0, 0, 5))...)
	for i := len(full.item.Locations); i < MaxLocations; i++ {
		full.item.Locations = append(full.item.Locations, LocationLevel{Location: strconv.Itoa(i)})
	}
	full.when(back(3, 1, south)).
		then(StockRestocked{stepOf(3), 2, at("main", 1), ReasonReturn, at("main", 1), []ReturnedAt{south}, nil})
}
