package clickhouse_test

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// insertNest inserts a row into the table nests.
func insertNest(t *testing.T, conn *clickhouse.Conn, height int64) error {
	t.Helper()
	return conn.Insert(t.Context(), "nests", []clickhouse.Column{
		{Name: "tree", Wire: "String", Values: []string{"oak"}},
		{Name: "height", Wire: "Int64", Values: []int64{height}},
	})
}

func nests(t *testing.T, conn *clickhouse.Conn) (n uint64) {
	t.Helper()
	err := conn.Each(t.Context(), "SELECT count() FROM nests", nil, nil,
		func(rows clickhouse.Rows) error { return rows.Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A fence refuses inserts, lets reads pass, and ends by itself or by Unfence.
func TestAFenceEndsByItself(t *testing.T) {
	ctx, conn := open(t)
	if err := conn.Migrate(ctx, migrations(t, safe)); err != nil {
		t.Fatal(err)
	}
	tables := []string{"nests"}
	if err := conn.Fence(ctx, tables, time.Hour); err != nil {
		t.Fatal(err)
	}
	err := insertNest(t, conn, 1)
	if !clickhouse.IsFenced(err) || !strings.Contains(err.Error(), "while a rebuilt mirror takes the table's place") {
		t.Errorf("it says %v", err)
	}
	if n := nests(t, conn); n != 0 {
		t.Errorf("%d rows", n)
	}
	if err := conn.Unfence(ctx, tables); err != nil {
		t.Fatal(err)
	}
	if err := insertNest(t, conn, 2); err != nil {
		t.Error(err)
	}
	for range 2 { // the second replaces the first
		if err := conn.Fence(ctx, tables, 300*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	refused := 0
	for err = insertNest(t, conn, 3); clickhouse.IsFenced(err); err = insertNest(t, conn, 3) {
		refused++
	}
	if err != nil || refused == 0 {
		t.Errorf("refused %d times, then %v", refused, err)
	}
	if err := conn.Check(ctx, migrations(t, safe)); err != nil {
		t.Errorf("the fence is no change of the table: %v", err)
	}
	if err := conn.Fence(ctx, []string{"eggs"}, time.Hour); !clickhouse.IsMissing(err) {
		t.Errorf("a table that does not exist: %v", err)
	}
	if err := conn.Unfence(ctx, []string{"eggs"}); !clickhouse.IsMissing(err) {
		t.Errorf("a table that does not exist: %v", err)
	}
}

// An insert that runs is waited for.
func TestInsertsThatRunAreWaitedFor(t *testing.T) {
	ctx, conn := open(t)
	if err := conn.Migrate(ctx, migrations(t, safe)); err != nil {
		t.Fatal(err)
	}
	tables := []string{"eggs", "nests"}
	if err := conn.AwaitInserts(ctx, tables); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		done <- conn.Exec(ctx, "INSERT INTO nests (tree, height) SELECT 'elm', number + sleepEachRow(0.2) FROM numbers(5)",
			clickhouse.Settings{"max_block_size": 1}, nil)
	}()
	for running := uint64(0); running == 0; {
		err := conn.Each(ctx, "SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO nests %elm%'", nil, nil,
			func(rows clickhouse.Rows) error { return rows.Scan(&running) })
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.AwaitInserts(ctx, tables); err != nil {
		t.Fatal(err)
	}
	if n := nests(t, conn); n != 5 {
		t.Errorf("it waited for %d of 5 rows", n)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Tables of two databases are swapped, or moved, and keep their UUIDs.
func TestTablesAreExchangedWithASibling(t *testing.T) {
	ctx, conn := open(t)
	m := migrations(t, safe)
	sibling, err := conn.Sibling("second")
	if err != nil {
		t.Fatal(err)
	}
	defer sibling.Close()
	if tables, err := sibling.Tables(ctx); err != nil || len(tables) != 0 {
		t.Errorf("%v, %v", tables, err)
	}
	if n, err := sibling.Applied(ctx, m); n != 0 || err != nil {
		t.Errorf("%d migrations, %v", n, err)
	}
	for _, c := range []*clickhouse.Conn{conn, sibling} {
		if err := c.Migrate(ctx, m); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Applied(ctx, m); n != m.Count() || err != nil {
			t.Errorf("%d migrations, %v", n, err)
		}
	}
	if err := insertNest(t, sibling, 7); err != nil {
		t.Fatal(err)
	}
	if err := conn.Exchange(ctx, sibling, "nests"); err != nil {
		t.Fatal(err)
	}
	if nests(t, conn) != 1 || nests(t, sibling) != 0 {
		t.Error("the tables were not swapped")
	}
	if err := conn.Take(ctx, sibling, "nests"); err == nil {
		t.Error("a table took the place of another")
	}
	if err := conn.Exec(ctx, "DROP TABLE nests SYNC", nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := conn.Take(ctx, sibling, "nests"); err != nil {
		t.Fatal(err)
	}
	if tables, err := sibling.Tables(ctx); err != nil || len(tables) != 1 || len(tables[clickhouse.MigrationsTable]) != 4 {
		t.Errorf("%v, %v", tables, err)
	}
	if err := sibling.DropDatabase(ctx); err != nil {
		t.Fatal(err)
	}
}
