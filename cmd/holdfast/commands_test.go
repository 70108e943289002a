package main

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
)

// Every command of the API has a subcommand: place_order is `order place`, receive_stock is `stock receive`. Past
// documents come with `import` alone.
func TestEveryCommandHasASubcommand(t *testing.T) {
	shorter := map[string]string{
		command.ShipTransfer: "transfer", command.SetSafetyStock: "safety-stock",
		command.SetBackorderLimit: "backorder-limit",
	}
	for _, c := range command.All() {
		if c.Type == command.ImportOrder || c.Type == command.ImportCreditNote {
			continue
		}
		group := map[command.Aggregate]string{command.Order: "order", command.Stock: "stock"}[c.Aggregate]
		name := c.Type
		for _, aggregate := range []string{"_order", "_stock", "_item"} {
			name = strings.TrimSuffix(name, aggregate)
		}
		name = strings.ReplaceAll(name, "_", "-")
		if short, ok := shorter[c.Type]; ok {
			name = short
		}
		found, _, err := newRootCommand().Find([]string{group, name})
		if err != nil || found.Name() != name {
			t.Errorf("%s: there is no `holdfast %s %s`: %v", c.Type, group, name, err)
		}
	}
}
