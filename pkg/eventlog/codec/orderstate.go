package codec

import (
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	statev1 "github.com/holdfast/holdfast/schemas/gen/holdfast/state/v1"
)

// EncodeOrder appends an order's state to dst.
func EncodeOrder(dst []byte, o *order.Order) ([]byte, error) {
	return appendMessage(dst, &statev1.Order{
		OrderId: o.ID, Version: o.Version, VisibleVersion: o.VisibleVersion, Kind: int32(o.Kind),
		CustomerId: o.CustomerID, Currency: o.Currency,
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
		Amendment:  toAmendment(o.Amendment), DeclinedAmendments: o.DeclinedAmendments, AskedSkus: o.SKUsToRelease,
		Amendments: o.Amendments, PaymentDue: o.PaymentDue, ReturnedTo: toReturnedTo(o.ReturnedTo),
		GoodwillMicros: o.GoodwillMicros, CoverLost: o.CoverLost, Unmatched: toPayments(o.Unmatched),
		RequestedDocument: toRequested(o.RequestedDocument), StockVersions: toStockVersions(o.StockVersions),
		Charges: toChargesLeft(o.Charges), TaxesIncluded: o.TaxesIncluded, RoundByLine: o.RoundByLine,
		ReversedShipments: toReversedShipments(o.ReversedShipments),
	})
}

// DecodeOrderState reads what EncodeOrder wrote.
func DecodeOrderState(value []byte) (order.Order, error) {
	var p statev1.Order
	if err := p.UnmarshalVT(value); err != nil {
		return order.Order{}, malformed("order", err)
	}
	o := order.Order{
		ID: p.OrderId, Version: p.Version, VisibleVersion: p.VisibleVersion, Kind: order.Kind(p.Kind),
		CustomerID: p.CustomerId, Currency: p.Currency,
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
		Amendment:  fromAmendment(p.Amendment), DeclinedAmendments: p.DeclinedAmendments, SKUsToRelease: p.AskedSkus,
		Amendments: p.Amendments, PaymentDue: p.PaymentDue, ReturnedTo: fromReturnedTo(p.ReturnedTo),
		GoodwillMicros: p.GoodwillMicros, CoverLost: p.CoverLost, Unmatched: fromPayments(p.Unmatched),
		RequestedDocument: fromRequested(p.RequestedDocument), StockVersions: fromStockVersions(p.StockVersions),
		Charges: fromChargesLeft(p.Charges), TaxesIncluded: p.TaxesIncluded, RoundByLine: p.RoundByLine,
		ReversedShipments: fromReversedShipments(p.ReversedShipments),
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

func toReversedShipments(reversed []order.ReversedShipment) []*statev1.ReversedShipment {
	return messages(reversed, func(m *statev1.ReversedShipment, r *order.ReversedShipment) {
		m.Sku, m.Shipment = r.SKU, &eventv1.ReversedShipment{Version: r.Version, Quantity: r.Quantity}
	})
}

func fromReversedShipments(reversed []*statev1.ReversedShipment) []order.ReversedShipment {
	return values(reversed, func(r *statev1.ReversedShipment) order.ReversedShipment {
		return order.ReversedShipment{
			SKU: r.Sku, Reversed: order.Reversed{Version: r.Shipment.GetVersion(), Quantity: r.Shipment.GetQuantity()},
		}
	})
}

func toStateLines(lines []order.Line) []*statev1.OrderLine {
	return messages(lines, func(m *statev1.OrderLine, l *order.Line) {
		m.Sku, m.Quantity, m.UnitPriceMicros = l.SKU, l.Quantity, l.UnitPriceMicros
		m.Backordered, m.Cancelled, m.Shipped, m.Delivered = l.Backordered, l.Cancelled, l.Shipped, l.Delivered
		m.Returned, m.Damaged = l.Returned, l.Damaged
		m.Undelivered, m.UndeliveredDamaged, m.Lost, m.ShipAgain = l.Undelivered, l.UndeliveredDamaged, l.Lost, l.ShipAgain
		m.DiscountMicros, m.TaxMicros = l.DiscountMicros, l.TaxMicros
		m.ReturnedDiscountMicros, m.ReturnedTaxMicros = l.ReturnedDiscountMicros, l.ReturnedTaxMicros
	})
}

func fromStateLines(lines []*statev1.OrderLine) []order.Line {
	return values(lines, func(l *statev1.OrderLine) order.Line {
		return order.Line{
			SKU: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros,
			Backordered: l.Backordered, Cancelled: l.Cancelled, Shipped: l.Shipped, Delivered: l.Delivered,
			Returned: l.Returned, Damaged: l.Damaged, DiscountMicros: l.DiscountMicros, TaxMicros: l.TaxMicros,
			ReturnedDiscountMicros: l.ReturnedDiscountMicros, ReturnedTaxMicros: l.ReturnedTaxMicros,
			Undelivered: l.Undelivered, UndeliveredDamaged: l.UndeliveredDamaged, Lost: l.Lost, ShipAgain: l.ShipAgain,
		}
	})
}

func toChargesLeft(charges []order.ChargeLeft) []*statev1.Charge {
	return messages(charges, func(m *statev1.Charge, c *order.ChargeLeft) {
		m.AmountMicros, m.TaxMicros = c.AmountMicros, c.TaxMicros
		m.ReturnedMicros, m.ReturnedTaxMicros = c.ReturnedMicros, c.ReturnedTaxMicros
	})
}

func fromChargesLeft(charges []*statev1.Charge) []order.ChargeLeft {
	return values(charges, func(c *statev1.Charge) order.ChargeLeft {
		return order.ChargeLeft{
			AmountMicros: c.AmountMicros, TaxMicros: c.TaxMicros,
			ReturnedMicros: c.ReturnedMicros, ReturnedTaxMicros: c.ReturnedTaxMicros,
		}
	})
}

func toAmendment(a *order.Amendment) *statev1.Amendment {
	if a == nil {
		return nil
	}
	return &statev1.Amendment{Version: a.Version, Lines: toAmended(a.Lines), Charges: toCredits(a.Charges)}
}

func fromAmendment(a *statev1.Amendment) *order.Amendment {
	if a == nil {
		return nil
	}
	return &order.Amendment{Version: a.Version, Lines: fromAmended(a.Lines), Charges: fromCredits(a.Charges)}
}

func toPayments(payments []order.Payment) []*statev1.Payment {
	return messages(payments, func(m *statev1.Payment, p *order.Payment) {
		m.Action, m.Reference, m.AmountMicros = int32(p.Action), p.Reference, p.AmountMicros
		m.ProviderEventId, m.Provider = p.ProviderEventID, p.Provider
	})
}

func fromPayments(payments []*statev1.Payment) []order.Payment {
	return values(payments, func(p *statev1.Payment) order.Payment {
		return order.Payment{
			Action: order.PaymentAction(p.Action), Reference: p.Reference, AmountMicros: p.AmountMicros,
			ProviderEventID: p.ProviderEventId, Provider: p.Provider,
		}
	})
}

func toReturns(returns []order.Return) []*statev1.Return {
	return messages(returns, func(m *statev1.Return, r *order.Return) {
		m.ReturnId, m.Lines = r.ID, messages(r.Lines, func(m *statev1.ReturnLine, l *order.ReturnLine) {
			m.Sku, m.Quantity, m.Received, m.Line = l.SKU, l.Quantity, l.Received, uint32(l.Line)
		})
	})
}

func fromReturns(returns []*statev1.Return) []order.Return {
	return values(returns, func(r *statev1.Return) order.Return {
		return order.Return{ID: r.ReturnId, Lines: values(r.Lines, func(l *statev1.ReturnLine) order.ReturnLine {
			return order.ReturnLine{SKU: l.Sku, Quantity: l.Quantity, Received: l.Received, Line: int32(l.Line)}
		})}
	})
}

func toFulfilments(fulfilments []order.Fulfilment) []*statev1.Fulfilment {
	return messages(fulfilments, func(m *statev1.Fulfilment, f *order.Fulfilment) {
		m.FulfilmentId, m.Pending, m.Delivered = f.ID, f.Pending, f.Delivered
		m.Lines, m.Arrived = toQuantities(f.Lines), toQuantities(f.Arrived)
		m.Failed, m.Reversed, m.ReservationVersion = f.Failed, f.Reversed, f.ReservationVersion
	})
}

func fromFulfilments(fulfilments []*statev1.Fulfilment) []order.Fulfilment {
	return values(fulfilments, func(f *statev1.Fulfilment) order.Fulfilment {
		return order.Fulfilment{
			ID: f.FulfilmentId, Lines: fromQuantities(f.Lines), Pending: f.Pending, Delivered: f.Delivered,
			Arrived: fromQuantities(f.Arrived), Failed: f.Failed, Reversed: f.Reversed, ReservationVersion: f.ReservationVersion,
		}
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
