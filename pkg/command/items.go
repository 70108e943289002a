package command

import (
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/limits"
)

// The names of the commands on an item and its settings.
const (
	RegisterItem      = "register_item"
	SetSafetyStock    = "set_safety_stock"
	SetBackorderLimit = "set_backorder_limit"
)

type registerBody struct {
	Description string            `json:"description"`
	Metadata    map[string]string `json:"metadata"` // nil: stays as it is
}

type safetyBody struct {
	Location string `json:"location"`
	Quantity *int64 `json:"quantity"`
}

type limitBody struct {
	Limit *int64 `json:"limit"`
}

var items = []*Command{
	onStock(put(RegisterItem, "/v1/stock/:sku"),
		func(d *decoding, b *registerBody) inventory.RegisterItem {
			if len(d.JSON) == 0 { // a body that was lost would delete the description
				d.Missing("")
			}
			cmd := inventory.RegisterItem{
				Description: d.Text("/description", b.Description, limits.MaxDescriptionLength),
			}
			if b.Metadata != nil {
				m := d.metadata("/metadata", b.Metadata)
				cmd.Metadata = &m
			}
			return cmd
		},
		func(f *fingerprint, cmd inventory.RegisterItem) {
			f.text(tagDescription, cmd.Description)
			if cmd.Metadata != nil {
				f.flag(tagMetadataSet, true) // {} differs from none
				f.metadata(*cmd.Metadata)
			}
		}),
	onStock(put(SetSafetyStock, "/v1/stock/:sku/safety-stock"),
		func(d *decoding, b *safetyBody) inventory.SetSafetyStock {
			return inventory.SetSafetyStock{Location: d.location(b.Location), Quantity: d.Level("/quantity", b.Quantity)}
		},
		func(f *fingerprint, cmd inventory.SetSafetyStock) {
			f.text(tagLocation, cmd.Location)
			f.number(tagQuantity, cmd.Quantity)
		}),
	onStock(put(SetBackorderLimit, "/v1/stock/:sku/backorder-limit"),
		func(d *decoding, b *limitBody) inventory.SetBackorderLimit {
			return inventory.SetBackorderLimit{Limit: d.Level("/limit", b.Limit)}
		},
		func(f *fingerprint, cmd inventory.SetBackorderLimit) { f.number(tagLimit, cmd.Limit) }),
}
