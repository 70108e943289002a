package analytics

import (
	"context"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// DocumentFigures are the figures of the mirror about one imported document, or one adjustment of stock, in one month.
type DocumentFigures struct {
	// ID is the order ID of a document, or the reference of an adjustment.
	ID string
	// Month is for example "2026-02". Country is empty for figures of stock.
	Month, Country string
	// Rows is how many rows Quantity and Micros are summed over.
	Rows, Quantity int64
	Micros         int64
}

const monthText = "formatDateTime(occurred_at, '%Y-%m')"

// ImportedDocuments calls fn for each imported document, with its lines, units and money. Units and money are below 0
// for credit notes.
func (r *Reports) ImportedDocuments(ctx context.Context, fn func(DocumentFigures)) error {
	return r.documents(ctx, `SELECT order_id, `+monthText+` AS month,
    toString(any(country)), toInt64(count()), sum(quantity), sum(amount_micros)
FROM order_lines FINAL WHERE type IN ('order_imported', 'credit_note_imported') GROUP BY order_id, month`, fn)
}

// MovedForOrders calls fn for each order, with the units that left stock for it. Units are below 0 when more came back
// than left.
func (r *Reports) MovedForOrders(ctx context.Context, fn func(DocumentFigures)) error {
	return r.documents(ctx, `SELECT order_id, `+monthText+` AS month, '', toInt64(count()), -sum(on_hand_delta), toInt64(0)
FROM stock_ledger FINAL WHERE type IN ('stock_fulfilled', 'stock_restocked') GROUP BY order_id, month`, fn)
}

// Adjustments calls fn for each adjustment of stock.
func (r *Reports) Adjustments(ctx context.Context, fn func(DocumentFigures)) error {
	return r.documents(ctx, `SELECT reference, `+monthText+` AS month, '', toInt64(1), on_hand_delta, toInt64(0)
FROM stock_ledger FINAL WHERE type = 'stock_adjusted'`, fn)
}

func (r *Reports) documents(ctx context.Context, query string, fn func(DocumentFigures)) error {
	return r.conn.Each(ctx, query, readSettings, nil, func(rows clickhouse.Rows) error {
		var d DocumentFigures
		if err := rows.Scan(&d.ID, &d.Month, &d.Country, &d.Rows, &d.Quantity, &d.Micros); err != nil {
			return err
		}
		fn(d)
		return nil
	})
}
