package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// DefaultMirrorWait is how long a mirror may make no progress before it has what was read of the log.
const DefaultMirrorWait = time.Minute

// whatWasRead is a condition for queries: the rows of what was read of the log. The mirror may be ahead by now.
func (c *checker) whatWasRead() string {
	var bounds []string
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		ends := make([]string, c.layout.PartitionCount)
		for p := range ends {
			ends[p] = fmt.Sprint(c.ends[eventlog.TopicPartition{Topic: topic, Partition: int32(p)}])
		}
		bound := fmt.Sprintf("(topic = '%s' AND offset < [%s][partition + 1])", topic, strings.Join(ends, ","))
		bounds = append(bounds, bound)
	}
	return "(" + strings.Join(bounds, " OR ") + ")"
}

// levelColumns are the columns of a location's level, in the order of levelFigures.
var levelColumns = []string{
	"on_hand", "available", "reserved", "committed", "safety_stock", "damaged", "quality_control", "incoming",
}

// figure is an expression that ClickHouse adds up, with its name for messages.
type figure struct{ name, expression string }

// comparison compares sums of a table with those of the log.
type comparison struct {
	what, table string
	// group is the expression for the name under which rows are added up.
	group   string
	figures []figure
	want    sums
}

const monthOf = "formatDateTime(occurred_at, '%Y-%m')"

// rowsHash adds up the hashes of rows, which are made of their columns as text (rowHash).
func rowsHash(columns []string) figure {
	texts := make([]string, len(columns))
	for i, column := range columns {
		if strings.HasSuffix(column, "_at") {
			column = "toUnixTimestamp64Micro(" + column + ")"
		}
		texts[i] = "toString(" + column + ")"
	}
	text := "concatWithSeparator('|', " + strings.Join(texts, ", ") + ")"
	return figure{"hash", "reinterpretAsInt64(sum(xxHash64(" + text + ")))"}
}

// comparisons are those of all tables. Together they compare every column.
func (c *checker) comparisons() []comparison {
	rows := figure{"rows", "toInt64(count())"}
	sum := func(column string) figure { return figure{column, "sum(" + column + ")"} }
	levels := sums{}
	for sku, it := range c.items.recent {
		for _, l := range it.locations {
			levels[sku+" "+l.name] = levelFigures(&l.level)
		}
	}
	var changes, last []figure
	var stockColumns []string
	for _, column := range ledgerColumns {
		stockColumns = append(stockColumns, column.name)
	}
	for _, level := range levelColumns {
		changes = append(changes, sum(level+"_delta"))
		last = append(last, figure{level, "argMax(" + level + ", version)"})
		stockColumns = append(stockColumns, level+"_delta")
	}
	stockColumns = append(stockColumns, levelColumns...)
	return []comparison{
		{"events", "events", "concat(topic, '/', toString(partition), ' ', type)", []figure{
			rows, {"version", "toInt64(sum(version))"}, {"digest", "reinterpretAsInt64(sum(digest))"},
			rowsHash(hashedOfEvents),
		}, c.mirrorSums.events},
		{"orders", "orders", "concat(type, ' ', " + monthOf + ", ' ', country, ' ', currency)", []figure{
			rows, {"lines", "toInt64(sum(lines))"}, sum("quantity"), sum("subtotal_micros"), sum("total_micros"),
			sum("amount_micros"),
			rowsHash(hashedOfOrders),
		}, c.mirrorSums.orders},
		{"lines", "order_lines", "concat(type, ' ', " + monthOf + ", ' ', country, ' ', currency)", []figure{
			rows, sum("quantity"), sum("amount_micros"), sum("unit_price_micros"),
			rowsHash(hashedOfLines),
		}, c.mirrorSums.lines},
		{"sales", "sales", "concat(reason, ' ', kind, ' ', formatDateTime(counted_at, '%Y-%m'), ' ', " +
			"country, ' ', currency)", []figure{
			rows, sum("quantity"), sum("amount_micros"), sum("rounding_micros"),
			rowsHash(hashedOfSales),
		}, c.mirrorSums.sales},
		{
			"movements of stock", "stock_ledger", "concat(type, ' ', " + monthOf + ")",
			[]figure{rows, rowsHash(stockColumns)}, c.mirrorSums.stock,
		},
		{"changes of stock", "stock_ledger", "concat(sku, ' ', location)", changes, levels},
		{"levels of stock", "stock_ledger", "concat(sku, ' ', location)", last, levels},
	}
}

func (m comparison) query(where string) string {
	expressions := make([]string, len(m.figures))
	for i, f := range m.figures {
		expressions[i] = f.expression
	}
	return fmt.Sprintf("SELECT %s AS name, %s FROM %s FINAL WHERE %s GROUP BY name", m.group,
		strings.Join(expressions, ", "), m.table, where)
}

// difference says which figures differ. It is formatted only where it is kept as an example.
type difference struct {
	figures    []figure
	have, want [maxFigures]int64
}

// String implements fmt.Stringer.
func (d *difference) String() string {
	var differing []string
	for i, f := range d.figures {
		if d.have[i] != d.want[i] {
			differing = append(differing, fmt.Sprintf("%s is %d in ClickHouse, %d in the log", f.name, d.have[i], d.want[i]))
		}
	}
	return strings.Join(differing, "; ")
}

// checkMirror compares ClickHouse with the log (I9), and with a copy that is filled again from the log (I8).
func (c *checker) checkMirror(ctx context.Context, client *eventlog.Client, address string) error {
	conn, err := clickhouse.Open(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := c.compareMirror(ctx, conn); err != nil {
		return err
	}
	return c.checkRefill(ctx, client, conn)
}

func (c *checker) compareMirror(ctx context.Context, conn *clickhouse.Conn) error {
	if err := c.awaitMirror(ctx, conn); err != nil {
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
	err := conn.Each(ctx, m.query(c.whatWasRead()), nil, nil, func(rows clickhouse.Rows) error {
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
		c.check(Mirror, have[name] == m.want[name],
			"%s of %s: %v", m.what, name, &difference{m.figures, have[name], m.want[name]})
	}
	return nil
}

// awaitMirror waits until a mirror has what was read of the log, as long as it makes progress.
func (c *checker) awaitMirror(ctx context.Context, conn *clickhouse.Conn) error {
	_, err := analytics.NewReports(conn).AwaitMoving(ctx, eventlog.PositionOf(c.ends), c.o.MirrorWait)
	return err
}
