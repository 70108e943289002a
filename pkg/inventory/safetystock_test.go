package inventory

import "testing"

func TestINV7SafetyStockIsAWish(t *testing.T) {
	s := given(t, stock(6)...).when(SetSafetyStock{"", 10}).then(SafetyStockSet{"main", 6, 6, 10}).levels(6, 0, 0, 0)
	s.when(SetSafetyStock{"", 10}).then()
	// Another quantity of which no more is there is told all the same.
	s.when(SetSafetyStock{"", 9}).then(SafetyStockSet{"main", 6, 0, 9})
	s.when(SetSafetyStock{"", 6}).then(SafetyStockSet{"main", 6, 0, 0})
	s.when(SetSafetyStock{"", 7}).then(SafetyStockSet{"main", 6, 0, 7})
	s.when(SetSafetyStock{"", 2}).then(SafetyStockSet{"main", 2, -4, 0}).levels(6, 4, 0, 0)
	s.when(SetSafetyStock{"north", 3}).then(SafetyStockSet{"north", 0, 0, 3}) // nothing is there yet
	s.when(SetSafetyStock{"north", 0}).then(SafetyStockSet{"north", 0, 0, 0})
	if len(s.item.SafetyStockTargets) != 0 {
		t.Fatalf("%+v", s.item.SafetyStockTargets)
	}
}

func TestINV73SafetyStockFillsUp(t *testing.T) {
	s := given(t, append(stock(6), SetSafetyStock{"", 10})...)
	s.when(ReceiveStock{"", 3, "", UnitCost{}}).then(StockReceived{Location: "main", Quantity: 3},
		SafetyStockSet{"main", 9, 3, 10})
	s.when(ReceiveStock{"", 7, "", UnitCost{}}).then(StockReceived{Location: "main", Quantity: 7},
		SafetyStockSet{"main", 10, 1, 0}).levels(16, 6, 0, 0)

	// A shortfall takes from it before it takes from orders, and what comes restores it.
	s.when(want(1, 6, 0, 0)).then(StockReserved{Step: stepOf(1), Quantity: 6, Allocations: at("main", 6)})
	s.when(CountStock{"", 8, "", 0}).then(StockCounted{"main", 8, -8, "", 0}, SafetyStockSet{"main", 2, -8, 10}).
		levels(8, 0, 6, 0)
	s.when(CountStock{"", 5, "", 0}).then(StockCounted{"main", 5, -3, "", 0}, SafetyStockSet{"main", 0, -2, 10},
		ReservationFellShort{Step: stepOf(1), Location: "main", Quantity: 1, Backordered: 1}).levels(5, -1, 6, 0)
	s.when(ReceiveStock{"", 4, "", UnitCost{}}).then(StockReceived{Location: "main", Quantity: 4},
		BackorderFilled{Step: stepOf(1), Location: "main", Quantity: 1}, SafetyStockSet{"main", 3, 3, 10}).
		levels(9, 0, 6, 0)

	// So does what an order gives back. A move changes what it is to be.
	s.when(want(2, 2, 0, 0)).then(ReservationReleased{Step: stepOf(2), Quantity: 4, FromReserved: at("main", 4)},
		SafetyStockSet{"main", 7, 4, 10})
	s.when(MoveStock{"", StateSafetyStock, StateDamaged, 2, ""}).
		then(StockMoved{"main", StateSafetyStock, StateDamaged, 2, ""}).levels(9, 0, 2, 0)
	s.when(MoveStock{"", StateDamaged, StateSafetyStock, 1, ""})
	s.when(ReceiveStock{"", 9, "", UnitCost{}}).then(StockReceived{Location: "main", Quantity: 9},
		SafetyStockSet{"main", 9, 3, 0}).levels(18, 6, 2, 0)
}

// What is moved out of safety stock to be sold is for sale: the same decision does not take it back.
func TestINV22SafetyStockThatIsPutUpForSale(t *testing.T) {
	s := given(t, append(stock(6), SetSafetyStock{"", 10})...)
	s.when(MoveStock{"", StateSafetyStock, StateAvailable, 2, ""}).
		then(StockMoved{"main", StateSafetyStock, StateAvailable, 2, ""}).levels(6, 2, 0, 0)
	s.when(SetSafetyStock{"", 4}).then() // so much it is to be
	s.when(ReceiveStock{"", 3, "", UnitCost{}}).then(StockReceived{Location: "main", Quantity: 3}).levels(9, 5, 0, 0)
}

// Goods of another location are for sale there, and orders that wait come first.
func TestINV73OrdersThatWaitComeFirst(t *testing.T) {
	waits := SetReservation{OrderID: "o-2", PlacedEventID: ID{9}, Version: 1, Reserved: 5}
	s := given(t, append(stock(1), SetSafetyStock{"", 4}, SetBackorderLimit{5}, waits)...).levels(1, -5, 5, 0)
	s.when(ReceiveStock{"north", 2, "", UnitCost{}}).then(StockReceived{Location: "north", Quantity: 2},
		BackorderFilled{Step: Step{"o-2", ID{9}, 1, nil}, Location: "main", Quantity: 2, Backordered: 3,
			Reserved: at("north", 2)})
	s.when(ReceiveStock{"", 4, "", UnitCost{}}).then(StockReceived{Location: "main", Quantity: 4},
		BackorderFilled{Step: Step{"o-2", ID{9}, 1, nil}, Location: "main", Quantity: 3},
		SafetyStockSet{"main", 2, 1, 4}).
		levels(7, 0, 5, 0)
}
