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

// maxFigures is how many figures are added up under one name.
const maxFigures = 8

// sums are figures under the names by which ClickHouse groups them, such as "order_placed 2026-01 GB GBP".
type sums map[string][maxFigures]int64

func (s sums) add(name string, figures ...int64) {
	sum := s[name]
	for i, f := range figures {
		sum[i] += f
	}
	s[name] = sum
}

// mirrorSums adds up what the mirror should have, from the log alone (I9). It finds fields by their names, where the
// mirror has code for each type of change, so that neither repeats the other's mistakes.
//
// The last figure of each sum is a sum of hashes. A row's hash is made of all columns that are not added up themselves.
type mirrorSums struct {
	events, orders, lines, sales, stock sums
	// sold is what the events of each order so far sell.
	sold map[string]*soldOrder
	// levels are those that each location of a SKU had last.
	levels map[[2]string][8]int64
	row    rowHash
}

func newMirrorSums() *mirrorSums {
	return &mirrorSums{
		events: sums{}, orders: sums{}, lines: sums{}, sales: sums{}, stock: sums{}, sold: map[string]*soldOrder{},
		levels: map[[2]string][8]int64{},
	}
}

// rowHash hashes a row's columns as text, as ClickHouse does with xxHash64(concatWithSeparator('|', …)).
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

// record adds the rows that the mirror makes of an event.
func (m *mirrorSums) record(rec *eventlog.Record) {
	if rec.Topic == eventlog.TopicInventory {
		var ev eventv1.InventoryEvent
		if schema.ReadInventory(rec.Value, &ev) == nil && ev.Meta != nil {
			change := changeOf(&ev)
			m.event(rec, change.name, ev.Sku, ev.Meta, &ev)
			m.stockEvent(rec, change, &ev)
		}
		return
	}
	var ev eventv1.OrderEvent
	if schema.ReadOrder(rec.Value, &ev) != nil || ev.Meta == nil {
		return // a violation of ENV, which is counted there
	}
	change := changeOf(&ev)
	m.event(rec, change.name, ev.OrderId, ev.Meta, &ev)
	m.orderEvent(rec, change, &ev)
	m.orderLines(rec, change, &ev)
	m.orderSales(rec, change, &ev)
}

// hashedOfEvents are the columns of the table events in a row's hash, in the order of their values in event.
var hashedOfEvents = []string{
	"offset", "aggregate_id", "event_id", "causation_id", "cause", "idempotency_key", "occurred_at", "recorded_at",
	"body",
}

func (m *mirrorSums) event(rec *eventlog.Record, name, id string, meta *eventv1.Meta, ev protoreflect.ProtoMessage) {
	cause := ""
	if meta.Cause != eventv1.Cause_CAUSE_UNSPECIFIED {
		cause = enumWord(meta.Cause.String(), "CAUSE_")
	}
	var eventID, causationID uuid.UUID
	copy(eventID[:], meta.EventId)
	copy(causationID[:], meta.CausationId)
	body, err := schema.AppendJSON(nil, ev)
	if err != nil {
		body = []byte(err.Error())
	}
	m.events.add(fmt.Sprintf("%s/%d %s", rec.Topic, rec.Partition, name),
		1, int64(meta.Version), int64(xxhash.Sum64(rec.Value)),
		m.row.of(rec.Offset, id, eventID, causationID, cause, meta.IdempotencyKey,
			meta.OccurredAtMicros, meta.RecordedAtMicros, string(body)))
}

// hashedOfOrders are those of the table orders, in the order of their values in orderEvent.
var hashedOfOrders = []string{
	"partition", "offset", "order_id", "version", "status", "customer_id", "reference", "reason", "returned_micros",
	"rounding", "taxes_included", "provider", "occurred_at", "recorded_at",
}

func (m *mirrorSums) orderEvent(rec *eventlog.Record, c change, ev *eventv1.OrderEvent) {
	sign := int64(1)
	if c.name == "credit_note_imported" {
		sign = -1
	}
	lines, quantity := c.lines()
	rounding, taxesIncluded := "", 0
	if p, ok := c.Interface().(schema.Priced); ok {
		if p.GetRounding() == eventv1.Rounding_ROUNDING_LINE {
			rounding = "line"
		}
		if p.GetTaxesIncluded() {
			taxesIncluded = 1
		}
	}
	m.orders.add(strings.Join([]string{c.name, month(ev.Meta), c.text("country"), c.text("currency")}, " "),
		1, lines, quantity, sign*c.number("subtotal_micros"), sign*c.number("total_micros"), c.amount(),
		m.row.of(rec.Partition, rec.Offset, ev.OrderId, ev.Meta.Version, c.status(), c.text("customer_id"),
			c.reference(), c.text("reason"), c.number("returned_micros"), rounding, taxesIncluded,
			c.text("provider"), ev.Meta.OccurredAtMicros, ev.Meta.RecordedAtMicros))
}

// hashedOfLines are those of the table order_lines, in the order of their values in orderLines.
var hashedOfLines = []string{
	"partition", "offset", "line", "order_id", "customer_id", "kind", "sku", "charge", "quantity", "unit_price_micros",
	"occurred_at",
}

func (m *mirrorSums) orderLines(rec *eventlog.Record, c change, ev *eventv1.OrderEvent) {
	var customer, country, currency string
	switch c.name {
	case "order_placed", "order_imported", "credit_note_imported":
		customer, country, currency = c.text("customer_id"), c.text("country"), c.text("currency")
	}
	group := strings.Join([]string{c.name, month(ev.Meta), country, currency}, " ")
	for i, l := range moneyOf(ev) {
		m.lines.add(group, 1, l.quantity, l.micros, l.price,
			m.row.of(rec.Partition, rec.Offset, i, ev.OrderId, customer, l.kind, l.sku, l.charge, l.quantity, l.price,
				ev.Meta.OccurredAtMicros))
	}
}

// ledgerRow is one row of the stock ledger: the location at index line of an event.
type ledgerRow struct {
	rec *eventlog.Record
	change
	ev       *eventv1.InventoryEvent
	line     int
	location string
}

// ledgerColumns are the columns that the hash of a ledger row begins with, each with its value. The levels follow.
var ledgerColumns = []struct {
	name  string
	value func(ledgerRow) any
}{
	{"partition", func(r ledgerRow) any { return r.rec.Partition }},
	{"offset", func(r ledgerRow) any { return r.rec.Offset }},
	{"line", func(r ledgerRow) any { return r.line }},
	{"sku", func(r ledgerRow) any { return r.ev.Sku }},
	{"version", func(r ledgerRow) any { return r.ev.Meta.Version }},
	{"location", func(r ledgerRow) any { return r.location }},
	{"reason", func(r ledgerRow) any { return r.stockReason() }},
	{"order_id", func(r ledgerRow) any { return r.orderOfStep() }},
	{"reference", func(r ledgerRow) any { return r.stockReference() }},
	{"unit_cost_micros", func(r ledgerRow) any { return r.number("unit_cost_micros") }},
	{"cost_currency", func(r ledgerRow) any { return r.text("cost_currency") }},
	{"occurred_at", func(r ledgerRow) any { return r.ev.Meta.OccurredAtMicros }},
}

// stockEvent adds rows of the stock ledger. Its changes are the differences between the levels that events state.
func (m *mirrorSums) stockEvent(rec *eventlog.Record, c change, ev *eventv1.InventoryEvent) {
	for i, l := range ev.Locations {
		place := [2]string{ev.Sku, l.Location}
		before, after := m.levels[place], levelFigures(l.Level)
		m.levels[place] = after
		columns := make([]any, 0, len(ledgerColumns)+2*len(after))
		for _, column := range ledgerColumns {
			columns = append(columns, column.value(ledgerRow{rec, c, ev, i, l.Location}))
		}
		for i := range after {
			columns = append(columns, after[i]-before[i])
		}
		for i := range after {
			columns = append(columns, after[i])
		}
		m.stock.add(c.name+" "+month(ev.Meta), 1, m.row.of(columns...))
	}
}

// levelFigures are in the order of levelColumns.
func levelFigures(l *eventv1.Level) [8]int64 {
	return [8]int64{
		l.GetOnHand(), l.GetAvailable(), l.GetReserved(), l.GetCommitted(), l.GetSafetyStock(), l.GetDamaged(),
		l.GetQualityControl(), l.GetIncoming(),
	}
}

func month(meta *eventv1.Meta) string {
	return time.UnixMicro(meta.OccurredAtMicros).UTC().Format("2006-01")
}

// enumWord is the word of an enum's value, such as cycle_count of REASON_CYCLE_COUNT.
func enumWord(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }
