package command

import (
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/money"
	"github.com/holdfast/holdfast/pkg/problem"
)

// The names of the commands on what comes from suppliers.
const (
	ReceiveStock = "receive_stock"
	ExpectStock  = "expect_stock"
)

type receiveBody struct {
	Location     string  `json:"location"`
	Quantity     int64   `json:"quantity"`
	Reference    string  `json:"reference"`
	UnitCost     *string `json:"unit_cost"`
	CostCurrency *string `json:"cost_currency"`
	OccurredAt   *string `json:"occurred_at"`
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
				Cost:      d.unitCost(b.UnitCost, b.CostCurrency),
			}
		},
		func(f *fingerprint, cmd inventory.ReceiveStock) {
			f.text(tagLocation, cmd.Location)
			f.number(tagQuantity, cmd.Quantity)
			f.text(tagReference, cmd.Reference)
			if cmd.Cost.Currency != "" {
				f.optional(tagUnitCost, &cmd.Cost.Micros)
				f.text(tagCostCurrency, cmd.Cost.Currency)
			}
		}),
}

// unitCost is what one unit cost: an amount and its currency, or neither of them.
func (d *decoding) unitCost(amount, currency *string) (cost inventory.UnitCost) {
	switch {
	case amount == nil && currency == nil:
		return cost
	case amount == nil:
		d.Fault(problem.MissingField, "/unit_cost", "is required with cost_currency")
	default:
		cost.Micros = d.Amount("/unit_cost", *amount, inventory.CodeInvalidCost)
	}
	switch {
	case currency == nil || *currency == "":
		d.Fault(problem.MissingField, "/cost_currency", "is required with unit_cost")
	default:
		cost.Currency = *currency
		if _, ok := money.Lookup(*currency); !ok {
			d.Fault(inventory.CodeUnknownCurrency, "/cost_currency", "is no ISO 4217 code of a currency")
		}
	}
	return cost
}
