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

// An event that could not be decoded leaves sales as if it had not happened. A retry makes the order's rows as they
// would have been: those that were missing are there, and those that were too many are not.
func TestARetriedEventCountsInSales(t *testing.T) {
	f := newFixture(t)
	f.placed("another", "FR", january, 1, 1_000_000)
	f.confirmed("another", january)
	f.placed("lacked", "FR", january, 3, 1_000_000)
	f.confirmed("lacked", january)
	f.placed("too many", "FR", january, 5, 1_000_000)
	f.linesCancelled("too many", january, 5, 1_000_000)
	f.confirmed("too many", january)
	_, stop := f.mirror()
	if _, err := analytics.NewReports(f.conn).Await(f.ctx, f.end()); err != nil {
		t.Fatal(err)
	}
	stop()
	want := f.salesChecksum()
	for _, parked := range []struct{ order, typ, sales string }{
		{"lacked", "order_placed", "DELETE FROM sales WHERE order_id = 'lacked'"},
		{"too many", "lines_cancelled", `INSERT INTO sales (partition, offset, order_id, reason, quantity, counted_at)
			SELECT partition, offset, order_id, 'confirmed', 5, occurred_at
			FROM orders WHERE order_id = 'too many' AND type = 'order_confirmed'`},
	} {
		of := fmt.Sprintf(" FROM orders WHERE order_id = '%s' AND type = '%s'", parked.order, parked.typ)
		letter := analytics.DeadLetter{
			Topic:     eventlog.TopicOrders,
			Partition: int32(f.value("SELECT toInt64(partition)" + of)), Offset: f.value("SELECT offset" + of),
		}
		for _, table := range []string{"events", "orders", "order_lines"} {
			f.execute(fmt.Sprintf("DELETE FROM %s WHERE topic = '%s' AND partition = %d AND offset = %d",
				table, letter.Topic, letter.Partition, letter.Offset))
		}
		f.execute(parked.sales)
		if f.salesChecksum() == want {
			t.Fatalf("%s: sales are what they would be with the event", parked.order)
		}
		if err := analytics.Retry(f.ctx, f.client, f.conn, letter); err != nil {
			t.Fatal(err)
		}
		if have := f.salesChecksum(); have != want {
			t.Errorf("%s: sales are %+v, not %+v", parked.order, have, want)
		}
	}
}
