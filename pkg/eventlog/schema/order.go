package schema

import eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"

// UpcastOrder takes a change through its versions, the older first: each step leads to the next one, and an event
// enters where it was written. What is of today passes by at the cost of the comparisons.
func UpcastOrder(ev *eventv1.OrderEvent) {
	if c, ok := ev.Change.(*eventv1.OrderEvent_ReturnReceived); ok {
		ev.Change = &eventv1.OrderEvent_ReturnReceivedV2{ReturnReceivedV2: returnReceivedV2(c.ReturnReceived)}
	}
}

// returnReceivedV2 makes one list of the two of version 1, in the order in which every reader took them.
func returnReceivedV2(old *eventv1.ReturnReceived) *eventv1.ReturnReceivedV2 {
	v2 := &eventv1.ReturnReceivedV2{ReturnId: old.ReturnId, RefundDueMicros: old.RefundDueMicros}
	for _, part := range []struct {
		lines     []*eventv1.OrderLine
		condition eventv1.Condition
	}{
		{old.Resellable, eventv1.Condition_CONDITION_RESELLABLE},
		{old.Damaged, eventv1.Condition_CONDITION_DAMAGED},
	} {
		for _, l := range part.lines {
			v2.Lines = append(v2.Lines, &eventv1.ReturnedLine{
				Sku: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros, Condition: part.condition,
			})
		}
	}
	return v2
}
