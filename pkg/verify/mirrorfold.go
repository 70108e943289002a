package verify

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// maxFigures are added up under one name.
const maxFigures = 8

// sums are figures under names that ClickHouse is asked for in the same words.
type sums map[string][maxFigures]int64

func (s sums) add(name string, figures ...int64) {
	sum := s[name]
	for i, f := range figures {
		sum[i] += f
	}
	s[name] = sum
}

// mirrorFold adds up what the mirror should hold, from the log alone. It knows fields by their names, where the mirror
// knows each change by its type: neither can take over the other's mistakes.
//
// Every sum ends with one of hashes, a hash of each row with all of its columns that are not added up by themselves.
type mirrorFold struct {
	events, orders, lines, stock sums
	// levels are those that each location of an SKU had last.
	levels map[[2]string][8]int64
	row    rowHash
}

func newMirrorFold() *mirrorFold {
	return &mirrorFold{events: sums{}, orders: sums{}, lines: sums{}, stock: sums{}, levels: map[[2]string][8]int64{}}
}

// rowHash is the hash of a row's columns as text, the same as ClickHouse's xxHash64(concatWithSeparator('|', …)).
type rowHash struct{ text []byte }

func (h *rowHash) of(columns ...any) int64 {
	h.text = h.text[:0]
	for i, column := range columns {
		if i > 0 {
			h.text = append(h.text, '|')
		}
		switch c := column.(type) {
		case string:
			h.text = append(h.text, c...)
		case int64:
			h.text = strconv.AppendInt(h.text, c, 10)
		default:
			h.text = fmt.Append(h.text, c)
		}
	}
	return int64(xxhash.Sum64(h.text))
}

func (f *mirrorFold) record(rec *eventlog.Record) {
	if rec.Topic == eventlog.TopicInventory {
		var ev eventv1.InventoryEvent
		if schema.ReadInventory(rec.Value, &ev) == nil && ev.Meta != nil {
			change := changeOf(&ev)
			f.event(rec, change.name, ev.Sku, ev.Meta)
			f.stockEvent(rec, change, &ev)
		}
		return
	}
	var ev eventv1.OrderEvent
	if schema.ReadOrder(rec.Value, &ev) != nil || ev.Meta == nil {
		return // counted elsewhere
	}
	change := changeOf(&ev)
	f.event(rec, change.name, ev.OrderId, ev.Meta)
	f.orderEvent(rec, change, &ev)
	f.orderLines(rec, change.name, &ev)
}

func (f *mirrorFold) event(rec *eventlog.Record, name, id string, meta *eventv1.Meta) {
	cause := ""
	if meta.Cause != eventv1.Cause_CAUSE_UNSPECIFIED {
		cause = enumWord(meta.Cause.String(), "CAUSE_")
	}
	var eventID, causationID uuid.UUID
	copy(eventID[:], meta.EventId)
	copy(causationID[:], meta.CausationId)
	f.events.add(fmt.Sprintf("%s/%d %s", rec.Topic, rec.Partition, name), 1, int64(meta.Version), int64(xxhash.Sum64(rec.Value)),
		f.row.of(rec.Offset, id, eventID, causationID, cause, meta.IdempotencyKey, meta.OccurredAtMicros, meta.RecordedAtMicros))
}

func (f *mirrorFold) orderEvent(rec *eventlog.Record, c change, ev *eventv1.OrderEvent) {
	sign := int64(1)
	if c.name == "credit_note_imported" {
		sign = -1
	}
	lines, quantity := c.lines()
	f.orders.add(strings.Join([]string{c.name, month(ev.Meta), c.text("country"), c.text("currency")}, " "),
		1, lines, quantity, sign*c.number("subtotal_micros"), sign*c.number("total_micros"), c.amount(),
		f.row.of(rec.Partition, rec.Offset, ev.OrderId, ev.Meta.Version, c.status(), c.text("customer_id"), c.reference(), c.text("reason"),
			ev.Meta.OccurredAtMicros, ev.Meta.RecordedAtMicros))
}

func (f *mirrorFold) orderLines(rec *eventlog.Record, name string, ev *eventv1.OrderEvent) {
	sign := int64(1)
	var lines []*eventv1.OrderLine
	var customer, country, currency string
	switch {
	case ev.GetOrderPlaced() != nil:
		p := ev.GetOrderPlaced()
		lines, customer, country, currency = p.Lines, p.CustomerId, p.Country, p.Currency
	case ev.GetOrderImported() != nil:
		p := ev.GetOrderImported()
		lines, customer, country, currency = p.Lines, p.CustomerId, p.Country, p.Currency
	case ev.GetCreditNoteImported() != nil:
		p := ev.GetCreditNoteImported()
		sign, lines, customer, country, currency = -1, p.Lines, p.CustomerId, p.Country, p.Currency
	case ev.GetLinesCancelled() != nil:
		sign, lines = -1, ev.GetLinesCancelled().Lines
	case ev.GetReturnReceivedV2() != nil:
		sign = -1
		for _, l := range ev.GetReturnReceivedV2().Lines {
			lines = append(lines, &eventv1.OrderLine{Sku: l.Sku, Quantity: l.Quantity, UnitPriceMicros: l.UnitPriceMicros})
		}
	case ev.GetOrderAmended() != nil:
		lines = differences(ev.GetOrderAmended().Lines)
	}
	group := strings.Join([]string{name, month(ev.Meta), country, currency}, " ")
	for i, l := range lines {
		f.lines.add(group, 1, sign*l.Quantity, sign*l.Quantity*l.UnitPriceMicros, l.UnitPriceMicros,
			f.row.of(rec.Partition, rec.Offset, i, ev.OrderId, customer, l.Sku, sign*l.Quantity, l.UnitPriceMicros, ev.Meta.OccurredAtMicros))
	}
}

// differences are what an amendment adds to lines and takes off them: at the old price, and at the new one.
func differences(amended []*eventv1.AmendedLine) []*eventv1.OrderLine {
	var out []*eventv1.OrderLine
	for _, l := range amended {
		more := l.Quantity - l.FormerQuantity
		if l.FormerQuantity > 0 && l.UnitPriceMicros != l.FormerUnitPriceMicros {
			out = append(out, &eventv1.OrderLine{Sku: l.Sku, Quantity: -l.FormerQuantity, UnitPriceMicros: l.FormerUnitPriceMicros})
			more = l.Quantity
		}
		if more != 0 {
			out = append(out, &eventv1.OrderLine{Sku: l.Sku, Quantity: more, UnitPriceMicros: l.UnitPriceMicros})
		}
	}
	return out
}

// stockEvent takes the changes of levels from the levels that events state, one after the other.
func (f *mirrorFold) stockEvent(rec *eventlog.Record, c change, ev *eventv1.InventoryEvent) {
	for i, l := range ev.Locations {
		place := [2]string{ev.Sku, l.Location}
		before, after := f.levels[place], levelFigures(l.Level)
		f.levels[place] = after
		columns := []any{rec.Partition, rec.Offset, i, ev.Sku, ev.Meta.Version, l.Location, c.stockReason(), c.orderOfStep(), c.stockReference(), ev.Meta.OccurredAtMicros}
		for i := range after {
			columns = append(columns, after[i]-before[i])
		}
		for i := range after {
			columns = append(columns, after[i])
		}
		f.stock.add(c.name+" "+month(ev.Meta), 1, f.row.of(columns...))
	}
}

// levelFigures are in the order of levelColumns.
func levelFigures(l *eventv1.Level) [8]int64 {
	return [8]int64{l.GetOnHand(), l.GetAvailable(), l.GetReserved(), l.GetCommitted(), l.GetSafetyStock(), l.GetDamaged(), l.GetQualityControl(), l.GetIncoming()}
}

func month(meta *eventv1.Meta) string {
	return time.UnixMicro(meta.OccurredAtMicros).UTC().Format("2006-01")
}

// enumWord is the word of an enum's value, such as cycle_count of REASON_CYCLE_COUNT.
func enumWord(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }

// change is what an event says beyond its envelope, field by field.
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

// value is that of a field; false: the change has no such field.
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

// reference is the number by which others know what happened.
func (c change) reference() string {
	switch {
	case c.name == "lines_shipped":
		return c.text("tracking_reference")
	case strings.HasPrefix(c.name, "fulfilment_"):
		return c.text("fulfilment_id")
	case strings.HasPrefix(c.name, "return_"):
		return c.text("return_id")
	}
	return c.text("reference")
}

// lines are how many the change names, and the units over them.
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

// status is what the change alone leads to.
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

// stockReason is why stock changed other than by an order; the reasons of rejections are none.
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
