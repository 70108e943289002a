package schema

import eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"

// UpgradeOrder upgrades a change to its newest version, one version at a time: the upgrade from version 1 comes before
// the one from version 2. For an event of the newest version it costs the comparisons and does not allocate.
func UpgradeOrder(ev *eventv1.OrderEvent) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_OrderPlaced:
		p := c.OrderPlaced
		ev.Change = &eventv1.OrderEvent_OrderPlacedV2{OrderPlacedV2: &eventv1.OrderPlacedV2{
			CustomerId: p.CustomerId, Currency: p.Currency, Lines: p.Lines, SubtotalMicros: p.SubtotalMicros,
			TotalMicros: p.TotalMicros, PaymentTerms: p.PaymentTerms, PaymentDeadlineMicros: p.PaymentDeadlineMicros,
			Country: p.Country, Reference: p.Reference, Allocation: p.Allocation, Metadata: p.Metadata,
			Rounding: eventv1.Rounding_ROUNDING_ORDER,
		}}
	case *eventv1.OrderEvent_PaymentAuthorized:
		p := c.PaymentAuthorized
		ev.Change = &eventv1.OrderEvent_PaymentAuthorizedV2{PaymentAuthorizedV2: &eventv1.PaymentAuthorizedV2{
			AmountMicros: p.AmountMicros, Reference: p.Reference,
		}}
	case *eventv1.OrderEvent_PaymentCaptured:
		p := c.PaymentCaptured
		ev.Change = &eventv1.OrderEvent_PaymentCapturedV2{PaymentCapturedV2: &eventv1.PaymentCapturedV2{
			AmountMicros: p.AmountMicros, Reference: p.Reference, UnvoidedMicros: p.UnvoidedMicros,
			RefundDueMicros: p.RefundDueMicros,
		}}
	case *eventv1.OrderEvent_PaymentVoided:
		p := c.PaymentVoided
		ev.Change = &eventv1.OrderEvent_PaymentVoidedV2{PaymentVoidedV2: &eventv1.PaymentVoidedV2{
			AmountMicros: p.AmountMicros, Reference: p.Reference, Reason: p.Reason,
		}}
	case *eventv1.OrderEvent_PaymentRefunded:
		p := c.PaymentRefunded
		ev.Change = &eventv1.OrderEvent_PaymentRefundedV2{PaymentRefundedV2: &eventv1.PaymentRefundedV2{
			AmountMicros: p.AmountMicros, Reference: p.Reference, Reason: p.Reason,
		}}
	default:
		upgradeLines(ev)
		upgradeDocuments(ev)
	}
	upgradeProviders(ev)
}

// upgradeProviders takes money from version 2 to version 3. Version 2 did not name the provider.
func upgradeProviders(ev *eventv1.OrderEvent) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_PaymentAuthorizedV2:
		p := c.PaymentAuthorizedV2
		ev.Change = &eventv1.OrderEvent_PaymentAuthorizedV3{PaymentAuthorizedV3: &eventv1.PaymentAuthorizedV3{
			AmountMicros: p.AmountMicros, Reference: p.Reference, MatchedMicros: p.MatchedMicros,
			VoidedMicros: p.VoidedMicros, ProviderEventId: p.ProviderEventId,
		}}
	case *eventv1.OrderEvent_PaymentCapturedV2:
		p := c.PaymentCapturedV2
		ev.Change = &eventv1.OrderEvent_PaymentCapturedV3{PaymentCapturedV3: &eventv1.PaymentCapturedV3{
			AmountMicros: p.AmountMicros, Reference: p.Reference, UnvoidedMicros: p.UnvoidedMicros,
			RefundDueMicros: p.RefundDueMicros, UnmatchedMicros: p.UnmatchedMicros, ProviderEventId: p.ProviderEventId,
		}}
	case *eventv1.OrderEvent_PaymentVoidedV2:
		p := c.PaymentVoidedV2
		ev.Change = &eventv1.OrderEvent_PaymentVoidedV3{PaymentVoidedV3: &eventv1.PaymentVoidedV3{
			AmountMicros: p.AmountMicros, Reference: p.Reference, Reason: p.Reason, UnmatchedMicros: p.UnmatchedMicros,
			ProviderEventId: p.ProviderEventId,
		}}
	case *eventv1.OrderEvent_PaymentRefundedV2:
		p := c.PaymentRefundedV2
		ev.Change = &eventv1.OrderEvent_PaymentRefundedV3{PaymentRefundedV3: &eventv1.PaymentRefundedV3{
			AmountMicros: p.AmountMicros, Reference: p.Reference, Reason: p.Reason, GoodwillMicros: p.GoodwillMicros,
			UnmatchedMicros: p.UnmatchedMicros, MatchedMicros: p.MatchedMicros, ProviderEventId: p.ProviderEventId,
		}}
	}
}

// upgradeLines upgrades what is about lines. Version 1 did not name them, but for amendments: their numbers stay 0.
// None had discounts and taxes.
func upgradeLines(ev *eventv1.OrderEvent) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_LinesShipped:
		p := c.LinesShipped
		ev.Change = &eventv1.OrderEvent_LinesShippedV2{LinesShippedV2: &eventv1.LinesShippedV2{
			FulfilmentId: p.FulfilmentId, Lines: p.Lines, TrackingReference: p.TrackingReference,
			UncoveredReason: p.UncoveredReason,
		}}
	case *eventv1.OrderEvent_LinesDelivered:
		p := c.LinesDelivered
		ev.Change = &eventv1.OrderEvent_LinesDeliveredV2{LinesDeliveredV2: &eventv1.LinesDeliveredV2{
			FulfilmentId: p.FulfilmentId, Lines: p.Lines,
		}}
	case *eventv1.OrderEvent_LinesCancelled:
		ev.Change = &eventv1.OrderEvent_LinesCancelledV2{LinesCancelledV2: linesCancelledV2(c.LinesCancelled)}
	case *eventv1.OrderEvent_AmendmentRequested:
		p := c.AmendmentRequested
		ev.Change = &eventv1.OrderEvent_AmendmentRequestedV2{AmendmentRequestedV2: &eventv1.AmendmentRequestedV2{
			Lines: p.Lines, Reason: p.Reason,
		}}
	case *eventv1.OrderEvent_OrderAmended:
		p := c.OrderAmended
		ev.Change = &eventv1.OrderEvent_OrderAmendedV2{OrderAmendedV2: &eventv1.OrderAmendedV2{
			Lines: p.Lines, Backordered: p.Backordered, SubtotalMicros: p.SubtotalMicros, TotalMicros: p.TotalMicros,
			VoidedMicros: p.VoidedMicros, RefundDueMicros: p.RefundDueMicros, PaymentDueMicros: p.PaymentDueMicros,
		}}
	case *eventv1.OrderEvent_FulfilmentCreated:
		p := c.FulfilmentCreated
		ev.Change = &eventv1.OrderEvent_FulfilmentCreatedV2{FulfilmentCreatedV2: &eventv1.FulfilmentCreatedV2{
			FulfilmentId: p.FulfilmentId, Lines: p.Lines,
		}}
	case *eventv1.OrderEvent_ShipmentReconciled:
		p := c.ShipmentReconciled
		ev.Change = &eventv1.OrderEvent_ShipmentReconciledV2{ShipmentReconciledV2: &eventv1.ShipmentReconciledV2{
			FulfilmentId: p.FulfilmentId, Lines: p.Lines,
		}}
	case *eventv1.OrderEvent_ReturnRequested:
		p := c.ReturnRequested
		ev.Change = &eventv1.OrderEvent_ReturnRequestedV2{ReturnRequestedV2: &eventv1.ReturnRequestedV2{
			ReturnId: p.ReturnId, Lines: p.Lines, Reason: p.Reason,
		}}
	case *eventv1.OrderEvent_ReturnReceived:
		v2 := returnReceivedV2(c.ReturnReceived)
		ev.Change = &eventv1.OrderEvent_ReturnReceivedV3{ReturnReceivedV3: returnReceivedV3(v2)}
	case *eventv1.OrderEvent_ReturnReceivedV2:
		ev.Change = &eventv1.OrderEvent_ReturnReceivedV3{ReturnReceivedV3: returnReceivedV3(c.ReturnReceivedV2)}
	case *eventv1.OrderEvent_ReturnCancelled:
		p := c.ReturnCancelled
		ev.Change = &eventv1.OrderEvent_ReturnCancelledV2{ReturnCancelledV2: &eventv1.ReturnCancelledV2{
			ReturnId: p.ReturnId, Lines: p.Lines, Reason: p.Reason,
		}}
	}
}

func linesCancelledV2(old *eventv1.LinesCancelled) *eventv1.LinesCancelledV2 {
	v2 := &eventv1.LinesCancelledV2{
		Reason: old.Reason, SubtotalMicros: old.SubtotalMicros, TotalMicros: old.TotalMicros,
		VoidedMicros: old.VoidedMicros, RefundDueMicros: old.RefundDueMicros,
	}
	for _, l := range old.Lines {
		v2.Lines = append(v2.Lines, &eventv1.CancelledLine{
			Sku: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros,
		})
	}
	return v2
}

func returnReceivedV3(old *eventv1.ReturnReceivedV2) *eventv1.ReturnReceivedV3 {
	return &eventv1.ReturnReceivedV3{
		ReturnId: old.ReturnId, Lines: old.Lines, RefundDueMicros: old.RefundDueMicros, VoidedMicros: old.VoidedMicros,
		Location: old.Location,
	}
}

// returnReceivedV2 makes one list of the two lists of version 1: the resellable lines come first, as every reader of
// version 1 read them.
func returnReceivedV2(old *eventv1.ReturnReceived) *eventv1.ReturnReceivedV2 {
	v2 := &eventv1.ReturnReceivedV2{ReturnId: old.ReturnId, RefundDueMicros: old.RefundDueMicros}
	for _, list := range []struct {
		lines     []*eventv1.OrderLine
		condition eventv1.Condition
	}{
		{old.Resellable, eventv1.Condition_CONDITION_RESELLABLE},
		{old.Damaged, eventv1.Condition_CONDITION_DAMAGED},
	} {
		for _, l := range list.lines {
			v2.Lines = append(v2.Lines, &eventv1.ReturnedLine{
				Sku: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros, Condition: list.condition,
			})
		}
	}
	return v2
}
