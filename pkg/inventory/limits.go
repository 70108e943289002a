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
	// MaxLevel bounds every quantity of every level, so that sums of two never overflow.
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

// DefaultLocation is where stock is when a command does not say.
const DefaultLocation = "main"

// location applies INV-3.
func (i Item) location(name string) (string, error) { return i.locationOf("/location", name) }

// locationOf is location for a field of another name.
func (i Item) locationOf(pointer, name string) (string, error) {
	if name == "" {
		name = DefaultLocation
	}
	if len(name) > MaxLocationBytes || !plain(name) {
		return "", refuse(CodeInvalidLocation, pointer, "a location is 1 to 64 bytes of text without control characters or outer spaces")
	}
	if len(i.Locations) >= MaxLocations && i.find(name) < 0 {
		return "", refuse(CodeTooManyLocations, pointer, "an item has at most 1000 locations")
	}
	return name, nil
}

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
