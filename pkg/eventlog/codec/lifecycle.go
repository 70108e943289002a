package codec

import (
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// setLifecycle fills the change for where an order stands, and for stock's answers.
func setLifecycle(e *eventv1.OrderEvent, ev order.Event) string {
	switch c := ev.(type) {
	case order.OrderPlaced:
		priced := toPricing(c.Pricing)
		p := &eventv1.OrderPlacedV2{
			CustomerId: c.CustomerID, Currency: c.Currency, Lines: toLines(c.Lines),
			SubtotalMicros: c.SubtotalMicros, TotalMicros: c.TotalMicros,
			PaymentTerms: eventv1.PaymentTerms(c.Terms), PaymentDeadlineMicros: c.PaymentDeadlineMicros,
			Country: c.Country, Reference: c.Reference, Allocation: ToOrderRule(c.Allocation),
			Metadata: toMetadata(c.Metadata), Charges: priced.charges, Discounts: priced.discounts,
			TaxesIncluded: priced.taxesIncluded, Rounding: priced.rounding,
		}
		e.Change = &eventv1.OrderEvent_OrderPlacedV2{OrderPlacedV2: p}
		return "holdfast.order_placed.v2"
	case order.OrderReserved:
		e.Change = &eventv1.OrderEvent_OrderReserved{OrderReserved: &eventv1.OrderReserved{}}
		return "holdfast.order_reserved.v1"
	case order.OrderBackordered:
		e.Change = &eventv1.OrderEvent_OrderBackordered{
			OrderBackordered: &eventv1.OrderBackordered{Backordered: toQuantities(c.Backordered)}}
		return "holdfast.order_backordered.v1"
	case order.OrderBackorderFilled:
		e.Change = &eventv1.OrderEvent_OrderBackorderFilled{
			OrderBackorderFilled: &eventv1.OrderBackorderFilled{
				Filled: toQuantities(c.Filled), StockVersions: toStockVersions(c.StockVersions)}}
		return "holdfast.order_backorder_filled.v1"
	case order.OrderFellShort:
		e.Change = &eventv1.OrderEvent_OrderFellShort{OrderFellShort: &eventv1.OrderFellShort{
			Backordered: toQuantities(c.Backordered), StockVersions: toStockVersions(c.StockVersions)}}
		return "holdfast.order_fell_short.v1"
	case order.OrderRejected:
		e.Change = &eventv1.OrderEvent_OrderRejected{
			OrderRejected: &eventv1.OrderRejected{Short: toShort(c.Short), RefundDueMicros: c.RefundDueMicros}}
		return "holdfast.order_rejected.v1"
	case order.OrderConfirmed:
		e.Change = &eventv1.OrderEvent_OrderConfirmed{OrderConfirmed: &eventv1.OrderConfirmed{}}
		return "holdfast.order_confirmed.v1"
	case order.ReservationSettled:
		e.Change = &eventv1.OrderEvent_ReservationSettled{
			ReservationSettled: &eventv1.ReservationSettled{ReservationVersion: c.ReservationVersion}}
		return "holdfast.reservation_settled.v1"
	case order.OrderCancelled:
		e.Change = &eventv1.OrderEvent_OrderCancelled{OrderCancelled: &eventv1.OrderCancelled{
			Reason: c.Reason, VoidedMicros: c.VoidedMicros, RefundDueMicros: c.RefundDueMicros,
		}}
		return "holdfast.order_cancelled.v1"
	case order.OrderExpired:
		e.Change = &eventv1.OrderEvent_OrderExpired{
			OrderExpired: &eventv1.OrderExpired{VoidedMicros: c.VoidedMicros, RefundDueMicros: c.RefundDueMicros}}
		return "holdfast.order_expired.v1"
	case order.OrderHeld:
		e.Change = &eventv1.OrderEvent_OrderHeld{OrderHeld: &eventv1.OrderHeld{Reason: c.Reason}}
		return "holdfast.order_held.v1"
	case order.OrderResumed:
		e.Change = &eventv1.OrderEvent_OrderResumed{
			OrderResumed: &eventv1.OrderResumed{Confirmed: c.Confirmed, PaymentDeadlineMicros: c.PaymentDeadlineMicros}}
		return "holdfast.order_resumed.v1"
	case order.OrderReopened:
		e.Change = &eventv1.OrderEvent_OrderReopened{
			OrderReopened: &eventv1.OrderReopened{PaymentDeadlineMicros: c.PaymentDeadlineMicros}}
		return "holdfast.order_reopened.v1"
	}
	return ""
}

// readLifecycle is the inverse of setLifecycle.
func readLifecycle(e *eventv1.OrderEvent) order.Event {
	switch c := e.Change.(type) {
	case *eventv1.OrderEvent_OrderPlacedV2:
		p := c.OrderPlacedV2
		return order.OrderPlaced{
			CustomerID: p.CustomerId, Currency: p.Currency, Lines: fromLines(p.Lines),
			SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros,
			Terms: order.PaymentTerms(p.PaymentTerms), PaymentDeadlineMicros: p.PaymentDeadlineMicros,
			Country: p.Country, Reference: p.Reference, Allocation: fromOrderRule(p.Allocation),
			Metadata: fromMetadata(p.Metadata), Pricing: pricingOf(p),
		}
	case *eventv1.OrderEvent_OrderReserved:
		return order.OrderReserved{}
	case *eventv1.OrderEvent_OrderBackordered:
		return order.OrderBackordered{Backordered: fromQuantities(c.OrderBackordered.Backordered)}
	case *eventv1.OrderEvent_OrderBackorderFilled:
		p := c.OrderBackorderFilled
		return order.OrderBackorderFilled{
			Filled: fromQuantities(p.Filled), StockVersions: fromStockVersions(p.StockVersions)}
	case *eventv1.OrderEvent_OrderFellShort:
		p := c.OrderFellShort
		return order.OrderFellShort{
			Backordered: fromQuantities(p.Backordered), StockVersions: fromStockVersions(p.StockVersions)}
	case *eventv1.OrderEvent_OrderRejected:
		return order.OrderRejected{Short: fromShort(c.OrderRejected.Short), RefundDueMicros: c.OrderRejected.RefundDueMicros}
	case *eventv1.OrderEvent_OrderConfirmed:
		return order.OrderConfirmed{}
	case *eventv1.OrderEvent_ReservationSettled:
		return order.ReservationSettled{ReservationVersion: c.ReservationSettled.ReservationVersion}
	case *eventv1.OrderEvent_OrderCancelled:
		p := c.OrderCancelled
		return order.OrderCancelled{Reason: p.Reason, VoidedMicros: p.VoidedMicros, RefundDueMicros: p.RefundDueMicros}
	case *eventv1.OrderEvent_OrderExpired:
		return order.OrderExpired{VoidedMicros: c.OrderExpired.VoidedMicros, RefundDueMicros: c.OrderExpired.RefundDueMicros}
	case *eventv1.OrderEvent_OrderHeld:
		return order.OrderHeld{Reason: c.OrderHeld.Reason}
	case *eventv1.OrderEvent_OrderResumed:
		return order.OrderResumed{Confirmed: c.OrderResumed.Confirmed,
			PaymentDeadlineMicros: c.OrderResumed.PaymentDeadlineMicros}
	case *eventv1.OrderEvent_OrderReopened:
		return order.OrderReopened{PaymentDeadlineMicros: c.OrderReopened.PaymentDeadlineMicros}
	}
	return nil
}

func toStockVersions(versions []order.StockVersion) []*eventv1.StockVersion {
	return messages(versions, func(m *eventv1.StockVersion, v *order.StockVersion) { m.Sku, m.Version = v.SKU, v.Version })
}

func fromStockVersions(versions []*eventv1.StockVersion) []order.StockVersion {
	return values(versions, func(v *eventv1.StockVersion) order.StockVersion {
		return order.StockVersion{SKU: v.Sku, Version: v.Version}
	})
}

func toShort(short []order.ShortLine) []*eventv1.ShortLine {
	return messages(short, func(m *eventv1.ShortLine, s *order.ShortLine) {
		m.Sku, m.Requested, m.Available, m.Reason = s.SKU, s.Requested, s.Available, eventv1.RejectionReason(s.Reason)
	})
}

func fromShort(short []*eventv1.ShortLine) []order.ShortLine {
	return values(short, func(s *eventv1.ShortLine) order.ShortLine {
		return order.ShortLine{SKU: s.Sku, Requested: s.Requested, Available: s.Available, Reason: int32(s.Reason)}
	})
}
