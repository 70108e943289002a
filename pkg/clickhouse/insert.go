package clickhouse

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// insertSettings are never left to defaults: those differ between versions.
var insertSettings = driver.Settings{
	// Written and visible when the insert returns. That it is on disk too, the tables say: fsync_after_insert.
	"async_insert": 0,
	// Rows of one key become one when they are read (FINAL) or merged. Doing so at the insert, too, takes a seventh of
	// the engine's time and hardly ever finds any.
	"optimize_on_insert": 0,
	// Rows of a table that was emptied must be accepted again, however equal their blocks are.
	"insert_deduplicate": 0,
	// A batch may hold a document of every month there is.
	"max_partitions_per_insert_block": 0,
}

// Column is one column of an insert: Values is a slice, as long as those beside it, of a type that fits Wire.
type Column struct {
	Name string
	// Wire is the type that the values travel as. ClickHouse turns it into the column's own: a String into a
	// LowCardinality(String), which it does faster than a client.
	Wire   string
	Values any
}

// Insert writes a block of rows, and returns when they are there for every reader. After an error they may be there.
func (c *Conn) Insert(ctx context.Context, table string, columns []Column) error {
	names := make([]string, len(columns))
	types := make([]driver.ColumnNameAndType, len(columns))
	for i, col := range columns {
		names[i] = col.Name
		types[i] = driver.ColumnNameAndType{Name: col.Name, Type: col.Wire}
	}
	ctx = driver.Context(ctx, driver.WithSettings(insertSettings), driver.WithColumnNamesAndTypes(types))
	op := "insert into " + table
	batch, err := c.conn.PrepareBatch(ctx, fmt.Sprintf("INSERT INTO %s (%s)", table, strings.Join(names, ", ")))
	if err != nil {
		return c.explain(ctx, op, err)
	}
	defer func() { _ = batch.Close() }() // after Send it has nothing left to do
	for i, col := range columns {
		if err := batch.Column(i).Append(col.Values); err != nil {
			return fmt.Errorf("column %s of %s: %w", col.Name, table, err)
		}
		runtime.Gosched() // a column of a big block takes a millisecond, and others of this process may be in a hurry
	}
	if err := batch.Send(); err != nil {
		return c.explain(ctx, op, err)
	}
	return nil
}
