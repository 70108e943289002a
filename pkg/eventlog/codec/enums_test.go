package codec

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Enumerations pass through the codec as numbers, so the constants of the domain have the numbers of the schema.
func TestTheDomainHasTheNumbersOfTheSchema(t *testing.T) {
	sameNumbers(t, order.PaymentTerms(0), map[order.PaymentTerms]eventv1.PaymentTerms{
		order.Prepaid:   eventv1.PaymentTerms_PAYMENT_TERMS_PREPAID,
		order.OnAccount: eventv1.PaymentTerms_PAYMENT_TERMS_ON_ACCOUNT,
	})
	sameNumbers(t, order.AllocationPolicy(0), map[order.AllocationPolicy]eventv1.AllocationPolicy{
		order.SingleLocation:  eventv1.AllocationPolicy_ALLOCATION_POLICY_SINGLE_LOCATION,
		order.FewestLocations: eventv1.AllocationPolicy_ALLOCATION_POLICY_FEWEST_LOCATIONS,
		order.Split:           eventv1.AllocationPolicy_ALLOCATION_POLICY_SPLIT,
	})
	sameNumbers(t, order.Condition(0), map[order.Condition]eventv1.Condition{
		order.Resellable: eventv1.Condition_CONDITION_RESELLABLE,
		order.Damaged:    eventv1.Condition_CONDITION_DAMAGED,
	})
	sameNumbers(t, int32(0), map[int32]eventv1.RejectionReason{
		order.ReasonInsufficientStock: eventv1.RejectionReason_REJECTION_REASON_INSUFFICIENT_STOCK,
		order.ReasonUnknownSKU:        eventv1.RejectionReason_REJECTION_REASON_UNKNOWN_SKU,
		order.ReasonOtherLine:         eventv1.RejectionReason_REJECTION_REASON_OTHER_LINE,
	})
	sameNumbers(t, inventory.RejectionReason(0), map[inventory.RejectionReason]eventv1.RejectionReason{
		inventory.InsufficientStock: eventv1.RejectionReason_REJECTION_REASON_INSUFFICIENT_STOCK,
		inventory.UnknownSKU:        eventv1.RejectionReason_REJECTION_REASON_UNKNOWN_SKU,
		inventory.OtherLine:         eventv1.RejectionReason_REJECTION_REASON_OTHER_LINE,
	})
	sameNumbers(t, inventory.AllocationPolicy(0), map[inventory.AllocationPolicy]eventv1.AllocationPolicy{
		inventory.SingleLocation:  eventv1.AllocationPolicy_ALLOCATION_POLICY_SINGLE_LOCATION,
		inventory.FewestLocations: eventv1.AllocationPolicy_ALLOCATION_POLICY_FEWEST_LOCATIONS,
		inventory.Split:           eventv1.AllocationPolicy_ALLOCATION_POLICY_SPLIT,
	})
	sameNumbers(t, inventory.State(0), map[inventory.State]eventv1.StockState{
		inventory.StateAvailable:      eventv1.StockState_STOCK_STATE_AVAILABLE,
		inventory.StateDamaged:        eventv1.StockState_STOCK_STATE_DAMAGED,
		inventory.StateQualityControl: eventv1.StockState_STOCK_STATE_QUALITY_CONTROL,
		inventory.StateSafetyStock:    eventv1.StockState_STOCK_STATE_SAFETY_STOCK,
	})
	sameNumbers(t, inventory.Reason(0), map[inventory.Reason]eventv1.Reason{
		inventory.ReasonCorrection: eventv1.Reason_REASON_CORRECTION,
		inventory.ReasonCycleCount: eventv1.Reason_REASON_CYCLE_COUNT,
		inventory.ReasonDamaged:    eventv1.Reason_REASON_DAMAGED,
		inventory.ReasonReceived:   eventv1.Reason_REASON_RECEIVED,
		inventory.ReasonRestock:    eventv1.Reason_REASON_RESTOCK,
		inventory.ReasonShrinkage:  eventv1.Reason_REASON_SHRINKAGE,
		inventory.ReasonPromotion:  eventv1.Reason_REASON_PROMOTION,
		inventory.ReasonReturn:     eventv1.Reason_REASON_RETURN,
		inventory.ReasonOther:      eventv1.Reason_REASON_OTHER,
	})
}

// sameNumbers holds each constant to the schema's value of the same meaning, and all of them to all that the schema
// has.
func sameNumbers[D ~int32, S interface {
	~int32
	protoreflect.Enum
}](t *testing.T, _ D, pairs map[D]S) {
	t.Helper()
	var zero S
	for domain, schema := range pairs {
		if int32(domain) != int32(schema) {
			t.Errorf("%T %d is %s, which has the number %d", domain, domain, schema.Descriptor().FullName(), int32(schema))
		}
	}
	if n := zero.Descriptor().Values().Len() - 1; n != len(pairs) { // without UNSPECIFIED
		t.Errorf("%s has %d values, the domain %d", zero.Descriptor().FullName(), n, len(pairs))
	}
}

// StepOf knows the step of every change that has one in the schema.
func TestStepOfKnowsEveryChangeOfAReservation(t *testing.T) {
	for name, change := range inventorySamples {
		m := sampleMeta()
		value, _, err := AppendInventory(nil, "85123A", &m, sampleEvent(change))
		if err != nil {
			t.Fatal(err)
		}
		var e eventv1.InventoryEvent
		if err := e.UnmarshalVT(value); err != nil {
			t.Fatal(err)
		}
		r := e.ProtoReflect()
		member := r.Descriptor().Fields().ByName(protoreflect.Name(name))
		hasStep := member.Message().Fields().ByName("step") != nil
		if step, ok := inventory.StepOf(change); ok != hasStep || ok && step.OrderID == "" {
			t.Errorf("%s: step %+v, %v; the schema has one: %v", name, step, ok, hasStep)
		}
	}
}
