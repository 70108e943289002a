package analytics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/money"
)

// sortKey is a column that a report is sorted by.
type sortKey struct {
	name, typ  string
	descending bool
}

// paging divides a report into pages. A page begins after the sort keys of the last row of the previous page.
type paging struct{ order []sortKey }

// wrap turns the query for all rows into the query for one page. For a report sorted by revenue and key, the second
// page has the rows with less revenue, or the same revenue and a greater key.
// limited: the query has the parameter limit.
func (p paging) wrap(query string, columns []string, resumed, limited bool) string {
	var order, after []string
	for i, key := range p.order {
		direction, than := "", ">"
		if key.descending {
			direction, than = " DESC", "<"
		}
		order = append(order, key.name+direction)
		var terms []string
		for j, before := range p.order[:i] {
			terms = append(terms, fmt.Sprintf("%s = {after%d:%s}", before.name, j, before.typ))
		}
		terms = append(terms, fmt.Sprintf("%s %s {after%d:%s}", key.name, than, i, key.typ))
		after = append(after, "("+strings.Join(terms, " AND ")+")")
	}
	where, limit := "", ""
	if resumed {
		where = " WHERE " + strings.Join(after, " OR ")
	}
	if limited {
		limit = " LIMIT {limit:UInt32}"
	}
	return fmt.Sprintf("SELECT %s FROM (%s)%s ORDER BY %s%s",
		strings.Join(columns, ", "), query, where, strings.Join(order, ", "), limit)
}

// question is a report in terms of the mirror: the query for all its rows, its columns and their order.
type question struct {
	query   string
	columns []ReportColumn
	page    paging
}

// read reads one page. It asks for one row more than the page has, to know whether there is another page.
func (r *Reports) read(ctx context.Context, ask question, q ReportQuery) (*Report, error) {
	out, table := &Report{Columns: ask.columns}, ask.table()
	var last []string
	err := r.each(ctx, ask, q, readSettings, true, func(raw []string) (err error) {
		if len(out.Rows) == q.Limit {
			out.Next, err = ask.page.after(last, ask.columns)
			return err
		}
		last = slices.Clone(raw)
		out.Rows = append(out.Rows, raw)
		return table.Format(raw)
	})
	if err != nil {
		r.checked.Store(false)
		return nil, err
	}
	return out, nil
}

// stream sends all rows to a sink. What is in the way of the first one comes before Begin.
func (r *Reports) stream(ctx context.Context, ask question, q ReportQuery, sink Sink) error {
	q.After = ""
	table := ask.table()
	refused, err := r.whole.Stream(ctx, sink, table.Columns,
		func(ctx context.Context, settings clickhouse.Settings, row func(values []string) error) error {
			maps.Copy(settings, readSettings)
			return r.each(ctx, ask, q, settings, false, func(values []string) error {
				if err := table.Format(values); err != nil {
					return err
				}
				return row(values)
			})
		})
	switch {
	case refused != nil:
		return refused
	case clickhouse.IsTooMuch(err), errors.Is(err, context.DeadlineExceeded):
		return &ReportTooLargeError{r.whole, err}
	case err != nil:
		r.checked.Store(false)
		return err
	}
	return nil
}

// table says which columns are money.
func (ask question) table() *money.Table {
	table := &money.Table{}
	for i, col := range ask.columns {
		table.Columns = append(table.Columns, col.Name)
		if col.Name == "currency" {
			table.Currency = i
		}
		if col.micros {
			table.Amounts = append(table.Amounts, i)
		}
	}
	return table
}

// each runs the query of a report, and calls row with the values of each row as ClickHouse has them.
func (r *Reports) each(
	ctx context.Context, ask question, q ReportQuery, settings clickhouse.Settings, limited bool,
	row func(raw []string) error,
) error {
	params, err := q.params(ask.page)
	if err != nil {
		return err
	}
	selected := []string{"key"}
	for _, col := range ask.columns[1:] {
		if col.micros {
			selected = append(selected, "toString("+col.Name+") AS "+col.Name+"_text")
		} else {
			selected = append(selected, col.Name)
		}
	}
	query := ask.page.wrap(ask.query, selected, q.After != "", limited)
	return r.conn.Each(ctx, query, settings, params, func(rows clickhouse.Rows) error {
		values := make([]string, len(ask.columns))
		targets := make([]any, len(ask.columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		return row(values)
	})
}

// params are the parameters of the query. The cursor is a JSON array of the sort keys of a row.
func (q ReportQuery) params(page paging) (clickhouse.Parameters, error) {
	from, to := q.From, q.To
	if from.IsZero() {
		from = FirstTime
	}
	if to.IsZero() {
		to = LastTime
	}
	const layout = "2006-01-02 15:04:05.000000"
	params := clickhouse.Parameters{
		"tz":   q.ZoneName(),
		"from": from.UTC().Format(layout), "to": to.UTC().Format(layout),
		"currency": q.Currency, "sku": q.SKU, "location": q.Location, "limit": strconv.Itoa(q.Limit + 1),
	}
	if q.After == "" {
		return params, nil
	}
	var after []string
	if err := json.Unmarshal([]byte(q.After), &after); err != nil || len(after) != len(page.order) {
		return nil, ErrCursor
	}
	for i, key := range page.order {
		if _, ok := new(big.Int).SetString(after[i], 10); key.typ != "String" && !ok {
			return nil, ErrCursor
		}
		params["after"+strconv.Itoa(i)] = after[i]
	}
	return params, nil
}

// after is the cursor of the page after a row. The row's values are as ClickHouse returned them.
func (p paging) after(values []string, columns []ReportColumn) (string, error) {
	var keys []string
	for _, key := range p.order {
		for i, col := range columns {
			if col.Name == key.name || (key.name == "key" && i == 0) {
				keys = append(keys, values[i])
			}
		}
	}
	cursor, err := json.Marshal(keys)
	if err != nil {
		return "", fmt.Errorf("make a cursor: %w", err)
	}
	return string(cursor), nil
}
