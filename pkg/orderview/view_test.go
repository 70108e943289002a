package orderview_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/orderview"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

type fixture struct {
	*logtest.Log
	last eventlog.Offsets

	metrics *prometheus.Registry // of the last store
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return &fixture{Log: logtest.New(t, eventlog.Layout{PartitionCount: 3, ShardCount: 1}), last: eventlog.Offsets{}}
}

func (f *fixture) append(id string, version uint64, ev *eventv1.OrderEvent) {
	f.T.Helper()
	ev.OrderId = id
	ev.Meta = &eventv1.Meta{
		EventId: make([]byte, 16), Version: version, Cause: eventv1.Cause_CAUSE_COMMAND,
		OccurredAtMicros: 1_700_000_000_000_000 + int64(version), RecordedAtMicros: 1_700_000_000_000_000 + int64(version),
	}
	v, err := ev.MarshalVT()
	if err != nil {
		f.T.Fatal(err)
	}
	f.last.Merge(f.Write(eventlog.TopicOrders, f.PartitionOf(id), id, v).Offsets())
}

// position is that of what was written last.
func (f *fixture) position() eventlog.Position { return eventlog.PositionOf(f.last) }

// life writes an order from its placement to its delivery.
func (f *fixture) life(id, customer string) {
	lines := []*eventv1.OrderLine{
		{Sku: "A", Quantity: 2, UnitPriceMicros: 2_550_000}, {Sku: "A", Quantity: 1, UnitPriceMicros: 2_550_000},
	}
	f.append(id, 1, schematest.OrderEvent(&eventv1.OrderPlacedV2{
		CustomerId: customer, Currency: "GBP", Lines: lines, SubtotalMicros: 7_650_000, TotalMicros: 7_650_000}))
	f.append(id, 2, schematest.OrderEvent(&eventv1.OrderReserved{}))
	f.append(id, 3, schematest.OrderEvent(&eventv1.PaymentAuthorizedV3{AmountMicros: 7_650_000}))
	f.append(id, 4, schematest.OrderEvent(&eventv1.OrderConfirmed{}))
	ship := []*eventv1.LineQuantity{{Sku: "A", Quantity: 3}}
	f.append(id, 5, schematest.OrderEvent(&eventv1.LinesShippedV2{FulfilmentId: "f1", Lines: ship}))
	f.append(id, 6, schematest.OrderEvent(&eventv1.LinesDeliveredV2{FulfilmentId: "f1", Lines: ship}))
}

func (f *fixture) open(dir string) (s *orderview.Store, stop func()) {
	f.T.Helper()
	f.metrics = prometheus.NewRegistry()
	s, err := orderview.Open(orderview.Config{Dir: dir, Client: f.Client, Layout: f.Layout, Registerer: f.metrics})
	if err != nil {
		f.T.Fatal(err)
	}
	end := f.Background(s.Run)
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			end()
			if err := s.Close(); err != nil {
				f.T.Error(err)
			}
		}
	}
	f.T.Cleanup(stop)
	if err := s.WaitFor(f.Ctx, eventlog.PositionOf(f.last)); err != nil {
		f.T.Fatal(err)
	}
	return s, stop
}

func TestAnOrderTellsItsLife(t *testing.T) {
	f := newFixture(t)
	f.life("o-1", "c-1")
	s, _ := f.open(t.TempDir())
	body, version, ok, err := s.Order("o-1")
	if err != nil || !ok || version != 6 {
		t.Fatalf("%v %v %d", err, ok, version)
	}
	var o orderview.Order
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatal(err)
	}
	if o.Status != "completed" || o.PaymentStatus != "authorized" || o.FulfilmentStatus != "delivered" ||
		o.Total != "7.65" || len(o.Timeline) != 6 {
		t.Fatalf("%s", body)
	}
	if o.Timeline[4].Type != "lines_shipped" || o.Timeline[4].FulfilmentID != "f1" || o.Lines[1].Delivered != 1 {
		t.Fatalf("%s", body)
	}
	if _, _, ok, _ := s.Order("o-2"); ok {
		t.Fatal("an order that nobody placed")
	}
}

func TestListsByCustomerAndStatus(t *testing.T) {
	f := newFixture(t)
	for i := range 5 {
		f.life(fmt.Sprintf("o-%d", i), fmt.Sprintf("c-%d", i%2))
	}
	s, _ := f.open(t.TempDir())
	count := func(customer, status string, page int) (n int) {
		for after := ""; ; {
			rows, next, err := s.List(f.Ctx, orderview.Filter{CustomerID: customer, Status: status}, after, page)
			if err != nil {
				t.Fatal(err)
			}
			n += len(rows)
			if after = next; next == "" {
				return n
			}
		}
	}
	all := func(customer, status string) (n int) {
		var before string
		filter := orderview.Filter{CustomerID: customer, Status: status}
		err := s.Each(f.Ctx, filter, func(o *orderview.Order) error {
			rows, next, err := s.List(f.Ctx, filter, before, 1) // in the same order
			if err != nil || len(rows) != 1 || !strings.Contains(string(rows[0]), `"order_id":"`+o.ID+`"`) ||
				n > 0 && before == "" {
				t.Errorf("%q %q: order %d is %s; the list has %s, %v", customer, status, n, o.ID, rows, err)
			}
			before = next
			n++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, c := range []struct {
		customer, status string
		want             int
	}{
		{"", "", 5}, {"c-0", "", 3}, {"c-1", "", 2}, {"", "completed", 5}, {"", "placed", 0}, {"c-1", "completed", 2},
		{"c-1", "reserved", 0},
	} {
		for _, page := range []int{1, 2, 100} {
			if n := count(c.customer, c.status, page); n != c.want {
				t.Errorf("%q %q in pages of %d: %d orders, want %d", c.customer, c.status, page, n, c.want)
			}
		}
		if n := all(c.customer, c.status); n != c.want {
			t.Errorf("%q %q: %d orders one by one, want %d", c.customer, c.status, n, c.want)
		}
	}
}

func TestTheStoreComesBackEqualFromTheLog(t *testing.T) {
	f := newFixture(t)
	dir := filepath.Join(t.TempDir(), "orders")
	f.life("o-1", "c-1")
	s, stop := f.open(dir)
	before, _, _, _ := s.Order("o-1")
	stop()
	f.life("o-2", "c-1") // while it is down
	s, stop = f.open(dir)
	if _, _, ok, _ := s.Order("o-2"); !ok {
		t.Fatal("it does not go on where it stopped")
	}
	stop()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s, _ = f.open(dir)
	after, _, _, _ := s.Order("o-1")
	if string(after) != string(before) {
		t.Fatalf("before %s\nafter %s", before, after)
	}
}

// The ID of a key alone names the order that was placed under it, too, and a past document has no other.
func TestAnOrderIsFoundByTheIDOfItsKey(t *testing.T) {
	f := newFixture(t)
	for _, key := range []string{"k-1", "k-2"} {
		f.life(orderid.BySKU(orderid.DefaultTenant, key, "A", 3), "c-1")
	}
	f.life(orderid.ByKey(orderid.DefaultTenant, "document"), "c-2")
	s, _ := f.open(t.TempDir())
	for key, want := range map[string]string{
		"k-1":      orderid.BySKU(orderid.DefaultTenant, "k-1", "A", 3),
		"k-2":      orderid.BySKU(orderid.DefaultTenant, "k-2", "A", 3),
		"document": orderid.ByKey(orderid.DefaultTenant, "document"),
	} {
		body, version, ok, err := s.Order(orderid.ByKey(orderid.DefaultTenant, key))
		var o orderview.Order
		if err != nil || !ok || version != 6 || json.Unmarshal(body, &o) != nil || o.ID != want {
			t.Errorf("%s: %s, %t, %v", key, body, ok, err)
		}
	}
	nobody, part := orderid.ByKey(orderid.DefaultTenant, "nobody"), orderid.Prefix(orderid.DefaultTenant, "k-1")
	for _, id := range []string{nobody, part} {
		if body, _, ok, err := s.Order(id); ok || err != nil {
			t.Errorf("%s: %s, %v", id, body, err)
		}
	}
}
