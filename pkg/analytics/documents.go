package analytics

import (
	"context"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// DocumentFigures are what the mirror holds of one past document, or of one adjustment of stock, in a month.
type DocumentFigures struct {
	// ID is the order's, or of an adjustment its reference.
	ID             string
	Month, Country string
	Rows, Quantity int64
	Micros         int64
}

const monthText = "formatDateTime(occurred_at, '%Y-%m')"

// ImportedDocuments hands over the past documents: lines, units and money, below 0 on credit notes.
func (r *Reports) ImportedDocuments(ctx context.Context, fn func(DocumentFigures)) error {
	return r.documents(ctx, `SELECT order_id, `+monthText+` AS month, toString(any(country)), toInt64(count()), sum(quantity), sum(amount_micros)
FROM order_lines FINAL WHERE type IN ('order_imported', 'credit_note_imported') GROUP BY order_id, month`, fn)
}

// MovedForOrders hands over the units that left stock for orders, below 0 where they came back.
func (r *Reports) MovedForOrders(ctx context.Context, fn func(DocumentFigures)) error {
	return r.documents(ctx, `SELECT order_id, `+monthText+` AS month, '', toInt64(count()), -sum(on_hand_delta), toInt64(0)
FROM stock_ledger FINAL WHERE type IN ('stock_fulfilled', 'stock_restocked') GROUP BY order_id, month`, fn)
}

// Adjustments hands over the changes of stock by hand, one for each event.
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
