package inventory

import (
	"strings"
	"unicode/utf8"
)

// Limits of the rules. Lengths are bytes of UTF-8, quantities are units.
const (
	// MaxQuantity bounds the quantity of one stock command.
	MaxQuantity = 1_000_000_000
	// MaxBackorderLimit bounds how many units orders may wait for.
	MaxBackorderLimit = 1_000_000_000
	// MaxStepQuantity bounds each quantity of a reservation: more than 2,000 lines of MaxQuantity.
	MaxStepQuantity = 1 << 50
	// MaxLevel bounds every quantity of every level, so that the sum of two never overflows.
	MaxLevel = 1 << 60
	// MaxLocations bounds the locations of one item.
	MaxLocations = 1_000
	// MaxDeliveries bounds the deliveries that an item expects at a time.
	MaxDeliveries = 1_000
	// MaxTransfers bounds the transfers of an item that are on their way.
	MaxTransfers = 1_000
	// MaxBackorders bounds the orders that wait for an item at a time.
	MaxBackorders = 10_000
	// MaxLocationBytes and the following bound names and texts.
	MaxLocationBytes    = 64
	MaxSKUBytes         = 64
	MaxDescriptionBytes = 1_024
	MaxReferenceBytes   = 255
	MaxReasonBytes      = 255
	MaxTransferIDBytes  = 64
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
	if len(s) > MaxReferenceBytes || !utf8.ValidString(s) {
		return refuse(CodeInvalidReference, "/reference", "a reference is at most 255 bytes of UTF-8")
	}
	return nil
}
