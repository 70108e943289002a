package analytics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/money"
)

// readSettings: a key's rows all stand in one month, so months need not be merged with each other.
var readSettings = clickhouse.Settings{"do_not_merge_across_partitions_select_final": 1}

// Dimension is what the rows of a report stand for.
type Dimension string

// The dimensions. Each report takes some.
const (
	ByMonth    Dimension = "month"
	ByDay      Dimension = "day"
	ByCountry  Dimension = "country"
	BySKU      Dimension = "sku"
	ByCustomer Dimension = "customer"
	ByLocation Dimension = "location"
	ByReason   Dimension = "reason"
	ByType     Dimension = "type"
)

// dimension is how a key is made in SQL, and what it is called in an answer.
type dimension struct{ column, expression string }

var dimensions = map[Dimension]dimension{
	ByMonth:    {"month", "formatDateTime(occurred_at, '%Y-%m')"},
	ByDay:      {"day", "formatDateTime(occurred_at, '%Y-%m-%d')"},
	ByCountry:  {"country", "toString(country)"},
	BySKU:      {"sku", "sku"},
	ByCustomer: {"customer_id", "customer_id"},
	ByLocation: {"location", "toString(location)"},
	ByReason:   {"reason", "toString(reason)"},
	ByType:     {"type", "toString(type)"},
}

// RevenueDimensions and StockDimensions are those of each report.
var (
	RevenueDimensions = []Dimension{ByMonth, ByDay, ByCountry, BySKU, ByCustomer}
	StockDimensions   = []Dimension{ByMonth, ByDay, BySKU, ByLocation, ByReason, ByType}
)

// The times that a report can be bounded by.
var (
	FirstTime = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	LastTime  = time.Date(2299, 12, 31, 0, 0, 0, 0, time.UTC)
)

// ReportQuery chooses a page of a report.
type ReportQuery struct {
	By Dimension
	// From and To bound the time of what happened, To excluded. Zero: FirstTime and LastTime.
	From, To time.Time
	// Currency, SKU and Location choose rows; empty: all. Revenue has no locations, stock no currency.
	Currency, SKU, Location string
	Limit                   int
	// After is Next of the page before; empty: the first page.
	After string
}

// Report is a page: rows of values under columns. Numbers and money are written as text, exactly.
type Report struct {
	Columns []ReportColumn
	Rows    [][]string
	// Next continues behind the last row; empty on the last page.
	Next string
}

// ReportColumn is a column of a report.
type ReportColumn struct {
	Name string
	// Number says that values are whole numbers; otherwise they are text, money too.
	Number bool
	micros bool
}

// ErrCursor says that After is none that this report gave.
var ErrCursor = errors.New("the cursor is not one of this report")

// Revenue adds up what was sold: lines of imported orders, of credit notes, and of placed orders from the moment
// they are confirmed, with what amendments add or take off, taken off again when lines or the whole of a confirmed order
// are cancelled, or come back. Months and days come in order, others
// with the most revenue first.
func (r *Reports) Revenue(ctx context.Context, q ReportQuery) (*Report, error) {
	columns := []ReportColumn{
		{Name: dimensions[q.By].column}, {Name: "currency"}, {Name: "orders", Number: true}, {Name: "credit_notes", Number: true},
		{Name: "lines", Number: true}, {Name: "quantity", Number: true},
		{Name: "sales", micros: true}, {Name: "credits", micros: true}, {Name: "revenue", micros: true},
	}
	query := fmt.Sprintf(revenueQuery, dimensions[q.By].expression)
	page := paging{order: []sortKey{{"revenue", "Int128", true}, {"key", "String", false}, {"currency", "String", false}}}
	if q.By == ByMonth || q.By == ByDay {
		page.order = page.order[1:]
	}
	return r.report(ctx, query, columns, page, q)
}

// moneyFilter is common to both halves of revenue.
const moneyFilter = "({currency:String} = '' OR currency = {currency:String}) AND ({sku:String} = '' OR sku = {sku:String})"

const timeFilter = "occurred_at >= {from:DateTime64(6, 'UTC')} AND occurred_at < {to:DateTime64(6, 'UTC')}"

const revenueQuery = `WITH changes AS (
    SELECT order_id, occurred_at, toInt64(1) AS sign FROM orders FINAL WHERE type = 'order_confirmed' AND ` + timeFilter + `
    UNION ALL
    SELECT order_id, occurred_at, toInt64(-1) AS sign FROM orders FINAL WHERE type = 'order_cancelled' AND ` + timeFilter + `
        AND order_id IN (SELECT order_id FROM orders WHERE type = 'order_confirmed')
), sold AS (
    SELECT order_id, customer_id, country, currency AS code, sku, quantity AS units, amount_micros AS micros, occurred_at FROM order_lines FINAL
    WHERE type IN ('order_imported', 'credit_note_imported') AND ` + timeFilter + ` AND ` + moneyFilter + `
    UNION ALL
    SELECT order_id, customer_id, country, currency, sku, sign * quantity, sign * amount_micros, changes.occurred_at FROM (
        SELECT order_id, customer_id, country, currency, sku, quantity, amount_micros FROM order_lines FINAL
        WHERE type = 'order_placed' AND ` + moneyFilter + `) AS placed
    INNER JOIN changes USING (order_id)
    UNION ALL
    SELECT order_id, customer_id, country, currency, sku, sign * quantity, sign * amount_micros, greatest(later.changed_at, turned.turned_at) AS occurred_at FROM (
        SELECT order_id, sku, quantity, amount_micros, occurred_at AS changed_at FROM order_lines FINAL
        WHERE type IN ('lines_cancelled', 'return_received', 'order_amended') AND ({sku:String} = '' OR sku = {sku:String})) AS later
    INNER JOIN (
        SELECT order_id, customer_id, country, currency FROM orders FINAL
        WHERE type = 'order_placed' AND ({currency:String} = '' OR currency = {currency:String})) AS placed USING (order_id)
    INNER JOIN (
        SELECT order_id, occurred_at AS turned_at, if(type = 'order_confirmed', toInt64(1), toInt64(-1)) AS sign FROM orders FINAL
        WHERE type = 'order_confirmed' OR type = 'order_cancelled' AND order_id IN (SELECT order_id FROM orders WHERE type = 'order_confirmed')) AS turned USING (order_id)
    WHERE ` + timeFilter + `
)
SELECT %s AS key, toString(code) AS currency,
    toString(uniqExactIf(order_id, units > 0)) AS orders, toString(uniqExactIf(order_id, units < 0)) AS credit_notes,
    toString(count()) AS lines, toString(sum(units)) AS quantity,
    sumIf(toInt128(micros), units > 0) AS sales, sumIf(toInt128(micros), units < 0) AS credits,
    sum(toInt128(micros)) AS revenue
FROM sold GROUP BY key, currency`

// StockMovements adds up what came in and went out: changes of on_hand, in units.
func (r *Reports) StockMovements(ctx context.Context, q ReportQuery) (*Report, error) {
	columns := []ReportColumn{
		{Name: dimensions[q.By].column}, {Name: "movements", Number: true},
		{Name: "units_in", Number: true}, {Name: "units_out", Number: true}, {Name: "net", Number: true},
	}
	page := paging{order: []sortKey{{"key", "String", false}}}
	return r.report(ctx, fmt.Sprintf(stockQuery, dimensions[q.By].expression), columns, page, q)
}

const stockQuery = `SELECT %s AS key, toString(count()) AS movements,
    toString(sumIf(toInt128(on_hand_delta), on_hand_delta > 0)) AS units_in,
    toString(-sumIf(toInt128(on_hand_delta), on_hand_delta < 0)) AS units_out,
    toString(sum(toInt128(on_hand_delta))) AS net
FROM stock_ledger FINAL
WHERE on_hand_delta != 0 AND ` + timeFilter + ` AND ({sku:String} = '' OR sku = {sku:String}) AND ({location:String} = '' OR location = {location:String})
GROUP BY key`

// sortKey is a column that a report is sorted by.
type sortKey struct {
	name, typ  string
	descending bool
}

// paging says how a report is cut into pages: each begins behind the sort keys of the last row before.
type paging struct{ order []sortKey }

// wrap puts the query of all rows into that of a page.
func (p paging) wrap(query string, columns []string, resumed bool) string {
	var order, behind []string
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
		behind = append(behind, "("+strings.Join(terms, " AND ")+")")
	}
	where := ""
	if resumed {
		where = " WHERE " + strings.Join(behind, " OR ")
	}
	return fmt.Sprintf("SELECT %s FROM (%s)%s ORDER BY %s LIMIT {limit:UInt32}",
		strings.Join(columns, ", "), query, where, strings.Join(order, ", "))
}

// report asks for one row more than wanted, to know whether there is another page.
func (r *Reports) report(ctx context.Context, query string, columns []ReportColumn, page paging, q ReportQuery) (*Report, error) {
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
	err = r.conn.Each(ctx, page.wrap(query, selected, q.After != ""), readSettings, params, func(rows clickhouse.Rows) error {
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
		r.fit.Store(false)
		return nil, err
	}
	if len(raw) > q.Limit {
		raw = raw[:q.Limit]
		if out.Next, err = page.after(raw[q.Limit-1], columns); err != nil {
			return nil, err
		}
	}
	for _, values := range raw {
		for i, col := range columns {
			if col.micros {
				values[i] = formatMicros(values[i])
			}
		}
		out.Rows = append(out.Rows, values)
	}
	return out, nil
}

// params are the values of the query. The cursor is a JSON array of the sort keys.
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

// after is the cursor behind a row as ClickHouse gave it.
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

// formatMicros writes a sum of millionths, which may be greater than an amount, as a decimal.
func formatMicros(micros string) string {
	if n, err := strconv.ParseInt(micros, 10, 64); err == nil {
		return money.Format(n)
	}
	cut := len(micros) - money.MaxDecimals // beyond int64 there are more digits than decimals
	return strings.TrimRight(strings.TrimRight(micros[:cut]+"."+micros[cut:], "0"), ".")
}
