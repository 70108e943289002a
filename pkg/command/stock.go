package command

import (
	"slices"
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
	case ExpectStock:
		var b expectBody
		if !d.read(&b) {
			return nil
		}
		return inventory.ExpectStock{
			Location:  d.location(b.Location),
			Quantity:  d.level("/quantity", b.Quantity),
			Reference: d.text("/reference", b.Reference, MaxReferenceBytes),
		}
	case MoveStock:
		return d.move()
	case ShipTransfer:
		return d.shipTransfer()
	case ReceiveTransfer:
		return d.receiveTransfer()
	case AdjustStock:
		return d.adjust()
	case CountStock:
		return d.count()
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

func (d *decoding) count() inventory.Command {
	var b countBody
	if !d.read(&b) {
		return nil
	}
	cmd := inventory.CountStock{
		Location:  d.location(b.Location),
		Counted:   d.level("/counted", b.Counted),
		Reference: d.text("/reference", b.Reference, MaxReferenceBytes),
	}
	if version := b.CountedAtVersion; version != nil {
		if cmd.CountedAtVersion = uint64(*version); *version < 1 {
			d.invalid("/counted_at_version", "must be a version that the item has had")
		}
	}
	return cmd
}

func (d *decoding) move() inventory.Command {
	var b moveBody
	if !d.read(&b) {
		return nil
	}
	cmd := inventory.MoveStock{
		Location:  d.location(b.Location),
		From:      d.state("/from", b.From),
		To:        d.state("/to", b.To),
		Quantity:  d.quantity("/quantity", b.Quantity),
		Reference: d.text("/reference", b.Reference, MaxReferenceBytes),
	}
	if cmd.From == cmd.To && d.code == "" {
		d.fault(inventory.CodeInvalidState, "/to", "must be another state than from")
	}
	return cmd
}

func (d *decoding) shipTransfer() inventory.Command {
	var b shipTransferBody
	if !d.read(&b) {
		return nil
	}
	if b.ToLocation == "" {
		d.fault(CodeMissingField, "/to_location", "is required")
	}
	cmd := inventory.ShipTransfer{
		TransferID:   TransferID(d.id, d.key),
		FromLocation: d.locationAt("/from_location", b.FromLocation),
		ToLocation:   d.locationAt("/to_location", b.ToLocation),
		Quantity:     d.quantity("/quantity", b.Quantity),
		Reference:    d.text("/reference", b.Reference, MaxReferenceBytes),
	}
	if cmd.FromLocation == cmd.ToLocation && d.code == "" {
		d.fault(inventory.CodeSameLocation, "/to_location", "must be another location than from_location")
	}
	return cmd
}

func (d *decoding) receiveTransfer() inventory.Command {
	var b receiveTransferBody
	if !d.read(&b) {
		return nil
	}
	cmd := inventory.ReceiveTransfer{
		TransferID: d.name("/transfer_id", b.TransferID, MaxTransferBytes),
		Quantity:   d.level("/quantity", b.Quantity),
		Missing:    d.level("/missing", &b.Missing),
		Damaged:    d.level("/damaged", &b.Damaged),
		Rejected:   d.level("/rejected", &b.Rejected),
		Reason:     d.text("/reason", b.Reason, MaxReasonBytes),
	}
	switch {
	case cmd.Quantity+cmd.Missing+cmd.Damaged+cmd.Rejected == 0 && d.code == "":
		d.fault(CodeBadQuantity, "/quantity", "must be more than 0 unless something is damaged, missing or rejected")
	case cmd.Rejected > 0 && cmd.Reason == "":
		d.fault(CodeMissingField, "/reason", "is required with rejected")
	case cmd.Rejected == 0 && cmd.Reason != "":
		d.invalid("/reason", "is that of rejected units: say how many, or leave it out")
	}
	return cmd
}

// States are the API's words for inventory.State, in its order from 1.
var States = []string{"available", "damaged", "quality_control", "safety_stock"}

func (d *decoding) state(pointer, s string) inventory.State {
	k := slices.Index(States, s)
	switch {
	case s == "":
		d.fault(CodeMissingField, pointer, "is required")
	case k < 0:
		d.fault(inventory.CodeInvalidState, pointer, "must be one of "+strings.Join(States, ", "))
	}
	return inventory.State(k + 1)
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
