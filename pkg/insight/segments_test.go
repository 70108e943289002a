package insight_test

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
)

// answerLines are the rows of an answer as sorted text.
func answerLines(a *insight.Answer) []string {
	var lines []string
	for _, row := range a.Rows {
		var members []string
		for _, name := range slices.Sorted(maps.Keys(row)) {
			members = append(members, name+": "+row[name])
		}
		lines = append(lines, strings.Join(members, ", "))
	}
	slices.Sort(lines)
	return lines
}

// The table of a version says what one plain query over the mirror says, in whatever parts it was filled: intervals
// that overlap, that come twice, that come in another order, that end earlier than one before.
func TestTablesOfVersionsSayWhatOneQuerySays(t *testing.T) {
	conn := database(t)
	h := newHistory(400)
	end := h.insert(t, conn)
	eachReadyInsight(t, conn, end, func(_ *insight.Definition, v *insight.Version) {
		compareRollups(t, conn, v, nil, nil)
	})
}

// What is distinct is counted exactly, whatever the table keeps for it: a bitmap of orders, hashes of other values, and
// of combinations of them.
func TestTablesCountWhatIsDistinct(t *testing.T) {
	conn := database(t)
	end := newHistory(400).insert(t, conn)
	d, err := insight.Parse("f.yaml", []byte(`name: distinct
description: Counts of what is distinct.
source: sales
keys: {country: country, month: "formatDateTime(time, '%Y-%m')", sku: sku}
rollups: [[country], [country, month]]
measures:
  orders: uniqExact(order_id)
  sold: uniqExactIf(order_id, sku IN ('A', 'B') OR quantity > 0)
  shares: {sql: "uniqExactIf( order_id /* all, */, quantity < 0) / count()", unit: ratio}
  lines: uniqExact(order_id, sku)
  pairs: uniqExactIf(order_id, country, quantity > 0)
  letters: uniqExact(substring(order_id, 4))
  items: uniqExact(sku)
  days: uniqExact(toDate(time))
  different: count(DISTINCT sku)
  none: countIf(quantity > 1000000)
`))
	if err != nil {
		t.Fatal(err)
	}
	v := filledInParts(t, conn, d, rand.New(rand.NewPCG(5, 6)), eventlog.TopicOrders, end)
	compareRollups(t, conn, v, nil, nil)
}

// A table has a few bytes for each order that it counts, and not a hash of 16.
func TestTablesKeepOrdersInBitmaps(t *testing.T) {
	conn := database(t)
	end := newHistory(10).insert(t, conn)
	v := kept(t, conn, "revenue", end)
	var types []string
	err := conn.Each(t.Context(), "SELECT DISTINCT type FROM system.columns WHERE database = currentDatabase() AND "+
		"table = "+clickhouse.Literals(v.Table)+" AND startsWith(name, '_state_') ORDER BY type", nil, nil,
		func(rows clickhouse.Rows) error {
			var typ string
			err := rows.Scan(&typ)
			types = append(types, typ)
			return err
		})
	want := []string{"AggregateFunction(groupBitmapIf, UInt64, UInt8)", "Int128", "Int64", "UInt64"}
	if err != nil || !slices.Equal(types, want) {
		t.Errorf("the types are %q, want %q; %v", types, want, err)
	}
}

// eachReadyInsight calls fn for each insight that comes with the program, with a version of it that has a history's
// orders up to end.
func eachReadyInsight(
	t *testing.T, conn *clickhouse.Conn, end int64, fn func(*insight.Definition, *insight.Version),
) {
	t.Helper()
	files, err := filepath.Glob("../../schemas/insights/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	dice := rand.New(rand.NewPCG(3, 4))
	for _, file := range files {
		d, err := insight.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		fn(d, filledInParts(t, conn, d, dice, eventlog.TopicOrders, end))
	}
}

// filledInParts is a version with a table that was filled in parts which overlap. The events are those of two
// partitions of a topic.
func filledInParts(
	t *testing.T, conn *clickhouse.Conn, d *insight.Definition, dice *rand.Rand, topic string, end int64,
) *insight.Version {
	t.Helper()
	v, err := insight.NewVersion(d, d.TableName("test"))
	if err != nil {
		t.Fatal(err)
	}
	v.SetSegmentOffsets(200)
	if err := v.Create(t.Context(), conn); err != nil {
		t.Fatalf("%s: %v", d.Name, err)
	}
	interval := func(partition int32, from, upTo int64) insight.Interval {
		tp := eventlog.TopicPartition{Topic: topic, Partition: partition}
		return insight.Interval{TopicPartition: tp, From: from, UpTo: upTo}
	}
	fill := func(from, upTo int64) {
		t.Helper()
		if err := v.Fill(t.Context(), conn, interval(0, from, upTo), interval(1, from/2, upTo)); err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
	}
	for range 6 { // a process that is late, or begins again
		from := dice.Int64N(end)
		fill(from, from+dice.Int64N(end-from)+1)
	}
	for from := int64(0); from < end; { // the one that goes through
		upTo := min(end, from+1+dice.Int64N(end/4))
		fill(from, upTo)
		from = upTo
	}
	fill(dice.Int64N(end), dice.Int64N(end)+1) // the late one again
	return v
}
