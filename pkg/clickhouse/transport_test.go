package clickhouse_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

// A query with a deadline may be silent for longer than the read timeout, and one without may not.
func TestADeadlineReplacesTheReadTimeout(t *testing.T) {
	const readTimeout = 250 * time.Millisecond
	conn, err := clickhouse.OpenWithReadTimeout(chdbtest.Database(t), readTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := conn.Migrate(ctx, &clickhouse.Migrations{}); err != nil {
		t.Fatal(err)
	}
	// The sum is there after a second.
	ask := func(ctx context.Context) (sum uint64, err error) {
		const query = "SELECT sum(sleepEachRow(0.25) + 1) FROM numbers(4)"
		err = conn.Each(ctx, query, nil, nil, func(rows clickhouse.Rows) error { return rows.Scan(&sum) })
		return sum, err
	}
	if sum, err := ask(ctx); err != nil || sum != 4 {
		t.Errorf("with a deadline: %d, %v", sum, err)
	}
	if _, err := ask(context.WithoutCancel(ctx)); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("without a deadline: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	if _, err := ask(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beyond its deadline: %v", err)
	}
}
