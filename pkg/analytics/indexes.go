package analytics

import (
	"context"
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// offsetIndex is an index of the tables that are ordered by topic, partition and offset: the lowest and the highest
// offset of each granule, which is what ClickHouse reads at a time. Insights ask for the newest offsets of all
// partitions at once. A granule in which one partition ends and the next begins might have any offset by the order
// alone; a month's part of a table has such granules for each partition, so that nearly all of a mirror of millions of
// rows would be read every few seconds.
const offsetIndex = "offset_range"

// orderedByOffset is how the clause ORDER BY of such a table begins.
const orderedByOffset = "(topic, partition, offset"

// createIndexes creates the indexes that tables lack. They are no migration: answers are the same without them, so
// programs of before and after work on the same tables. A user who may not create any goes on without.
func createIndexes(ctx context.Context, conn *clickhouse.Conn, m *clickhouse.Migrations) error {
	indexed := map[string]bool{}
	err := conn.Each(ctx, "SELECT table FROM system.data_skipping_indices "+
		"WHERE database = currentDatabase() AND name = {name:String}", nil, clickhouse.Parameters{"name": offsetIndex},
		func(rows clickhouse.Rows) error {
			var table string
			err := rows.Scan(&table)
			indexed[table] = true
			return err
		})
	if err != nil {
		return unlessDenied(err)
	}
	for _, table := range m.Tables() {
		if indexed[table.Name] || !strings.HasPrefix(table.OrderBy(), orderedByOffset) {
			continue
		}
		for _, statement := range []string{
			"ALTER TABLE %s ADD INDEX IF NOT EXISTS " + offsetIndex + " offset TYPE minmax GRANULARITY 1",
			"ALTER TABLE %s MATERIALIZE INDEX " + offsetIndex, // of rows that are there, in the background
		} {
			if err := conn.Exec(ctx, fmt.Sprintf(statement, table.Name), nil, nil); err != nil {
				return unlessDenied(err)
			}
		}
	}
	return nil
}

func unlessDenied(err error) error {
	if clickhouse.IsDenied(err) {
		return nil
	}
	return err
}
