// Command inventory-projector keeps the availability view: it folds inventory.events into the topic
// inventory.availability.
package main

import "github.com/holdfast/holdfast/cmd/internal/run"

func main() {
	run.Main(run.Program{Name: "inventory-projector", Run: run.InventoryProjector})
}
