package command

import (
	"strings"

	"github.com/holdfast/holdfast/pkg/inventory"
)

func (d *decoding) stockCommand() inventory.Command {
	switch d.typ {
	case RegisterItem:
		var b registerBody
		if !d.read(&b) {
			return nil
		}
		return inventory.RegisterItem{Description: d.text("/description", b.Description, MaxDescriptionBytes)}
	case ReceiveStock:
		return d.receive()
	case AdjustStock:
		return d.adjust()
	case CountStock:
		var b countBody
		if !d.read(&b) {
			return nil
		}
		return inventory.CountStock{
			Location:  d.location(b.Location),
			Counted:   d.level("/counted", b.Counted),
			Reference: d.text("/reference", b.Reference, MaxReferenceBytes),
		}
	case SetSafetyStock:
		var b safetyBody
		if !d.read(&b) {
			return nil
		}
		return inventory.SetSafetyStock{Location: d.location(b.Location), Quantity: d.level("/quantity", b.Quantity)}
	default: // SetBackorderLimit: Lookup knows no other
		var b limitBody
		if !d.read(&b) {
			return nil
		}
		return inventory.SetBackorderLimit{Limit: d.level("/limit", b.Limit)}
	}
}

func (d *decoding) receive() inventory.Command {
	var b receiveBody
	if !d.read(&b) {
		return nil
	}
	if b.OccurredAt != "" {
		d.occurredAtMicros = d.time("/occurred_at", b.OccurredAt)
	}
	return inventory.ReceiveStock{
		Location:  d.location(b.Location),
		Quantity:  d.quantity("/quantity", b.Quantity),
		Reference: d.text("/reference", b.Reference, MaxReferenceBytes),
	}
}

func (d *decoding) adjust() inventory.Command {
	var b adjustBody
	if !d.read(&b) {
		return nil
	}
	if b.OccurredAt != "" {
		d.occurredAtMicros = d.time("/occurred_at", b.OccurredAt)
	}
	if b.Delta == 0 || b.Delta < -MaxQuantity || b.Delta > MaxQuantity {
		d.fault(CodeBadDelta, "/delta", "must be from -1000000000 to 1000000000 and not 0")
	}
	reason, ok := reasonByName[b.Reason]
	switch {
	case b.Reason == "":
		d.fault(CodeMissingField, "/reason", "is required")
	case !ok:
		d.fault(CodeBadReason, "/reason", "must be one of "+strings.Join(Reasons, ", "))
	}
	return inventory.AdjustStock{
		Location:  d.location(b.Location),
		Delta:     b.Delta,
		Reason:    reason,
		Reference: d.text("/reference", b.Reference, MaxReferenceBytes),
	}
}

// Reasons are the API's words for inventory.Reason, in its order from 1.
var Reasons = []string{
	"correction", "cycle_count", "damaged", "received", "restock", "shrinkage", "promotion", "return", "other",
}

var reasonByName = func() map[string]inventory.Reason {
	byName := make(map[string]inventory.Reason, len(Reasons))
	for i, name := range Reasons {
		byName[name] = inventory.Reason(i) + inventory.ReasonCorrection
	}
	return byName
}()

// RejectionReason is the API's word for why a SKU could not be had.
func RejectionReason(r inventory.RejectionReason) string {
	switch r {
	case inventory.InsufficientStock:
		return "insufficient_stock"
	case inventory.UnknownSKU:
		return "unknown_sku"
	case inventory.OtherLine:
		return "other_line"
	}
	return ""
}
