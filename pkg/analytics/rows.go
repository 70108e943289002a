package analytics

import (
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The tables of the mirror. migrations/ and docs/tables.md say what their columns mean.
const (
	tableEvents     = "events"
	tableOrders     = "orders"
	tableOrderLines = "order_lines"
	tableStock      = "stock_ledger"
	tableProgress   = "mirror_progress"
)

// rows are the rows of some records, stored column by column as ClickHouse receives them. They are used again for the
// next records: appending to columns that have grown before allocates nothing.
//
// A new column needs a field of its table's struct, a line in columns, a line in add, and a migration.
type rows struct {
	events eventRows
	orders orderRows
	lines  lineRows
	stock  stockRows

	// changed is memory for decoding stock events; its content belongs to one event.
	changed []changedLocation
}

// table is one of the tables with its columns.
type table struct {
	name    string
	rows    int
	columns []column
}

func (r *rows) tables() []table {
	return []table{
		{tableEvents, len(r.events.offset), r.events.columns()},
		{tableOrders, len(r.orders.offset), r.orders.columns()},
		{tableOrderLines, len(r.lines.offset), r.lines.columns()},
		{tableStock, len(r.stock.offset), r.stock.columns()},
	}
}

func (r *rows) reset() {
	for _, t := range r.tables() {
		for _, col := range t.columns {
			col.reset()
		}
	}
}

// count is the number of rows in all tables together.
func (r *rows) count() int {
	return len(r.events.offset) + len(r.orders.offset) + len(r.lines.offset) + len(r.stock.offset)
}

// largest is the number of rows in the table that has the most.
func (r *rows) largest() int {
	return max(len(r.events.offset), len(r.orders.offset), len(r.lines.offset), len(r.stock.offset))
}

// insert is one block of rows for one table.
type insert struct {
	table   string
	rows    int
	columns []clickhouse.Column
}

// inserts are the blocks to write, one for each table that has rows.
func (r *rows) inserts() []insert {
	var out []insert
	for _, t := range r.tables() {
		if t.rows == 0 {
			continue
		}
		in := insert{table: t.name, rows: t.rows}
		for _, col := range t.columns {
			in.columns = append(in.columns, col.Column)
		}
		out = append(out, in)
	}
	return out
}

// place says which record a row comes from: its partition and its offset. The topic is written to the table events
// only; in the other tables that column has a default.
type place struct {
	partition []int32
	offset    []int64
}

func (p *place) columns() []column {
	return []column{columnOf("partition", &p.partition), columnOf("offset", &p.offset)}
}

func (p *place) add(rec *eventlog.Record) {
	p.partition = append(p.partition, rec.Partition)
	p.offset = append(p.offset, rec.Offset)
}

// eventRows are the rows of the table events: one for each event.
type eventRows struct {
	place
	topic, typ, aggregateID, cause, idempotencyKey []string
	version, digest                                []uint64
	eventID, causationID                           []uuid.UUID
	occurredAt, recordedAt                         []time.Time
}

func (r *eventRows) columns() []column {
	return append(r.place.columns(),
		columnOf("topic", &r.topic),
		columnOf("type", &r.typ),
		columnOf("aggregate_id", &r.aggregateID),
		columnOf("version", &r.version),
		columnOf("event_id", &r.eventID),
		columnOf("causation_id", &r.causationID),
		columnOf("cause", &r.cause),
		columnOf("idempotency_key", &r.idempotencyKey),
		columnOf("occurred_at", &r.occurredAt),
		columnOf("recorded_at", &r.recordedAt),
		columnOf("digest", &r.digest),
	)
}

func (r *eventRows) add(rec *eventlog.Record, typ, aggregateID string, meta *eventv1.Meta) {
	var causation uuid.UUID // all zeros where there was none
	copy(causation[:], meta.CausationId)
	r.place.add(rec)
	r.topic = append(r.topic, rec.Topic)
	r.typ = append(r.typ, typ)
	r.aggregateID = append(r.aggregateID, aggregateID)
	r.version = append(r.version, meta.Version)
	r.eventID = append(r.eventID, uuid.UUID(meta.EventId))
	r.causationID = append(r.causationID, causation)
	r.cause = append(r.cause, causes[meta.Cause])
	r.idempotencyKey = append(r.idempotencyKey, meta.IdempotencyKey)
	r.occurredAt = append(r.occurredAt, time.UnixMicro(meta.OccurredAtMicros))
	r.recordedAt = append(r.recordedAt, time.UnixMicro(meta.RecordedAtMicros))
	r.digest = append(r.digest, digestOf(rec))
}

// orderRows are the rows of the table orders: one for each event of an order.
type orderRows struct {
	place
	typ, orderID, status, customerID, country, currency, reference, reason []string
	version                                                                []uint64
	lines                                                                  []uint32
	quantity, subtotalMicros, totalMicros, amountMicros                    []int64
	occurredAt, recordedAt                                                 []time.Time
}

func (r *orderRows) columns() []column {
	return append(r.place.columns(),
		columnOf("type", &r.typ),
		columnOf("order_id", &r.orderID),
		columnOf("version", &r.version),
		columnOf("status", &r.status),
		columnOf("customer_id", &r.customerID),
		columnOf("country", &r.country),
		columnOf("currency", &r.currency),
		columnOf("reference", &r.reference),
		columnOf("reason", &r.reason),
		columnOf("lines", &r.lines),
		columnOf("quantity", &r.quantity),
		columnOf("subtotal_micros", &r.subtotalMicros),
		columnOf("total_micros", &r.totalMicros),
		columnOf("amount_micros", &r.amountMicros),
		columnOf("occurred_at", &r.occurredAt),
		columnOf("recorded_at", &r.recordedAt),
	)
}

func (r *orderRows) add(rec *eventlog.Record, ev *eventv1.OrderEvent, row *orderRow) {
	r.place.add(rec)
	r.typ = append(r.typ, row.typ)
	r.orderID = append(r.orderID, ev.OrderId)
	r.version = append(r.version, ev.Meta.Version)
	r.status = append(r.status, row.status)
	r.customerID = append(r.customerID, row.customerID)
	r.country = append(r.country, row.country)
	r.currency = append(r.currency, row.currency)
	r.reference = append(r.reference, row.reference)
	r.reason = append(r.reason, row.reason)
	r.lines = append(r.lines, row.lines)
	r.quantity = append(r.quantity, row.quantity)
	r.subtotalMicros = append(r.subtotalMicros, row.subtotalMicros)
	r.totalMicros = append(r.totalMicros, row.totalMicros)
	r.amountMicros = append(r.amountMicros, row.amountMicros)
	r.occurredAt = append(r.occurredAt, time.UnixMicro(ev.Meta.OccurredAtMicros))
	r.recordedAt = append(r.recordedAt, time.UnixMicro(ev.Meta.RecordedAtMicros))
}

// lineRows are the rows of the table order_lines: one for each line of the events that carry money for lines.
type lineRows struct {
	place
	line                                             []uint32
	typ, orderID, customerID, country, currency, sku []string
	quantity, unitPriceMicros, amountMicros          []int64
	occurredAt                                       []time.Time
}

func (r *lineRows) columns() []column {
	return append(r.place.columns(),
		columnOf("line", &r.line),
		columnOf("type", &r.typ),
		columnOf("order_id", &r.orderID),
		columnOf("customer_id", &r.customerID),
		columnOf("country", &r.country),
		columnOf("currency", &r.currency),
		columnOf("sku", &r.sku),
		columnOf("quantity", &r.quantity),
		columnOf("unit_price_micros", &r.unitPriceMicros),
		columnOf("amount_micros", &r.amountMicros),
		columnOf("occurred_at", &r.occurredAt),
	)
}

// add adds line number i of an event. Quantity times price does not overflow: the writer has checked it (ORD-4).
func (r *lineRows) add(rec *eventlog.Record, ev *eventv1.OrderEvent, row *orderRow, i int, line *eventv1.OrderLine) {
	r.place.add(rec)
	r.line = append(r.line, uint32(i))
	r.typ = append(r.typ, row.typ)
	r.orderID = append(r.orderID, ev.OrderId)
	r.customerID = append(r.customerID, row.customerID)
	r.country = append(r.country, row.country)
	r.currency = append(r.currency, row.currency)
	r.sku = append(r.sku, line.Sku)
	r.quantity = append(r.quantity, row.sign*line.Quantity)
	r.unitPriceMicros = append(r.unitPriceMicros, line.UnitPriceMicros)
	r.amountMicros = append(r.amountMicros, row.sign*line.Quantity*line.UnitPriceMicros)
	r.occurredAt = append(r.occurredAt, time.UnixMicro(ev.Meta.OccurredAtMicros))
}

// stockRows are the rows of the table stock_ledger: one for each stock event and location that it changed.
type stockRows struct {
	place
	line                                           []uint32
	typ, sku, location, reason, orderID, reference []string
	version                                        []uint64
	deltas, levels                                 [len(levelNames)][]int64
	occurredAt                                     []time.Time
}

func (r *stockRows) columns() []column {
	columns := append(r.place.columns(),
		columnOf("line", &r.line),
		columnOf("type", &r.typ),
		columnOf("sku", &r.sku),
		columnOf("version", &r.version),
		columnOf("location", &r.location),
		columnOf("reason", &r.reason),
		columnOf("order_id", &r.orderID),
		columnOf("reference", &r.reference),
		columnOf("occurred_at", &r.occurredAt),
	)
	for level, name := range levelNames {
		columns = append(columns, columnOf(name+"_delta", &r.deltas[level]), columnOf(name, &r.levels[level]))
	}
	return columns
}

// add adds location number i of an event.
func (r *stockRows) add(
	rec *eventlog.Record, ev *eventv1.InventoryEvent, m *movement, i int, l *eventv1.LocationLevel,
) {
	r.place.add(rec)
	r.line = append(r.line, uint32(i))
	r.typ = append(r.typ, m.typ)
	r.sku = append(r.sku, ev.Sku)
	r.version = append(r.version, ev.Meta.Version)
	r.location = append(r.location, l.Location)
	r.reason = append(r.reason, m.reason)
	r.orderID = append(r.orderID, m.orderID)
	r.reference = append(r.reference, m.reference)
	r.occurredAt = append(r.occurredAt, time.UnixMicro(ev.Meta.OccurredAtMicros))
	deltas, levels := m.deltasOf(l.Location), levelsOf(l.Level)
	for level := range levels {
		r.deltas[level] = append(r.deltas[level], deltas[level])
		r.levels[level] = append(r.levels[level], levels[level])
	}
}
