package clickhouse

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// insertSettings are always sent, because the defaults differ between versions of ClickHouse.
var insertSettings = driver.Settings{
	// The rows are written and visible when the insert returns. They are on disk as well if the table has the setting
	// fsync_after_insert.
	"async_insert": 0,
	// Rows with equal keys are replaced when they are merged, or read with FINAL. Replacing them within a block as
	// well costs a seventh of the engine's time and hardly ever finds any.
	"optimize_on_insert": 0,
	// After a table was emptied, the same blocks must be accepted again. In a cluster, too, a row that is written twice is
	// one row by its key, so an insert whose outcome is unknown is made again without a token to know it by.
	"insert_deduplicate": 0,
	// A batch may contain documents of any number of months, and each month is a partition of its own.
	"max_partitions_per_insert_block": 0,
}

// Column is one column of an insert. Values is a slice whose element type fits Wire, for example []string for
// "String". All columns of an insert have the same length.
type Column struct {
	Name string
	// Wire is the ClickHouse type that the values are sent as. ClickHouse converts it to the type of the table's
	// column. It turns String into LowCardinality(String) faster than a client can.
	Wire   string
	Values any
}

// Insert writes a block of rows. When it returns without an error, every reader sees them. After an error the rows may
// or may not be there.
func (c *Conn) Insert(ctx context.Context, table string, columns []Column) error {
	return c.retried(ctx, func() error { return c.insert(ctx, table, columns) })
}

func (c *Conn) insert(ctx context.Context, table string, columns []Column) error {
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
	defer func() { _ = batch.Close() }() // does nothing after Send
	for i, col := range columns {
		if err := batch.Column(i).Append(col.Values); err != nil {
			return fmt.Errorf("column %s of %s: %w", col.Name, table, err)
		}
		// Appending a column of a big block takes a millisecond. Let commands of the same process run in between.
		runtime.Gosched()
	}
	if err := batch.Send(); err != nil {
		return c.explain(ctx, op, err)
	}
	return nil
}
