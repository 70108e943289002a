package stockledger

import (
	"testing"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// TestItemsAreFoundByWords: each word stands in the SKU or in the description, in any case and order.
func TestItemsAreFoundByWords(t *testing.T) {
	row := &eventv1.AvailabilityRow{Sku: "85123A", Description: "White hanging HEART, \u00c4pfel"}
	for text, want := range map[string]bool{
		"": true, " ": true, "heart": true, "heart white": true, "85123a hanging": true, "\u00e4PFEL": true, "ang": true,
		"heart black": false, "awhite": false, "85123B": false,
	} {
		if f := (Filter{Text: text}); f.selects(row) != want {
			t.Errorf("%q finds it: %v, want %v", text, !want, want)
		}
	}
}
