package availability

import (
	"slices"
	"strconv"

	"github.com/google/uuid"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Open work is what is under way of an item: transfers between locations, expected deliveries, and backorders, which
// are the orders that wait for stock. Locations in it are indexes into the row's locations.

// changeOpenWork folds what an event says of open work. Unlike levels, events state it as deltas.
func changeOpenWork(row *eventv1.AvailabilityRow, ev *eventv1.InventoryEvent) {
	at := ev.Meta.OccurredAtMicros
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockReceived:
		changeDelivery(row, c.StockReceived.Location, c.StockReceived.Reference, -c.StockReceived.Expected)
	case *eventv1.InventoryEvent_StockExpected:
		changeDelivery(row, c.StockExpected.Location, c.StockExpected.Reference, c.StockExpected.Delta)
	case *eventv1.InventoryEvent_TransferShipped:
		t := c.TransferShipped
		row.Transfers = append(row.Transfers, &eventv1.OpenTransfer{
			TransferId:   t.TransferId,
			FromLocation: locationIndex(row, t.FromLocation), ToLocation: locationIndex(row, t.ToLocation),
			Shipped: t.Quantity, Remaining: t.Quantity, ShippedAtMicros: at, Reference: fittingReference(row, t.Reference),
		})
	case *eventv1.InventoryEvent_TransferReceived:
		receiveTransfer(row, c.TransferReceived)
	case *eventv1.InventoryEvent_TransferCancelled:
		row.Transfers = slices.DeleteFunc(row.Transfers, func(t *eventv1.OpenTransfer) bool {
			return t.TransferId == c.TransferCancelled.TransferId
		})
	case *eventv1.InventoryEvent_StockBackordered:
		b := c.StockBackordered
		if len(b.Allocations) > 0 { // the backordered units are allocated at the first of the locations
			w := addBackorder(row, b.Step.GetOrderId(), b.Allocations[0].Location, at)
			w.Quantity += b.Backordered
			dropIfFilled(row, w)
		}
	case *eventv1.InventoryEvent_ReservationReleased:
		released := c.ReservationReleased
		lowerBackorders(row, released.Step.GetOrderId(), released.FromReserved)
		lowerBackorders(row, released.Step.GetOrderId(), released.FromCommitted)
	case *eventv1.InventoryEvent_StockFulfilled:
		lowerBackorders(row, c.StockFulfilled.Step.GetOrderId(), c.StockFulfilled.Backordered)
	case *eventv1.InventoryEvent_ReservationFellShort:
		s := c.ReservationFellShort
		w := addBackorder(row, s.Step.GetOrderId(), s.Location, at)
		w.Quantity = s.Backordered
		dropIfFilled(row, w)
	case *eventv1.InventoryEvent_BackorderFilled:
		b := c.BackorderFilled
		if w := findBackorder(row, b.Step.GetOrderId(), b.Location); w != nil {
			w.Quantity = b.Backordered
			dropIfFilled(row, w)
		}
	}
}

// lowerBackorders notes that an order waits for less at some locations.
func lowerBackorders(row *eventv1.AvailabilityRow, orderID string, by []*eventv1.Allocation) {
	for _, a := range by {
		if w := findBackorder(row, orderID, a.Location); w != nil {
			w.Quantity = max(0, w.Quantity-a.Quantity)
			dropIfFilled(row, w)
		}
	}
}

// MaxTransferReferencesBytes bounds the references of an item's transfers in a row. With as many and as long references
// as the rules allow, the row would exceed the size of a record.
const MaxTransferReferencesBytes = 24 << 10

// fittingReference is the reference of a transfer, or nothing where the row has no room for all of it.
func fittingReference(row *eventv1.AvailabilityRow, reference string) string {
	bytes := len(reference)
	for _, t := range row.Transfers {
		bytes += len(t.Reference)
	}
	if bytes > MaxTransferReferencesBytes {
		return ""
	}
	return reference
}

// locationIndex is the index of a location in the row. An event states every location that it names, so the row has
// them all; one that is missing nevertheless is added without a level.
func locationIndex(row *eventv1.AvailabilityRow, location string) uint32 {
	i := slices.IndexFunc(row.Locations, func(l *eventv1.LocationLevel) bool { return l.Location == location })
	if i < 0 {
		i = len(row.Locations)
		row.Locations = append(row.Locations, &eventv1.LocationLevel{Location: location})
	}
	return uint32(i)
}

// locationName is the name of the location at an index. An index that the row does not have is shown as a number.
func locationName(row *eventv1.AvailabilityRow, index uint32) string {
	if int(index) < len(row.Locations) {
		return row.Locations[index].GetLocation()
	}
	return "#" + strconv.FormatUint(uint64(index), 10)
}

// changeDelivery changes the expected quantity of a delivery. One that has arrived in full is removed.
func changeDelivery(row *eventv1.AvailabilityRow, location, reference string, delta int64) {
	if delta == 0 {
		return
	}
	at := locationIndex(row, location)
	i := slices.IndexFunc(row.Deliveries, func(d *eventv1.OpenDelivery) bool {
		return d.Location == at && d.Reference == reference
	})
	if i < 0 {
		row.Deliveries = append(row.Deliveries, &eventv1.OpenDelivery{
			Location: at, Reference: reference, Quantity: delta,
		})
		return
	}
	if row.Deliveries[i].Quantity += delta; row.Deliveries[i].Quantity == 0 {
		row.Deliveries = slices.Delete(row.Deliveries, i, i+1)
	}
}

// receiveTransfer lowers what remains of a transfer. One of which nothing remains is removed.
func receiveTransfer(row *eventv1.AvailabilityRow, c *eventv1.TransferReceived) {
	i := slices.IndexFunc(row.Transfers, func(t *eventv1.OpenTransfer) bool { return t.TransferId == c.TransferId })
	if i < 0 {
		return
	}
	remaining := &row.Transfers[i].Remaining
	if *remaining -= c.Quantity + c.Damaged + c.Missing + c.Rejected; *remaining <= 0 {
		row.Transfers = slices.Delete(row.Transfers, i, i+1)
	}
}

// addBackorder finds an order's backorder at a location. A new one goes to the end: backorders are filled in order.
func addBackorder(row *eventv1.AvailabilityRow, orderID, location string, at int64) *eventv1.WaitingOrder {
	if w := findBackorder(row, orderID, location); w != nil {
		return w
	}
	w := &eventv1.WaitingOrder{Location: locationIndex(row, location), SinceMicros: at}
	if id, ok := parseUUID(orderID); ok {
		w.OrderUuid = id[:]
	} else {
		w.OrderId = orderID
	}
	row.Backorders = append(row.Backorders, w)
	return w
}

// findBackorder finds an order's backorder at a location; nil: it has none.
func findBackorder(row *eventv1.AvailabilityRow, orderID, location string) *eventv1.WaitingOrder {
	if len(row.Backorders) == 0 {
		return nil
	}
	at := locationIndex(row, location)
	id, isUUID := parseUUID(orderID)
	for _, w := range row.Backorders {
		same := w.OrderId == orderID
		if isUUID {
			same = string(w.OrderUuid) == string(id[:])
		}
		if same && w.Location == at {
			return w
		}
	}
	return nil
}

// dropIfFilled removes a backorder of which nothing is missing any more.
func dropIfFilled(row *eventv1.AvailabilityRow, w *eventv1.WaitingOrder) {
	if w.Quantity == 0 {
		row.Backorders = slices.DeleteFunc(row.Backorders, func(other *eventv1.WaitingOrder) bool { return other == w })
	}
}

// parseUUID reads a UUID in canonical form alone, so that OrderID returns the same text again.
func parseUUID(orderID string) (uuid.UUID, bool) {
	id, err := uuid.Parse(orderID)
	return id, err == nil && id.String() == orderID
}

// OrderID is the ID of an order that waits. A UUID is kept as its 16 bytes, any other ID as text.
func OrderID(w *eventv1.WaitingOrder) string {
	if id, err := uuid.FromBytes(w.OrderUuid); err == nil {
		return id.String()
	}
	return w.OrderId
}

// hasOpenWork reports whether anything of the item is under way.
func hasOpenWork(row *eventv1.AvailabilityRow) bool {
	return len(row.Transfers)+len(row.Deliveries)+len(row.Backorders) > 0
}
