// Package inventory has the rules of stock: what the levels of an item are, how reservations change them, and which
// commands are refused. It is pure: no I/O, no clock, no context. Time and IDs come in with the command.
//
// It owns one aggregate, the stock item, which is keyed by SKU and contains all its locations. Of orders it knows the
// ID and the reservation that they want, nothing else.
//
// decide.go has Decide and Evolve. Every command has its rules, its event and their methods in the file of its subject.
package inventory

import "github.com/holdfast/holdfast/pkg/metadata"

// ID is a UUID.
type ID [16]byte

// Item is the decision state of one SKU. The zero value is an item that nobody has registered. Evolve copies a slice
// before it changes it.
type Item struct {
	SKU string
	// Version counts the item's events. VisibleVersion is that of the last one that a client can see (Visible).
	Version, VisibleVersion uint64

	Registered     bool
	Description    string
	Metadata       metadata.Map
	BackorderLimit int64
	// Locations are in order of first use.
	Locations []LocationLevel
	// OnHandVersions has, for each of Locations, the item's version at which its on_hand last changed. 0, or missing
	// at the end: never.
	OnHandVersions []uint64
	// SafetyStockTargets are what safety_stock is to be at locations where it is less (INV-73).
	SafetyStockTargets []Allocation
	// Expected are the deliveries that make up incoming, in the order of their first mention.
	Expected []Delivery
	// Backorders are the orders that wait for stock to come, in the order of their arrival.
	Backorders []Backorder
	// Transfers are on their way between locations, in the order in which they left.
	Transfers []Transfer
}
