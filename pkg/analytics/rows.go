package analytics

import (
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// The tables of the mirror. What their columns mean stands in migrations/ and in docs/tables.md.
const (
	tableEvents     = "events"
	tableOrders     = "orders"
	tableOrderLines = "order_lines"
	tableStock      = "stock_ledger"
	tableProgress   = "mirror_progress"
)

// rows are the rows of some records, column by column. They are used again and again: appending to columns that
// have grown costs no memory.
type rows struct {
	events eventRows
	orders orderRows
	lines  lineRows
	stock  stockRows

	changed []changedLocation // of the event at hand
}

func (r *rows) reset() { r.events.reset(); r.orders.reset(); r.lines.reset(); r.stock.reset() }

func (r *rows) count() int {
	return len(r.events.offset) + len(r.orders.offset) + len(r.lines.offset) + len(r.stock.offset)
}

// largest is how many rows the table has that has most.
func (r *rows) largest() int {
	return max(len(r.events.offset), len(r.orders.offset), len(r.lines.offset), len(r.stock.offset))
}

// inserts are the blocks to write, those without rows left out.
func (r *rows) inserts() []insert {
	var out []insert
	for _, in := range []insert{
		{tableEvents, len(r.events.offset), r.events.columns()},
		{tableOrders, len(r.orders.offset), r.orders.columns()},
		{tableOrderLines, len(r.lines.offset), r.lines.columns()},
		{tableStock, len(r.stock.offset), r.stock.columns()},
	} {
		if in.rows > 0 {
			out = append(out, in)
		}
	}
	return out
}

// insert is one block for one table.
type insert struct {
	table   string
	rows    int
	columns []clickhouse.Column
}

// Types that columns travel as.
const (
	wireString = "String"
	wireTime   = "DateTime64(6, 'UTC')"
	wireUUID   = "UUID"
	wireInt32  = "Int32"
	wireInt64  = "Int64"
	wireUInt32 = "UInt32"
	wireUInt64 = "UInt64"
)

// place is where in the log a row comes from.
type place struct {
	partition []int32
	offset    []int64
}

func (p *place) add(rec *eventlog.Record) {
	p.partition = append(p.partition, rec.Partition)
	p.offset = append(p.offset, rec.Offset)
}

func (p *place) columns() []clickhouse.Column {
	return []clickhouse.Column{{Name: "partition", Wire: wireInt32, Values: p.partition}, {Name: "offset", Wire: wireInt64, Values: p.offset}}
}

func (p *place) reset() { p.partition, p.offset = p.partition[:0], p.offset[:0] }

// texts is a column of strings. Emptying it lets go of them.
type texts []string

func (t *texts) reset() { clear(*t); *t = (*t)[:0] }

type eventRows struct {
	place
	topic, typ, aggregateID, cause, idempotencyKey texts
	version                                        []uint64
	eventID, causationID                           []uuid.UUID
	occurredAt, recordedAt                         []time.Time
	digest                                         []uint64
}

func (r *eventRows) columns() []clickhouse.Column {
	return append(r.place.columns(),
		clickhouse.Column{Name: "topic", Wire: wireString, Values: []string(r.topic)},
		clickhouse.Column{Name: "type", Wire: wireString, Values: []string(r.typ)},
		clickhouse.Column{Name: "aggregate_id", Wire: wireString, Values: []string(r.aggregateID)},
		clickhouse.Column{Name: "version", Wire: wireUInt64, Values: r.version},
		clickhouse.Column{Name: "event_id", Wire: wireUUID, Values: r.eventID},
		clickhouse.Column{Name: "causation_id", Wire: wireUUID, Values: r.causationID},
		clickhouse.Column{Name: "cause", Wire: wireString, Values: []string(r.cause)},
		clickhouse.Column{Name: "idempotency_key", Wire: wireString, Values: []string(r.idempotencyKey)},
		clickhouse.Column{Name: "occurred_at", Wire: wireTime, Values: r.occurredAt},
		clickhouse.Column{Name: "recorded_at", Wire: wireTime, Values: r.recordedAt},
		clickhouse.Column{Name: "digest", Wire: wireUInt64, Values: r.digest},
	)
}

func (r *eventRows) reset() {
	r.place.reset()
	for _, t := range []*texts{&r.topic, &r.typ, &r.aggregateID, &r.cause, &r.idempotencyKey} {
		t.reset()
	}
	r.version, r.digest = r.version[:0], r.digest[:0]
	r.eventID, r.causationID = r.eventID[:0], r.causationID[:0]
	r.occurredAt, r.recordedAt = r.occurredAt[:0], r.recordedAt[:0]
}

type orderRows struct {
	place
	typ, orderID, status, customerID, country, currency, reference, reason texts
	version                                                                []uint64
	lines                                                                  []uint32
	quantity, subtotalMicros, totalMicros, amountMicros                    []int64
	occurredAt, recordedAt                                                 []time.Time
}

func (r *orderRows) columns() []clickhouse.Column {
	return append(r.place.columns(),
		clickhouse.Column{Name: "type", Wire: wireString, Values: []string(r.typ)},
		clickhouse.Column{Name: "order_id", Wire: wireString, Values: []string(r.orderID)},
		clickhouse.Column{Name: "version", Wire: wireUInt64, Values: r.version},
		clickhouse.Column{Name: "status", Wire: wireString, Values: []string(r.status)},
		clickhouse.Column{Name: "customer_id", Wire: wireString, Values: []string(r.customerID)},
		clickhouse.Column{Name: "country", Wire: wireString, Values: []string(r.country)},
		clickhouse.Column{Name: "currency", Wire: wireString, Values: []string(r.currency)},
		clickhouse.Column{Name: "reference", Wire: wireString, Values: []string(r.reference)},
		clickhouse.Column{Name: "reason", Wire: wireString, Values: []string(r.reason)},
		clickhouse.Column{Name: "lines", Wire: wireUInt32, Values: r.lines},
		clickhouse.Column{Name: "quantity", Wire: wireInt64, Values: r.quantity},
		clickhouse.Column{Name: "subtotal_micros", Wire: wireInt64, Values: r.subtotalMicros},
		clickhouse.Column{Name: "total_micros", Wire: wireInt64, Values: r.totalMicros},
		clickhouse.Column{Name: "amount_micros", Wire: wireInt64, Values: r.amountMicros},
		clickhouse.Column{Name: "occurred_at", Wire: wireTime, Values: r.occurredAt},
		clickhouse.Column{Name: "recorded_at", Wire: wireTime, Values: r.recordedAt},
	)
}

func (r *orderRows) reset() {
	r.place.reset()
	for _, t := range []*texts{&r.typ, &r.orderID, &r.status, &r.customerID, &r.country, &r.currency, &r.reference, &r.reason} {
		t.reset()
	}
	r.version, r.lines = r.version[:0], r.lines[:0]
	for _, column := range []*[]int64{&r.quantity, &r.subtotalMicros, &r.totalMicros, &r.amountMicros} {
		*column = (*column)[:0]
	}
	r.occurredAt, r.recordedAt = r.occurredAt[:0], r.recordedAt[:0]
}

type lineRows struct {
	place
	line                                             []uint32
	typ, orderID, customerID, country, currency, sku texts
	quantity, unitPriceMicros, amountMicros          []int64
	occurredAt                                       []time.Time
}

func (r *lineRows) columns() []clickhouse.Column {
	return append(r.place.columns(),
		clickhouse.Column{Name: "line", Wire: wireUInt32, Values: r.line},
		clickhouse.Column{Name: "type", Wire: wireString, Values: []string(r.typ)},
		clickhouse.Column{Name: "order_id", Wire: wireString, Values: []string(r.orderID)},
		clickhouse.Column{Name: "customer_id", Wire: wireString, Values: []string(r.customerID)},
		clickhouse.Column{Name: "country", Wire: wireString, Values: []string(r.country)},
		clickhouse.Column{Name: "currency", Wire: wireString, Values: []string(r.currency)},
		clickhouse.Column{Name: "sku", Wire: wireString, Values: []string(r.sku)},
		clickhouse.Column{Name: "quantity", Wire: wireInt64, Values: r.quantity},
		clickhouse.Column{Name: "unit_price_micros", Wire: wireInt64, Values: r.unitPriceMicros},
		clickhouse.Column{Name: "amount_micros", Wire: wireInt64, Values: r.amountMicros},
		clickhouse.Column{Name: "occurred_at", Wire: wireTime, Values: r.occurredAt},
	)
}

func (r *lineRows) reset() {
	r.place.reset()
	r.line = r.line[:0]
	for _, t := range []*texts{&r.typ, &r.orderID, &r.customerID, &r.country, &r.currency, &r.sku} {
		t.reset()
	}
	r.quantity, r.unitPriceMicros, r.amountMicros = r.quantity[:0], r.unitPriceMicros[:0], r.amountMicros[:0]
	r.occurredAt = r.occurredAt[:0]
}

type stockRows struct {
	place
	line                                           []uint32
	typ, sku, location, reason, orderID, reference texts
	version                                        []uint64
	deltas                                         [len(deltaNames)][]int64
	levels                                         [len(levelNames)][]int64
	occurredAt                                     []time.Time
}

// The order of levels in a row, and of the changes beside them.
var (
	levelNames = [...]string{"on_hand", "available", "reserved", "committed", "safety_stock", "damaged", "quality_control", "incoming"}
	deltaNames = [...]string{"on_hand_delta", "available_delta", "reserved_delta", "committed_delta", "safety_stock_delta",
		"damaged_delta", "quality_control_delta", "incoming_delta"}
)

func (r *stockRows) columns() []clickhouse.Column {
	columns := append(r.place.columns(),
		clickhouse.Column{Name: "line", Wire: wireUInt32, Values: r.line},
		clickhouse.Column{Name: "type", Wire: wireString, Values: []string(r.typ)},
		clickhouse.Column{Name: "sku", Wire: wireString, Values: []string(r.sku)},
		clickhouse.Column{Name: "version", Wire: wireUInt64, Values: r.version},
		clickhouse.Column{Name: "location", Wire: wireString, Values: []string(r.location)},
		clickhouse.Column{Name: "reason", Wire: wireString, Values: []string(r.reason)},
		clickhouse.Column{Name: "order_id", Wire: wireString, Values: []string(r.orderID)},
		clickhouse.Column{Name: "reference", Wire: wireString, Values: []string(r.reference)},
		clickhouse.Column{Name: "occurred_at", Wire: wireTime, Values: r.occurredAt},
	)
	for i, name := range deltaNames {
		columns = append(columns, clickhouse.Column{Name: name, Wire: wireInt64, Values: r.deltas[i]})
	}
	for i, name := range levelNames {
		columns = append(columns, clickhouse.Column{Name: name, Wire: wireInt64, Values: r.levels[i]})
	}
	return columns
}

func (r *stockRows) reset() {
	r.place.reset()
	r.line, r.version = r.line[:0], r.version[:0]
	for _, t := range []*texts{&r.typ, &r.sku, &r.location, &r.reason, &r.orderID, &r.reference} {
		t.reset()
	}
	for i := range r.deltas {
		r.deltas[i] = r.deltas[i][:0]
	}
	for i := range r.levels {
		r.levels[i] = r.levels[i][:0]
	}
	r.occurredAt = r.occurredAt[:0]
}
