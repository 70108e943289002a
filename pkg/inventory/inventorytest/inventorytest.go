// Package inventorytest draws commands on stock, for property tests of whatever reads its events.
package inventorytest

import (
	"cmp"
	"iter"
	"slices"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/metadata"
)

var (
	locations = []string{"", "main", "north", "south"}
	transfers = []string{"t-1", "t-2"}
	states    = []inventory.State{inventory.StateAvailable, inventory.StateDamaged, inventory.StateQualityControl,
		inventory.StateSafetyStock}
)

// Command draws one of all stock commands of clients. SetReservation is not one: orders send it (Step).
func Command(t *rapid.T, item inventory.Item) inventory.Command {
	return CommandFor(t, item, rapid.Int64Range(0, 9).Draw(t, "quantity"))
}

// CommandFor is Command for a quantity, which may be out of range.
func CommandFor(t *rapid.T, item inventory.Item, n int64) inventory.Command {
	location := rapid.SampledFrom(locations).Draw(t, "location")
	if rapid.IntRange(0, 3).Draw(t, "transfer?") == 0 {
		return transfer(t, location, n)
	}
	switch rapid.IntRange(0, 8).Draw(t, "stock command") {
	case 0:
		return inventory.RegisterItem{
			Description: rapid.SampledFrom([]string{"", "blue", "red"}).Draw(t, "description"),
			Metadata: rapid.SampledFrom([]*metadata.Map{
				nil, new(metadata.Map), {{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}, {{Key: "b", Value: "3"}},
			}).Draw(t, "metadata"),
		}
	case 1:
		reason := inventory.Reason(rapid.Int32Range(1, int32(inventory.ReasonOther)).Draw(t, "reason"))
		return inventory.AdjustStock{Location: location, Delta: n - 6, Reason: reason, Reference: "box 4"}
	case 2:
		return inventory.CountStock{Location: location, Counted: n,
			CountedAtVersion: rapid.Uint64Range(0, item.Version+1).Draw(t, "counted at")}
	case 3:
		from, to := rapid.SampledFrom(states).Draw(t, "from"), rapid.SampledFrom(states).Draw(t, "to")
		return inventory.MoveStock{Location: location, From: from, To: to, Quantity: n / 2, Reference: "box 4"}
	case 4:
		return inventory.SetSafetyStock{Location: location, Quantity: n / 3}
	case 5:
		return inventory.SetBackorderLimit{Limit: n}
	case 6:
		return inventory.ExpectStock{Location: location, Quantity: n, Reference: "PO-1"}
	}
	return inventory.ReceiveStock{Location: location, Quantity: n,
		Reference: rapid.SampledFrom([]string{"", "PO-1"}).Draw(t, "reference")}
}

func transfer(t *rapid.T, location string, n int64) inventory.Command {
	id := rapid.SampledFrom(transfers).Draw(t, "transfer")
	if rapid.Bool().Draw(t, "ships") {
		to := rapid.SampledFrom(locations).Draw(t, "to")
		return inventory.ShipTransfer{TransferID: id, FromLocation: location, ToLocation: to, Quantity: n / 2,
			Reference: "van 2"}
	}
	if rapid.IntRange(0, 3).Draw(t, "cancels?") == 0 {
		return inventory.CancelTransfer{TransferID: id, Reason: "no van"}
	}
	small := func(what string) int64 { return rapid.Int64Range(0, 3).Draw(t, what) / 2 }
	c := inventory.ReceiveTransfer{
		TransferID: id, Quantity: small("arrived"), Missing: small("missing"), Damaged: small("damaged"),
		Rejected: small("rejected"),
	}
	if c.Rejected > 0 {
		c.Reason = "torn"
	}
	return c
}

// Step draws a step of an order: mostly a newer one of the same placement, with any quantities.
func Step(t *rapid.T, orderID string) inventory.SetReservation {
	small := rapid.Int64Range(0, 12)
	c := inventory.SetReservation{
		OrderID:       orderID,
		PlacedEventID: inventory.ID{rapid.SampledFrom([]byte{1, 1, 1, 2}).Draw(t, "placed")},
		Version:       rapid.Uint64Range(0, 12).Draw(t, "version"),
		Fulfilled:     small.Draw(t, "fulfilled"),
		Restocked:     rapid.SampledFrom([]int64{0, 0, 0, 2, 5}).Draw(t, "restocked"),
		Damaged:       rapid.SampledFrom([]int64{0, 0, 0, 1, 3}).Draw(t, "damaged"),
		Imported:      rapid.IntRange(0, 5).Draw(t, "imported") == 0,
		Refuse:        rapid.IntRange(0, 9).Draw(t, "refuse") == 0,
		Allocation:    rule(t),
	}
	switch {
	case c.Imported && rapid.Bool().Draw(t, "asks"):
		c.Fulfilled, c.Reserved = 0, c.Fulfilled
	case !c.Imported:
		c.Reserved, c.Committed = small.Draw(t, "reserved"), small.Draw(t, "committed")
		if rapid.IntRange(0, 2).Draw(t, "ships again?") == 0 {
			c.ShipAgain = rapid.Int64Range(0, c.Committed).Draw(t, "ships again")
		}
		if rapid.IntRange(0, 2).Draw(t, "reversed?") == 0 {
			c.Reversed = []inventory.Reversed{{
				Version: rapid.Uint64Range(1, 12).Draw(t, "left"), Quantity: small.Draw(t, "reversed"),
			}}
		}
	}
	return c
}

func rule(t *rapid.T) *inventory.AllocationRule {
	policy := rapid.SampledFrom([]inventory.AllocationPolicy{
		0, inventory.SingleLocation, inventory.FewestLocations, inventory.Split,
	}).Draw(t, "policy")
	if policy == 0 {
		return nil
	}
	first := rapid.SampledFrom([]string{"main", "north", "south", "nowhere"})
	rule := &inventory.AllocationRule{Policy: policy}
	for range rapid.IntRange(0, 3).Draw(t, "listed") {
		rule.Locations = append(rule.Locations, first.Draw(t, "first")) // none is nil, as the codec has it
	}
	return rule
}

// Shortfall is what the rules decide of what an item lacks after a decision (inventory.DecideShortfall). reservations
// are those of the item.
func Shortfall(item inventory.Item, reservations iter.Seq[inventory.Reservation]) []inventory.Event {
	if !item.FallsShort() {
		return nil
	}
	var promised []inventory.Reservation
	for r := range reservations {
		if r.Open() {
			promised = append(promised, r)
		}
	}
	slices.SortFunc(promised, func(a, b inventory.Reservation) int {
		return cmp.Compare(b.PromisedVersion, a.PromisedVersion)
	})
	return inventory.DecideShortfall(item, slices.Values(promised))
}
