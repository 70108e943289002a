package orderview

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestReturns(t *testing.T) {
	sent := schematest.OrderEvent(&eventv1.LinesShippedV2{FulfilmentId: "f", Lines: quantity("A", 5)})
	arrived := schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: "f", Lines: quantity("A", 5)})
	requested := schematest.OrderEvent(&eventv1.ReturnRequestedV2{
		ReturnId: "r", Lines: quantity("A", 4), Reason: "too big",
	})
	back := func(n int64, condition eventv1.Condition) *eventv1.ReturnedLine {
		return &eventv1.ReturnedLine{Sku: "A", Quantity: n, UnitPriceMicros: 1_000_000, Condition: condition}
	}
	received := schematest.OrderEvent(&eventv1.ReturnReceivedV3{
		ReturnId: "r", RefundDueMicros: 3_000_000,
		Lines: []*eventv1.ReturnedLine{
			back(2, eventv1.Condition_CONDITION_RESELLABLE), back(1, eventv1.Condition_CONDITION_DAMAGED),
		}})
	cancelled := schematest.OrderEvent(&eventv1.ReturnCancelledV2{ReturnId: "r", Lines: quantity("A", 1), Reason: "kept"})
	events := []*eventv1.OrderEvent{sent, arrived, requested, received, cancelled}
	for n, want := range []string{"none", "none", "requested", "partially_received", "received"} {
		if o := folded(t, events[:n+1]...); o.ReturnStatus != want {
			t.Errorf("after %d events: %s, want %s", n+1, o.ReturnStatus, want)
		}
	}
	o := folded(t, sent, arrived, requested, received)
	if r := o.Returns[0]; r.Status != "partially_received" || r.Lines[0] != (ReturnLine{0, "A", 4, 3, 1}) ||
		r.Reason != "too big" {
		t.Fatalf("%+v", r)
	}
	if o.Lines[0].Returned != 2 || o.Lines[2].Returned != 1 || o.RefundDue != "3.00" || o.Timeline[4].ReturnID != "r" ||
		len(o.Timeline[4].Lines) != 2 {
		t.Fatalf("%+v", o)
	}
	none := schematest.OrderEvent(&eventv1.ReturnCancelledV2{ReturnId: "r", Lines: quantity("A", 4)})
	if o = folded(t, sent, arrived, requested, none); o.ReturnStatus != "none" || o.Returns[0].Status != "cancelled" {
		t.Fatalf("%+v", o)
	}
}
