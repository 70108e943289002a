package insight

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/money"
)

// MaxPreviewRows is how many rows a preview has at most. It has the limits of an answer that is computed (ComputeTime).
const MaxPreviewRows = 10_000

// Answer is the answer to a question: values as text, so that numbers and money are exact.
type Answer struct {
	// Columns are the keys and then the measures.
	Columns []Column
	Rows    []map[string]string
	// More is true when there are more rows than the limit.
	More bool
	// Next is the cursor of the rows that follow, for Question.After; empty when there are none.
	Next string
	// Rollup are the keys of the rollup that the answer was read from. Computed says why it had to be computed from the
	// source instead; empty: it was read from what is kept.
	Rollup   Rollup
	Computed string

	// sorted are the values that the last row is sorted by.
	sorted []string
}

// MarshalJSON is {"items":[{key: "text", measure: number, …}, …]}, and AppendRow says more.
func (a *Answer) MarshalJSON() ([]byte, error) {
	b := []byte(`{"items":[`)
	for i, row := range a.Rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.AppendRow(b, row)
	}
	return append(b, "]}"...), nil
}

// AppendRow appends a row as a JSON object. Keys, money and measures of the unit text are texts, other measures are
// numbers. What has no value, such as a share of nothing, is null.
func (a *Answer) AppendRow(b []byte, row map[string]string) []byte {
	b = append(b, '{')
	for n, c := range a.Columns {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(appendjson.String(b, c.Name), ':')
		switch value := row[c.Name]; {
		case c.Unit == "" || c.Unit == Text:
			b = appendjson.String(b, value)
		case value == "":
			b = append(b, "null"...)
		case c.Unit == Money:
			b = appendjson.String(b, value)
		default:
			b = append(b, value...)
		}
	}
	return append(b, '}')
}

// Preview asks the question over the whole mirror, without creating anything. Rows are in the order of their keys.
func (d *Definition) Preview(ctx context.Context, conn *clickhouse.Conn, limit int) (*Answer, error) {
	if limit < 1 || limit > MaxPreviewRows {
		return nil, fmt.Errorf("a limit of %d rows is not between 1 and %d", limit, MaxPreviewRows)
	}
	answer, err := d.read(ctx, conn, d.query(d.final(d.Source.Table)), computeSettings, byKeys(d.Keys), limit)
	if err != nil {
		return nil, d.sqlProblem(Expression{}, err)
	}
	return answer, nil
}

// read runs a query with the keys and measures, and formats the rows of one page. No limit (0) means all rows.
func (d *Definition) read(
	ctx context.Context, conn *clickhouse.Conn, query string, settings clickhouse.Settings, page paging, limit int,
) (*Answer, error) {
	answer := &Answer{Columns: slices.Concat(d.Keys, d.Measures)}
	query, err := d.pageOf(query, page, limit)
	if err != nil {
		return nil, err
	}
	err = d.each(ctx, conn, query, settings, page, func(values, sorted []string) error {
		if limit > 0 && len(answer.Rows) == limit {
			answer.More = true
			return nil
		}
		row := map[string]string{}
		for i, c := range answer.Columns {
			row[c.Name] = values[i]
		}
		answer.Rows, answer.sorted = append(answer.Rows, row), sorted
		return nil
	})
	return answer, err
}

// pageOf is the query for the rows of a page, and for one more, to know whether there are more. No limit (0) means all
// rows.
func (d *Definition) pageOf(query string, page paging, limit int) (string, error) {
	where, err := page.where()
	if err != nil {
		return "", err
	}
	var texts []string
	for _, c := range slices.Concat(d.Keys, d.Measures) {
		texts = append(texts, c.text())
	}
	query = "SELECT " + strings.Join(append(texts, page.columns()...), ", ") + " FROM (" + query + ")"
	if where != "" {
		query += " WHERE " + where
	}
	query += page.orderBy()
	if limit > 0 {
		query += " LIMIT " + strconv.Itoa(limit+1)
	}
	return query, nil
}

// each runs a query of pageOf, and calls row with the values of each row, formatted, and with those that it is sorted
// by.
func (d *Definition) each(
	ctx context.Context, conn *clickhouse.Conn, query string, settings clickhouse.Settings, page paging,
	row func(values, sorted []string) error,
) error {
	all := maps.Clone(planSettings)
	maps.Copy(all, settings)
	columns := slices.Concat(d.Keys, d.Measures)
	table := moneyOf(columns)
	return conn.Each(ctx, query, all, nil, func(rows clickhouse.Rows) error {
		values := make([]string, len(columns)+len(page.sort))
		targets := make([]any, len(values))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		values, sorted := values[:len(columns):len(columns)], values[len(columns):]
		if err := table.Format(values); err != nil {
			return fmt.Errorf("%w: use sums of amounts, not an average or a share", err)
		}
		return row(values, sorted)
	})
}

// text is the column as text. A number that is none, such as a share of nothing, is an empty text.
func (c Column) text() string {
	value := "toString(" + c.Name + ")"
	if c.Unit == Ratio || c.Unit == Duration {
		value = fmt.Sprintf("if(isFinite(%s), %s, '')", c.Name, value)
	}
	return fmt.Sprintf("ifNull(%s, '') AS %s_text", value, c.Name)
}

// moneyOf says which columns are money.
func moneyOf(columns []Column) *money.Table {
	table := &money.Table{Columns: columnNames(columns)}
	for i, c := range columns {
		if c.Name == currencyKey {
			table.Currency = i
		}
		if c.Unit == Money {
			table.Amounts = append(table.Amounts, i)
		}
	}
	return table
}
