package codec

import (
	"slices"
	"sync"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	statev1 "github.com/holdfast/holdfast/schemas/gen/holdfast/state/v1"
)

// EncodeItem appends an item's state to dst.
func EncodeItem(dst []byte, item inventory.Item) ([]byte, error) {
	var locations locationScratch
	return appendMessage(dst, &statev1.Item{
		Sku: item.SKU, Version: item.Version, Registered: item.Registered, Description: item.Description,
		BackorderLimit: item.BackorderLimit, Locations: locations.fill(item.Locations), Expected: toDeliveries(item.Expected),
		Backorders: toBackorders(item.Backorders), Transfers: toTransfers(item.Transfers),
		OnHandVersions: item.OnHandVersions,
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
		SKU: p.Sku, Version: p.Version, Registered: p.Registered, Description: p.Description,
		BackorderLimit: p.BackorderLimit, Locations: locations, Expected: fromDeliveries(p.Expected), Backorders: backorders,
		Transfers: fromTransfers(p.Transfers), OnHandVersions: onHandVersions(p.OnHandVersions, locations, p.Version),
	}, nil
}

// onHandVersions reads when on_hand of locations changed. A checkpoint from before it was kept says of none, and is
// taken to say that all changed last: a count that began earlier is then refused.
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
		if err := readID((*[16]byte)(&out[i].PlacedEventID), b.PlacedEventId, "backorder.placed_event_id", false); err != nil {
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
		return inventory.Transfer{ID: t.TransferId, FromLocation: t.FromLocation, ToLocation: t.ToLocation, Quantity: t.Quantity}
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

// EncodeReservation appends what an order holds of a SKU to dst.
func EncodeReservation(dst []byte, sku string, res *inventory.Reservation) ([]byte, error) {
	s := reservationScratches.Get().(*reservationScratch)
	defer reservationScratches.Put(s)
	p := &s.reservation
	p.Sku, p.OrderId, p.PlacedEventId, p.Version = sku, res.OrderID, res.PlacedEventID[:], res.Version
	p.Backordered, p.Allocation, p.ReturnedAt = res.Backordered, toStockRule(res.Allocation), ToReturnedAt(res.ReturnedAt)
	p.Rejected, p.RejectedRequested, p.RejectedAvailable, p.RejectionReason = false, 0, 0, 0
	if r := res.Rejected; r != nil {
		p.Rejected, p.RejectedRequested, p.RejectedAvailable = true, r.Requested, r.Available
		p.RejectionReason = int32(r.Reason)
	}
	if cap(s.held) < len(res.Held) {
		s.held = make([]statev1.HeldAt, len(res.Held))
	}
	p.Held = p.Held[:0]
	for i := range res.Held {
		v, h := &s.held[:len(res.Held)][i], &res.Held[i]
		v.Location, v.Reserved, v.Committed = h.Location, h.Reserved, h.Committed
		v.Fulfilled, v.Restocked, v.Backordered, v.Damaged = h.Fulfilled, h.Restocked, h.Backordered, h.Damaged
		p.Held = append(p.Held, v)
	}
	return appendMessage(dst, p)
}

// reservationScratch is used again for the next reservation.
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
		Allocation: FromStockRule(p.Allocation), ReturnedAt: FromReturnedAt(p.ReturnedAt),
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
	if len(p.Held) > 0 {
		res.Held = make([]inventory.HeldAt, len(p.Held))
	}
	for i, h := range p.Held {
		res.Held[i] = inventory.HeldAt{
			Location: h.Location, Reserved: h.Reserved, Committed: h.Committed,
			Fulfilled: h.Fulfilled, Restocked: h.Restocked, Backordered: h.Backordered, Damaged: h.Damaged,
		}
	}
	return p.Sku, res, nil
}

// EncodeOrder appends an order's state to dst.
func EncodeOrder(dst []byte, o *order.Order) ([]byte, error) {
	return appendMessage(dst, &statev1.Order{
		OrderId: o.ID, Version: o.Version, Kind: int32(o.Kind), CustomerId: o.CustomerID, Currency: o.Currency,
		Lines: toStateLines(o.Lines), SubtotalMicros: o.SubtotalMicros, TotalMicros: o.TotalMicros,
		PaymentTerms: int32(o.Terms), PaymentDeadlineMicros: o.PaymentDeadlineMicros, Lifecycle: int32(o.Lifecycle),
		AuthorizedMicros: o.AuthorizedMicros, CapturedMicros: o.CapturedMicros,
		VoidedMicros: o.VoidedMicros, RefundDueMicros: o.RefundDueMicros,
		PlacedEventId: o.PlacedEventID[:], ReservationVersion: o.ReservationVersion, Settled: o.Settled,
		Fulfilments: toFulfilments(o.Fulfilments), Returns: toReturns(o.Returns), Short: toStateShort(o.Short),
		Country: o.Country, Reference: o.Reference, OccurredAtMicros: o.OccurredAtMicros,
		RefundedMicros: o.RefundedMicros, Payments: toPayments(o.Payments),
		PaymentStarts: o.PaymentStarts, PaymentFailed: o.PaymentFailed, HeldFrom: int32(o.HeldFrom),
		Allocation: ToOrderRule(o.Allocation),
		Amendment:  toAmendment(o.Amendment), DeclinedAmendments: o.Declined, AskedSkus: o.Asked,
		Amendments: o.Amendments, PaymentDue: o.PaymentDue, ReturnedTo: toReturnedTo(o.ReturnedTo),
	})
}

// DecodeOrderState reads what EncodeOrder wrote.
func DecodeOrderState(value []byte) (order.Order, error) {
	var p statev1.Order
	if err := p.UnmarshalVT(value); err != nil {
		return order.Order{}, malformed("order", err)
	}
	o := order.Order{
		ID: p.OrderId, Version: p.Version, Kind: order.Kind(p.Kind), CustomerID: p.CustomerId, Currency: p.Currency,
		Lines: fromStateLines(p.Lines), SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros,
		Terms: order.PaymentTerms(p.PaymentTerms), PaymentDeadlineMicros: p.PaymentDeadlineMicros,
		Lifecycle:        order.Lifecycle(p.Lifecycle),
		AuthorizedMicros: p.AuthorizedMicros, CapturedMicros: p.CapturedMicros,
		VoidedMicros: p.VoidedMicros, RefundDueMicros: p.RefundDueMicros,
		ReservationVersion: p.ReservationVersion, Settled: p.Settled,
		Fulfilments: fromFulfilments(p.Fulfilments), Returns: fromReturns(p.Returns), Short: fromStateShort(p.Short),
		Country: p.Country, Reference: p.Reference, OccurredAtMicros: p.OccurredAtMicros,
		RefundedMicros: p.RefundedMicros, Payments: fromPayments(p.Payments),
		PaymentStarts: p.PaymentStarts, PaymentFailed: p.PaymentFailed, HeldFrom: order.Lifecycle(p.HeldFrom),
		Allocation: fromOrderRule(p.Allocation),
		Amendment:  fromAmendment(p.Amendment), Declined: p.DeclinedAmendments, Asked: p.AskedSkus,
		Amendments: p.Amendments, PaymentDue: p.PaymentDue, ReturnedTo: fromReturnedTo(p.ReturnedTo),
	}
	if err := readID((*[16]byte)(&o.PlacedEventID), p.PlacedEventId, "order.placed_event_id", false); err != nil {
		return order.Order{}, err
	}
	return o, nil
}

func toReturnedTo(to []order.ReturnedTo) []*statev1.ReturnedTo {
	return messages(to, func(m *statev1.ReturnedTo, r *order.ReturnedTo) {
		m.Sku, m.At = r.SKU, &eventv1.ReturnedAt{Location: r.Location, Restocked: r.Restocked, Damaged: r.Damaged}
	})
}

func fromReturnedTo(to []*statev1.ReturnedTo) []order.ReturnedTo {
	return values(to, func(r *statev1.ReturnedTo) order.ReturnedTo {
		return order.ReturnedTo{SKU: r.Sku, ReturnedAt: order.ReturnedAt{
			Location: r.At.GetLocation(), Restocked: r.At.GetRestocked(), Damaged: r.At.GetDamaged(),
		}}
	})
}

func toStateLines(lines []order.Line) []*statev1.OrderLine {
	return messages(lines, func(m *statev1.OrderLine, l *order.Line) {
		m.Sku, m.Quantity, m.UnitPriceMicros = l.SKU, l.Quantity, l.UnitPriceMicros
		m.Backordered, m.Cancelled, m.Shipped, m.Delivered = l.Backordered, l.Cancelled, l.Shipped, l.Delivered
		m.Returned, m.Damaged = l.Returned, l.Damaged
	})
}

func fromStateLines(lines []*statev1.OrderLine) []order.Line {
	return values(lines, func(l *statev1.OrderLine) order.Line {
		return order.Line{
			SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros,
			Backordered: l.Backordered, Cancelled: l.Cancelled, Shipped: l.Shipped, Delivered: l.Delivered,
			Returned: l.Returned, Damaged: l.Damaged,
		}
	})
}

func toAmendment(a *order.Amendment) *statev1.Amendment {
	if a == nil {
		return nil
	}
	return &statev1.Amendment{Version: a.Version, Lines: toAmended(a.Lines)}
}

func fromAmendment(a *statev1.Amendment) *order.Amendment {
	if a == nil {
		return nil
	}
	return &order.Amendment{Version: a.Version, Lines: fromAmended(a.Lines)}
}

func toPayments(payments []order.Payment) []*statev1.Payment {
	return messages(payments, func(m *statev1.Payment, p *order.Payment) {
		m.Action, m.Reference, m.AmountMicros = int32(p.Action), p.Reference, p.AmountMicros
	})
}

func fromPayments(payments []*statev1.Payment) []order.Payment {
	return values(payments, func(p *statev1.Payment) order.Payment {
		return order.Payment{Action: order.PaymentAction(p.Action), Reference: p.Reference, AmountMicros: p.AmountMicros}
	})
}

func toReturns(returns []order.Return) []*statev1.Return {
	return messages(returns, func(m *statev1.Return, r *order.Return) {
		m.ReturnId, m.Lines = r.ID, messages(r.Lines, func(m *statev1.ReturnLine, l *order.ReturnLine) {
			m.Sku, m.Quantity, m.Received = l.SKU, l.Quantity, l.Received
		})
	})
}

func fromReturns(returns []*statev1.Return) []order.Return {
	return values(returns, func(r *statev1.Return) order.Return {
		return order.Return{ID: r.ReturnId, Lines: values(r.Lines, func(l *statev1.ReturnLine) order.ReturnLine {
			return order.ReturnLine{SKU: l.Sku, Quantity: l.Quantity, Received: l.Received}
		})}
	})
}

func toFulfilments(fulfilments []order.Fulfilment) []*statev1.Fulfilment {
	return messages(fulfilments, func(m *statev1.Fulfilment, f *order.Fulfilment) {
		m.FulfilmentId, m.Pending, m.Delivered = f.ID, f.Pending, f.Delivered
		m.Lines, m.Arrived = toNamed(f.Lines), toNamed(f.Arrived)
	})
}

func fromFulfilments(fulfilments []*statev1.Fulfilment) []order.Fulfilment {
	return values(fulfilments, func(f *statev1.Fulfilment) order.Fulfilment {
		return order.Fulfilment{
			ID: f.FulfilmentId, Lines: fromNamed(f.Lines), Pending: f.Pending, Delivered: f.Delivered, Arrived: fromNamed(f.Arrived),
		}
	})
}

// toNamed uses the schema's pair of a name and a quantity; here the name is a SKU.
func toNamed(lines []order.LineQuantity) []*eventv1.Allocation {
	return messages(lines, func(m *eventv1.Allocation, l *order.LineQuantity) {
		m.Location, m.Quantity = l.SKU, l.Quantity
	})
}

func fromNamed(lines []*eventv1.Allocation) []order.LineQuantity {
	return values(lines, func(l *eventv1.Allocation) order.LineQuantity {
		return order.LineQuantity{SKU: l.Location, Quantity: l.Quantity}
	})
}

func toStateShort(short []order.ShortLine) []*statev1.ShortLine {
	return messages(short, func(m *statev1.ShortLine, s *order.ShortLine) {
		m.Sku, m.Requested, m.Available, m.Reason = s.SKU, s.Requested, s.Available, s.Reason
	})
}

func fromStateShort(short []*statev1.ShortLine) []order.ShortLine {
	return values(short, func(s *statev1.ShortLine) order.ShortLine {
		return order.ShortLine{SKU: s.Sku, Requested: s.Requested, Available: s.Available, Reason: s.Reason}
	})
}
