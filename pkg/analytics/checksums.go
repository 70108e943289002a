package analytics

import (
	"context"
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// Checksum stands for all rows of a table: equal rows in any order give an equal one.
type Checksum struct {
	Table string `json:"table"`
	Rows  uint64 `json:"rows"`
	// Hash is the sum of the rows' hashes.
	Hash uint64 `json:"hash"`
}

// Checksums are those of every table with rows of events, where the condition holds: one of SQL on topic, partition
// and offset.
func (r *Reports) Checksums(ctx context.Context, where string) ([]Checksum, error) {
	m, err := Migrations()
	if err != nil {
		return nil, err
	}
	var sums []Checksum
	for _, table := range m.Tables() {
		if table.Name == tableProgress {
			continue
		}
		names := make([]string, len(table.Columns))
		for i, col := range table.Columns {
			names[i] = col.Name
		}
		sum := Checksum{Table: table.Name}
		query := fmt.Sprintf("SELECT count(), sum(cityHash64(%s)) FROM %s FINAL WHERE %s", strings.Join(names, ", "), table.Name, where)
		err := r.conn.Each(ctx, query, readSettings, nil, func(rows clickhouse.Rows) error { return rows.Scan(&sum.Rows, &sum.Hash) })
		if err != nil {
			return nil, err
		}
		sums = append(sums, sum)
	}
	return sums, nil
}
