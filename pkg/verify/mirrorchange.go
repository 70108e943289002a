package verify

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// change is what an event says beyond its envelope. Fields are found by their names.
type change struct {
	name string
	protoreflect.Message
}

func changeOf(ev protoreflect.ProtoMessage) change {
	m := ev.ProtoReflect()
	name, _ := schema.Name(ev)
	if field := m.WhichOneof(m.Descriptor().Oneofs().ByName("change")); field != nil {
		return change{name, m.Get(field).Message()}
	}
	return change{name, m}
}

// value is the value of a field; false: the change has no such field.
func (c change) value(name protoreflect.Name) (protoreflect.Value, bool) {
	field := c.Descriptor().Fields().ByName(name)
	if field == nil {
		return protoreflect.Value{}, false
	}
	return c.Get(field), true
}

func (c change) text(name protoreflect.Name) string {
	if v, ok := c.value(name); ok {
		return v.String()
	}
	return ""
}

func (c change) number(name protoreflect.Name) int64 {
	if v, ok := c.value(name); ok {
		return v.Int()
	}
	return 0
}

// amount is the money that moved, or is due for what came back.
func (c change) amount() int64 {
	if c.name == "return_received" {
		return c.number("refund_due_micros")
	}
	if v, ok := c.value("amount_micros"); ok {
		return v.Int()
	}
	return c.number("voided_micros")
}

// reference is the number by which others know the change, such as that of a payment or a shipment.
func (c change) reference() string {
	switch {
	case c.name == "lines_shipped":
		return c.text("tracking_reference")
	case strings.HasPrefix(c.name, "fulfilment_"), c.name == "delivery_failed", strings.HasSuffix(c.name, "_reversed"):
		return c.text("fulfilment_id")
	case strings.HasPrefix(c.name, "return_"):
		return c.text("return_id")
	}
	return c.text("reference")
}

// lines is how many lines the change has, and how many units they have together.
func (c change) lines() (count, quantity int64) {
	for _, name := range []protoreflect.Name{"lines", "short", "filled", "backordered"} {
		v, ok := c.value(name)
		if !ok {
			continue
		}
		for i := range v.List().Len() {
			line := change{c.name, v.List().Get(i).Message()}
			quantity += line.number("quantity") - line.number("former_quantity") + line.number("requested")
			count++
		}
		break
	}
	switch c.name {
	case "credit_note_imported", "lines_cancelled", "return_received":
		return count, -quantity
	}
	return count, quantity
}

// status is the status that the change leads to by itself; "" where it does not.
func (c change) status() string {
	switch c.name {
	case "order_imported", "credit_note_imported":
		return "completed"
	case "order_reopened", "import_requested":
		return "placed"
	case "order_backordered":
		return "reserved"
	case "order_held":
		return "on_hold"
	case "order_resumed":
		if confirmed, ok := c.value("confirmed"); ok && confirmed.Bool() {
			return "confirmed"
		}
		return "reserved"
	case "order_placed", "order_reserved", "order_rejected", "order_confirmed", "order_cancelled", "order_expired":
		return strings.TrimPrefix(c.name, "order_")
	}
	return ""
}

// stockReason is why stock changed, other than by an order. Reasons of rejected reservations do not count.
func (c change) stockReason() string {
	switch c.name {
	case "stock_received":
		return "received"
	case "stock_counted":
		return "cycle_count"
	case "transfer_received":
		if c.number("rejected") > 0 {
			return "rejected" // its own reason is free text
		}
		return ""
	case "transfer_cancelled":
		return "" // as is that of this
	}
	v, ok := c.value("reason")
	if !ok || c.Descriptor().Fields().ByName("reason").Enum().Name() != "Reason" || v.Enum() == 0 {
		return ""
	}
	return enumWord(eventv1.Reason(v.Enum()).String(), "REASON_")
}

func (c change) stockReference() string {
	if strings.HasPrefix(c.name, "transfer_") {
		return c.text("transfer_id")
	}
	return c.text("reference")
}

func (c change) orderOfStep() string {
	step, ok := c.value("step")
	if !ok {
		return ""
	}
	return change{c.name, step.Message()}.text("order_id")
}
