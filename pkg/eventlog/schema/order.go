package schema

import eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"

// UpgradeOrder upgrades a change to its newest version, one version at a time: the upgrade from version 1 comes before
// the one from version 2. For an event of the newest version it costs the comparisons and does not allocate.
func UpgradeOrder(ev *eventv1.OrderEvent) {
	switch c := ev.Change.(type) {
	case *eventv1.OrderEvent_ReturnReceived:
		ev.Change = &eventv1.OrderEvent_ReturnReceivedV2{ReturnReceivedV2: returnReceivedV2(c.ReturnReceived)}
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
