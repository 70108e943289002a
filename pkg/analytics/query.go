package analytics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// readSettings make FINAL cheaper: all rows with the same key are in the same month, so ClickHouse need not merge the
// partitions of different months with each other.
var readSettings = clickhouse.Settings{"do_not_merge_across_partitions_select_final": 1}

// Dimension is what a report is grouped by.
type Dimension string

// The dimensions. RevenueDimensions and StockDimensions say which report supports which.
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

// dimension is the name of a dimension's column in the answer, and its expression in SQL.
type dimension struct{ column, expression string }

var dimensions = map[Dimension]dimension{
	ByMonth:    {"month", "formatDateTime(toTimeZone(occurred_at, {tz:String}), '%Y-%m')"},
	ByDay:      {"day", "formatDateTime(toTimeZone(occurred_at, {tz:String}), '%Y-%m-%d')"},
	ByCountry:  {"country", "toString(country)"},
	BySKU:      {"sku", "sku"},
	ByCustomer: {"customer_id", "customer_id"},
	ByLocation: {"location", "toString(location)"},
	ByReason:   {"reason", "toString(reason)"},
	ByType:     {"type", "toString(type)"},
}

// RevenueDimensions and StockDimensions are the dimensions of each report.
var (
	RevenueDimensions = []Dimension{ByMonth, ByDay, ByCountry, BySKU, ByCustomer}
	StockDimensions   = []Dimension{ByMonth, ByDay, BySKU, ByLocation, ByReason, ByType}
)

// FirstTime and LastTime are the earliest and the latest time that a report can be limited to.
var (
	FirstTime = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	LastTime  = time.Date(2299, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// ReportQuery chooses a page of a report.
type ReportQuery struct {
	By Dimension
	// From and To limit the time of the events: From is included, To is not. Zero means FirstTime and LastTime.
	From, To time.Time
	// Zone is the time zone of days and months; nil: UTC.
	Zone *time.Location
	// Currency, SKU and Location choose rows; empty means all. Revenue has no Location, StockMovements no Currency.
	Currency, SKU, Location string
	Limit                   int
	// After is Next of the previous page; empty means the first page.
	After string
}

// ZoneName is the name of Zone.
func (q ReportQuery) ZoneName() string {
	if q.Zone == nil {
		return time.UTC.String()
	}
	return q.Zone.String()
}

// Report is a page of a report. Values are text, so that numbers and money are exact.
type Report struct {
	Columns []ReportColumn
	Rows    [][]string
	// Next is the cursor of the next page; empty on the last page.
	Next string
}

// ReportColumn is a column of a report.
type ReportColumn struct {
	Name string
	// Number is true for whole numbers. Text and money are not.
	Number bool
	// micros is true for money, which ClickHouse returns in millionths.
	micros bool
}

// ErrCursor is the error for a ReportQuery.After that is not a cursor of this report.
var ErrCursor = errors.New("the cursor is not one of this report")

// Revenue sums up what was sold. It counts:
//   - the lines of imported orders and credit notes, when they happened;
//   - the lines of a placed order, when the order is confirmed, and against revenue when it is cancelled after that;
//   - lines that are cancelled, returned or amended, when that happens, or with the confirmation if that is later.
//
// orders, credit_notes, lines and quantity are about goods. Money is of goods, discounts, charges and taxes together:
// revenue_rounded is what orders cost, rounded to the minor unit of their currency as they are, and revenue, sales and
// credits are exact. goods, discounts, charges and tax are the parts of revenue, and net is revenue without tax.
//
// Months and days are in order. Other dimensions are sorted by revenue_rounded, the most first.
func (r *Reports) Revenue(ctx context.Context, q ReportQuery) (*Report, error) {
	return r.read(ctx, revenueBy(q.By), q)
}

// StreamRevenue sends all rows of Revenue to a sink, without keeping them in memory. Limit and After do not count.
func (r *Reports) StreamRevenue(ctx context.Context, q ReportQuery, sink Sink) error {
	return r.stream(ctx, revenueBy(q.By), q, sink)
}

func revenueBy(by Dimension) question {
	columns := []ReportColumn{
		{Name: dimensions[by].column}, {Name: "currency"},
		{Name: "orders", Number: true}, {Name: "credit_notes", Number: true},
		{Name: "lines", Number: true}, {Name: "quantity", Number: true},
		{Name: "sales", micros: true}, {Name: "credits", micros: true}, {Name: "revenue", micros: true},
		{Name: "revenue_rounded", micros: true},
		{Name: "goods", micros: true}, {Name: "discounts", micros: true}, {Name: "charges", micros: true},
		{Name: "tax", micros: true}, {Name: "net", micros: true},
	}
	page := paging{order: []sortKey{
		{"revenue_rounded", "Int128", true}, {"key", "String", false}, {"currency", "String", false},
	}}
	if by == ByMonth || by == ByDay {
		page.order = page.order[1:]
	}
	return question{fmt.Sprintf(revenueQuery, dimensions[by].expression), columns, page}
}

// The filters choose rows by the parameters of a query. An empty parameter chooses all.
const (
	currencyFilter = "({currency:String} = '' OR currency = {currency:String})"
	skuFilter      = "({sku:String} = '' OR sku = {sku:String})"
	locationFilter = "({location:String} = '' OR location = {location:String})"
	timeFilter     = "occurred_at >= {from:DateTime64(6, 'UTC')} AND occurred_at < {to:DateTime64(6, 'UTC')}"
)

// revenueQuery sums up the lines of sales. An order counts once, however often it was amended.
const revenueQuery = `SELECT %s AS key, toString(code) AS currency,
    toString(uniqExactIf(order_id, units > 0)) AS orders, toString(uniqExactIf(order_id, units < 0)) AS credit_notes,
    toString(countIf(units != 0)) AS lines, toString(sum(units)) AS quantity,
    sumIf(toInt128(micros), sold) AS sales, sumIf(toInt128(micros), NOT sold) AS credits,
    sum(toInt128(micros)) AS revenue, sum(toInt128(micros) + rounding) AS revenue_rounded,
    sumIf(toInt128(micros), kind = 'goods') AS goods, sumIf(toInt128(micros), kind = 'discount') AS discounts,
    sumIf(toInt128(micros), kind = 'charge') AS charges, sumIf(toInt128(micros), kind = 'tax') AS tax,
    sumIf(toInt128(micros), kind != 'tax') AS net
FROM (
    SELECT order_id, customer_id, country, currency AS code, sku, kind, quantity AS units, amount_micros AS micros,
        rounding_micros AS rounding, counted_at AS occurred_at,
        if(kind = 'goods', quantity > 0, (amount_micros > 0) != (kind = 'discount')) AS sold
    FROM sales FINAL
    WHERE ` + timeFilter + ` AND ` + currencyFilter + ` AND ` + skuFilter + `
)
GROUP BY key, currency`

// StockMovements sums up the units that came in and went out: the changes of on_hand.
func (r *Reports) StockMovements(ctx context.Context, q ReportQuery) (*Report, error) {
	return r.read(ctx, stockMovementsBy(q.By), q)
}

// StreamStockMovements is to StockMovements what StreamRevenue is to Revenue.
func (r *Reports) StreamStockMovements(ctx context.Context, q ReportQuery, sink Sink) error {
	return r.stream(ctx, stockMovementsBy(q.By), q, sink)
}

func stockMovementsBy(by Dimension) question {
	columns := []ReportColumn{
		{Name: dimensions[by].column}, {Name: "movements", Number: true},
		{Name: "units_in", Number: true}, {Name: "units_out", Number: true}, {Name: "net", Number: true},
	}
	page := paging{order: []sortKey{{"key", "String", false}}}
	return question{fmt.Sprintf(stockQuery, dimensions[by].expression), columns, page}
}

const stockQuery = `SELECT %s AS key, toString(count()) AS movements,
    toString(sumIf(toInt128(on_hand_delta), on_hand_delta > 0)) AS units_in,
    toString(-sumIf(toInt128(on_hand_delta), on_hand_delta < 0)) AS units_out,
    toString(sum(toInt128(on_hand_delta))) AS net
FROM stock_ledger FINAL
WHERE on_hand_delta != 0 AND ` + timeFilter + ` AND ` + skuFilter + ` AND ` + locationFilter + `
GROUP BY key`
