package analytics_test

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

// The newest offsets of all partitions are found without reading the rows before: in tables of before the index, too.
func TestTheNewestOffsetsAreReadAlone(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 20)
	_, stop := f.mirror()
	f.exact()
	stop()
	f.execute("ALTER TABLE sales DROP INDEX offset_range")
	for _, rows := range []string{
		"toDateTime('2026-01-01') FROM numbers(600_000)", "toDateTime('2026-02-01') FROM numbers(600_000, 120)",
	} {
		f.execute("INSERT INTO sales (topic, partition, offset, counted_at) " +
			"SELECT 'orders.events', number % 12, 1_000 + intDiv(number, 12), " + rows)
	}
	// The last index that is asked says how many granules of 8,192 rows are left.
	const newest = "SELECT toInt64(extract(explain, 'Granules: (\\d+)/')) FROM (EXPLAIN indexes = 1 " +
		"SELECT sum(amount_micros) FROM sales FINAL PREWHERE offset >= 51_000) WHERE explain LIKE '%Granules:%/%'"
	if n := f.value(newest); n < 12 {
		t.Fatalf("without the index %d granules are read, so this test shows nothing", n)
	}
	const mutations = "SELECT toInt64(count()) FROM system.mutations WHERE database = currentDatabase()"
	before := f.value(mutations)
	_, stop = f.mirror()
	f.eventually("old rows are in the index", func() bool {
		return f.value("SELECT toInt64(count()) FROM system.data_skipping_indices WHERE database = currentDatabase() "+
			"AND name = 'offset_range'") == 5 &&
			f.value(mutations) == before+1 && f.value(mutations+" AND NOT is_done") == 0
	})
	if n := f.value(newest); n != 1 {
		t.Errorf("%d granules are read for the 120 newest of 600,000 rows", n)
	}
	stop()
	m, stop := f.mirror()
	defer stop()
	f.eventually("it has its tables", func() bool { return m.Started() == nil })
	if n := f.value(mutations); n != before+1 {
		t.Errorf("rows are indexed again: %d mutations, %d before", n, before)
	}
}

// A mirror whose user may not create indexes works without.
func TestAMirrorWithoutIndexesIsExact(t *testing.T) {
	for _, refused := range []string{"ADD INDEX", "system.data_skipping_indices"} {
		p := newProxied(t)
		p.fill(0, 20)
		p.proxy.Fail(chdbtest.Fault{Queries: refused, Code: 497, Message: noGrant})
		p.start()
		p.up()
		p.exact()
	}
}
