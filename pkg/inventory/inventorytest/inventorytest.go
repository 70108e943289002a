// Package inventorytest draws commands on stock, for property tests of whatever reads its events.
package inventorytest

import (
	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/inventory"
)

var (
	locations = []string{"", "north", "south"}
	transfers = []string{"t-1", "t-2"}
	states    = []inventory.State{inventory.StateAvailable, inventory.StateDamaged, inventory.StateQualityControl,
		inventory.StateSafetyStock}
)

// Command draws one of all stock commands of clients. SetReservation is not one: orders send it.
func Command(t *rapid.T, item inventory.Item) inventory.Command {
	location, n := rapid.SampledFrom(locations).Draw(t, "location"), rapid.Int64Range(0, 9).Draw(t, "quantity")
	if rapid.IntRange(0, 3).Draw(t, "transfer?") == 0 {
		return transfer(t, location, n)
	}
	switch rapid.IntRange(0, 8).Draw(t, "stock command") {
	case 0:
		return inventory.RegisterItem{Description: rapid.SampledFrom([]string{"", "blue", "red"}).Draw(t, "description")}
	case 1:
		reason := inventory.Reason(rapid.Int32Range(1, int32(inventory.ReasonOther)).Draw(t, "reason"))
		return inventory.AdjustStock{Location: location, Delta: n - 6, Reason: reason, Reference: "box 4"}
	case 2:
		return inventory.CountStock{Location: location, Counted: n,
			CountedAtVersion: rapid.Uint64Range(0, item.Version).Draw(t, "counted at")}
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
