package inventory

import "testing"

func TestINV40DamagedReturns(t *testing.T) {
	back := func(version uint64, restocked, damaged int64) SetReservation {
		c := want(version, 0, 0, 5)
		c.Restocked, c.Damaged = restocked, damaged
		return c
	}
	s := given(t, append(stock(10), want(1, 5, 0, 0), want(2, 0, 0, 5))...)
	s.when(back(3, 1, 2)).then(StockRestocked{stepOf(3), 3, at("main", 1), ReasonReturn, at("main", 2)}).levels(8, 6, 0, 0)
	s.when(back(4, 1, 3)).then(StockRestocked{stepOf(4), 1, nil, ReasonReturn, at("main", 1)}).levels(9, 6, 0, 0)
	s.when(back(5, 1, 2)).then(ReservationReleased{Step: stepOf(5)})
	if total := s.item.Total(); total.Damaged != 3 || s.reservations["o-1"].Damaged() != 3 {
		t.Fatalf("%+v", total)
	}
	s.when(back(6, 0, -1)).refused(CodeInvalidQuantity)
	given(t).when(SetReservation{OrderID: "o-1", PlacedEventID: placed, Version: 1, Damaged: 2}).then(
		ReservationRejected{stepOf(1), 2, 0, UnknownSKU})
}
