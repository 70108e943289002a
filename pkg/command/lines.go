package command

import "github.com/holdfast/holdfast/pkg/order"

// The names of the commands that change an order's lines.
const (
	CancelLines = "cancel_lines"
	AmendOrder  = "amend_order"
)

// Bodies that change lines may name charges instead, or as well.
type cancelLinesBody struct {
	Lines      []quantityBody `json:"lines"`
	Charges    []creditBody   `json:"charges"`
	Reason     string         `json:"reason"`
	OccurredAt *string        `json:"occurred_at"`
}

type amendBody struct {
	Lines   []amendLineBody `json:"lines"`
	Charges []creditBody    `json:"charges"`
	Reason  string          `json:"reason"`
}

type amendLineBody struct {
	SKU       string  `json:"sku"`
	Line      *int64  `json:"line"` // its number from 1; nil: the only one of the SKU, or a new one
	Quantity  *int64  `json:"quantity"`
	UnitPrice *string `json:"unit_price"` // nil: as it is
	Discount  *string `json:"discount"`   // of all units that are not cancelled; nil: as ORD-74 says
	Tax       *string `json:"tax"`
}

var lines = []*Command{
	onOrder(changed(CancelLines, "/v1/orders/:order_id/cancel-lines"),
		func(d *decoding, b *cancelLinesBody) order.CancelLines {
			d.occurredAt(b.OccurredAt)
			cmd := order.CancelLines{Reason: d.reason(b.Reason), Charges: d.credits(b.Charges)}
			if len(b.Lines) > 0 || len(b.Charges) == 0 {
				cmd.Lines = d.quantities(b.Lines)
			}
			return cmd
		},
		func(f *fingerprint, cmd order.CancelLines) {
			f.text(tagReason, cmd.Reason)
			f.quantities(cmd.Lines)
			f.credits(cmd.Charges)
		}),
	onOrder(changed(AmendOrder, "/v1/orders/:order_id/amend"),
		func(d *decoding, b *amendBody) order.Amend {
			cmd := order.Amend{
				Reason: d.reason(b.Reason), Charges: d.credits(b.Charges), DeadlineMicros: d.paymentDeadline(),
			}
			if len(b.Lines) == 0 && len(b.Charges) > 0 || d.countLines(len(b.Lines)) {
				cmd.Lines = make([]order.AmendLine, len(b.Lines))
			}
			for i := range cmd.Lines {
				cmd.Lines[i] = d.amendLine(i, &b.Lines[i])
			}
			return cmd
		},
		func(f *fingerprint, cmd order.Amend) {
			f.text(tagReason, cmd.Reason)
			for _, line := range cmd.Lines {
				f.line(line.SKU, line.Quantity)
				f.number(tagLineNumber, int64(line.Line))
				f.optional(tagNewUnitPrice, line.UnitPriceMicros)
				f.optional(tagLineDiscount, line.DiscountMicros)
				f.optional(tagLineTax, line.TaxMicros)
			}
			f.credits(cmd.Charges)
		}),
}

func (d *decoding) amendLine(i int, b *amendLineBody) order.AmendLine {
	pointer := linePointer(i)
	d.checkLine(i, b.SKU, 1) // the SKU alone: a quantity may be 0 here
	line := order.AmendLine{
		SKU: b.SKU, Quantity: d.Level(pointer+"/quantity", b.Quantity), Line: d.lineNumber(i, b.Line),
	}
	if b.UnitPrice != nil {
		micros := d.Amount(pointer+"/unit_price", *b.UnitPrice, order.CodeInvalidPrice)
		line.UnitPriceMicros = &micros
	}
	if b.Discount != nil {
		micros := d.Amount(pointer+"/discount", *b.Discount, order.CodeInvalidDiscount)
		line.DiscountMicros = &micros
	}
	if b.Tax != nil {
		micros := d.Amount(pointer+"/tax", *b.Tax, order.CodeInvalidTax)
		line.TaxMicros = &micros
	}
	return line
}
