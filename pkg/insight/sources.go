package insight

import (
	"slices"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// Source is a table that questions can be about.
type Source struct {
	Table string
	// Time is the column that says when a row happened.
	Time    string
	Columns []clickhouse.TableColumn
}

// sourceTimes are the tables of the mirror that are sources, with their columns of time.
var sourceTimes = map[string]string{
	"events": "occurred_at", "orders": "occurred_at", "order_lines": "occurred_at", "sales": "counted_at",
	"stock_ledger": "occurred_at",
}

// Sources are all sources, as docs/tables.md describes them.
func Sources() ([]Source, error) {
	m, err := analytics.Migrations()
	if err != nil {
		return nil, err
	}
	var sources []Source
	for _, table := range m.Tables() {
		if time, ok := sourceTimes[table.Name]; ok {
			sources = append(sources, Source{Table: table.Name, Time: time, Columns: table.Columns})
		}
	}
	return sources, nil
}

// column finds a column; nil: there is none.
func (s *Source) column(name string) *clickhouse.TableColumn {
	i := slices.IndexFunc(s.Columns, func(c clickhouse.TableColumn) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Columns[i]
}
