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
	Lines      *[]quantityBody `json:"lines"` // nil: all that was delivered
	Reason     string          `json:"reason"`
	OccurredAt *string         `json:"occurred_at"`
}

type returnedBody struct {
	SKU       string `json:"sku"`
	Line      *int64 `json:"line"` // its number from 1; nil: any line of the SKU
	Quantity  int64  `json:"quantity"`
	Condition string `json:"condition"`
}

// returnBody names a return: by its ID, or by the key of the command that asked for it.
type returnBody struct {
	ReturnID  string  `json:"return_id"`
	ReturnKey *string `json:"return_key"`
}

type receiveReturnBody struct {
	Lines      []returnedBody `json:"lines"`
	Location   string         `json:"location"` // empty: where the goods left from
	Charges    []creditBody   `json:"charges"`
	OccurredAt *string        `json:"occurred_at"`
	returnBody
}

type cancelReturnBody struct {
	Reason string `json:"reason"`
	returnBody
}

var returns = []*Command{
	onOrder(created(RequestReturn, returnsPath),
		func(d *decoding, b *requestReturnBody) order.RequestReturn {
			d.occurredAt(b.OccurredAt)
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
			d.occurredAt(b.OccurredAt)
			cmd := order.ReceiveReturn{
				ReturnID: d.returnID(&b.returnBody), Lines: d.returnedLines(b.Lines), Charges: d.credits(b.Charges),
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
			return order.CancelReturn{ReturnID: d.returnID(&b.returnBody), Reason: d.reason(b.Reason)}
		},
		func(f *fingerprint, cmd order.CancelReturn) {
			f.text(tagReason, cmd.Reason)
			f.text(tagReturnID, cmd.ReturnID)
		}),
}

func (d *decoding) returnID(b *returnBody) string {
	if b.ReturnKey == nil {
		return d.ID("/return_id", b.ReturnID, limits.MaxReturnBytes)
	}
	if fault := faultOfKey(*b.ReturnKey, b.ReturnID); fault != "" {
		d.Fault(order.CodeInvalidReturnID, "/return_key", fault)
	}
	return ReturnID(d.id, *b.ReturnKey)
}

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
