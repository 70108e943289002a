package order

// Visible reports whether an event changes something that a client can see. This is the one list of those that do not:
// they say how far an order and its stock have agreed, and come after the command's answer when that stock is another
// shard's.
//
// What a client sees as an order's version (ETag, version, If-Match) is VisibleVersion, that of the last visible event.
// So the version of an answer stays the order's until something happens to the order, in how many shards its stock may
// be. Views leave the other events out, of the timeline too.
func Visible(ev Event) bool {
	_, settled := ev.(ReservationSettled)
	return !settled
}
