package inventory

// Visible reports whether an event changes something that a client can see of the item. This is the one list of those
// that do not: they remember how stock has answered an order's step, and leave levels and open work as they were.
//
// What a client sees as an item's version (ETag, version, If-Match) is VisibleVersion, that of the last visible event.
// So the version of an answer stays the item's while orders are refused, or let go of what they never had. Views leave
// the time of the other events out too. A count that confirms on_hand is visible: the item was counted at its time.
func Visible(c Change) bool {
	switch c := c.(type) {
	case ReservationRejected:
		return false
	case ReservationReleased:
		return c.Quantity != 0
	}
	return true
}
