package command

import "github.com/holdfast/holdfast/pkg/inventory"

// The names of the commands on what comes from suppliers.
const (
	ReceiveStock = "receive_stock"
	ExpectStock  = "expect_stock"
)

type receiveBody struct {
	Location   string  `json:"location"`
	Quantity   int64   `json:"quantity"`
	Reference  string  `json:"reference"`
	OccurredAt *string `json:"occurred_at"`
}

type expectBody struct {
	Location  string `json:"location"`
	Quantity  *int64 `json:"quantity"`
	Reference string `json:"reference"`
}

var receipts = []*Command{
	onStock(put(ExpectStock, "/v1/stock/:sku/incoming"),
		func(d *decoding, b *expectBody) inventory.ExpectStock {
			return inventory.ExpectStock{
				Location:  d.location(b.Location),
				Quantity:  d.Level("/quantity", b.Quantity),
				Reference: d.reference(b.Reference),
			}
		},
		func(f *fingerprint, cmd inventory.ExpectStock) {
			f.text(tagLocation, cmd.Location)
			f.number(tagQuantity, cmd.Quantity)
			f.text(tagReference, cmd.Reference)
		}),
	onStock(created(ReceiveStock, "/v1/stock/:sku/receipts"),
		func(d *decoding, b *receiveBody) inventory.ReceiveStock {
			d.occurredAt(b.OccurredAt)
			return inventory.ReceiveStock{
				Location:  d.location(b.Location),
				Quantity:  d.Quantity("/quantity", b.Quantity),
				Reference: d.reference(b.Reference),
			}
		},
		func(f *fingerprint, cmd inventory.ReceiveStock) {
			f.text(tagLocation, cmd.Location)
			f.number(tagQuantity, cmd.Quantity)
			f.text(tagReference, cmd.Reference)
		}),
}
