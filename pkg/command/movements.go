package command

import (
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
)

// The names of the commands that move stock between states and locations.
const (
	MoveStock       = "move_stock"
	ShipTransfer    = "ship_transfer"
	ReceiveTransfer = "receive_transfer"
	CancelTransfer  = "cancel_transfer"
)

type moveBody struct {
	Location  string `json:"location"`
	From      string `json:"from"`
	To        string `json:"to"`
	Quantity  int64  `json:"quantity"`
	Reference string `json:"reference"`
}

type shipTransferBody struct {
	FromLocation string `json:"from_location"`
	ToLocation   string `json:"to_location"`
	Quantity     int64  `json:"quantity"`
	Reference    string `json:"reference"`
}

type receiveTransferBody struct {
	TransferID string `json:"transfer_id"`
	Quantity   *int64 `json:"quantity"`
	Missing    int64  `json:"missing"`
	Damaged    int64  `json:"damaged"`
	Rejected   int64  `json:"rejected"`
	Reason     string `json:"reason"`
}

type cancelTransferBody struct {
	TransferID string `json:"transfer_id"`
	Reason     string `json:"reason"`
}

var movements = []*Command{
	onStock(created(MoveStock, "/v1/stock/:sku/moves"),
		(*decoding).move,
		func(f *fingerprint, cmd inventory.MoveStock) {
			f.text(tagLocation, cmd.Location)
			f.number(tagQuantity, cmd.Quantity)
			f.text(tagReference, cmd.Reference)
			f.number(tagFrom, int64(cmd.From))
			f.number(tagTo, int64(cmd.To))
		}),
	onStock(created(ShipTransfer, "/v1/stock/:sku/transfers"),
		(*decoding).shipTransfer,
		func(f *fingerprint, cmd inventory.ShipTransfer) { // its ID derives from the key
			f.text(tagLocation, cmd.FromLocation)
			f.text(tagToLocation, cmd.ToLocation)
			f.number(tagQuantity, cmd.Quantity)
			f.text(tagReference, cmd.Reference)
		}),
	onStock(changed(ReceiveTransfer, "/v1/stock/:sku/transfers/:transfer_id/receipt"),
		(*decoding).receiveTransfer,
		func(f *fingerprint, cmd inventory.ReceiveTransfer) {
			f.text(tagTransferID, cmd.TransferID)
			f.number(tagQuantity, cmd.Quantity)
			f.number(tagMissing, cmd.Missing)
			f.number(tagDamaged, cmd.Damaged)
			f.number(tagRejected, cmd.Rejected)
			f.text(tagReason, cmd.Reason)
		}),
	onStock(changed(CancelTransfer, "/v1/stock/:sku/transfers/:transfer_id/cancel"),
		func(d *decoding, b *cancelTransferBody) inventory.CancelTransfer {
			return inventory.CancelTransfer{
				TransferID: d.ID("/transfer_id", b.TransferID, limits.MaxTransferBytes), Reason: d.reason(b.Reason),
			}
		},
		func(f *fingerprint, cmd inventory.CancelTransfer) {
			f.text(tagTransferID, cmd.TransferID)
			f.text(tagReason, cmd.Reason)
		}),
}

func (d *decoding) move(b *moveBody) inventory.MoveStock {
	cmd := inventory.MoveStock{
		Location:  d.location(b.Location),
		From:      d.state("/from", b.From),
		To:        d.state("/to", b.To),
		Quantity:  d.Quantity("/quantity", b.Quantity),
		Reference: d.reference(b.Reference),
	}
	if cmd.From == cmd.To && d.Sound() {
		d.Fault(inventory.CodeInvalidState, "/to", "must be another state than from")
	}
	return cmd
}

func (d *decoding) state(pointer, word string) inventory.State {
	return inventory.State(input.Word(&d.Body, pointer, word, inventory.CodeInvalidState,
		schema.StockStates.All, schema.StockStates.Parse))
}

func (d *decoding) shipTransfer(b *shipTransferBody) inventory.ShipTransfer {
	if b.ToLocation == "" {
		d.Missing("/to_location")
	}
	cmd := inventory.ShipTransfer{
		TransferID:   TransferID(d.id, d.key),
		FromLocation: d.Location("/from_location", b.FromLocation),
		ToLocation:   d.Location("/to_location", b.ToLocation),
		Quantity:     d.Quantity("/quantity", b.Quantity),
		Reference:    d.reference(b.Reference),
	}
	if cmd.FromLocation == cmd.ToLocation && d.Sound() {
		d.Fault(inventory.CodeSameLocation, "/to_location", "must be another location than from_location")
	}
	return cmd
}

func (d *decoding) receiveTransfer(b *receiveTransferBody) inventory.ReceiveTransfer {
	cmd := inventory.ReceiveTransfer{
		TransferID: d.ID("/transfer_id", b.TransferID, limits.MaxTransferBytes),
		Quantity:   d.Level("/quantity", b.Quantity),
		Missing:    d.Level("/missing", &b.Missing),
		Damaged:    d.Level("/damaged", &b.Damaged),
		Rejected:   d.Level("/rejected", &b.Rejected),
		Reason:     d.reason(b.Reason),
	}
	switch {
	case cmd.Quantity+cmd.Missing+cmd.Damaged+cmd.Rejected == 0 && d.Sound():
		d.Fault(problem.InvalidQuantity, "/quantity", "must be more than 0 unless something is damaged, missing or rejected")
	case cmd.Rejected > 0 && cmd.Reason == "":
		d.Fault(problem.MissingField, "/reason", "is required with rejected")
	case cmd.Rejected == 0 && cmd.Reason != "":
		d.Invalid("/reason", "is that of rejected units: say how many, or leave it out")
	}
	return cmd
}
