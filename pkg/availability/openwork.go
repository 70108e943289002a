package availability

import (
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// openWork takes over what an event says of transfers, expected deliveries and orders that wait. It names
// deltas, unlike for levels.
func openWork(row *eventv1.AvailabilityRow, ev *eventv1.InventoryEvent) {
	at := ev.Meta.OccurredAtMicros
	switch c := ev.Change.(type) {
	case *eventv1.InventoryEvent_StockReceived:
		expect(row, c.StockReceived.Location, c.StockReceived.Reference, -c.StockReceived.Expected)
	case *eventv1.InventoryEvent_StockExpected:
		expect(row, c.StockExpected.Location, c.StockExpected.Reference, c.StockExpected.Delta)
	case *eventv1.InventoryEvent_TransferShipped:
		t := c.TransferShipped
		row.Transfers = append(row.Transfers, &eventv1.OpenTransfer{
			TransferId: t.TransferId, FromLocation: place(row, t.FromLocation), ToLocation: place(row, t.ToLocation),
			Shipped: t.Quantity, Remaining: t.Quantity, ShippedAtMicros: at, Reference: fitting(row, t.Reference),
		})
	case *eventv1.InventoryEvent_TransferReceived:
		receive(row, c.TransferReceived)
	case *eventv1.InventoryEvent_StockBackordered:
		b := c.StockBackordered
		if len(b.Allocations) > 0 { // what is not there is allocated at the first of the locations
			w := waiting(row, b.Step.GetOrderId(), b.Allocations[0].Location, at)
			w.Quantity += b.Backordered
			leave(row, w)
		}
	case *eventv1.InventoryEvent_ReservationReleased:
		for _, list := range [][]*eventv1.Allocation{c.ReservationReleased.FromReserved, c.ReservationReleased.FromCommitted} {
			for _, a := range list {
				if w := find(row, c.ReservationReleased.Step.GetOrderId(), a.Location); w != nil {
					w.Quantity = max(0, w.Quantity-a.Quantity)
					leave(row, w)
				}
			}
		}
	case *eventv1.InventoryEvent_BackorderFilled:
		b := c.BackorderFilled
		if w := find(row, b.Step.GetOrderId(), b.Location); w != nil {
			w.Quantity = b.Backordered
			leave(row, w)
		}
	}
}

// MaxTransferReferencesBytes bounds the references of an item's transfers in a row: with as many and as long ones as the
// rules allow, the row would be no record any more.
const MaxTransferReferencesBytes = 32 << 10

// fitting is the reference of a transfer as far as the row has room for it: all of it, or nothing.
func fitting(row *eventv1.AvailabilityRow, reference string) string {
	bytes := len(reference)
	for _, t := range row.Transfers {
		bytes += len(t.Reference)
	}
	if bytes > MaxTransferReferencesBytes {
		return ""
	}
	return reference
}

// place is where a location stands in the row. An event states every location that it names, so all are there.
func place(row *eventv1.AvailabilityRow, location string) uint32 {
	i := slices.IndexFunc(row.Locations, func(l *eventv1.LocationLevel) bool { return l.Location == location })
	if i < 0 {
		i = len(row.Locations)
		row.Locations = append(row.Locations, &eventv1.LocationLevel{Location: location})
	}
	return uint32(i)
}

func expect(row *eventv1.AvailabilityRow, location, reference string, delta int64) {
	if delta == 0 {
		return
	}
	at := place(row, location)
	i := slices.IndexFunc(row.Deliveries, func(d *eventv1.OpenDelivery) bool { return d.Location == at && d.Reference == reference })
	if i < 0 {
		row.Deliveries = append(row.Deliveries, &eventv1.OpenDelivery{Location: at, Reference: reference, Quantity: delta})
		return
	}
	if row.Deliveries[i].Quantity += delta; row.Deliveries[i].Quantity == 0 {
		row.Deliveries = slices.Delete(row.Deliveries, i, i+1)
	}
}

func receive(row *eventv1.AvailabilityRow, c *eventv1.TransferReceived) {
	i := slices.IndexFunc(row.Transfers, func(t *eventv1.OpenTransfer) bool { return t.TransferId == c.TransferId })
	if i < 0 {
		return
	}
	if row.Transfers[i].Remaining -= c.Quantity + c.Damaged + c.Missing + c.Rejected; row.Transfers[i].Remaining <= 0 {
		row.Transfers = slices.Delete(row.Transfers, i, i+1)
	}
}

// waiting finds an order's place in the line for a location; a new one stands at the end.
func waiting(row *eventv1.AvailabilityRow, orderID, location string, at int64) *eventv1.WaitingOrder {
	if w := find(row, orderID, location); w != nil {
		return w
	}
	w := &eventv1.WaitingOrder{Location: place(row, location), SinceMicros: at}
	if id, ok := uuidOf(orderID); ok {
		w.OrderUuid = id[:]
	} else {
		w.OrderId = orderID
	}
	row.Backorders = append(row.Backorders, w)
	return w
}

// find returns an order's place in the line for a location; nil: it has none.
func find(row *eventv1.AvailabilityRow, orderID, location string) *eventv1.WaitingOrder {
	if len(row.Backorders) == 0 {
		return nil
	}
	where := place(row, location)
	id, isUUID := uuidOf(orderID)
	for _, w := range row.Backorders {
		if w.Location == where && (isUUID && string(w.OrderUuid) == string(id[:]) || !isUUID && w.OrderId == orderID) {
			return w
		}
	}
	return nil
}

// leave takes an order that waits for nothing any more out of the line.
func leave(row *eventv1.AvailabilityRow, w *eventv1.WaitingOrder) {
	if w.Quantity == 0 {
		row.Backorders = slices.DeleteFunc(row.Backorders, func(other *eventv1.WaitingOrder) bool { return other == w })
	}
}

// uuidOf reads a UUID in the one form in which it is written again.
func uuidOf(orderID string) (uuid.UUID, bool) {
	id, err := uuid.Parse(orderID)
	return id, err == nil && id.String() == orderID
}

// OrderID is the ID of an order that waits.
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

// renderStock writes a row as GET /v1/stock/{sku} answers it: the availability, and what is under way.
func renderStock(availability []byte, row *eventv1.AvailabilityRow) []byte {
	const perEntry = 200
	b := make([]byte, 0, len(availability)+64+perEntry*(len(row.GetTransfers())+len(row.GetDeliveries())+len(row.GetBackorders())))
	b = append(b, availability[:len(availability)-1]...)
	b = append(b, `,"transfers":[`...)
	for i, t := range row.GetTransfers() {
		b = appendString(appendEntry(b, i, `{"transfer_id":`), t.TransferId)
		b = appendString(append(b, `,"from_location":`...), name(row, t.FromLocation))
		b = appendString(append(b, `,"to_location":`...), name(row, t.ToLocation))
		b = appendString(append(b, `,"reference":`...), t.Reference)
		b = appendInt(b, `,"shipped":`, t.Shipped)
		b = appendInt(b, `,"remaining":`, t.Remaining)
		b = append(appendTime(b, `,"shipped_at":"`, t.ShippedAtMicros), '}')
	}
	b = append(b, `],"expected":[`...)
	for i, d := range row.GetDeliveries() {
		b = appendString(appendEntry(b, i, `{"location":`), name(row, d.Location))
		b = appendString(append(b, `,"reference":`...), d.Reference)
		b = append(appendInt(b, `,"quantity":`, d.Quantity), '}')
	}
	b = append(b, `],"backorders":[`...)
	for i, w := range row.GetBackorders() {
		b = appendString(appendEntry(b, i, `{"order_id":`), OrderID(w))
		b = appendString(append(b, `,"location":`...), name(row, w.Location))
		b = appendInt(b, `,"quantity":`, w.Quantity)
		b = append(appendTime(b, `,"since":"`, w.SinceMicros), '}')
	}
	return append(b, "]}"...)
}

// name is that of a location by its place; a place that the row does not have is shown as it is.
func name(row *eventv1.AvailabilityRow, place uint32) string {
	if int(place) < len(row.Locations) {
		return row.Locations[place].GetLocation()
	}
	return "#" + strconv.FormatUint(uint64(place), 10)
}

func appendEntry(b []byte, i int, start string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return append(b, start...)
}

func appendTime(b []byte, start string, micros int64) []byte {
	return append(time.UnixMicro(micros).UTC().AppendFormat(append(b, start...), time.RFC3339Nano), '"')
}
