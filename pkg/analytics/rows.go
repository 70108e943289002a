package analytics

import (
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// The tables of the mirror. migrations/ and docs/tables.md say what their columns mean.
const (
	tableEvents     = "events"
	tableOrders     = "orders"
	tableOrderLines = "order_lines"
	tableSales      = "sales"
	tableStock      = "stock_ledger"
	tableProgress   = "mirror_progress"
	tableRepairs    = "mirror_repairs"
)

// rows are the rows of some records, stored column by column as ClickHouse receives them. They are used again for the
// next records: appending to columns that have grown before allocates nothing.
//
// A new column needs a field of its table's struct, a line in columns and a line in add (decodeorder.go,
// decodestock.go), a migration, and its value in pkg/verify (mirrorsums.go), which compares it with the log.
type rows struct {
	events eventRows
	orders orderRows
	lines  lineRows
	sales  saleRows // those of orders are made by a salesFold
	stock  stockRows

	// changed is memory for decoding stock events; its content belongs to one event.
	changed []changedLocation
	// body is memory for the JSON of an event.
	body []byte
	// foldedOrders and foldedLines are how many rows of orders and lines have their rows in sales.
	foldedOrders, foldedLines int
	// saleOrders are the orders that have events in the batch; nil where the log does not have their beginning.
	saleOrders map[string]*orderSales
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
		{tableSales, len(r.sales.offset), r.sales.columns()},
		{tableStock, len(r.stock.offset), r.stock.columns()},
	}
}

func (r *rows) reset() {
	for _, t := range r.tables() {
		for _, col := range t.columns {
			col.reset()
		}
	}
	r.foldedOrders, r.foldedLines = 0, 0
	clear(r.saleOrders)
}

// count is the number of rows in all tables together.
func (r *rows) count() int {
	return len(r.events.offset) + len(r.orders.offset) + len(r.lines.offset) + len(r.sales.offset) +
		len(r.stock.offset)
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
	topic, typ, aggregateID, cause, idempotencyKey, body []string
	version, digest                                      []uint64
	eventID, causationID                                 []uuid.UUID
	occurredAt, recordedAt                               []time.Time
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
		columnOf("body", &r.body),
	)
}

func (r *eventRows) add(rec *eventlog.Record, typ, aggregateID string, meta *eventv1.Meta, body []byte) {
	var causation uuid.UUID // all zeros where there was none
	copy(causation[:], meta.CausationId)
	r.place.add(rec)
	r.topic = append(r.topic, rec.Topic)
	r.typ = append(r.typ, typ)
	r.aggregateID = append(r.aggregateID, aggregateID)
	r.version = append(r.version, meta.Version)
	r.eventID = append(r.eventID, uuid.UUID(meta.EventId))
	r.causationID = append(r.causationID, causation)
	r.cause = append(r.cause, schema.Causes.Word(meta.Cause))
	r.idempotencyKey = append(r.idempotencyKey, meta.IdempotencyKey)
	r.occurredAt = append(r.occurredAt, time.UnixMicro(meta.OccurredAtMicros))
	r.recordedAt = append(r.recordedAt, time.UnixMicro(meta.RecordedAtMicros))
	r.digest = append(r.digest, digestOf(rec))
	r.body = append(r.body, string(body))
}
