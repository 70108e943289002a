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

// orderOffset is the column of sales with the place where an order begins in its partition of the log.
const orderOffset = "order_offset"

// orderNumber is a number that stands for an order of the table sales: its partition, and where it begins there. The
// upper half is the same for all orders of a partition, below 4 billion events, so that a bitmap of them is small.
const orderNumber = "bitOr(bitShiftLeft(toUInt64(partition), 40), toUInt64(" + orderOffset + "))"

// number is an expression with one number for each value of a column; empty: there is none.
func (s *Source) number(column string) string {
	if column == "order_id" && s.column(orderOffset) != nil {
		return orderNumber
	}
	return ""
}

// column finds a column; nil: there is none.
func (s *Source) column(name string) *clickhouse.TableColumn {
	i := slices.IndexFunc(s.Columns, func(c clickhouse.TableColumn) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Columns[i]
}
