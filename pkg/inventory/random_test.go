package inventory_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/inventory/inventorytest"
)

// With any commands, on_hand adds up, versions have no gaps, stock is conserved, and the item's reserved and committed
// are those of its reservations, location by location.
func TestRandomCommandsKeepTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := inventory.NewWorld()
		for range rapid.IntRange(1, 60).Draw(t, "length") {
			if problem := w.Decide(drawCommand(t, w.Item())); problem != "" {
				t.Fatal(problem)
			}
		}
	})
}

// drawCommand draws a command of a client, or a step of an order.
func drawCommand(t *rapid.T, item inventory.Item) inventory.Command {
	if rapid.Bool().Draw(t, "an order's step") {
		return inventorytest.Step(t, rapid.SampledFrom([]string{"o-1", "o-2", "o-3"}).Draw(t, "order"))
	}
	return inventorytest.CommandFor(t, item, rapid.Int64Range(-2, 40).Draw(t, "quantity"))
}
