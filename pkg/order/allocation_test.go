package order

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/limits"
)

func TestORD60Allocation(t *testing.T) {
	names := func(n int) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = strings.Repeat("x", i%limits.MaxLocationLength) + string(rune('a'+i/limits.MaxLocationLength))
		}
		return all
	}
	for _, c := range []struct {
		rule    AllocationRule
		pointer string
	}{
		{AllocationRule{}, "/allocation/policy"},
		{AllocationRule{Policy: Split + 1}, "/allocation/policy"},
		{AllocationRule{Split, names(MaxAllocationLocations + 1)}, "/allocation/locations"},
		{AllocationRule{Split, []string{"north", ""}}, "/allocation/locations/1"},
		{AllocationRule{Split, []string{" north"}}, "/allocation/locations/0"},
		{AllocationRule{Split, []string{strings.Repeat("x", limits.MaxLocationLength+1)}}, "/allocation/locations/0"},
		{AllocationRule{Split, []string{"north", "main", "north"}}, "/allocation/locations/2"},
	} {
		order := twoSKUs(Prepaid)
		order.Allocation = &c.rule
		s := given(t).when(order).refused(CodeInvalidAllocation)
		var refusal *Error
		if !errors.As(s.err, &refusal) || refusal.Pointer != c.pointer {
			t.Errorf("%+v is refused at %+v", c.rule, s.err)
		}
	}
	order := twoSKUs(OnAccount)
	order.Allocation = &AllocationRule{SingleLocation, names(MaxAllocationLocations)}
	s := given(t, order)
	if placed := s.events[0].(OrderPlaced); placed.Allocation != order.Allocation {
		t.Fatalf("%+v", placed)
	}
	if s.when(stockAnswers(granted)); s.order.Allocation != order.Allocation {
		t.Fatalf("%+v", s.order)
	}
}
