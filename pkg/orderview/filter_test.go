package orderview

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// TestOrdersAreFound: each filter selects what it says, alone and with others.
func TestOrdersAreFound(t *testing.T) {
	s := openStore(t, vfs.NewMem())
	defer closeStore(t, s)
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	offset := int64(0)
	fold := func(id string, version uint64, at time.Time, change proto.Message) {
		ev := schematest.OrderEvent(change)
		ev.OrderId, ev.Meta = id, &eventv1.Meta{
			Version: version, OccurredAtMicros: at.UnixMicro(), RecordedAtMicros: at.Add(time.Hour).UnixMicro(),
		}
		rec := record(t, offset, ev)
		if err := s.view.Fold(&rec); err != nil {
			t.Fatal(err)
		}
		offset++
	}
	placed := func(id string, at time.Time, sku, reference, country, currency string, total int64, deadline time.Time) {
		p := &eventv1.OrderPlacedV2{
			CustomerId: "c", Country: country, Currency: currency, Reference: reference,
			TotalMicros: total, SubtotalMicros: total,
			Lines: []*eventv1.OrderLine{{Sku: sku, Quantity: 1, UnitPriceMicros: total}, {Sku: "BAG", Quantity: 1}},
		}
		if !deadline.IsZero() {
			p.PaymentDeadlineMicros = deadline.UnixMicro()
		}
		fold(id, 1, at, p)
	}
	// o-1 has shipped in part, and got a line by an amendment, o-2 is paid, o-3 waits for its payment.
	placed("o-1", day(1), "MUG", "4711", "DE", "EUR", 10_000_000, time.Time{})
	fold("o-1", 2, day(9), &eventv1.LinesShippedV2{Lines: []*eventv1.LineQuantity{{Line: 1, Sku: "MUG", Quantity: 1}}})
	fold("o-1", 3, day(9), &eventv1.OrderAmendedV2{
		Lines:          []*eventv1.AmendedLine{{Sku: "PEN", Quantity: 1, UnitPriceMicros: 1_000_000}},
		SubtotalMicros: 10_000_000, TotalMicros: 10_000_000,
	})
	placed("o-2", day(2), "TEA", "4712", "GB", "GBP", 20_000_000, day(5))
	fold("o-2", 2, day(3), &eventv1.PaymentCapturedV3{AmountMicros: 20_000_000})
	placed("o-3", day(4), "MUG", "", "DE", "EUR", 30_000_000, day(6))
	fold("o-4", 1, day(1), &eventv1.OrderImportedV2{
		CustomerId: "c", Currency: "EUR", Country: "FR", Lines: []*eventv1.OrderLine{{Sku: "MUG", Quantity: 1}}})
	if err := s.view.Flush(t.Context(), eventlog.Offsets{partition: offset}); err != nil {
		t.Fatal(err)
	}
	micros := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		what   string
		filter Filter
		want   []string
	}{
		{"all, newest first", Filter{}, []string{"o-3", "o-2", "o-1", "o-4"}},
		{"SKU", Filter{SKU: "MUG"}, []string{"o-3", "o-1", "o-4"}},
		{"SKU of a line that came later", Filter{SKU: "PEN", Country: "DE"}, []string{"o-1"}},
		{"SKU of a second line", Filter{SKU: "BAG"}, []string{"o-3", "o-2", "o-1"}},
		{"SKU and currency", Filter{SKU: "MUG", Currency: "EUR", Kind: "order"}, []string{"o-3", "o-1"}},
		{"reference", Filter{Reference: "4712"}, []string{"o-2"}},
		{"reference of another order", Filter{Reference: "4712", SKU: "MUG"}, nil},
		{"country", Filter{Country: "DE"}, []string{"o-3", "o-1"}},
		{"kind", Filter{Kind: "imported_order"}, []string{"o-4"}},
		{"payment status", Filter{PaymentStatus: "captured"}, []string{"o-2"}},
		{"fulfilment status", Filter{FulfilmentStatus: "partially_fulfilled"}, []string{"o-1"}},
		{"return status", Filter{ReturnStatus: "requested"}, nil},
		{"total", Filter{Currency: "EUR", MinTotal: micros(10_000_000), MaxTotal: micros(29_999_999)}, []string{"o-1"}},
		{"placed from", Filter{Placed: TimeRange{From: day(2)}}, []string{"o-3", "o-2"}},
		{"placed to", Filter{Placed: TimeRange{To: day(2)}}, []string{"o-1", "o-4"}},
		{"placed from and to", Filter{Placed: TimeRange{From: day(2), To: day(4)}, Country: "GB"}, []string{"o-2"}},
		{"placed never", Filter{Placed: TimeRange{From: day(4), To: day(2)}}, nil},
		{"changed, which is when an event was recorded", Filter{Changed: TimeRange{From: day(9).Add(time.Hour)}},
			[]string{"o-1"}},
		{"deadline", Filter{Deadline: TimeRange{To: day(6)}}, []string{"o-2"}},
		{"deadline to come", Filter{Deadline: TimeRange{From: day(6)}, Status: "placed"}, []string{"o-3"}},
	} {
		if got := listed(t, s, c.filter); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

// listed are the IDs on the first page of a list.
func listed(t *testing.T, s *Store, f Filter) (ids []string) {
	rows, next, err := s.List(t.Context(), f, "", 50)
	if err != nil || next != "" {
		t.Fatal(next, err)
	}
	for _, row := range rows {
		var o Order
		if err := json.Unmarshal(row, &o); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, o.ID)
	}
	return ids
}

// TestAPageLooksAtSoManyOrders: a page that finds nothing ends, and says where the next one goes on.
func TestAPageLooksAtSoManyOrders(t *testing.T) {
	s := openStore(t, vfs.NewMem())
	defer closeStore(t, s)
	s.maxExamined = 10
	for i := range int64(25) {
		ev := schematest.OrderEvent(&eventv1.OrderPlacedV2{CustomerId: "c", Currency: "EUR", Lines: lines})
		ev.OrderId, ev.Meta = "o-"+string(rune('a'+i)), &eventv1.Meta{Version: 1, OccurredAtMicros: i, RecordedAtMicros: i}
		rec := record(t, i, ev)
		if err := s.view.Fold(&rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.view.Flush(t.Context(), eventlog.Offsets{partition: 25}); err != nil {
		t.Fatal(err)
	}
	rare := Filter{Placed: TimeRange{To: time.UnixMicro(1)}} // the oldest alone, by its index
	if got := listed(t, s, rare); !slices.Equal(got, []string{"o-a"}) {
		t.Errorf("the oldest is %v", got)
	}
	rare = Filter{Changed: TimeRange{To: time.UnixMicro(1)}} // no index has it
	pages, found := 0, 0
	for after := ""; ; pages++ {
		rows, next, err := s.List(t.Context(), rare, after, 50)
		if err != nil {
			t.Fatal(err)
		}
		found += len(rows)
		if after = next; next == "" {
			break
		}
	}
	if pages != 2 || found != 1 {
		t.Errorf("%d more pages, %d orders; 25 orders by 10 are two more, and one is found", pages, found)
	}
}
