package order

// For tests in package order_test.
var (
	CheckOrder = checkOrder
	Growth     = growth
)

// Reprice adds up what the lines cost.
func (o *Order) Reprice() (subtotalMicros, totalMicros int64, err error) { return o.reprice() }

// LacksCover: the order is prepaid, and not covered.
func (o Order) LacksCover() bool { return o.lacksCover() }

// ReturnedMicros is what all that came back had cost.
func (o *Order) ReturnedMicros() int64 { return o.returned() }
