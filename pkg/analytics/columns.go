package analytics

import (
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// columnType are the Go types of columns.
type columnType interface {
	string | int32 | int64 | uint32 | uint64 | time.Time | uuid.UUID
}

// column is one column of a table, with the values that its rows have so far.
type column struct {
	clickhouse.Column
	// reset empties the column and keeps its memory.
	reset func()
}

// columnOf is the column with this name in ClickHouse. values has one element for each row.
func columnOf[T columnType](name string, values *[]T) column {
	return column{
		Column: clickhouse.Column{Name: name, Wire: wireType[T](), Values: *values},
		reset: func() {
			if texts, ok := any(*values).([]string); ok {
				clear(texts) // otherwise the memory of the strings would stay in use
			}
			*values = (*values)[:0]
		},
	}
}

// wireType is the ClickHouse type that values of a Go type are sent as.
func wireType[T columnType]() string {
	var value T
	switch any(value).(type) {
	case string:
		return "String"
	case int32:
		return "Int32"
	case int64:
		return "Int64"
	case uint32:
		return "UInt32"
	case uint64:
		return "UInt64"
	case time.Time:
		return "DateTime64(6, 'UTC')"
	default:
		return "UUID"
	}
}
