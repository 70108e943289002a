package inventory

// StepOf returns the order's step that a change answers, or whose reservation it fills; false for changes
// of no reservation.
func StepOf(c Change) (Step, bool) {
	switch c := c.(type) {
	case StockReserved:
		return c.Step, true
	case StockBackordered:
		return c.Step, true
	case ReservationRejected:
		return c.Step, true
	case ReservationCommitted:
		return c.Step, true
	case ReservationReleased:
		return c.Step, true
	case StockFulfilled:
		return c.Step, true
	case StockRestocked:
		return c.Step, true
	case BackorderFilled:
		return c.Step, true
	case ItemRegistered, StockReceived, StockMoved, StockExpected, StockAdjusted, StockCounted, SafetyStockSet, BackorderLimitSet,
		TransferShipped, TransferReceived:
	}
	return Step{}, false
}
