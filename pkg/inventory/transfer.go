package inventory

import (
	"slices"
	"unicode/utf8"
)

// shipTransfer applies INV-27.
func shipTransfer(item Item, c ShipTransfer) ([]Event, error) {
	if err := checkTransferID(c.TransferID); err != nil {
		return nil, err
	}
	if c.Quantity < 1 || c.Quantity > MaxQuantity {
		return nil, refuse(CodeInvalidQuantity, "/quantity", "a transfer is 1 to 1000000000 units")
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
	return changes(item, TransferShipped(c),
		LocationLevel{from, Level{OnHand: -c.Quantity, Available: -c.Quantity}},
		LocationLevel{to, Level{Incoming: c.Quantity}})
}

// receiveTransfer applies INV-28.
func receiveTransfer(item Item, c ReceiveTransfer) ([]Event, error) {
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
	if c.all() > t.Quantity {
		return nil, refuse(CodeOverTransfer, "/quantity", "more than what of the transfer is on its way")
	}
	received := TransferReceived{
		TransferID: t.ID, FromLocation: t.FromLocation, ToLocation: t.ToLocation,
		Quantity: c.Quantity, Missing: c.Missing, Damaged: c.Damaged, Rejected: c.Rejected, Reason: c.Reason,
	}
	deltas := append(make([]LocationLevel, 0, 2), LocationLevel{t.ToLocation,
		Level{OnHand: c.Quantity + c.Damaged, Available: c.Quantity, Damaged: c.Damaged, Incoming: -c.all()}})
	if c.Rejected > 0 {
		deltas = append(deltas, LocationLevel{t.FromLocation, Level{OnHand: c.Rejected, QualityControl: c.Rejected}})
	}
	return changes(item, received, deltas...)
}

func (c ReceiveTransfer) check() error {
	for _, part := range [...]struct {
		name  string
		units int64
	}{{"quantity", c.Quantity}, {"missing", c.Missing}, {"damaged", c.Damaged}, {"rejected", c.Rejected}} {
		if part.units < 0 || part.units > MaxQuantity {
			return refuse(CodeInvalidQuantity, "/"+part.name, "what arrives, is missing, damaged or rejected is 0 to 1000000000 units")
		}
	}
	switch {
	case c.all() == 0:
		return refuse(CodeInvalidQuantity, "/quantity", "something arrives, is missing, or is rejected")
	case len(c.Reason) > MaxReasonBytes || !utf8.ValidString(c.Reason):
		return refuse(CodeInvalidReason, "/reason", "a reason is at most 255 bytes of UTF-8")
	case (c.Reason != "") != (c.Rejected > 0):
		return refuse(CodeInvalidReason, "/reason", "goods are rejected for a reason, and nothing else of a receipt has one")
	}
	return nil
}

// all is what leaves incoming.
func (c ReceiveTransfer) all() int64 { return c.Quantity + c.Damaged + c.Missing + c.Rejected }

func checkTransferID(id string) error {
	if id == "" || len(id) > MaxTransferIDBytes || !utf8.ValidString(id) {
		return refuse(CodeInvalidTransferID, "/transfer_id", "a transfer's ID is 1 to 64 bytes of UTF-8")
	}
	return nil
}

// transfer returns the index of a transfer on its way, or -1.
func (i *Item) transfer(id string) int {
	return slices.IndexFunc(i.Transfers, func(t Transfer) bool { return t.ID == id })
}

func (i *Item) evolveTransferShipped(c TransferShipped) {
	i.Transfers = append(slices.Clone(i.Transfers), Transfer{c.TransferID, c.FromLocation, c.ToLocation, c.Quantity})
}

// evolveTransferReceived takes off what has arrived, is lost or goes back; a transfer with nothing left is over.
func (i *Item) evolveTransferReceived(c TransferReceived) {
	k := i.transfer(c.TransferID)
	if k < 0 {
		return
	}
	i.Transfers = slices.Clone(i.Transfers)
	if i.Transfers[k].Quantity -= c.Quantity + c.Damaged + c.Missing + c.Rejected; i.Transfers[k].Quantity <= 0 {
		i.Transfers = slices.Delete(i.Transfers, k, k+1)
	}
}
