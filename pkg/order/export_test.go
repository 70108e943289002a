package order

// What tests outside of the package hold orders to.
var (
	CheckOrder = checkOrder
	Growth     = growth
)

// Reprice is what the lines cost.
func (o *Order) Reprice() (subtotalMicros, totalMicros int64, err error) { return o.reprice() }
