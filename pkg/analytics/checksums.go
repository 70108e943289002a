package analytics

import (
	"context"
	"fmt"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// Checksum is the checksum of a table. Tables with equal rows, in any order, have equal checksums.
type Checksum struct {
	Table string `json:"table"`
	Rows  uint64 `json:"rows"`
	// Hash is the sum of the hashes of the rows.
	Hash uint64 `json:"hash"`
}

// Checksums are the checksums of every table with rows of events. where is an SQL condition on topic, partition and
// offset; it chooses the rows.
func (r *Reports) Checksums(ctx context.Context, where string) ([]Checksum, error) {
	m, err := Migrations()
	if err != nil {
		return nil, err
	}
	var sums []Checksum
	for _, table := range m.Tables() {
		if table.Name == tableProgress || table.Name == tableRepairs {
			continue
		}
		names := make([]string, len(table.Columns))
		for i, col := range table.Columns {
			names[i] = col.Name
		}
		sum := Checksum{Table: table.Name}
		query := fmt.Sprintf("SELECT count(), sum(cityHash64(%s)) FROM %s FINAL WHERE %s",
			strings.Join(names, ", "), table.Name, where)
		err := r.conn.Each(ctx, query, readSettings, nil, func(rows clickhouse.Rows) error {
			return rows.Scan(&sum.Rows, &sum.Hash)
		})
		if err != nil {
			return nil, err
		}
		sums = append(sums, sum)
	}
	return sums, nil
}
