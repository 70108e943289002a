package inventory

// World is for tests in package inventory_test: they draw commands with inventorytest, which imports this package.
type World = world

// NewWorld is an item that is not registered.
func NewWorld() *World {
	return &World{scenario: scenario{item: Item{SKU: "s"}, reservations: map[string]Reservation{}}}
}

// Item is the item as it is.
func (w *world) Item() Item { return w.item }

// Decide decides a command, applies its events, and returns what is then wrong; "" for nothing.
func (w *world) Decide(cmd Command) string { return w.decide(cmd) }
