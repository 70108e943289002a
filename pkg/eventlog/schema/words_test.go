package schema_test

import (
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Words are part of the API and of the rows in ClickHouse. New ones may be added; none may change.
func TestWordsOfTheSchema(t *testing.T) {
	for name, test := range map[string]struct{ have, want []string }{
		"reasons": {schema.Reasons.All(), []string{
			"correction", "cycle_count", "damaged", "received", "restock", "shrinkage", "promotion", "return", "other",
		}},
		"stock states": {schema.StockStates.All(), []string{
			"available", "damaged", "quality_control", "safety_stock",
		}},
		"conditions":          {schema.Conditions.All(), []string{"resellable", "damaged"}},
		"undelivered":         {schema.UndeliveredConditions.All(), []string{"resellable", "damaged", "lost"}},
		"payment terms":       {schema.PaymentTerms.All(), []string{"prepaid", "on_account"}},
		"allocation policies": {schema.AllocationPolicies.All(), []string{"single_location", "fewest_locations", "split"}},
		"payment actions": {schema.PaymentActions.All(),
			[]string{"authorized", "captured", "voided", "refunded", "started", "failed"}},
		"rejection reasons": {schema.RejectionReasons.All(), []string{"insufficient_stock", "unknown_sku", "other_line"}},
		"causes":            {schema.Causes.All(), []string{"command", "saga", "timer", "reconciliation"}},
	} {
		if !slices.Equal(test.have, test.want) {
			t.Errorf("%s: %q, want %q", name, test.have, test.want)
		}
	}
}

func TestWordsAreFoundBothWays(t *testing.T) {
	if word := schema.Reasons.Word(eventv1.Reason_REASON_CYCLE_COUNT); word != "cycle_count" {
		t.Errorf("got %q", word)
	}
	if value, ok := schema.Reasons.Parse("cycle_count"); !ok || value != eventv1.Reason_REASON_CYCLE_COUNT {
		t.Errorf("got %v, %v", value, ok)
	}
	for _, unknown := range []eventv1.Reason{0, -1, 99} {
		if word := schema.Reasons.Word(unknown); word != "" {
			t.Errorf("%d: %q", unknown, word)
		}
	}
	for _, unknown := range []string{"", "unspecified", "CYCLE_COUNT"} {
		if _, ok := schema.Reasons.Parse(unknown); ok {
			t.Errorf("there is a reason %q", unknown)
		}
	}
}
