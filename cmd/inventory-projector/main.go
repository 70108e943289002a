// Command inventory-projector keeps the availability view: it folds inventory.events into the topic
// inventory.availability.
package main

import (
	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/cmd/internal/run/inventory"
)

func main() { run.Main(inventory.Program()) }
