package command

import (
	"strconv"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
)

// The names of the commands that correct what is on hand.
const (
	AdjustStock = "adjust_stock"
	CountStock  = "count_stock"
)

type adjustBody struct {
	Location   string  `json:"location"`
	Delta      int64   `json:"delta"`
	Reason     string  `json:"reason"`
	Reference  string  `json:"reference"`
	OccurredAt *string `json:"occurred_at"`
}

type countBody struct {
	Location         string `json:"location"`
	Counted          *int64 `json:"counted"`
	Reference        string `json:"reference"`
	CountedAtVersion *int64 `json:"counted_at_version"` // nil: nobody knows when counting began
}

var corrections = []*Command{
	onStock(created(AdjustStock, "/v1/stock/:sku/adjustments"),
		(*decoding).adjust,
		func(f *fingerprint, cmd inventory.AdjustStock) {
			f.text(tagLocation, cmd.Location)
			f.number(tagDelta, cmd.Delta)
			f.number(tagAdjustmentReason, int64(cmd.Reason))
			f.text(tagReference, cmd.Reference)
		}),
	onStock(created(CountStock, "/v1/stock/:sku/counts"),
		(*decoding).count,
		func(f *fingerprint, cmd inventory.CountStock) {
			f.text(tagLocation, cmd.Location)
			f.number(tagCounted, cmd.Counted)
			f.text(tagReference, cmd.Reference)
			f.number(tagCountedAtVersion, int64(cmd.CountedAtVersion))
		}),
}

func (d *decoding) adjust(b *adjustBody) inventory.AdjustStock {
	d.occurredAt(b.OccurredAt)
	if b.Delta == 0 || b.Delta < -limits.MaxQuantity || b.Delta > limits.MaxQuantity {
		most := strconv.Itoa(limits.MaxQuantity)
		d.Fault(problem.InvalidDelta, "/delta", "must be from -"+most+" to "+most+" and not 0")
	}
	reason := input.Word(&d.Body, "/reason", b.Reason, problem.InvalidReason, schema.Reasons.All, schema.Reasons.Parse)
	return inventory.AdjustStock{
		Location:  d.location(b.Location),
		Delta:     b.Delta,
		Reason:    inventory.Reason(reason),
		Reference: d.reference(b.Reference),
	}
}

func (d *decoding) count(b *countBody) inventory.CountStock {
	cmd := inventory.CountStock{
		Location:  d.location(b.Location),
		Counted:   d.Level("/counted", b.Counted),
		Reference: d.reference(b.Reference),
	}
	if version := b.CountedAtVersion; version != nil {
		if cmd.CountedAtVersion = uint64(*version); *version < 1 {
			d.Invalid("/counted_at_version", "must be a version that the item has had")
		}
	}
	return cmd
}
