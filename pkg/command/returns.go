package command

import (
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/order"
)

func (d *decoding) returnCommand() order.Command {
	switch d.typ {
	case RequestReturn:
		var b requestReturnBody
		if !d.read(&b) {
			return nil
		}
		cmd := order.RequestReturn{ReturnID: ReturnID(d.id, d.key), Reason: d.text("/reason", b.Reason, MaxReasonBytes)}
		if b.Lines != nil { // otherwise all that has been delivered
			cmd.Lines = d.quantities(*b.Lines)
		}
		return cmd
	case ReceiveReturn:
		var b receiveReturnBody
		if !d.read(&b) {
			return nil
		}
		cmd := order.ReceiveReturn{ReturnID: d.name("/return_id", b.ReturnID, MaxReturnBytes), Lines: d.returned(b.Lines)}
		if b.Location != "" { // otherwise where they had left from
			cmd.Location = d.location(b.Location)
		}
		return cmd
	default: // CancelReturn: orderCommand sends no other
		var b cancelReturnBody
		if !d.read(&b) {
			return nil
		}
		return order.CancelReturn{
			ReturnID: d.name("/return_id", b.ReturnID, MaxReturnBytes), Reason: d.text("/reason", b.Reason, MaxReasonBytes),
		}
	}
}

// Conditions are the API's words for order.Condition, in its order from 1.
var Conditions = []string{"resellable", "damaged"}

func (d *decoding) returned(lines []returnedBody) []order.ReturnedLine {
	if !d.countLines(len(lines)) {
		return nil
	}
	out := make([]order.ReturnedLine, len(lines))
	for i, l := range lines {
		d.line(i, l.SKU, l.Quantity)
		k := slices.Index(Conditions, l.Condition)
		switch pointer := "/lines/" + strconv.Itoa(i) + "/condition"; {
		case l.Condition == "":
			d.fault(CodeMissingField, pointer, "is required")
		case k < 0:
			d.fault(order.CodeInvalidCondition, pointer, "must be one of "+strings.Join(Conditions, ", "))
		}
		out[i] = order.ReturnedLine{SKU: l.SKU, Quantity: l.Quantity, Condition: order.Condition(k + 1)}
	}
	return out
}
