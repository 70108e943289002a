package insight

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/money"
)

// Limits of a preview.
const (
	// PreviewTime is how long a preview may take.
	PreviewTime = 30 * time.Second
	// PreviewRows is how many rows of the source it may read, PreviewMemory how many bytes it may need.
	PreviewRows   = 100_000_000
	PreviewMemory = 2 << 30
	// MaxPreviewRows is how many rows of the answer are returned.
	MaxPreviewRows = 10_000
)

// Answer is the answer to a question: values as text, so that numbers and money are exact.
type Answer struct {
	// Columns are the keys and then the measures.
	Columns []Column
	Rows    []map[string]string
	// More is true when there are more rows than the limit.
	More bool
}

// MarshalJSON is {"items":[{key: "text", measure: number, …}, …]}. Money is a text, and so are measures of the unit
// text. A number that is none is null.
func (a *Answer) MarshalJSON() ([]byte, error) {
	b := []byte(`{"items":[`)
	for i, row := range a.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		for n, c := range a.Columns {
			if n > 0 {
				b = append(b, ',')
			}
			b = append(appendjson.String(b, c.Name), ':')
			switch value := row[c.Name]; {
			case c.Unit == "" || c.Unit == Money || c.Unit == Text:
				b = appendjson.String(b, value)
			case value == "":
				b = append(b, "null"...)
			default:
				b = append(b, value...)
			}
		}
		b = append(b, '}')
	}
	return append(b, "]}"...), nil
}

// Preview asks the question over the whole mirror, without creating anything. Rows are in the order of their keys.
func (d *Definition) Preview(ctx context.Context, conn *clickhouse.Conn, limit int) (*Answer, error) {
	if limit < 1 || limit > MaxPreviewRows {
		return nil, fmt.Errorf("a limit of %d rows is not between 1 and %d", limit, MaxPreviewRows)
	}
	settings := clickhouse.Settings{
		"max_execution_time": int(PreviewTime.Seconds()), "max_rows_to_read": PreviewRows,
		"max_memory_usage": PreviewMemory, "max_bytes_before_external_group_by": PreviewMemory / 4,
	}
	return d.ask(ctx, conn, d.query(d.Source.Table+" FINAL"), settings, limit)
}

// ask runs a query with the keys and measures, and formats the first rows of the answer in the order of their keys. No
// limit (0) means all rows, in any order.
func (d *Definition) ask(
	ctx context.Context, conn *clickhouse.Conn, query string, settings clickhouse.Settings, limit int,
) (*Answer, error) {
	all := maps.Clone(planSettings)
	maps.Copy(all, settings)
	answer := &Answer{Columns: slices.Concat(d.Keys, d.Measures)}
	texts, keys := make([]string, len(answer.Columns)), make([]string, len(d.Keys))
	for i, c := range answer.Columns {
		texts[i] = c.text()
	}
	for i, key := range d.Keys {
		keys[i] = key.Name
	}
	query = "SELECT " + strings.Join(texts, ", ") + " FROM (" + query + ")"
	if limit > 0 && len(keys) > 0 {
		query += " ORDER BY " + strings.Join(keys, ", ")
	}
	if limit > 0 {
		query += " LIMIT " + strconv.Itoa(limit+1)
	}
	err := conn.Each(ctx, query, all, nil, func(rows clickhouse.Rows) error {
		if limit > 0 && len(answer.Rows) == limit {
			answer.More = true
			return nil
		}
		return answer.scan(rows)
	})
	if err != nil {
		return nil, d.sqlProblem(Expression{}, err)
	}
	return answer, nil
}

// scan adds a row.
func (a *Answer) scan(rows clickhouse.Rows) error {
	values, targets := make([]string, len(a.Columns)), make([]any, len(a.Columns))
	for i := range values {
		targets[i] = &values[i]
	}
	if err := rows.Scan(targets...); err != nil {
		return err
	}
	row := map[string]string{}
	for i, c := range a.Columns {
		row[c.Name] = values[i]
	}
	a.Rows = append(a.Rows, row)
	return a.formatMoney(row)
}

// text is the column as text. A number that is none, such as a share of nothing, is an empty text.
func (c Column) text() string {
	value := "toString(" + c.Name + ")"
	if c.Unit == Ratio || c.Unit == Duration {
		value = fmt.Sprintf("if(isFinite(%s), %s, '')", c.Name, value)
	}
	return fmt.Sprintf("ifNull(%s, '') AS %s_text", value, c.Name)
}

// formatMoney puts the money of a row in its currency.
func (a *Answer) formatMoney(row map[string]string) error {
	for _, c := range a.Columns {
		if c.Unit != Money {
			continue
		}
		micros, err := strconv.ParseInt(row[c.Name], 10, 64)
		if err != nil {
			return fmt.Errorf("%s is %s, and no whole number of millionths: use sum of amounts, not an average or a share; "+
				"amounts beyond 9,223,372,036,854.775807 cannot be shown", c.Name, row[c.Name])
		}
		row[c.Name] = money.FormatIn(row["currency"], micros)
	}
	return nil
}
