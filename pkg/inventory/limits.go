package inventory

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/limits"
)

// Limits of the rules of stock. Those that other layers keep to as well stand in pkg/limits.
const (
	// MaxBackorderLimit bounds how many units orders may wait for.
	MaxBackorderLimit = limits.MaxQuantity
	// MaxStepQuantity bounds each quantity of a reservation, in units. It is more than limits.MaxLines lines of
	// limits.MaxQuantity.
	MaxStepQuantity = 1 << 50
	// MaxLevel bounds every quantity of every level, in units, so that the sum of two never overflows.
	MaxLevel = 1 << 60
	// MaxLocations bounds the locations of one item.
	MaxLocations = 1_000
	// MaxLocationNamesBytes bounds the names of these locations, and MaxDeliveryReferencesBytes the references of these
	// deliveries, all of them together: an item's row must fit into a record (availability), also where each
	// character has several bytes.
	MaxLocationNamesBytes      = MaxLocations * limits.MaxLocationLength
	MaxDeliveryReferencesBytes = MaxDeliveries * limits.MaxReferenceLength
	// MaxDeliveries bounds the deliveries that an item expects at a time.
	MaxDeliveries = 1_000
	// MaxTransfers bounds the transfers of an item that are on their way.
	MaxTransfers = 1_000
	// MaxBackorders bounds the orders that wait for an item at a time.
	MaxBackorders = 10_000
)

// plain reports whether s is UTF-8 without control characters and outer spaces.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s) && strings.TrimSpace(s) == s
}

func checkReference(s string) error {
	if limits.Longer(s, limits.MaxReferenceLength) || !utf8.ValidString(s) {
		return refuse(CodeInvalidReference, "/reference",
			"a reference is at most "+strconv.Itoa(limits.MaxReferenceLength)+" characters of UTF-8")
	}
	if fault := limits.NameFault(s); fault != "" {
		return refuse(CodeInvalidReference, "/reference", "the reference "+fault)
	}
	return nil
}
