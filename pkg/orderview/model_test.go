package orderview

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/localstore"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

var partition = eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: 3}

const partitions = 4

// fataler is what rapid's and testing's T and B have in common.
type fataler interface {
	Fatal(args ...any)
}

// openStore is a store without a log: the test is the runtime.
func openStore(t fataler, fs vfs.FS) *Store {
	db, err := localstore.OpenOn(fs, "orders")
	if err != nil {
		t.Fatal(err)
	}
	v := &storeView{
		db: db, partitions: partitions, log: slog.New(slog.DiscardHandler), caughtUp: func() bool { return true },
	}
	if v.offsets, err = localstore.ReadOffsets(db, []eventlog.TopicPartition{partition}); err != nil {
		t.Fatal(err)
	}
	if v.counts, err = readCounts(db.DB, v.offsets.Next); err != nil {
		t.Fatal(err)
	}
	v.newBatch()
	return &Store{view: v, maxExamined: MaxExamined}
}

func record(t fataler, offset int64, ev *eventv1.OrderEvent) eventlog.Record {
	v, err := ev.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	return eventlog.Record{TopicPartition: partition, Offset: offset, Key: []byte(ev.OrderId), Value: v}
}

var lines = []*eventv1.OrderLine{{Sku: "A", Quantity: 2, UnitPriceMicros: 1_000_000}}

// changes are kinds of events that may follow a placed order, and the status that each leads to.
var changes = []struct {
	status string
	event  func() *eventv1.OrderEvent
}{
	{"reserved", func() *eventv1.OrderEvent {
		return schematest.OrderEvent(&eventv1.OrderReserved{})
	}},
	{"confirmed", func() *eventv1.OrderEvent {
		return schematest.OrderEvent(&eventv1.OrderConfirmed{})
	}},
	{"cancelled", func() *eventv1.OrderEvent {
		return schematest.OrderEvent(&eventv1.OrderCancelled{})
	}},
	{"completed", func() *eventv1.OrderEvent {
		return schematest.OrderEvent(&eventv1.LinesShippedV2{
			Lines: []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}}})
	}},
	{"placed", func() *eventv1.OrderEvent {
		again := &eventv1.ImportRequestedV2{
			Document: &eventv1.ImportRequestedV2_Order{
				Order: &eventv1.OrderImportedV2{CustomerId: "c-3", Currency: "GBP", Lines: lines},
			},
		}
		return schematest.OrderEvent(again)
	}},
	{"", func() *eventv1.OrderEvent {
		return schematest.OrderEvent(&eventv1.PaymentCapturedV3{AmountMicros: 1})
	}},
}

// model is what the view must have, kept in the simplest way.
type model struct {
	events   map[string][]*eventv1.OrderEvent
	status   map[string]string
	customer map[string]string
	number   map[string]uint64
	metadata map[string]Metadata
	lines    map[string][]*eventv1.OrderLine
	offsets  map[*eventv1.OrderEvent]int64
}

func drawHistory(t *rapid.T) ([]eventlog.Record, *model) {
	m := &model{
		map[string][]*eventv1.OrderEvent{}, map[string]string{}, map[string]string{}, map[string]uint64{},
		map[string]Metadata{}, map[string][]*eventv1.OrderLine{}, map[*eventv1.OrderEvent]int64{},
	}
	var recs []eventlog.Record
	offset := int64(0)
	for range rapid.IntRange(1, 60).Draw(t, "events") {
		id := fmt.Sprintf("o-%d", rapid.IntRange(0, 7).Draw(t, "order"))
		var ev *eventv1.OrderEvent
		if len(m.events[id]) == 0 {
			m.customer[id] = rapid.SampledFrom([]string{"c-1", "c-2"}).Draw(t, "customer")
			m.status[id] = "placed"
			m.number[id] = uint64(partitions*(len(m.number)+1)) + 3
			placed := &eventv1.OrderPlacedV2{
				CustomerId: m.customer[id], Currency: "GBP", Lines: m.drawLines(t, id), TotalMicros: 2_000_000,
				Metadata: drawMetadata(t), Reference: drawReference(t),
			}
			ev, m.metadata[id] = schematest.OrderEvent(placed), metadataOf(placed.Metadata)
		} else {
			c := rapid.SampledFrom(changes).Draw(t, "change")
			ev = c.event()
			if c.status != "" {
				m.status[id] = c.status
			}
			if shipped := ev.GetLinesShippedV2(); shipped != nil {
				shipped.Lines = nil
				for i, l := range m.lines[id] {
					shipped.Lines = append(shipped.Lines, &eventv1.LineQuantity{Line: uint32(i) + 1, Sku: l.Sku, Quantity: l.Quantity})
				}
			}
			if again := ev.GetImportRequestedV2(); again != nil {
				document := again.GetOrder()
				document.Metadata, document.Lines, document.Reference = drawMetadata(t), m.drawLines(t, id), drawReference(t)
				m.customer[id], m.metadata[id] = document.CustomerId, metadataOf(document.Metadata)
			}
		}
		ev.OrderId = id
		occurred := offset
		if len(m.events[id]) > 0 { // the clock of the replica that took a command may be behind
			occurred -= rapid.SampledFrom([]int64{0, 0, 7}).Draw(t, "clock behind")
		}
		ev.Meta = &eventv1.Meta{
			Version: uint64(len(m.events[id]) + 1), OccurredAtMicros: occurred,
			RecordedAtMicros: offset + rapid.Int64Range(0, 9).Draw(t, "recorded later"),
		}
		m.events[id], m.offsets[ev] = append(m.events[id], ev), offset
		recs = append(recs, record(t, offset, ev))
		offset += rapid.Int64Range(1, 3).Draw(t, "gap")
	}
	return recs, m
}

// The view has what the events say however the log is cut into batches and wherever the view is stopped, also between
// Fold and Flush, and when everything in memory is lost.
func TestTheViewHasWhatTheEventsSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		recs, m := drawHistory(t)
		fs := vfs.NewCrashableMem()
		s := openStore(t, fs)
		crashes := 0
		for {
			at := slices.IndexFunc(recs, func(r eventlog.Record) bool { return r.Offset >= s.view.offsets.Next[partition] })
			if at < 0 {
				break
			}
			end := min(len(recs), at+rapid.IntRange(1, 10).Draw(t, "batch"))
			for i := at; i < end; i++ {
				if err := s.view.Fold(&recs[i]); err != nil {
					t.Fatal(err)
				}
			}
			if crashes < 10 && rapid.IntRange(0, 3).Draw(t, "crash") == 0 {
				crashes++
				if rapid.Bool().Draw(t, "flushed before") {
					if err := s.view.db.Flush(); err != nil {
						t.Fatal(err)
					}
				}
				left := fs.CrashClone(vfs.CrashCloneCfg{}) // what was synced
				closeStore(t, s)
				fs = left
				s = openStore(t, fs)
				continue
			}
			if err := s.view.Flush(context.Background(), eventlog.Offsets{partition: recs[end-1].Offset + 1}); err != nil {
				t.Fatal(err)
			}
		}
		m.check(t, s)
		closeStore(t, s)
	})
}

func closeStore(t fataler, s *Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// checkPast compares an order as it was at some moments with its events up to the first that does not count then.
func (m *model) checkPast(t *rapid.T, s *Store, id string) {
	last := m.offsets[m.events[id][len(m.events[id])-1]]
	at := rapid.Int64Range(-1, last+10).Draw(t, "moment")
	everywhere := eventlog.Offsets{}
	for p := range int32(partitions) {
		everywhere[eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: p}] = at
	}
	for _, past := range []struct {
		asof.Moment
		counts func(ev *eventv1.OrderEvent, recorded int64) bool
	}{
		{asof.Moment{Position: eventlog.PositionOf(everywhere)}, func(ev *eventv1.OrderEvent, _ int64) bool {
			return at <= 0 || m.offsets[ev] < at // without a partition it is now
		}},
		{asof.Moment{Micros: at}, func(_ *eventv1.OrderEvent, recorded int64) bool { return at == 0 || recorded <= at }},
		{asof.Moment{Micros: at, Occurred: true}, func(ev *eventv1.OrderEvent, _ int64) bool {
			return at == 0 || ev.Meta.OccurredAtMicros <= at
		}},
	} {
		var counted []*eventv1.OrderEvent
		var recorded int64
		for _, ev := range m.events[id] {
			if recorded = max(recorded, ev.Meta.RecordedAtMicros); !past.counts(ev, recorded) {
				break
			}
			counted = append(counted, ev)
		}
		var want []byte
		if len(counted) > 0 {
			var err error
			if want, _, err = render(m.number[id], counted); err != nil {
				t.Fatal(err)
			}
		}
		got, _, ok, err := s.OrderAt(id, &past.Moment)
		if err != nil || ok != (want != nil) || string(got) != string(want) {
			t.Fatalf("%s at %+v is %s, want %s (%v)", id, past.Moment, got, want, err)
		}
	}
}

func (m *model) check(t *rapid.T, s *Store) {
	var all []string
	for id, events := range m.events {
		all = append(all, id)
		want, version, err := render(m.number[id], events)
		if err != nil {
			t.Fatal(err)
		}
		got, shown, ok, err := s.Order(id)
		if err != nil || !ok || shown != version || string(got) != string(want) {
			t.Fatalf("%s is %s, want %s (%v %v %d)", id, got, want, ok, err, shown)
		}
		m.checkPast(t, s, id)
		byNumber, _, err := s.List(t.Context(), Filter{Number: m.number[id]}, "", 1)
		if err != nil || len(byNumber) != 1 || string(byNumber[0]) != string(want) {
			t.Fatalf("number %d is %s, want %s (%v)", m.number[id], byNumber, want, err)
		}
	}
	filters := []Filter{{Metadata: Metadata{"a": "1", "b": "2"}, CustomerID: "c-1", Status: "placed"},
		{Metadata: Metadata{"a": "3"}}, {Metadata: Metadata{"c": "1"}}}
	for _, a := range []string{"", "1", "2"} {
		for _, b := range []string{"1", "2"} {
			filter := Filter{Metadata: Metadata{"b": b}}
			if a != "" {
				filter.Metadata["a"] = a
			}
			filters = append(filters, filter)
		}
	}
	for _, customer := range []string{"", "c-1", "c-2"} {
		for _, status := range []string{"", "placed", "reserved", "confirmed", "cancelled", "completed"} {
			filters = append(filters, Filter{CustomerID: customer, Status: status})
		}
	}
	filters = append(filters, Filter{SKU: "B", CustomerID: "c-1"}, Filter{SKU: "A", Status: "placed"},
		Filter{Reference: "r-1"},
		Filter{Reference: "r-2", SKU: "B", Metadata: Metadata{"a": "1"}}, Filter{PaymentStatus: "pending"}, Filter{SKU: "C"})
	for _, filter := range []Filter{{}, {CustomerID: "c-1"}, {SKU: "A", PaymentStatus: "pending"}} {
		filter.Placed, filter.Changed = drawTimes(t), drawTimes(t)
		filters = append(filters, filter)
	}
	s.maxExamined = rapid.IntRange(1, 6).Draw(t, "orders that a page looks at")
	for _, filter := range filters {
		var want []string
		for _, id := range all {
			o := orderOf(m.number[id], m.events[id])
			o.CustomerID, o.Status, o.Metadata = m.customer[id], m.status[id], m.metadata[id]
			if filter.selects(o) {
				want = append(want, id)
			}
		}
		// Newest first.
		slices.SortFunc(want, func(a, b string) int {
			return int(m.events[b][0].Meta.OccurredAtMicros - m.events[a][0].Meta.OccurredAtMicros)
		})
		if got := listAll(t, s, filter, rapid.IntRange(1, 5).Draw(t, "page")); !slices.Equal(got, want) {
			t.Fatalf("orders of %+v: %v, want %v", filter, got, want)
		}
		var each []string
		err := s.Each(t.Context(), filter, func(o *Order) error { each = append(each, o.ID); return nil })
		if err != nil || !slices.Equal(each, want) {
			t.Fatalf("each order of %+v: %v %v, want %v", filter, each, err, want)
		}
	}
}

// drawMetadata are none, one or two entries.
func drawMetadata(t *rapid.T) (entries []*eventv1.MetadataEntry) {
	for _, key := range []string{"a", "b"} {
		if value := rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, key); value != "" {
			entries = append(entries, &eventv1.MetadataEntry{Key: key, Value: value})
		}
	}
	return entries
}

// drawLines are two lines of A, of B or of both.
func (m *model) drawLines(t *rapid.T, id string) (lines []*eventv1.OrderLine) {
	for _, sku := range rapid.SliceOfN(rapid.SampledFrom([]string{"A", "B"}), 2, 2).Draw(t, "lines") {
		lines = append(lines, &eventv1.OrderLine{Sku: sku, Quantity: 2, UnitPriceMicros: 1_000_000})
	}
	m.lines[id] = lines
	return lines
}

func drawReference(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "r-1", "r-2"}).Draw(t, "reference")
}

// drawTimes are among those of the events, which are a few microseconds apart, and between them.
func drawTimes(t *rapid.T) (r TimeRange) {
	bound := func(what string) time.Time {
		at := rapid.Int64Range(-1, 120_000).Draw(t, what)
		if at < 0 {
			return time.Time{}
		}
		return time.Unix(0, at)
	}
	return TimeRange{From: bound("from"), To: bound("to")}
}

// listAll pages through a list, and returns the IDs.
func listAll(t *rapid.T, s *Store, filter Filter, page int) (ids []string) {
	for after := ""; ; {
		rows, next, err := s.List(context.Background(), filter, after, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			var id string
			if _, err := fmt.Sscanf(string(row), "{\"order_id\":%q", &id); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if after = next; next == "" {
			return ids
		}
	}
}

func TestABadEventLeavesNothingBehind(t *testing.T) {
	s := openStore(t, vfs.NewMem())
	defer closeStore(t, s)
	ev := changes[0].event()
	ev.OrderId, ev.Meta = "o-1", &eventv1.Meta{Version: 3}
	rec := record(t, 0, ev)
	var bad *projector.BadEventError
	if err := s.view.Fold(&rec); !errors.As(err, &bad) {
		t.Fatalf("%v", err)
	}
	if err := s.view.Flush(context.Background(), eventlog.Offsets{partition: 0}); err != nil {
		t.Fatal(err)
	}
	kept, err := readSummary(s.view.db.DB, "o-1")
	if err != nil || kept.version != 0 || kept.indexed != "" {
		t.Fatalf("%+v %v", kept, err)
	}
	it, err := s.view.db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if it.Key()[0] != localstore.KeyOffset {
			t.Errorf("the key %q is left", it.Key())
		}
	}
}

func BenchmarkFold(b *testing.B) {
	s := openStore(b, vfs.NewMem())
	defer closeStore(b, s)
	s.view.live = true
	const batch = 4000
	var events []*eventv1.OrderEvent
	for _, c := range changes[:3] {
		events = append(events, c.event())
	}
	var recs []eventlog.Record
	for i := range b.N {
		n := i % 4
		ev := schematest.OrderEvent(&eventv1.OrderPlacedV2{
			CustomerId: fmt.Sprint("c-", i%1000), Currency: "GBP", Lines: lines, TotalMicros: 2_000_000,
		})
		if n > 0 {
			ev = events[n-1]
		}
		ev.OrderId = fmt.Sprintf("00000000-0000-5000-8000-%012d", i/4)
		ev.Meta = &eventv1.Meta{Version: uint64(n + 1), EventId: make([]byte, 16), OccurredAtMicros: int64(i)}
		recs = append(recs, record(b, int64(i), ev))
	}
	b.ResetTimer()
	for i := range recs {
		if err := s.view.Fold(&recs[i]); err != nil {
			b.Fatal(err)
		}
		if i%batch == batch-1 || i == len(recs)-1 {
			if err := s.view.Flush(context.Background(), eventlog.Offsets{partition: int64(i + 1)}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkApply folds an order that is placed, paid, shipped, delivered and returned.
func BenchmarkApply(b *testing.B) {
	shipped := []*eventv1.LineQuantity{{Sku: "A", Quantity: 2}}
	var life []*eventv1.OrderEvent
	for _, change := range []proto.Message{
		&eventv1.OrderPlacedV2{CustomerId: "c-1", Currency: "GBP", Lines: lines, TotalMicros: 2_000_000},
		&eventv1.OrderReserved{}, &eventv1.PaymentAuthorizedV3{AmountMicros: 2_000_000}, &eventv1.OrderConfirmed{},
		&eventv1.FulfilmentCreatedV2{FulfilmentId: "f", Lines: shipped}, &eventv1.PaymentCapturedV3{AmountMicros: 2_000_000},
		&eventv1.LinesShippedV2{FulfilmentId: "f", Lines: shipped},
		&eventv1.LinesDeliveredV2{FulfilmentId: "f", Lines: shipped},
		&eventv1.ReturnRequestedV2{ReturnId: "r", Lines: shipped},
	} {
		ev := schematest.OrderEvent(change)
		ev.OrderId, ev.Meta = "o-1", &eventv1.Meta{Version: uint64(len(life) + 1)}
		life = append(life, ev)
	}
	b.ReportAllocs()
	for b.Loop() {
		var o Order
		for _, ev := range life {
			o.apply(ev)
		}
	}
}
