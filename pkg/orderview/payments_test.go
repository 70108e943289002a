package orderview_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/orderview"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestAnOrderTellsItsPayments(t *testing.T) {
	f := newFixture(t)
	s, _ := f.open(t.TempDir())
	lines := []*eventv1.OrderLine{{Sku: "A", Quantity: 3, UnitPriceMicros: 2_550_000}}
	steps := []struct {
		event                            *eventv1.OrderEvent
		status, payment, amount, pending string
	}{
		{schematest.OrderEvent(&eventv1.OrderPlacedV2{
			CustomerId: "c", Currency: "GBP", Lines: lines, SubtotalMicros: 7_650_000, TotalMicros: 7_650_000,
			PaymentDeadlineMicros: 1_700_000_000_000_000}),
			"placed", "pending", "", "2023-11-14T22:13:20Z"},
		{schematest.OrderEvent(&eventv1.OrderReserved{}), "reserved", "pending", "", "2023-11-14T22:13:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentStarted{Reference: "pi", PaymentDeadlineMicros: 1_700_000_060_000_000}),
			"reserved", "pending", "", "2023-11-14T22:14:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentFailed{Reference: "pi", Reason: "declined", ProviderEventId: "evt_4",
			Provider: "stripe"}),
			"reserved", "failed", "", "2023-11-14T22:14:20Z"},
		{schematest.OrderEvent(&eventv1.OrderExpired{}), "expired", "failed", "", "2023-11-14T22:14:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentAuthorizedV3{AmountMicros: 7_650_000, Reference: "pj",
			ProviderEventId: "evt_6", Provider: "stripe"}),
			"expired", "authorized", "7.65", "2023-11-14T22:14:20Z"},
		{schematest.OrderEvent(&eventv1.OrderReopened{PaymentDeadlineMicros: 1_700_000_120_000_000}),
			"placed", "authorized", "", "2023-11-14T22:15:20Z"},
		{schematest.OrderEvent(&eventv1.OrderReserved{}), "reserved", "authorized", "", "2023-11-14T22:15:20Z"},
		{schematest.OrderEvent(&eventv1.OrderConfirmed{}), "confirmed", "authorized", "", "2023-11-14T22:15:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentCapturedV3{AmountMicros: 5_000_000, ProviderEventId: "evt_10",
			Provider: "stripe"}),
			"confirmed", "partially_captured", "5.00", "2023-11-14T22:15:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentRefundedV3{AmountMicros: 1_000_000, Reason: "late",
			ProviderEventId: "evt_11", Provider: "stripe"}),
			"confirmed", "partially_refunded", "1.00", "2023-11-14T22:15:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentIdentified{Action: eventv1.PaymentAction_PAYMENT_ACTION_CAPTURED,
			AmountMicros: 5_000_000, ProviderEventId: "evt_12", Provider: "stripe"}), "confirmed", "partially_refunded", "5.00",
			"2023-11-14T22:15:20Z"},
		{schematest.OrderEvent(&eventv1.OrderCancelled{VoidedMicros: 2_650_000, RefundDueMicros: 4_000_000}),
			"cancelled", "partially_refunded", "", "2023-11-14T22:15:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentVoidedV3{UnmatchedMicros: 1_000_000, Reference: "pk",
			ProviderEventId: "evt_14", Provider: "stripe"}), "cancelled", "partially_refunded", "1.00", "2023-11-14T22:15:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentRefundedV3{AmountMicros: 4_000_000}),
			"cancelled", "refunded", "4.00", "2023-11-14T22:15:20Z"},
	}
	for i, step := range steps {
		f.append("o-1", uint64(i+1), step.event)
		if err := s.WaitFor(f.Ctx, f.position()); err != nil {
			t.Fatal(err)
		}
		body, _, _, err := s.Order("o-1")
		if err != nil {
			t.Fatal(err)
		}
		var o orderview.Order
		if err := json.Unmarshal(body, &o); err != nil {
			t.Fatal(err)
		}
		entry := o.Timeline[len(o.Timeline)-1]
		if o.Status != step.status || o.PaymentStatus != step.payment || entry.Amount != step.amount ||
			o.PaymentDeadline != step.pending {
			t.Errorf("after %s: %s, %s, %q until %s; want %s, %s, %q until %s", entry.Type,
				o.Status, o.PaymentStatus, entry.Amount, o.PaymentDeadline, step.status, step.payment, step.amount, step.pending)
		}
		if id := entry.ProviderEventID; id != "" && id != fmt.Sprintf("evt_%d", i+1) ||
			(id == "") == strings.Contains(step.event.String(), "provider_event_id") {
			t.Errorf("%s has the ID %q", entry.Type, id)
		}
		if (entry.Provider == "stripe") != (entry.ProviderEventID != "") {
			t.Errorf("%s has the provider %q", entry.Type, entry.Provider)
		}
		if entry.Type == "payment_refunded" && o.RefundDue != "0.00" {
			t.Errorf("%s is due after a refund", o.RefundDue)
		}
		if entry.Type == "order_cancelled" && (o.RefundDue != "4.00" || o.Voided != "2.65") {
			t.Errorf("cancelled with %s due and %s voided", o.RefundDue, o.Voided)
		}
	}
}

// What is due is told by cause, goodwill apart, and so is what a confirmed order lacks.
func TestAnOrderTellsWhatIsDue(t *testing.T) {
	f := newFixture(t)
	s, _ := f.open(t.TempDir())
	lines := []*eventv1.OrderLine{{Sku: "A", Quantity: 4, UnitPriceMicros: 2_500_000}}
	cancelled := []*eventv1.CancelledLine{{Line: 1, Sku: "A", Quantity: 1, UnitPriceMicros: 2_500_000}}
	for i, step := range []struct {
		event *eventv1.OrderEvent
		want  string // amounts that are due, and the deadline
	}{
		{schematest.OrderEvent(&eventv1.OrderPlacedV2{
			CustomerId: "c", Currency: "GBP", Lines: lines, SubtotalMicros: 10_000_000, TotalMicros: 10_000_000}), ""},
		{schematest.OrderEvent(&eventv1.PaymentAuthorizedV3{AmountMicros: 10_000_000}), ""},
		{schematest.OrderEvent(&eventv1.OrderConfirmed{}), ""},
		{schematest.OrderEvent(&eventv1.PaymentVoidedV3{AmountMicros: 4_000_000}), ""},
		{schematest.OrderEvent(&eventv1.CoverLost{PaymentDueMicros: 4_000_000, PaymentDeadlineMicros: 1_700_000_000_000_000}),
			"payment 4.00, until 2023-11-14T22:13:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentAuthorizedV3{AmountMicros: 4_000_000}), "until 2023-11-14T22:13:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentCapturedV3{AmountMicros: 10_000_000, RefundDueMicros: 1_000_000}),
			"overpayment 1.00, until 2023-11-14T22:13:20Z"},
		{schematest.OrderEvent(&eventv1.LinesCancelledV2{
			Lines: cancelled, SubtotalMicros: 7_500_000, TotalMicros: 7_500_000, RefundDueMicros: 2_500_000}),
			"overpayment 1.00, cancellation 2.50, until 2023-11-14T22:13:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentRefundedV3{AmountMicros: 500_000, GoodwillMicros: 500_000}),
			"overpayment 1.00, cancellation 2.50, goodwill 0.50, until 2023-11-14T22:13:20Z"},
		{schematest.OrderEvent(&eventv1.PaymentRefundedV3{AmountMicros: 2_000_000}),
			"cancellation 1.50, goodwill 0.50, until 2023-11-14T22:13:20Z"},
	} {
		f.append("o-1", uint64(i+1), step.event)
		if err := s.WaitFor(f.Ctx, f.position()); err != nil {
			t.Fatal(err)
		}
		body, _, _, err := s.Order("o-1")
		if err != nil {
			t.Fatal(err)
		}
		var o orderview.Order
		if err := json.Unmarshal(body, &o); err != nil {
			t.Fatal(err)
		}
		if got := dueOf(&o); got != step.want {
			t.Errorf("after %s: %q is due, want %q", o.Timeline[i].Type, got, step.want)
		}
	}
}

func dueOf(o *orderview.Order) string {
	due := orderview.DueFor{}
	if o.RefundDueFor != nil {
		due = *o.RefundDueFor
	}
	var parts []string
	for _, part := range [][2]string{
		{"payment ", o.PaymentDue}, {"overpayment ", due.Overpayment}, {"cancellation ", due.Cancellation},
		{"amendment ", due.Amendment}, {"return ", due.Return}, {"goodwill ", o.Goodwill}, {"until ", o.PaymentDeadline},
	} {
		if part[1] != "" {
			parts = append(parts, part[0]+part[1])
		}
	}
	return strings.Join(parts, ", ")
}
