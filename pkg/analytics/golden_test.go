package analytics_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/orderid"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

var update = flag.Bool("update", false, "write the golden files and the page of tables anew")

// sameAs compares a text with a golden file. With -update it writes the file.
func sameAs(t *testing.T, path string, text []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, text) {
		t.Errorf("%s is another: go test ./pkg/analytics -update writes it; read the difference", path)
	}
}

// Every event of the schema becomes the rows in the golden file. The events are the golden bytes of the codec.
func TestRowsOfEveryEvent(t *testing.T) {
	f := newFixture(t)
	files, err := filepath.Glob("../eventlog/codec/testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var recs []*eventlog.Record
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, lines, _ := strings.Cut(string(text), "\n")
		value, err := hex.DecodeString(strings.ReplaceAll(lines, "\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		tp := eventlog.TopicPartition{Topic: topicOf(filepath.Base(file))}
		recs = append(recs, &eventlog.Record{TopicPartition: tp, Key: []byte("k"), Value: value})
	}
	f.append(recs...)
	f.mirror()
	if _, err := analytics.NewReports(f.conn).Await(f.ctx, f.end()); err != nil {
		t.Fatal(err)
	}
	if n := f.value("SELECT toInt64(count()) FROM events FINAL"); n != int64(len(files)) {
		letters, err := analytics.DeadLetters(f.ctx, f.client)
		t.Errorf("%d of %d events have a row; parked are %v, %v", n, len(files), letters, err)
	}
	var b bytes.Buffer
	m, err := analytics.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range m.Tables()[:5] {
		f.dump(&b, table)
	}
	sameAs(t, "testdata/rows.golden", b.Bytes())
}

// topicOf is the topic of an event, by the name of its golden file: stock_received-2.v1.golden is a stock event,
// because stock_received is a change of InventoryEvent.
func topicOf(file string) string {
	event := file[:strings.IndexAny(file, "-.")]
	changes := new(eventv1.InventoryEvent).ProtoReflect().Descriptor().Oneofs().ByName("change").Fields()
	for i := range changes.Len() {
		if name, _ := schema.SplitName(string(changes.Get(i).Name())); name == event {
			return eventlog.TopicInventory
		}
	}
	return eventlog.TopicOrders
}

// dump writes the rows of a table, one line for each column. Columns that are empty or 0 are left out.
func (f *fixture) dump(b *bytes.Buffer, table clickhouse.Table) {
	f.t.Helper()
	fmt.Fprintf(b, "== %s\n", table.Name)
	columns := make([]string, len(table.Columns))
	for i, col := range table.Columns {
		columns[i] = fmt.Sprintf("toString(%s)", col.Name)
	}
	query := fmt.Sprintf("SELECT %s FROM %s FINAL ORDER BY topic, partition, offset%s",
		strings.Join(columns, ", "), table.Name, map[bool]string{true: ", line"}[table.Columns[3].Name == "line"])
	err := f.conn.Each(f.ctx, query, nil, nil, func(rows clickhouse.Rows) error {
		values, targets := make([]string, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		fmt.Fprintln(b)
		for i, value := range values {
			if value != "" && value != "0" {
				fmt.Fprintf(b, "%s: %s\n", table.Columns[i].Name, value)
			}
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	fmt.Fprintln(b)
}

const tablesHead = "# Tables in ClickHouse\n\n" +
	"The mirror of the log, made by analytics-projector (`pkg/analytics/migrations`). A rebuild swaps each table with\n" +
	"another one at one moment, by its name, and leaves other tables of the database alone.\n" +
	"The views `insight_…` are the answers of live insights ([insights](insights.md#read-it-in-clickhouse)). " +
	"Rows are functions of the log and never\n" +
	"change; read them with `FINAL` and `do_not_merge_across_partitions_select_final = 1`. " +
	"Amounts are millionths: add them up as\n" +
	"`sum(toInt128(amount_micros))`. This page is made from the migrations: `go test ./pkg/analytics -update`.\n"

// metadataExample is another question for events.
const metadataExample = `-- Orders, past ones too, by what a client keeps under the key channel; '' is without.
SELECT mapFromArrays(entries.key, entries.value)['channel'] AS channel, count() AS orders
FROM (SELECT JSONExtract(body, if(JSONHas(body, concat(type, '_v2')), concat(type, '_v2'), type), 'metadata',
        'Array(Tuple(key String, value String))') AS entries
    FROM events FINAL WHERE type IN ('order_placed', 'order_imported'))
GROUP BY channel ORDER BY orders DESC`

// itemMetadataExample asks for what items have now.
const itemMetadataExample = `-- Items by what a client keeps with them now, here under the key category; '' is without.
SELECT category, count() AS items FROM (
    SELECT argMax(mapFromArrays(entries.key, entries.value)['category'], version) AS category
    FROM (SELECT aggregate_id, version,
            JSONExtract(body, type, 'metadata', 'entries', 'Array(Tuple(key String, value String))') AS entries
        FROM events FINAL WHERE type = 'item_registered' AND JSONHas(body, 'item_registered', 'metadata'))
    GROUP BY aggregate_id)
GROUP BY category ORDER BY items DESC`

// numberExample asks for the numbers of orders, which are in no column.
const numberExample = `-- The number of each order: the n-th of partition p has P * n + p, with P partitions.
SELECT order_id, (SELECT uniqExact(partition) FROM mirror_progress WHERE topic = 'orders.events')
    * row_number() OVER (PARTITION BY partition ORDER BY offset) + partition AS number
FROM orders FINAL WHERE version = 1 ORDER BY number`

// moreExamples has further questions for tables.
var moreExamples = map[string][]string{
	"events": {metadataExample, itemMetadataExample}, "orders": {numberExample},
}

// tableExamples has a question for each table.
var tableExamples = map[string]string{
	"events": `-- Payments that failed, by reason: a field that has no column of its own.
SELECT JSONExtractString(body, 'payment_failed', 'reason') AS why, count() AS payments
FROM events FINAL WHERE type = 'payment_failed'
GROUP BY why ORDER BY payments DESC`,
	"orders": `-- How long orders wait for their payment.
SELECT quantile(0.5)(seconds) AS median, quantile(0.95)(seconds) AS p95 FROM (
    SELECT dateDiff('second', minIf(occurred_at, type = 'order_placed'),
        minIf(occurred_at, type = 'order_confirmed')) AS seconds
    FROM orders FINAL WHERE type IN ('order_placed', 'order_confirmed')
    GROUP BY order_id HAVING uniqExact(type) = 2)`,
	"order_lines": `-- What was put into orders, whatever became of them.
SELECT sku, sum(quantity) AS units FROM order_lines FINAL
WHERE type = 'order_placed' AND kind = 'goods' GROUP BY sku ORDER BY units DESC LIMIT 10`,
	"sales": `-- Revenue by month: exact, without tax, and as customers pay it.
SELECT toYYYYMM(counted_at) AS month, currency, sum(toInt128(amount_micros)) / 1000000 AS revenue,
    sumIf(toInt128(amount_micros), kind != 'tax') / 1000000 AS net,
    sum(toInt128(amount_micros) + rounding_micros) / 1000000 AS paid
FROM sales FINAL GROUP BY month, currency ORDER BY month, currency`,
	"stock_ledger": `-- What came in and went out at each location.
SELECT location, sumIf(on_hand_delta, on_hand_delta > 0) AS units_in,
    sumIf(-on_hand_delta, on_hand_delta < 0) AS units_out
FROM stock_ledger FINAL GROUP BY location ORDER BY location`,
	"mirror_progress": `-- How far the mirror is.
SELECT topic, partition, max(next_offset) AS next_offset, max(current_at) AS current_at
FROM mirror_progress GROUP BY topic, partition ORDER BY topic, partition`,
	"mirror_repairs": `-- Dead letters that were retried.
SELECT topic, partition, offset, repaired_at FROM mirror_repairs FINAL ORDER BY repaired_at`,
}

// docs/tables.md is generated from the migrations.
func TestThePageOfTablesIsUpToDate(t *testing.T) {
	m, err := analytics.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	b := bytes.NewBufferString(tablesHead)
	for _, table := range m.Tables() {
		fmt.Fprintf(b, "\n## %s\n\n%s.\n\n```sql\n%s\n```\n\n| column | type | |\n|---|---|---|\n",
			table.Name, table.Comment, strings.Join(table.Engine, "\n"))
		for _, col := range table.Columns {
			typ := col.Type
			if col.Default != "" {
				typ += ", by default " + col.Default
			}
			fmt.Fprintf(b, "| %s | %s | %s |\n", col.Name, typ, col.Comment)
		}
		fmt.Fprintf(b, "\n```sql\n%s\n```\n", tableExamples[table.Name])
		for _, example := range moreExamples[table.Name] {
			fmt.Fprintf(b, "\n```sql\n%s\n```\n", example)
		}
	}
	sameAs(t, "../../docs/tables.md", b.Bytes())
}

// The questions of docs/tables.md are answered.
func TestTheExamplesOfTablesWork(t *testing.T) {
	f := newFixture(t)
	f.placed("o-1", "FR", january, 3, 1_000_000)
	f.confirmed("o-1", february)
	f.order("o-2", january, schematest.OrderEvent(&eventv1.OrderPlacedV2{
		Metadata: []*eventv1.MetadataEntry{{Key: "channel", Value: "web"}, {Key: "erp.id", Value: "4711"}},
	}))
	f.order("o-3", january, &eventv1.OrderEvent{Change: &eventv1.OrderEvent_OrderImported{
		OrderImported: &eventv1.OrderImported{Metadata: []*eventv1.MetadataEntry{{Key: "channel", Value: "web"}}},
	}})
	f.append(f.received(1))
	category := func(value string) *eventv1.Metadata {
		return &eventv1.Metadata{Entries: []*eventv1.MetadataEntry{{Key: "category", Value: value}, {Key: "x", Value: "y"}}}
	}
	for _, item := range []struct {
		sku string
		m   *eventv1.Metadata
	}{
		{"lamp", category("lighting")}, {"lamp", nil}, // it stays
		{"heart", category("gifts")}, {"heart", category("lighting")},
		{"box", category("gifts")}, {"box", &eventv1.Metadata{}}, // it is removed
		{"candle", nil}, // it never had any
	} {
		f.append(f.record(eventlog.TopicInventory, item.sku, &eventv1.InventoryEvent{
			Meta: f.meta("stock "+item.sku, january), Sku: item.sku, Total: &eventv1.Level{},
			Change: &eventv1.InventoryEvent_ItemRegistered{ItemRegistered: &eventv1.ItemRegistered{Metadata: item.m}},
		}))
	}
	_, stop := f.mirror()
	defer stop()
	if _, err := analytics.NewReports(f.conn).Await(f.ctx, f.end()); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]map[string]uint64{
		metadataExample: {"": 1, "web": 2}, itemMetadataExample: {"": 1, "lighting": 2},
	} {
		got := map[string]uint64{}
		err := f.conn.Each(f.ctx, query, nil, nil, func(rows clickhouse.Rows) error {
			var name string
			var count uint64
			err := rows.Scan(&name, &count)
			got[name] = count
			return err
		})
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s\n%v, want %v: %v", query, got, want, err)
		}
	}
	m, err := analytics.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range m.Tables() {
		var count int64
		query := "SELECT toInt64(count()) FROM (" + tableExamples[table.Name] + ")"
		err := f.conn.Each(f.ctx, query, nil, nil, func(rows clickhouse.Rows) error { return rows.Scan(&count) })
		if wantsRows := table.Name != "events" && table.Name != "mirror_repairs"; err != nil || (count > 0) != wantsRows {
			t.Errorf("%s: %d rows, %v", table.Name, count, err)
		}
	}
}

// The numbers that ClickHouse counts are those that the log gives, of orders and past documents, also while rows
// are there twice.
func TestOrdersAreNumberedInClickHouse(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 40)
	f.placed("o-1", "FR", january, 3, 1_000_000)
	f.confirmed("o-1", february)
	f.placed("o-2", "FR", march, 3, 1_000_000)
	_, stop := f.mirror()
	if _, err := analytics.NewReports(f.conn).Await(f.ctx, f.end()); err != nil {
		t.Fatal(err)
	}
	stop()
	const again = "INSERT INTO orders SELECT * FROM orders FINAL WHERE offset % 2 = 0"
	if err := f.conn.Exec(f.ctx, again, nil, nil); err != nil {
		t.Fatal(err)
	}
	want, counts := map[string]uint64{}, map[int32]uint64{}
	number := func(id string) {
		p := eventlog.PartitionFor(id, f.layout.PartitionCount)
		counts[p]++
		want[id] = orderid.Number(f.layout.PartitionCount, p, counts[p])
	}
	for n := range 40 {
		number(fmt.Sprintf("order-%d", n))
	}
	number("o-1")
	number("o-2")
	got := map[string]uint64{}
	err := f.conn.Each(f.ctx, numberExample, nil, nil, func(rows clickhouse.Rows) error {
		var id string
		var number int64
		err := rows.Scan(&id, &number)
		got[id] = uint64(number)
		return err
	})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v\ngot  %v\nwant %v", err, got, want)
	}
}
