package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// DefaultMirrorWait is how long a mirror may stand still before it has got to where the log was read.
const DefaultMirrorWait = time.Minute

// dropTimeout bounds how long dropping the database beside the mirror's may take, after an interruption too.
const dropTimeout = 30 * time.Second

// before bounds a query to what was read: the mirror may be ahead by now.
func (c *checker) before() string {
	var bounds []string
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		ends := make([]string, c.layout.PartitionCount)
		for p := range ends {
			ends[p] = fmt.Sprint(c.ends[eventlog.TopicPartition{Topic: topic, Partition: int32(p)}])
		}
		bounds = append(bounds, fmt.Sprintf("(topic = '%s' AND offset < [%s][partition + 1])", topic, strings.Join(ends, ",")))
	}
	return "(" + strings.Join(bounds, " OR ") + ")"
}

// levelColumns are the levels of a location, in the order of levelFigures.
var levelColumns = []string{"on_hand", "available", "reserved", "committed", "safety_stock", "damaged", "quality_control", "incoming"}

// figure is what ClickHouse adds up, and the word for it.
type figure struct{ name, expression string }

// comparison holds the sums of a table to those of the log.
type comparison struct {
	what, table string
	// group is the name of what is added up.
	group   string
	figures []figure
	want    sums
}

const monthOf = "formatDateTime(occurred_at, '%Y-%m')"

// rowsHash adds up the hashes of rows, of their columns as text.
func rowsHash(columns ...string) figure {
	for i, column := range columns {
		if strings.HasSuffix(column, "_at") {
			column = "toUnixTimestamp64Micro(" + column + ")"
		}
		columns[i] = "toString(" + column + ")"
	}
	return figure{"hash", "reinterpretAsInt64(sum(xxHash64(concatWithSeparator('|', " + strings.Join(columns, ", ") + "))))"}
}

// comparisons are those of all tables; together they look at every column.
func (c *checker) comparisons() []comparison {
	rows := figure{"rows", "toInt64(count())"}
	sum := func(column string) figure { return figure{column, "sum(" + column + ")"} }
	levels := sums{}
	for sku, it := range c.items {
		for _, l := range it.locations {
			levels[sku+" "+l.name] = levelFigures(&l.level)
		}
	}
	var changes, last []figure
	stockColumns := []string{"partition", "offset", "line", "sku", "version", "location", "reason", "order_id", "reference", "occurred_at"}
	for _, level := range levelColumns {
		changes = append(changes, sum(level+"_delta"))
		last = append(last, figure{level, "argMax(" + level + ", version)"})
		stockColumns = append(stockColumns, level+"_delta")
	}
	stockColumns = append(stockColumns, levelColumns...)
	return []comparison{
		{"events", "events", "concat(topic, '/', toString(partition), ' ', type)", []figure{
			rows, {"version", "toInt64(sum(version))"}, {"digest", "reinterpretAsInt64(sum(digest))"},
			rowsHash("offset", "aggregate_id", "event_id", "causation_id", "cause", "idempotency_key", "occurred_at", "recorded_at"),
		}, c.mirrored.events},
		{"orders", "orders", "concat(type, ' ', " + monthOf + ", ' ', country, ' ', currency)", []figure{
			rows, {"lines", "toInt64(sum(lines))"}, sum("quantity"), sum("subtotal_micros"), sum("total_micros"), sum("amount_micros"),
			rowsHash("partition", "offset", "order_id", "version", "status", "customer_id", "reference", "reason", "occurred_at", "recorded_at"),
		}, c.mirrored.orders},
		{"lines", "order_lines", "concat(type, ' ', " + monthOf + ", ' ', country, ' ', currency)", []figure{
			rows, sum("quantity"), sum("amount_micros"), sum("unit_price_micros"),
			rowsHash("partition", "offset", "line", "order_id", "customer_id", "sku", "quantity", "unit_price_micros", "occurred_at"),
		}, c.mirrored.lines},
		{"movements of stock", "stock_ledger", "concat(type, ' ', " + monthOf + ")", []figure{rows, rowsHash(stockColumns...)}, c.mirrored.stock},
		{"changes of stock", "stock_ledger", "concat(sku, ' ', location)", changes, levels},
		{"levels of stock", "stock_ledger", "concat(sku, ' ', location)", last, levels},
	}
}

func (m comparison) query(where string) string {
	expressions := make([]string, len(m.figures))
	for i, f := range m.figures {
		expressions[i] = f.expression
	}
	return fmt.Sprintf("SELECT %s AS name, %s FROM %s FINAL WHERE %s GROUP BY name", m.group, strings.Join(expressions, ", "), m.table, where)
}

// difference says which figures are not the same. It is formatted only for an example.
type difference struct {
	figures    []figure
	have, want [maxFigures]int64
}

// String implements fmt.Stringer.
func (d *difference) String() string {
	var parts []string
	for i, f := range d.figures {
		if d.have[i] != d.want[i] {
			parts = append(parts, fmt.Sprintf("%s is %d in ClickHouse, %d in the log", f.name, d.have[i], d.want[i]))
		}
	}
	return strings.Join(parts, "; ")
}

// mirror compares ClickHouse with the log (I9), and with itself filled anew (I8).
func (c *checker) mirror(ctx context.Context, client *eventlog.Client, address string) error {
	conn, err := clickhouse.Open(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := c.mirrorTotals(ctx, conn); err != nil {
		return err
	}
	return c.refill(ctx, client, conn)
}

func (c *checker) mirrorTotals(ctx context.Context, conn *clickhouse.Conn) error {
	if err := c.await(ctx, conn); err != nil {
		return err
	}
	for _, m := range c.comparisons() {
		if err := c.compareSums(ctx, conn, m); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) compareSums(ctx context.Context, conn *clickhouse.Conn, m comparison) error {
	have := sums{}
	err := conn.Each(ctx, m.query(c.before()), nil, nil, func(rows clickhouse.Rows) error {
		var name string
		var figures [maxFigures]int64
		targets := []any{&name}
		for i := range m.figures {
			targets = append(targets, &figures[i])
		}
		err := rows.Scan(targets...)
		have[name] = figures
		return err
	})
	if err != nil {
		return err
	}
	names := maps.Clone(m.want)
	maps.Copy(names, have)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c.check(Mirror, have[name] == m.want[name], "%s of %s: %v", m.what, name, &difference{m.figures, have[name], m.want[name]})
	}
	return nil
}

// await waits until a mirror holds what was read of the log, for as long as it moves on.
func (c *checker) await(ctx context.Context, conn *clickhouse.Conn) error {
	_, err := analytics.NewReports(conn).AwaitMoving(ctx, eventlog.PositionOf(c.ends), c.o.MirrorWait)
	return err
}

// refill fills a database beside the mirror's from the start of the log, and compares the two.
func (c *checker) refill(ctx context.Context, client *eventlog.Client, conn *clickhouse.Conn) (err error) {
	if eventlog.PositionOf(c.ends).IsZero() {
		c.byID[Replayed].Note = "the log is empty"
		return nil
	}
	beside, err := conn.Sibling("verify")
	if err != nil {
		return err
	}
	defer beside.Close()
	if err := beside.DropDatabase(ctx); err != nil { // of a verification that was killed
		return err
	}
	defer func() {
		drop, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
		defer cancel()
		err = errors.Join(err, beside.DropDatabase(drop))
	}()
	if err := c.fillBeside(ctx, client, beside); err != nil {
		return fmt.Errorf("fill the mirror again in database %s: %w", beside.Database(), err)
	}
	return c.compareChecksums(ctx, conn, beside)
}

// fillBeside mirrors the log from its start.
func (c *checker) fillBeside(ctx context.Context, client *eventlog.Client, beside *clickhouse.Conn) error {
	m, err := analytics.New(analytics.Config{Client: client, Layout: c.layout, Conn: beside, Alone: true})
	if err != nil {
		return err
	}
	filling, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.Run(filling) // alone, it tries until it is stopped
	}()
	defer func() { stop(); <-done }()
	if err := c.await(ctx, beside); err != nil {
		return errors.Join(err, m.Ready())
	}
	return nil
}

func (c *checker) compareChecksums(ctx context.Context, conn, beside *clickhouse.Conn) error {
	where := c.before()
	first, err := analytics.NewReports(conn).Checksums(ctx, where)
	if err != nil {
		return err
	}
	second, err := analytics.NewReports(beside).Checksums(ctx, where)
	if err != nil {
		return err
	}
	var notes []string
	for i, sum := range first {
		c.check(Replayed, sum == second[i], "%s: %d rows, hash %016x; filled again %d rows, hash %016x", sum.Table, sum.Rows, sum.Hash, second[i].Rows, second[i].Hash)
		notes = append(notes, fmt.Sprintf("%s %d rows %016x", sum.Table, sum.Rows, sum.Hash))
	}
	c.byID[Replayed].Note = strings.Join(notes, ", ")
	return nil
}
