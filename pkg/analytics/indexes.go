package analytics

import (
	"context"
	"fmt"
	"log/slog"
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

// createIndexes creates the indexes that tables lack, and has those computed that rows of before lack. They are no
// migration: answers are the same without them, so programs of before and after work on the same tables, and where they
// cannot be created the work goes on without.
func createIndexes(ctx context.Context, conn *clickhouse.Conn, m *clickhouse.Migrations, logger *slog.Logger) {
	for _, table := range m.Tables() {
		if !strings.HasPrefix(table.OrderBy(), orderedByOffset) {
			continue
		}
		if err := createIndex(ctx, conn, table.Name); err != nil {
			logger.Warn("a table has no index by offset: reports and fills of insights read more rows", "table", table.Name,
				"error", err)
		}
	}
}

func createIndex(ctx context.Context, conn *clickhouse.Conn, table string) error {
	var indexed, lacking uint64
	err := conn.Each(ctx, "SELECT "+
		"(SELECT count() FROM system.data_skipping_indices "+
		"WHERE database = currentDatabase() AND table = {table:String} AND name = {name:String}), "+
		"(SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = {table:String} AND active "+
		"AND secondary_indices_compressed_bytes = 0)",
		nil, clickhouse.Parameters{"table": table, "name": offsetIndex},
		func(rows clickhouse.Rows) error { return rows.Scan(&indexed, &lacking) })
	if err == nil && indexed == 0 {
		err = conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s ADD INDEX IF NOT EXISTS %s offset TYPE minmax GRANULARITY 1",
			table, offsetIndex), nil, nil)
	}
	if err == nil && lacking > 0 { // in the background
		err = conn.Exec(ctx, fmt.Sprintf("ALTER TABLE %s MATERIALIZE INDEX %s", table, offsetIndex), nil, nil)
	}
	return err
}
