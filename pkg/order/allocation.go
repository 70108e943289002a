package order

import (
	"slices"
	"strconv"

	"github.com/holdfast/holdfast/pkg/limits"
)

// MaxAllocationLocations bounds the locations that an allocation rule names.
const MaxAllocationLocations = 100

// AllocationPolicy says how each SKU of an order may be spread over its locations. A closed set; values equal those of
// the event schema.
type AllocationPolicy int32

// The policies.
const (
	SingleLocation AllocationPolicy = iota + 1
	FewestLocations
	Split
)

// AllocationRule says where the goods of an order come from: a policy, and the locations that are tried first, in their
// order.
//
//	ORD-60  The policy is single_location, fewest_locations or split. At most 100 locations are tried first, each named
//	        once (invalid_allocation). The rule applies to each SKU by itself, for as long as the order lives: two SKUs
//	        of a single_location order may come from two locations. INV-60 and INV-61 say what it does.
type AllocationRule struct {
	Policy    AllocationPolicy
	Locations []string
}

// Check applies ORD-60.
func (a *AllocationRule) Check() error {
	if a.Policy < SingleLocation || a.Policy > Split {
		return refuse(CodeInvalidAllocation, "/allocation/policy", "a policy is single_location, fewest_locations or split")
	}
	if len(a.Locations) > MaxAllocationLocations {
		return refuse(CodeInvalidAllocation, "/allocation/locations", "at most 100 locations come first")
	}
	for i, name := range a.Locations {
		pointer := "/allocation/locations/" + strconv.Itoa(i)
		if name == "" || limits.Longer(name, limits.MaxLocationLength) || !plain(name) {
			return refuse(CodeInvalidAllocation, pointer,
				"a location is 1 to 64 characters, without control characters or outer spaces")
		}
		if slices.Index(a.Locations, name) < i {
			return refuse(CodeInvalidAllocation, pointer, "the location stands there twice")
		}
	}
	return nil
}
