package command

import (
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/order"
)

// The names of the commands on what customers send back.
const (
	RequestReturn = "request_return"
	ReceiveReturn = "receive_return"
	CancelReturn  = "cancel_return"
)

const returnsPath = "/v1/orders/:order_id/returns"

type requestReturnBody struct {
	Lines  *[]quantityBody `json:"lines"` // nil: all that was delivered
	Reason string          `json:"reason"`
}

type returnedBody struct {
	SKU       string `json:"sku"`
	Line      *int64 `json:"line"` // its number from 1; nil: any line of the SKU
	Quantity  int64  `json:"quantity"`
	Condition string `json:"condition"`
}

type receiveReturnBody struct {
	ReturnID string         `json:"return_id"`
	Lines    []returnedBody `json:"lines"`
	Location string         `json:"location"` // empty: where the goods left from
	Charges  []creditBody   `json:"charges"`
}

type cancelReturnBody struct {
	ReturnID string `json:"return_id"`
	Reason   string `json:"reason"`
}

var returns = []*Command{
	onOrder(created(RequestReturn, returnsPath),
		func(d *decoding, b *requestReturnBody) order.RequestReturn {
			return order.RequestReturn{
				ReturnID: ReturnID(d.id, d.key), Reason: d.reason(b.Reason), Lines: d.optionalQuantities(b.Lines),
			}
		},
		func(f *fingerprint, cmd order.RequestReturn) {
			f.text(tagReason, cmd.Reason)
			f.quantities(cmd.Lines)
		}),
	onOrder(changed(ReceiveReturn, returnsPath+"/:return_id/receipt"),
		func(d *decoding, b *receiveReturnBody) order.ReceiveReturn {
			cmd := order.ReceiveReturn{
				ReturnID: d.returnID(b.ReturnID), Lines: d.returnedLines(b.Lines), Charges: d.credits(b.Charges),
			}
			if b.Location != "" {
				cmd.Location = d.location(b.Location)
			}
			return cmd
		},
		func(f *fingerprint, cmd order.ReceiveReturn) {
			f.text(tagReturnID, cmd.ReturnID)
			f.text(tagLocation, cmd.Location)
			for _, line := range cmd.Lines {
				f.line(line.SKU, line.Quantity)
				f.number(tagCondition, int64(line.Condition))
				f.number(tagLineNumber, int64(line.Line))
			}
			f.credits(cmd.Charges)
		}),
	onOrder(changed(CancelReturn, returnsPath+"/:return_id/cancel"),
		func(d *decoding, b *cancelReturnBody) order.CancelReturn {
			return order.CancelReturn{ReturnID: d.returnID(b.ReturnID), Reason: d.reason(b.Reason)}
		},
		func(f *fingerprint, cmd order.CancelReturn) {
			f.text(tagReason, cmd.Reason)
			f.text(tagReturnID, cmd.ReturnID)
		}),
}

func (d *decoding) returnID(s string) string { return d.ID("/return_id", s, limits.MaxReturnBytes) }

func (d *decoding) returnedLines(lines []returnedBody) []order.ReturnedLine {
	if !d.countLines(len(lines)) {
		return nil
	}
	out := make([]order.ReturnedLine, len(lines))
	for i, line := range lines {
		d.checkLine(i, line.SKU, line.Quantity)
		condition := input.Word(&d.Body, linePointer(i)+"/condition", line.Condition, order.CodeInvalidCondition,
			schema.Conditions.All, schema.Conditions.Parse)
		out[i] = order.ReturnedLine{
			SKU: line.SKU, Quantity: line.Quantity, Condition: order.Condition(condition), Line: d.lineNumber(i, line.Line),
		}
	}
	return out
}
