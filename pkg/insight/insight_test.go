package insight_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/insight"
)

func TestMain(m *testing.M) { chdbtest.Main(m) }

// database is an empty mirror.
func database(t *testing.T) *clickhouse.Conn {
	t.Helper()
	conn, err := clickhouse.Open(chdbtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m, err := analytics.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Migrate(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return conn
}

// The insights that come with the program are valid, and their examples hold.
func TestReadyInsightsAreValid(t *testing.T) {
	files, err := filepath.Glob("../../schemas/insights/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	conn := database(t)
	for _, file := range files {
		d, err := insight.Read(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if err := d.Validate(t.Context(), conn); err != nil {
			t.Error(err)
		}
		if len(d.Examples) == 0 || d.Name+".yaml" != filepath.Base(file) {
			t.Errorf("%s has %d examples and defines %s", file, len(d.Examples), d.Name)
		}
		if _, err := d.Preview(t.Context(), conn, 10); err != nil {
			t.Error(err)
		}
	}
}

// ofEntities is a valid definition with an entity. More of its member with, and other members, may follow.
const ofEntities = `name: sold
description: Units sold, by how many.
source: sales
keys: {sku: sku}
measures: {items: count(), most: max(units)}
entity: {keys: {sku: sku}, measures: {units: sum(quantity)}}
overall: {all: sum(units)}
with:
  share: units / all
`

const valid = `name: sold
description: Units sold.
source: sales
keys:
  sku: sku
  currency: currency
measures:
  units: sum(quantity)
`

// Each fault of a definition is reported with its line, its field and what to do.
func TestFaultsOfDefinitions(t *testing.T) {
	conn := database(t)
	key := func(sql string) string {
		return "name: sold\ndescription: d\nsource: sales\nmeasures: {n: count()}\nkeys:\n  k: " + fmt.Sprintf("%q", sql)
	}
	measure := func(sql string) string {
		return "name: sold\ndescription: d\nsource: sales\nkeys: {sku: sku}\nmeasures:\n  m: " + fmt.Sprintf("%q", sql)
	}
	for _, c := range []struct{ text, want string }{
		{"name: [", "f.yaml:1: no YAML: did not find expected node content"},
		{"hello", "f.yaml: a definition is a map with name, source, keys and measures"},
		{"description: d\nsource: sales\nmeasures: {n: count()}", "f.yaml:1: name: it is missing"},
		{
			"name: Sold\ndescription: d\nsource: sales\nmeasures: {n: count()}",
			`f.yaml:1: name: "Sold" is no name: use lower-case letters, digits and _, at most 63, a letter first`,
		},
		{
			valid + "colour: red",
			"f.yaml:9: colour: there is no such member; there are description, entity, examples, keys, measures, " +
				"name, overall, rollups, source, time, where, with, zone",
		},
		{
			valid + "rollups: [[sku, colour]]",
			`f.yaml:9: rollups[0]: there is no key "colour"; there are sku, currency`,
		},
		{valid + "rollups: [[sku, sku]]", "f.yaml:9: rollups[0]: the key sku is there twice"},
		{valid + "rollups: [[sku], [sku]]", "f.yaml:9: rollups[1]: these keys are there twice"},
		{valid + "rollups: [sku]", "f.yaml:9: rollups[0]: this is no list of keys, such as [month, country]"},
		{
			valid + "rollups: []",
			"f.yaml:9: rollups: this is no list of 1 to 16 lists of keys, such as [[month, country], [day]]",
		},
		{
			valid + "  paid: {sql: sum(toInt128(amount_micros)), unit: money}\nrollups: [[sku]]",
			"f.yaml:10: rollups[0]: the key currency is missing: the insight measures money, and amounts of different " +
				"currencies are not added up",
		},
		{
			valid + "entity: {keys: {sku: sku, currency: currency}, measures: {quantity: sum(quantity)}}\nrollups: [[sku]]",
			"f.yaml:10: rollups: an insight with an entity has none: its entities are kept, and serve all keys",
		},
		{
			"name: sold\ndescription: d\nsource: sales\nkeys: {a: sku, b: ' sku '}\nmeasures: {n: count()}\nrollups: [[a]]",
			"f.yaml:6: rollups: the keys a and b have the same SQL: leave one out",
		},
		{
			"name: sold\ndescription: d\nsource: sales\nkeys: {order: sku}\nmeasures: {n: count()}",
			"f.yaml:4: keys.order: a key cannot be named order, which is a parameter of questions: rename it",
		},
		{
			valid + "zone: Mars/Base",
			`f.yaml:9: zone: "Mars/Base" is no time zone of the IANA database, such as Europe/London`,
		},
		{valid + "time: sku", `f.yaml:9: time: "sku" is no column of sales that has times; docs/tables.md lists them`},
		{
			"name: sold\ndescription: d\nsource: stock\nmeasures: {n: count()}",
			`f.yaml:3: source: there is no source "stock"; there are events, orders, order_lines, sales, stock_ledger`,
		},
		{
			"name: sold\ndescription: d\nsource: sales\nkeys: {n: sku}\nmeasures: {n: count()}",
			"f.yaml:5: measures.n: the name n is there twice: rename the key or the measure",
		},
		{
			"name: sold\ndescription: d\nsource: sales\nmeasures: {n: {sql: sum(amount_micros), unit: money}}",
			"f.yaml:1: measures.n: money needs a key named currency, such as currency: currency, so that amounts " +
				"of different currencies are not added up",
		},
		{
			"name: sold\ndescription: d\nsource: sales\nmeasures: {n: {sql: count(), unit: kilos}}",
			`f.yaml:4: measures.n.unit: "kilos" is no unit; there are [count money ratio duration text]`,
		},
		{
			key("toDate(now())"),
			"f.yaml:6: keys.k: now is not allowed: the answer would depend on when it is computed: use the column time",
		},
		{key("rand()"), "f.yaml:6: keys.k: rand is not allowed: the answer would be another one each time"},
		{
			key("dictGet('d', 'a', sku)"),
			"f.yaml:6: keys.k: dictGet is not allowed: docs/insights.md lists the functions that are",
		},
		{key("sum(quantity)"), "f.yaml:6: keys.k: sum is an aggregate function: those belong in measures"},
		{
			key("colour"),
			"f.yaml:6: keys.k: there is no column colour: the source sales has time, topic, partition, offset, " +
				"line, order_id, customer_id, country, currency, sku, kind, reason, quantity, amount_micros, " +
				"rounding_micros, ordered_at, counted_at",
		},
		{
			key("(SELECT 1)"),
			"f.yaml:6: keys.k: a query within the expression is not allowed: an insight is about its source alone",
		},
		{
			key("sku, country"),
			"f.yaml:6: keys.k: write one expression: no comma outside of brackets, and nothing of FROM, WHERE or the like",
		},
		{
			key("sku FROM system.users"),
			"f.yaml:6: keys.k: write one expression: no comma outside of brackets, and nothing of FROM, WHERE or the like",
		},
		{key("sku AS s"), "f.yaml:6: keys.k: AS is not allowed: the name of a key or a measure is that of its member"},
		{key("sku; DROP TABLE sales"), "f.yaml:6: keys.k: ; is not allowed: write one expression"},
		{key("{sku:String}"), "f.yaml:6: keys.k: { is not allowed: a definition has no parameters"},
		{key("'a"), "f.yaml:6: keys.k: a text does not end: ' is missing"},
		{key("*"), "f.yaml:6: keys.k: * is not allowed: name the columns"},
		{
			measure("any(sku)"),
			"f.yaml:6: measures.m: any is not allowed: it takes the row that comes first: use min or max",
		},
		{
			measure("quantile(0.5)(quantity)"),
			"f.yaml:6: measures.m: quantile is not allowed: it draws a sample: use quantileExact",
		},
		{
			measure("sum(quantity) OVER (ORDER BY sku)"),
			"f.yaml:6: measures.m: window functions (OVER) are not allowed: use an entity with a first stage",
		},
		{
			measure("sum(sku)"),
			"f.yaml:6: measures.m: ClickHouse: Illegal type String of argument for aggregate function sum",
		},
		{
			valid + "  m: {sql: sum(quantity / 3), unit: ratio}",
			"f.yaml:9: measures.m: sum of fractions depends on the order in which rows are added up: add up whole numbers " +
				"or decimals, such as toDecimal128(quantity / 3, 6)",
		},
		{measure("sum(quantity"), "f.yaml:6: measures.m: ClickHouse: Syntax error"},
		{measure("sum(quantity) # all"), "f.yaml:6: measures.m: # is not allowed: a comment begins with --"},
		{
			measure("min(sku)"),
			"f.yaml:6: measures.m: a count is a whole number, and this is String: set the unit to ratio, duration or text",
		},
		{
			valid + "  price: {sql: avg(amount_micros), unit: money}",
			"f.yaml:9: measures.price: money is a whole number of millionths, and this is Float64: use sums of amounts, not " +
				"an average or a share",
		},
		{
			valid + "  first: {sql: min(time), unit: duration}",
			"f.yaml:9: measures.first: a duration is a number, and this is DateTime64(6, 'UTC'): use toFloat64, or the " +
				"unit text",
		},
		{
			ofEntities + "  n: sum(units)",
			"f.yaml:10: with.n: sum is an aggregate function: those belong in measures",
		},
		{
			ofEntities + "  n: later + 1\n  later: units",
			"f.yaml:10: with.n: there is no column later: the entity has sku, units, all, share",
		},
		{
			ofEntities + "  n: quantity",
			"f.yaml:10: with.n: there is no column quantity: the entity has sku, units, all, share",
		},
		{
			ofEntities + "  n: arrayJoin([now(), now()])",
			"f.yaml:10: with.n: now is not allowed: the answer would depend on when it is computed: use the column time",
		},
		{
			ofEntities + "  n: rowNumberInAllBlocks()",
			"f.yaml:10: with.n: rowNumberInAllBlocks is not allowed: docs/insights.md lists the functions that are",
		},
		{
			ofEntities + "  n: row_number() OVER (ORDER BY units)",
			"f.yaml:10: with.n: row_number is not allowed: docs/insights.md lists the functions that are",
		},
		{
			ofEntities + "  n: (SELECT max(quantity) FROM sales)",
			"f.yaml:10: with.n: a query within the expression is not allowed: an insight is about its source alone",
		},
		{
			ofEntities + "  units: all",
			"f.yaml:10: with.units: the name units is there twice: rename the key or the measure",
		},
		{
			ofEntities + "  n: {sql: units, unit: money}",
			"f.yaml:10: with.n: this is no text",
		},
		{
			ofEntities + "  n: units + 1\n  m: n + sku",
			"f.yaml:11: with.m: ClickHouse: Illegal types Int64 and String of arguments of function plus",
		},
		{
			measure("groupArray(quantity)[1]"),
			"f.yaml:6: measures.m: groupArray is not allowed: its order is that of reading: use arraySort(groupUniqArray(…))",
		},
		{"measures: 1\nsource: stock\n", "f.yaml:1: measures: this is no map of names with their SQL"},
		{
			measure("quantity"),
			"f.yaml:6: measures.m: ClickHouse: Column 'quantity' is not under aggregate function and not in GROUP BY keys",
		},
		{
			valid + "examples:\n- rows: [{colour: red}]\n  want: []",
			"f.yaml:10: examples[0]: the source sales has no column colour",
		},
		{
			valid + "examples:\n- rows: [{sku: A, quantity: 2}]\n  want: [{sku: A, currency: '', units: 3}]",
			"f.yaml:10: examples[0]: the answer is\n  {currency: , sku: A, units: 2}\nand should be\n  " +
				"{currency: , sku: A, units: 3}",
		},
		{
			valid + "examples:\n- rows: [{sku: A, quantity: two}]\n  want: []",
			"f.yaml:10: examples[0]: ClickHouse: Cannot parse string 'two' as Int64",
		},
	} {
		d, err := insight.Parse("f.yaml", []byte(c.text))
		if err == nil {
			err = d.Validate(t.Context(), conn)
		}
		problems, _ := insight.Problems(err)
		if len(problems) == 0 || len(problems[0].Error()) < len(c.want) || problems[0].Error()[:len(c.want)] != c.want {
			t.Errorf("%s\n-- has the problems %v, the first should be\n%s", c.text, err, c.want)
		}
	}
}

// A fingerprint names what is computed.
func TestTheFingerprintIsOfWhatIsComputed(t *testing.T) {
	fingerprint := func(text string) string {
		t.Helper()
		d, err := insight.Parse("f.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d.Fingerprint()
	}
	base := fingerprint(valid)
	for _, same := range []string{
		"# a comment\n" + valid,
		"name: sold\ndescription: Another text.\nsource: sales\nkeys: {sku: sku, currency: currency}\n" +
			"measures: {units: {sql: \"sum( quantity ) -- all\", unit: ratio}}",
	} {
		if fingerprint(same) != base {
			t.Errorf("%s\n-- has another fingerprint", same)
		}
	}
	for _, other := range []string{
		valid + "zone: Europe/London", valid + "where: quantity > 0", valid + "time: ordered_at",
		valid + "  more: count()", valid + "rollups: [[sku]]", valid + "rollups: [[sku], []]",
		"name: sold2\n" + valid[len("name: sold\n"):],
	} {
		if fingerprint(other) == base {
			t.Errorf("%s\n-- has the same fingerprint", other)
		}
	}
	if fingerprint(ofEntities) == fingerprint(ofEntities+"  n: units") {
		t.Error("another expression of with has the same fingerprint")
	}
}

// Every limit of a definition is kept.
func TestLimitsOfDefinitions(t *testing.T) {
	conn := database(t)
	many := func(n int, line string) (text string) {
		for i := range n {
			text += fmt.Sprintf(line, i)
		}
		return text
	}
	for _, c := range []struct{ text, want string }{
		{
			valid + "# " + strings.Repeat("x", insight.MaxFileBytes),
			"f.yaml: the file has 65659 bytes, at most 65536 are allowed",
		},
		{valid + many(insight.MaxColumns, "  m%d: count()\n"), "f.yaml:8: measures: there are 65, at most 64 are allowed"},
		{
			valid + "where: sku = '" + strings.Repeat("x", insight.MaxSQLBytes) + "'",
			"f.yaml:9: where: the SQL has 4104 bytes, at most 4096 are allowed",
		},
		{
			valid + "examples:\n" + many(insight.MaxExamples+1, "- {rows: [], want: []} # %d\n"),
			"f.yaml:10: examples: this is no list of at most 100 examples with rows and want",
		},
		{valid + "examples: [{rows: {}, want: [1]}]", "f.yaml:9: examples[0].rows: this is no list of rows"},
		{
			valid + "examples: [{rows: [], want: [1]}]",
			"f.yaml:9: examples[0].want: this is no row: write {column: value, …}",
		},
		{valid + "where: [1]", "f.yaml:9: where: this is no text"},
		{valid + "where: ''", "f.yaml:9: where: the SQL is missing"},
		{valid + "where: sku /* open", "f.yaml:9: where: a comment does not end: close it with */"},
		{valid + "  more: {unit: count}", "f.yaml:9: measures.more: sql is missing"},
		{
			valid + "entity: {measures: {n: count()}}",
			"f.yaml:9: entity.keys: an entity needs keys, such as customer_id: customer_id",
		},
		{valid + "overall: {n: count()}", "f.yaml:9: overall: it needs an entity, whose keys and measures it is about"},
		{valid + "with: {n: sku}", "f.yaml:9: with: it needs an entity, whose keys and measures it is about"},
		{
			ofEntities + many(insight.MaxColumns, "  n%d: units\n"),
			"f.yaml:9: with: there are 65, at most 64 are allowed",
		},
		{valid + "entity: 1", "f.yaml:9: entity: this is no map; its members are keys, measures"},
		{valid + "name: again", "f.yaml:9: name: it is there twice"},
		{
			"name: a\ndescription: d\nsource: sales\nmeasures: 1",
			"f.yaml:4: measures: this is no map of names with their SQL",
		},
	} {
		_, err := insight.Parse("f.yaml", []byte(c.text))
		if problems, _ := insight.Problems(err); len(problems) == 0 || problems[0].Error() != c.want {
			t.Errorf("%.80s\n-- has the problems %v, the first should be\n%s", c.text, err, c.want)
		}
	}
	d, err := insight.Parse("f.yaml", []byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Preview(t.Context(), conn, insight.MaxPreviewRows+1); err == nil {
		t.Error("a preview of more rows than the limit was answered")
	}
}

// A comment may stand behind any SQL of a definition, in its tables too.
func TestDefinitionsMayHaveComments(t *testing.T) {
	text := `name: sold
description: Units sold.
source: sales
where: quantity > 0 -- what was sold
entity:
  keys: {sku: "sku -- by item"}
  measures:
    units: "sum(quantity) /* of each */ -- and no other"
keys:
  sku: "sku -- as the shop writes it"
measures:
  units: "sum(units) -- all"
  share: {sql: "sum(units) / nullIf(max(units), 0) -- of the most", unit: ratio}
examples:
  - rows: [{sku: A, quantity: 2}, {sku: B, quantity: -1}]
    want: [{sku: A, units: 2, share: 1}]
`
	d, err := insight.Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(t.Context(), database(t)); err != nil {
		t.Error(err)
	}
}

// Expressions of with may use each other, as many as there may be, and make several rows of an entity.
func TestExpressionsWithNames(t *testing.T) {
	text := `name: others
description: What there is of an item, and of the others, and 63 more.
source: sales
entity: {keys: {sku: sku}, measures: {units: sum(quantity)}}
overall: {all: sum(units)}
with:
  n0: arrayJoin([units, all - units])
`
	for n := range insight.MaxColumns - 1 {
		text += fmt.Sprintf("  n%d: n%d + 1\n", n+1, n)
	}
	text += `keys: {sku: sku, n: n63}
measures: {items: count()}
examples:
  - rows: [{sku: A, quantity: 2}, {sku: B, quantity: 5}]
    want: [{sku: A, n: 65, items: 1}, {sku: A, n: 68, items: 1}, {sku: B, n: 65, items: 1}, {sku: B, n: 68, items: 1}]
`
	d, err := insight.Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(t.Context(), database(t)); err != nil {
		t.Error(err)
	}
}

// An amount that is no whole number of millionths is refused, not rounded.
func TestMoneyIsExactOrRefused(t *testing.T) {
	conn := database(t)
	text := strings.Replace(valid, "units: sum(quantity)", "units: {sql: avg(amount_micros), unit: money}", 1)
	d, err := insight.Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	const rows = "INSERT INTO sales (offset, amount_micros) VALUES (1, 1), (2, 2)"
	if err := conn.Exec(t.Context(), rows, nil, nil); err != nil {
		t.Fatal(err)
	}
	_, err = d.Preview(t.Context(), conn, 10)
	if err == nil || !strings.Contains(err.Error(), "units is 1.5, and no whole number") {
		t.Errorf("an average of amounts: %v", err)
	}
}
