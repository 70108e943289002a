package postgres

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// checks are what must hold after a run, each a query that counts what does not.
var checks = []struct{ what, query string }{
	{
		"SKUs of which more is reserved than there is", "SELECT count(*) FROM stock WHERE reserved > on_hand OR reserved < 0",
	},
	{
		"SKUs of which orders have another quantity than is reserved, or than units are gone",
		`SELECT count(*) FROM (SELECT sku, sum(quantity) AS n FROM order_lines GROUP BY sku) l
		FULL JOIN (
			SELECT sku, reserved AS n FROM stock WHERE reserved > 0
			UNION ALL
			SELECT r.sku, r.units - count(u.sku) FROM received r LEFT JOIN units u USING (sku)
			GROUP BY r.sku, r.units HAVING r.units > count(u.sku)) s USING (sku)
		WHERE l.n IS DISTINCT FROM s.n`,
	},
	{
		"orders without lines, or lines without an order",
		`SELECT count(*) FROM orders o FULL JOIN (SELECT DISTINCT order_number AS number FROM order_lines) l USING (number)
		WHERE o.order_id IS NULL OR l.number IS NULL`,
	},
	{
		"orders without an event in the outbox, or the other way round",
		"SELECT count(*) FROM orders o FULL JOIN outbox b USING (order_id) WHERE o.order_id IS NULL OR b.order_id IS NULL",
	},
}

// Check reads the tables after a run. Each of the orders must be there, as often as it was acknowledged: once.
func Check(ctx context.Context, dsn string, acknowledged []uuid.UUID) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var wrong int64
	for _, check := range checks {
		if err := conn.QueryRow(ctx, check.query).Scan(&wrong); err != nil {
			return fmt.Errorf("check %s: %w", check.what, err)
		}
		if wrong > 0 {
			return fmt.Errorf("%d %s", wrong, check.what)
		}
	}
	err = conn.QueryRow(ctx, `SELECT count(*) FROM unnest($1::uuid[]) AS a(order_id)
		LEFT JOIN orders o USING (order_id) WHERE o.order_id IS NULL`, acknowledged).Scan(&wrong)
	if err == nil && wrong > 0 {
		err = fmt.Errorf("%d of %d acknowledged orders are not in the database", wrong, len(acknowledged))
	}
	return err
}
