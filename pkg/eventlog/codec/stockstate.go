package codec

import (
	"slices"
	"sync"

	"github.com/holdfast/holdfast/pkg/inventory"
	statev1 "github.com/holdfast/holdfast/schemas/gen/holdfast/state/v1"
)

// EncodeItem appends an item's state to dst.
func EncodeItem(dst []byte, item inventory.Item) ([]byte, error) {
	var locations locationScratch
	return appendMessage(dst, &statev1.Item{
		Sku: item.SKU, Version: item.Version, VisibleVersion: item.VisibleVersion,
		Registered: item.Registered, Description: item.Description, Metadata: toMetadata(item.Metadata),
		BackorderLimit: item.BackorderLimit, Locations: locations.fill(item.Locations), Expected: toDeliveries(item.Expected),
		Backorders: toBackorders(item.Backorders), Transfers: toTransfers(item.Transfers),
		OnHandVersions: item.OnHandVersions, SafetyStockTargets: toAllocations(item.SafetyStockTargets),
	})
}

// DecodeItem reads what EncodeItem wrote.
func DecodeItem(value []byte) (inventory.Item, error) {
	var p statev1.Item
	if err := p.UnmarshalVT(value); err != nil {
		return inventory.Item{}, malformed("item", err)
	}
	locations, err := fromLocations(p.Locations)
	if err != nil {
		return inventory.Item{}, err
	}
	backorders, err := fromBackorders(p.Backorders)
	if err != nil {
		return inventory.Item{}, err
	}
	return inventory.Item{
		SKU: p.Sku, Version: p.Version, VisibleVersion: p.VisibleVersion,
		Registered: p.Registered, Description: p.Description, Metadata: fromMetadata(p.Metadata),
		BackorderLimit: p.BackorderLimit, Locations: locations, Expected: fromDeliveries(p.Expected),
		Backorders: backorders, Transfers: fromTransfers(p.Transfers),
		OnHandVersions:     onHandVersions(p.OnHandVersions, locations, p.Version),
		SafetyStockTargets: fromAllocations(p.SafetyStockTargets),
	}, nil
}

// onHandVersions are the versions at which on_hand of the locations changed. An old checkpoint has none of them: then
// every location counts as changed now, so that a count that began earlier is refused.
func onHandVersions(versions []uint64, locations []inventory.LocationLevel, now uint64) []uint64 {
	stocked := slices.ContainsFunc(locations, func(l inventory.LocationLevel) bool { return l.Level.OnHand != 0 })
	if len(versions) > 0 || !stocked {
		return versions
	}
	return slices.Repeat([]uint64{now}, len(locations))
}

func toBackorders(backorders []inventory.Backorder) []*statev1.Backorder {
	return messages(backorders, func(m *statev1.Backorder, b *inventory.Backorder) {
		m.OrderId, m.PlacedEventId, m.Version, m.Location = b.OrderID, b.PlacedEventID[:], b.Version, b.Location
		m.Quantity, m.Reserved, m.Committed = b.Quantity, b.Reserved, b.Committed
		m.Allocation = toStockRule(b.Allocation)
	})
}

func fromBackorders(backorders []*statev1.Backorder) ([]inventory.Backorder, error) {
	if len(backorders) == 0 {
		return nil, nil
	}
	out := make([]inventory.Backorder, len(backorders))
	for i, b := range backorders {
		out[i] = inventory.Backorder{
			OrderID: b.OrderId, Version: b.Version, Location: b.Location,
			Quantity: b.Quantity, Reserved: b.Reserved, Committed: b.Committed, Allocation: FromStockRule(b.Allocation),
		}
		if err := readID((*[16]byte)(&out[i].PlacedEventID), b.PlacedEventId, "backorder.placed_event_id",
			false); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func toTransfers(transfers []inventory.Transfer) []*statev1.Transfer {
	return messages(transfers, func(m *statev1.Transfer, t *inventory.Transfer) {
		m.TransferId, m.FromLocation, m.ToLocation, m.Quantity = t.ID, t.FromLocation, t.ToLocation, t.Quantity
	})
}

func fromTransfers(transfers []*statev1.Transfer) []inventory.Transfer {
	return values(transfers, func(t *statev1.Transfer) inventory.Transfer {
		return inventory.Transfer{ID: t.TransferId, FromLocation: t.FromLocation, ToLocation: t.ToLocation,
			Quantity: t.Quantity}
	})
}

func toDeliveries(deliveries []inventory.Delivery) []*statev1.Delivery {
	return messages(deliveries, func(m *statev1.Delivery, d *inventory.Delivery) {
		m.Location, m.Reference, m.Quantity = d.Location, d.Reference, d.Quantity
	})
}

func fromDeliveries(deliveries []*statev1.Delivery) []inventory.Delivery {
	return values(deliveries, func(d *statev1.Delivery) inventory.Delivery {
		return inventory.Delivery{Location: d.Location, Reference: d.Reference, Quantity: d.Quantity}
	})
}

// EncodeReservation appends what an order has of a SKU to dst.
func EncodeReservation(dst []byte, sku string, res *inventory.Reservation) ([]byte, error) {
	s := reservationScratches.Get().(*reservationScratch)
	defer reservationScratches.Put(s)
	p := &s.reservation
	p.Sku, p.OrderId, p.PlacedEventId, p.Version = sku, res.OrderID, res.PlacedEventID[:], res.Version
	p.Backordered, p.Allocation, p.ReturnedAt = res.Backordered, toStockRule(res.Allocation), ToReturnedAt(res.ReturnedAt)
	p.BackorderVersion, p.PromisedVersion = res.BackorderVersion, res.PromisedVersion
	p.Reversed, p.Departures = ToReversed(res.Reversed), toDepartures(res.Departures)
	p.Rejected, p.RejectedRequested, p.RejectedAvailable, p.RejectionReason = false, 0, 0, 0
	if r := res.Rejected; r != nil {
		p.Rejected, p.RejectedRequested, p.RejectedAvailable = true, r.Requested, r.Available
		p.RejectionReason = int32(r.Reason)
	}
	if cap(s.held) < len(res.Locations) {
		s.held = make([]statev1.HeldAt, len(res.Locations))
	}
	p.Held = p.Held[:0]
	for i := range res.Locations {
		v, h := &s.held[:len(res.Locations)][i], &res.Locations[i]
		v.Location, v.Reserved, v.Committed = h.Location, h.Reserved, h.Committed
		v.Fulfilled, v.Restocked, v.Backordered, v.Damaged = h.Fulfilled, h.Restocked, h.Backordered, h.Damaged
		p.Held = append(p.Held, v)
	}
	return appendMessage(dst, p)
}

// reservationScratch is the memory of one encoding, reused for the next.
type reservationScratch struct {
	reservation statev1.Reservation
	held        []statev1.HeldAt
}

var reservationScratches = sync.Pool{New: func() any { return new(reservationScratch) }}

// DecodeReservation reads what EncodeReservation wrote.
func DecodeReservation(value []byte) (sku string, res inventory.Reservation, err error) {
	var p statev1.Reservation
	if err := p.UnmarshalVT(value); err != nil {
		return "", inventory.Reservation{}, malformed("reservation", err)
	}
	res = inventory.Reservation{
		OrderID: p.OrderId, Version: p.Version, Backordered: p.Backordered,
		BackorderVersion: p.BackorderVersion, PromisedVersion: p.PromisedVersion,
		Allocation: FromStockRule(p.Allocation), ReturnedAt: FromReturnedAt(p.ReturnedAt),
		Reversed: FromReversed(p.Reversed), Departures: fromDepartures(p.Departures),
	}
	if err := readID((*[16]byte)(&res.PlacedEventID), p.PlacedEventId, "reservation.placed_event_id", false); err != nil {
		return "", inventory.Reservation{}, err
	}
	if p.Rejected {
		res.Rejected = &inventory.Rejection{
			Requested: p.RejectedRequested, Available: p.RejectedAvailable,
			Reason: inventory.RejectionReason(p.RejectionReason),
		}
	}
	res.Locations = values(p.Held, func(h *statev1.HeldAt) inventory.ReservationAt {
		return inventory.ReservationAt{
			Location: h.Location, Reserved: h.Reserved, Committed: h.Committed,
			Fulfilled: h.Fulfilled, Restocked: h.Restocked, Backordered: h.Backordered, Damaged: h.Damaged,
		}
	})
	return p.Sku, res, nil
}

func toDepartures(departures []inventory.Departure) []*statev1.Departure {
	return messages(departures, func(m *statev1.Departure, d *inventory.Departure) {
		m.Version, m.Location, m.Quantity = d.Version, d.Location, d.Quantity
	})
}

func fromDepartures(departures []*statev1.Departure) []inventory.Departure {
	return values(departures, func(d *statev1.Departure) inventory.Departure {
		return inventory.Departure{
			Version: d.Version, Allocation: inventory.Allocation{Location: d.Location, Quantity: d.Quantity},
		}
	})
}
