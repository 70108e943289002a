package analytics

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

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
func (p paging) wrap(query string, columns []string, resumed bool) string {
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
	where := ""
	if resumed {
		where = " WHERE " + strings.Join(after, " OR ")
	}
	return fmt.Sprintf("SELECT %s FROM (%s)%s ORDER BY %s LIMIT {limit:UInt32}",
		strings.Join(columns, ", "), query, where, strings.Join(order, ", "))
}

// report reads one page. It asks for one row more than the page has, to know whether there is another page.
func (r *Reports) report(
	ctx context.Context, query string, columns []ReportColumn, page paging, q ReportQuery,
) (*Report, error) {
	params, err := q.params(page)
	if err != nil {
		return nil, err
	}
	selected := []string{"key"}
	for _, col := range columns[1:] {
		if col.micros {
			selected = append(selected, "toString("+col.Name+") AS "+col.Name+"_text")
		} else {
			selected = append(selected, col.Name)
		}
	}
	out := &Report{Columns: columns}
	var raw [][]string
	query = page.wrap(query, selected, q.After != "")
	err = r.conn.Each(ctx, query, readSettings, params, func(rows clickhouse.Rows) error {
		values := make([]string, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		err := rows.Scan(targets...)
		raw = append(raw, values)
		return err
	})
	if err != nil {
		r.checked.Store(false)
		return nil, err
	}
	if len(raw) > q.Limit {
		raw = raw[:q.Limit]
		if out.Next, err = page.after(raw[q.Limit-1], columns); err != nil {
			return nil, err
		}
	}
	currency := slices.IndexFunc(columns, func(c ReportColumn) bool { return c.Name == "currency" })
	for _, values := range raw {
		for i, col := range columns {
			if col.micros {
				if values[i], err = money.FormatText(values[currency], values[i]); err != nil {
					return nil, fmt.Errorf("report: %w", err)
				}
			}
		}
		out.Rows = append(out.Rows, values)
	}
	return out, nil
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
	zone := time.UTC
	if q.Zone != nil {
		zone = q.Zone
	}
	params := clickhouse.Parameters{
		"tz":   zone.String(),
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
