package checkpoint

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
)

// heapBytes is what is reachable now.
func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// place fills an order that has so many lines, with a reservation for each.
func place(t *testing.T, st *Store, id string, lines int) {
	t.Helper()
	e, err := st.Order(id)
	if err != nil {
		t.Fatal(err)
	}
	e.Order.Version, e.Order.Lifecycle = 1, order.Reserved
	for i := range lines {
		sku := fmt.Sprint("sku-", i)
		e.Order.Lines = append(e.Order.Lines, order.Line{SKU: sku, Quantity: 1, UnitPriceMicros: 1_000_000})
		e.Reservations.Of(sku).Locations = []inventory.ReservationAt{{Location: "main", Reserved: 1}}
	}
	st.OrderChanged(e)
}

// TestTheCacheIsBoundedInBytes: what stays in memory is bounded by its size, whether entries are large or small, are
// written or only read.
func TestTheCacheIsBoundedInBytes(t *testing.T) {
	// The estimate is rough: what is there beside it when the test begins differs by a quarter of it between runs.
	const memory, allowed = 32 << 20, 40 << 20
	for _, c := range []struct{ orders, lines int }{{100, 2_000}, {80_000, 1}} {
		t.Run(fmt.Sprint(c.lines, " lines"), func(t *testing.T) {
			st, err := Open(t.TempDir(), Config{Foreign: func(string) bool { return false }, MemoryBytes: memory})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			})
			for !st.filter.complete { // the scan for it takes memory, too
				if err := st.Save(); err != nil {
					t.Fatal(err)
				}
				runtime.Gosched()
			}
			before, most, half := heapBytes(), int64(0), c.orders/2
			// What stays is measured: Pebble's flushes and compactions take more for as long as they run. Its cache of blocks is
			// fixed, and fills when they read.
			measure := func() {
				own := func() int64 { return heapBytes() - before - st.db.Metrics().BlockCache.Size }
				heap := own()
				for until := time.Now().Add(10 * time.Second); heap > allowed && time.Now().Before(until); {
					heap = own()
				}
				most = max(most, heap)
			}
			for i := range c.orders {
				place(t, st, fmt.Sprint("o-", i), c.lines)
				if err := st.EncodeBatch(); err != nil {
					t.Fatal(err)
				}
				if st.Full() || st.Unsaved() >= c.orders/20 {
					if err := st.Save(); err != nil {
						t.Fatal(err)
					}
				}
				if i%half == half-1 {
					measure()
				}
			}
			written := most
			for i := range c.orders {
				if _, err := st.Order(fmt.Sprint("o-", i)); err != nil {
					t.Fatal(err)
				}
				st.Age()
				if i%half == half-1 {
					measure()
				}
			}
			t.Logf("%d orders of %d lines: %d MiB written, %d MiB in all, %d cached", c.orders, c.lines, written>>20, most>>20,
				st.Cached())
			if most > allowed {
				t.Errorf("%d MiB are in memory, and %d are allowed\n%s", most>>20, allowed>>20, st.db.Metrics())
			}
			if st.Cached() < 10 {
				t.Errorf("only %d orders are in memory", st.Cached())
			}
		})
	}
}
