package orderview_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/orderview"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// numbers are those of all orders, by ID.
func (f *fixture) numbers(s *orderview.Store) map[string]uint64 {
	f.T.Helper()
	all := map[string]uint64{}
	err := s.Each(f.Ctx, orderview.Filter{}, func(o *orderview.Order) error {
		all[o.ID] = o.Number
		return nil
	})
	if err != nil {
		f.T.Fatal(err)
	}
	return all
}

// Numbers are P·n + p for the n-th order of partition p, whatever kind of document begins there, and whatever follows.
// They are the same after a restart in the middle, and when the store is built again.
func TestOrdersAreNumberedAsTheyBeginInTheirPartitions(t *testing.T) {
	f := newFixture(t)
	dir := filepath.Join(t.TempDir(), "orders")
	want, counts := map[string]uint64{}, map[int32]uint64{}
	begun := func(id string) {
		p := f.PartitionOf(id)
		counts[p]++
		want[id] = uint64(f.Layout.PartitionCount)*counts[p] + uint64(p)
	}
	begin := func(from, to int) {
		for i := from; i < to; i++ {
			id := fmt.Sprintf("o-%d", i)
			f.life(id, "c-1")
			begun(id)
			id = fmt.Sprintf("refused-%d", i) // a document that comes again keeps its number
			document := func() *eventv1.ImportRequested {
				return &eventv1.ImportRequested{Document: &eventv1.ImportRequested_Order{
					Order: &eventv1.OrderImported{CustomerId: "c-2", Currency: "GBP"}}}
			}
			f.append(id, 1, schematest.OrderEvent(document()))
			begun(id)
			f.append(id, 2, schematest.OrderEvent(&eventv1.OrderRejected{}))
			f.append(id, 3, schematest.OrderEvent(document()))
		}
	}
	begin(0, 10)
	s, stop := f.open(dir)
	if got := f.numbers(s); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	stop()
	begin(10, 20)
	s, stop = f.open(dir)
	if got := f.numbers(s); !maps.Equal(got, want) {
		t.Errorf("after a restart %v, want %v", got, want)
	}
	begin(20, 25) // while it follows
	if err := s.WaitFor(f.Ctx, f.position()); err != nil {
		t.Fatal(err)
	}
	if got := f.numbers(s); !maps.Equal(got, want) {
		t.Errorf("while it follows %v, want %v", got, want)
	}
	f.findEach(s, want)
	stop()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s, _ = f.open(dir)
	if got := f.numbers(s); !maps.Equal(got, want) {
		t.Errorf("built again %v, want %v", got, want)
	}
	f.findEach(s, want)
}

// findEach finds each order by its number, and nothing by any other.
func (f *fixture) findEach(s *orderview.Store, want map[string]uint64) {
	f.T.Helper()
	byNumber := map[uint64]string{}
	for id, number := range want {
		if other := byNumber[number]; other != "" {
			f.T.Errorf("%s and %s have the number %d", id, other, number)
		}
		byNumber[number] = id
	}
	for number := uint64(1); number < uint64(f.Layout.PartitionCount)*uint64(len(want)+2); number++ {
		rows, next, err := s.List(f.Ctx, orderview.Filter{Number: number}, "", 5)
		if err != nil || next != "" || len(rows) > 1 {
			f.T.Fatalf("number %d: %s, %q, %v", number, rows, next, err)
		}
		var o orderview.Order
		if len(rows) == 1 {
			if err := json.Unmarshal(rows[0], &o); err != nil {
				f.T.Fatal(err)
			}
		}
		if o.ID != byNumber[number] || o.ID != "" && o.Number != number {
			f.T.Errorf("number %d is order %q with the number %d, want %q", number, o.ID, o.Number, byNumber[number])
		}
	}
}

// A number and another filter select the order that has both.
func TestANumberWithAnotherFilter(t *testing.T) {
	f := newFixture(t)
	f.life("o-1", "c-1")
	s, _ := f.open(t.TempDir())
	number := f.numbers(s)["o-1"]
	for _, c := range []struct {
		filter orderview.Filter
		want   int
	}{
		{orderview.Filter{Number: number, CustomerID: "c-1", Status: "completed"}, 1},
		{orderview.Filter{Number: number, CustomerID: "c-2"}, 0},
		{orderview.Filter{Number: number, Status: "placed"}, 0},
		{orderview.Filter{Number: number + 1}, 0},
	} {
		rows, _, err := s.List(f.Ctx, c.filter, "", 5)
		if err != nil || len(rows) != c.want {
			t.Errorf("%+v: %s, %v", c.filter, rows, err)
		}
	}
}
