package analytics_test

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// The rows of sales do not depend on what a projector remembers. One projector mirrors a log of orders at once. Another
// one starts anew before each event of the orders, and has to read all earlier ones from the mirror.
func TestSalesAreTheSameAfterRestarts(t *testing.T) {
	f := newFixture(t)
	const orders = 30
	id := func(n int) string { return fmt.Sprintf(`order '%d\`, n) } // IDs that need quoting in SQL
	steps := []func(n int){
		func(n int) { f.placed(id(n), "FR", january, 5, 1_005_000) },
		func(n int) { f.linesCancelled(id(n), january, 1, 1_005_000) },
		func(n int) { f.confirmed(id(n), january) },
		func(n int) {
			if n%3 == 0 {
				f.linesCancelled(id(n), february, 1, 1_005_000)
			}
		},
		func(n int) {
			if n%2 == 0 {
				f.cancelled(id(n), march)
			}
		},
	}
	for _, step := range steps {
		for n := range orders {
			step(n)
		}
		_, stop := f.mirror(func(cfg *analytics.Config) { cfg.FlushRows = 7 })
		if _, err := analytics.NewReports(f.conn).Await(f.ctx, f.end()); err != nil {
			t.Fatal(err)
		}
		stop()
	}
	restarted := f.salesChecksum()
	// Four units are confirmed of each order. Those of even orders are all taken off again, those of each third one once.
	left := int64(0)
	for n := range orders {
		if n%2 == 1 {
			left += 4
			if n%3 == 0 {
				left--
			}
		}
	}
	if got := f.value("SELECT sum(quantity) FROM sales FINAL"); got != left {
		t.Errorf("%d units are sold, not %d", got, left)
	}
	f.conn = openAt(t, chdbtest.Database(t))
	_, stop := f.mirror()
	defer stop()
	if _, err := analytics.NewReports(f.conn).Await(f.ctx, f.end()); err != nil {
		t.Fatal(err)
	}
	if atOnce := f.salesChecksum(); atOnce != restarted {
		t.Errorf("sales after restarts: %+v, mirrored at once: %+v", restarted, atOnce)
	}
}

func (f *fixture) salesChecksum() analytics.Checksum {
	f.t.Helper()
	sums, err := analytics.NewReports(f.conn).Checksums(f.ctx, fmt.Sprintf("topic = '%s'", eventlog.TopicOrders))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, sum := range sums {
		if sum.Table == "sales" && sum.Rows > 0 {
			return sum
		}
	}
	f.t.Fatalf("no rows in sales: %v", sums)
	return analytics.Checksum{}
}
