package inventory

import (
	"slices"
	"unicode/utf8"

	"github.com/holdfast/holdfast/pkg/limits"
)

// ShipTransfer sends units from one location to another.
//
//	INV-27  The quantity is 1 to MaxQuantity (invalid_quantity). The transfer has an ID of its own (invalid_transfer_id,
//	        transfer_exists), and goes to another location (same_location). The location that it leaves has the quantity
//	        available (insufficient_stock). On its way it is part of no on_hand, and incoming where it goes. An item has
//	        at most 1,000 transfers on their way (too_many_transfers).
type ShipTransfer struct {
	TransferID               string
	FromLocation, ToLocation string
	Quantity                 int64
	Reference                string
}

// TransferShipped removed Quantity from FromLocation; it is incoming at ToLocation.
type TransferShipped struct {
	TransferID               string
	FromLocation, ToLocation string
	Quantity                 int64
	Reference                string
}

// Transfer is on its way from one location to another; Quantity has not arrived yet.
type Transfer struct {
	ID, FromLocation, ToLocation string
	Quantity                     int64
}

func (c ShipTransfer) decide(item *Item, _ *Reservation) ([]Event, error) {
	if err := checkTransferID(c.TransferID); err != nil {
		return nil, err
	}
	if c.Quantity < 1 || c.Quantity > limits.MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/quantity", "a transfer is "+limits.Quantities(1))
	}
	if err := checkReference(c.Reference); err != nil {
		return nil, err
	}
	from, err := item.locationOf("/from_location", c.FromLocation)
	if err != nil {
		return nil, err
	}
	to, err := item.locationOf("/to_location", c.ToLocation)
	if err != nil {
		return nil, err
	}
	switch {
	case from == to:
		return nil, refuse(CodeSameLocation, "/to_location", "a transfer goes to another location")
	case item.transfer(c.TransferID) >= 0:
		return nil, refuse(CodeTransferExists, "/transfer_id", "a transfer of this ID is on its way")
	case len(item.Transfers) >= MaxTransfers:
		return nil, refuse(CodeTooManyTransfers, "", "an item has at most 1000 transfers on their way")
	case item.at(from).Available < c.Quantity:
		return nil, refuse(CodeInsufficientStock, "/quantity", "the location has less than that available")
	}
	c.FromLocation, c.ToLocation = from, to
	return item.event(TransferShipped(c),
		LocationLevel{from, Level{OnHand: -c.Quantity, Available: -c.Quantity}},
		LocationLevel{to, Level{Incoming: c.Quantity}})
}

func (c TransferShipped) evolve(item *Item, _ *Reservation) {
	shipped := Transfer{c.TransferID, c.FromLocation, c.ToLocation, c.Quantity}
	item.Transfers = append(slices.Clone(item.Transfers), shipped)
}

// ReceiveTransfer records what has become of a transfer, or of a portion of it: Quantity arrived for sale, Damaged
// arrived and cannot be sold, Missing will not arrive, and Rejected goes back to where it came from, for a Reason.
//
//	INV-28  The transfer is on its way (unknown_transfer). The four quantities together are at most what has not arrived
//	        (over_transfer), and not 0 (invalid_quantity). What arrives becomes available, or damaged. What is missing
//	        leaves incoming. What is rejected has a reason, and nothing else has one (invalid_reason); it is in quality
//	        control of the location that sent it, until somebody has looked at it.
type ReceiveTransfer struct {
	TransferID                           string
	Quantity, Missing, Damaged, Rejected int64
	Reason                               string
}

// TransferReceived added Quantity to available and Damaged to damaged of ToLocation, and Rejected to quality control of
// FromLocation. All four, Missing included, have left incoming.
type TransferReceived struct {
	TransferID                           string
	FromLocation, ToLocation             string
	Quantity, Missing, Damaged, Rejected int64
	Reason                               string
}

func (c ReceiveTransfer) decide(item *Item, _ *Reservation) ([]Event, error) {
	if err := checkTransferID(c.TransferID); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	k := item.transfer(c.TransferID)
	if k < 0 {
		return nil, refuse(CodeUnknownTransfer, "/transfer_id", "no transfer of this ID is on its way")
	}
	t := item.Transfers[k]
	received := TransferReceived{
		TransferID: t.ID, FromLocation: t.FromLocation, ToLocation: t.ToLocation,
		Quantity: c.Quantity, Missing: c.Missing, Damaged: c.Damaged, Rejected: c.Rejected, Reason: c.Reason,
	}
	if received.units() > t.Quantity {
		return nil, refuse(CodeOverTransfer, "/quantity", "more than what of the transfer is on its way")
	}
	deltas := append(make([]LocationLevel, 0, 2), LocationLevel{t.ToLocation, Level{
		OnHand: c.Quantity + c.Damaged, Available: c.Quantity, Damaged: c.Damaged, Incoming: -received.units(),
	}})
	if c.Rejected > 0 {
		deltas = append(deltas,
			LocationLevel{t.FromLocation, Level{OnHand: c.Rejected, QualityControl: c.Rejected}})
	}
	return item.event(received, deltas...)
}

// check applies what INV-28 says of the command alone.
func (c ReceiveTransfer) check() error {
	for _, field := range [...]struct {
		name  string
		units int64
	}{{"quantity", c.Quantity}, {"missing", c.Missing}, {"damaged", c.Damaged}, {"rejected", c.Rejected}} {
		if field.units < 0 || field.units > limits.MaxQuantity {
			return refuse(CodeInvalidQuantity, "/"+field.name,
				"what arrives, is missing, damaged or rejected is "+limits.Quantities(0))
		}
	}
	if c.Quantity+c.Missing+c.Damaged+c.Rejected == 0 {
		return refuse(CodeInvalidQuantity, "/quantity", "something arrives, is missing, or is rejected")
	}
	if err := checkTransferReason(c.Reason); err != nil {
		return err
	}
	if (c.Reason != "") != (c.Rejected > 0) {
		return refuse(CodeInvalidReason, "/reason",
			"goods are rejected for a reason, and nothing else of a receipt has one")
	}
	return nil
}

// units is how much leaves incoming.
func (c *TransferReceived) units() int64 { return c.Quantity + c.Damaged + c.Missing + c.Rejected }

// A transfer of which nothing is on its way any more is removed.
func (c TransferReceived) evolve(item *Item, _ *Reservation) {
	k := item.transfer(c.TransferID)
	if k < 0 {
		return
	}
	item.Transfers = slices.Clone(item.Transfers)
	if item.Transfers[k].Quantity -= c.units(); item.Transfers[k].Quantity <= 0 {
		item.Transfers = slices.Delete(item.Transfers, k, k+1)
	}
}

// CancelTransfer takes back what of a transfer has not arrived.
//
//	INV-68  The transfer is on its way (unknown_transfer). All of it that has not arrived leaves incoming, and is
//	        available at the location that it left. A reason is at most 255 characters (invalid_reason).
type CancelTransfer struct{ TransferID, Reason string }

// TransferCancelled added Quantity to available of FromLocation; it has left incoming of ToLocation.
type TransferCancelled struct {
	TransferID               string
	FromLocation, ToLocation string
	Quantity                 int64
	Reason                   string
}

func (c CancelTransfer) decide(item *Item, _ *Reservation) ([]Event, error) {
	if err := checkTransferID(c.TransferID); err != nil {
		return nil, err
	}
	if err := checkTransferReason(c.Reason); err != nil {
		return nil, err
	}
	k := item.transfer(c.TransferID)
	if k < 0 {
		return nil, refuse(CodeUnknownTransfer, "/transfer_id", "no transfer of this ID is on its way")
	}
	t := item.Transfers[k]
	return item.event(TransferCancelled{t.ID, t.FromLocation, t.ToLocation, t.Quantity, c.Reason},
		LocationLevel{t.FromLocation, Level{OnHand: t.Quantity, Available: t.Quantity}},
		LocationLevel{t.ToLocation, Level{Incoming: -t.Quantity}})
}

func (c TransferCancelled) evolve(item *Item, _ *Reservation) {
	if k := item.transfer(c.TransferID); k >= 0 {
		item.Transfers = slices.Delete(slices.Clone(item.Transfers), k, k+1)
	}
}

func checkTransferReason(reason string) error {
	if limits.Longer(reason, limits.MaxReasonLength) || !utf8.ValidString(reason) {
		return refuse(CodeInvalidReason, "/reason", "a reason is at most 255 characters of UTF-8")
	}
	return nil
}

func checkTransferID(id string) error {
	if id == "" || len(id) > limits.MaxTransferBytes || !utf8.ValidString(id) {
		return refuse(CodeInvalidTransferID, "/transfer_id", "a transfer's ID is 1 to 64 bytes of UTF-8")
	}
	return nil
}

// transfer returns the index of a transfer on its way, or -1.
func (i *Item) transfer(id string) int {
	return slices.IndexFunc(i.Transfers, func(t Transfer) bool { return t.ID == id })
}
