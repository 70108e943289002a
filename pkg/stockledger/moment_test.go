package stockledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/localstore"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

var partition = eventlog.TopicPartition{Topic: eventlog.TopicInventory}

// newStore is a store in memory that tests fold records into themselves.
func newStore(t rapid.TB) *Store {
	t.Helper()
	db, err := localstore.OpenOn(vfs.NewMem(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	v := &storeView{
		layout: eventlog.Layout{PartitionCount: 1, ShardCount: 1}, db: db,
		offsets: &localstore.Offsets{DB: db, Next: eventlog.Offsets{partition: 0}},
	}
	v.newBatch()
	v.items = map[string]*item{}
	return &Store{view: v}
}

// history is the events of some items as a test draws them.
type history struct {
	events  []*eventv1.InventoryEvent
	offsets []int64
	levels  map[string]map[string]*eventv1.Level // by SKU and location
}

var skus = []string{"A", "A1", "B"}

// draw adds an event. Clocks mostly go on; what happened is told soon, long after, or before.
func (h *history) draw(t *rapid.T, now *int64) {
	*now += rapid.Int64Range(0, 3*lateMicros/2).Draw(t, "later")
	recorded := *now - rapid.SampledFrom([]int64{0, 0, 0, 7}).Draw(t, "clock behind")
	occurred := recorded + rapid.SampledFrom([]int64{
		0, -1, -lateMicros / 2, -lateMicros - 1, -9 * lateMicros, lateMicros,
	}).Draw(t, "occurred")
	sku := rapid.SampledFrom(skus).Draw(t, "sku")
	levels := h.levels[sku]
	version := uint64(1)
	for _, e := range h.events {
		if e.Sku == sku {
			version++
		}
	}
	ev := &eventv1.InventoryEvent{Sku: sku, Meta: &eventv1.Meta{
		EventId: make([]byte, 16), Version: version, RecordedAtMicros: recorded, OccurredAtMicros: occurred}}
	if version == 1 || rapid.IntRange(0, 9).Draw(t, "registers?") == 0 {
		ev.Change = &eventv1.InventoryEvent_ItemRegistered{ItemRegistered: &eventv1.ItemRegistered{
			Description: fmt.Sprint(sku, version)}}
	} else {
		for _, location := range []string{"north", "south"}[:rapid.IntRange(1, 2).Draw(t, "locations")] {
			level := &eventv1.Level{
				OnHand: rapid.Int64Range(0, 99).Draw(t, "on hand"), Available: rapid.Int64Range(-9, 99).Draw(t, "available"),
				Incoming: rapid.Int64Range(0, 9).Draw(t, "incoming"),
			}
			levels[location] = level
			ev.Locations = append(ev.Locations, &eventv1.LocationLevel{Location: location, Level: level})
		}
		ev.Change = &eventv1.InventoryEvent_StockCounted{StockCounted: &eventv1.StockCounted{Reference: "R-1"}}
	}
	var total [8]int64
	for _, l := range levels {
		for i, q := range quantities(l) {
			total[i] += q
		}
	}
	ev.Total = levelOf(total)
	offset := rapid.Int64Range(1, 3).Draw(t, "gap")
	if n := len(h.offsets); n > 0 {
		offset += h.offsets[n-1]
	}
	h.events, h.offsets = append(h.events, ev), append(h.offsets, offset)
}

// naive is the row of an item at a moment, from all of its events at once; nil: it was not registered.
func (h *history) naive(sku string, m *asof.Moment) *eventv1.AvailabilityRow {
	row := availability.NewRow(sku, 0)
	before := map[string]*eventv1.Level{}
	var recorded, happened int64
	registeredFirst := (*eventv1.ItemRegistered)(nil)
	first := true
	for i, ev := range h.events {
		if ev.Sku != sku {
			continue
		}
		recorded = max(recorded, ev.Meta.RecordedAtMicros)
		if r := ev.GetItemRegistered(); r != nil && registeredFirst == nil {
			registeredFirst = r
		}
		shift := &eventv1.AvailabilityRow{}
		for _, l := range ev.Locations {
			shift.Locations = append(shift.Locations, &eventv1.LocationLevel{
				Location: l.Location, Level: changed(before[l.Location], l.Level)})
			before[l.Location] = l.Level
		}
		at := asof.Event{
			TopicPartition: partition, Offset: h.offsets[i], RecordedMicros: recorded,
			OccurredMicros: ev.Meta.OccurredAtMicros,
		}
		if m.Has(&at) {
			if first || ev.Meta.OccurredAtMicros > happened {
				happened, first = ev.Meta.OccurredAtMicros, false
			}
			shiftRow(row, shift, 1)
		}
		known := at.RecordedMicros <= m.Micros
		if !m.Occurred {
			known = m.Has(&at)
		}
		if r := ev.GetItemRegistered(); r != nil && known {
			row.Registered, row.Description = true, r.Description
		}
	}
	if m.Occurred && !row.Registered && !first {
		row.Registered, row.Description = true, registeredFirst.Description
	}
	if !row.Registered {
		return nil
	}
	return row
}

// sameStock says in what two rows differ; "" for nothing. Locations without a unit and their order do not count.
func sameStock(got, want *eventv1.AvailabilityRow) string {
	if (got == nil) != (want == nil) {
		return fmt.Sprintf("got %v, want %v", got, want)
	}
	if got == nil {
		return ""
	}
	locations := func(row *eventv1.AvailabilityRow) (all []string) {
		for _, l := range row.Locations {
			if quantities(l.Level) != [8]int64{} {
				all = append(all, fmt.Sprint(l.Location, quantities(l.Level)))
			}
		}
		slices.Sort(all)
		return all
	}
	if !slices.Equal(locations(got), locations(want)) || quantities(got.Total) != quantities(want.Total) ||
		got.Description != want.Description {
		return fmt.Sprintf("got %v, want %v", got, want)
	}
	return ""
}

// Rows of the past are those of a naive fold, at any time by either clock and at any position, however the log is cut
// into batches.
func TestRowsOfThePastAreThoseOfANaiveFold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStore(rt)
		defer s.Close()
		h := &history{levels: map[string]map[string]*eventv1.Level{}}
		for _, sku := range skus {
			h.levels[sku] = map[string]*eventv1.Level{}
		}
		now := int64(1_000 * lateMicros)
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			h.draw(rt, &now)
		}
		h.fold(rt, s, rapid.IntRange(1, 20).Draw(rt, "batch"))
		for range 30 {
			m := h.moment(rt)
			for _, sku := range skus {
				r, err := s.read()
				if err != nil {
					rt.Fatal(err)
				}
				got, err := r.rowAt(sku, m)
				if err != nil {
					rt.Fatal(err)
				}
				if err := r.close(); err != nil {
					rt.Fatal(err)
				}
				if differs := sameStock(got, h.naive(sku, m)); differs != "" {
					rt.Fatalf("%s at %+v: %s", sku, m, differs)
				}
			}
		}
	})
}

// By the occurred clock, an item that was registered later is there from the first event of it that had occurred, as
// its first registration describes it. Before that there is none, and lists do not have it.
func TestAnItemRegisteredLaterIsThereFromItsFirstEvent(t *testing.T) {
	s := newStore(t)
	defer s.Close()
	const day = 86_400_000_000
	event := func(n int64, occurred int64, change *eventv1.InventoryEvent) *eventv1.InventoryEvent {
		change.Sku = "A"
		change.Meta = &eventv1.Meta{EventId: make([]byte, 16), Version: uint64(n), RecordedAtMicros: 100*day + n,
			OccurredAtMicros: occurred}
		return change
	}
	five := &eventv1.Level{OnHand: 5, Available: 5}
	registered := func(description string, total *eventv1.Level) *eventv1.InventoryEvent {
		return &eventv1.InventoryEvent{Total: total, Change: &eventv1.InventoryEvent_ItemRegistered{
			ItemRegistered: &eventv1.ItemRegistered{Description: description}}}
	}
	h := &history{offsets: []int64{0, 1, 2}, events: []*eventv1.InventoryEvent{
		event(1, 100*day, registered("mug", &eventv1.Level{})),
		event(2, 10*day, &eventv1.InventoryEvent{
			Total: five, Locations: []*eventv1.LocationLevel{{Location: "north", Level: five}},
			Change: &eventv1.InventoryEvent_StockReceived{
				StockReceived: &eventv1.StockReceived{Location: "north", Quantity: 5}},
		}),
		event(3, 100*day, registered("mug, blue", five)),
	}}
	h.fold(t, s, 1)
	for _, test := range []struct {
		micros int64
		want   string
	}{
		{-1, ""}, {10*day - 1, ""}, {10 * day, "mug 5"}, {99 * day, "mug 5"}, {101 * day, "mug, blue 5"},
	} {
		var listed []string
		m := &asof.Moment{Micros: test.micros, Occurred: true}
		if err := s.Each(t.Context(), Filter{}, m, "", func(row *eventv1.AvailabilityRow) error {
			listed = append(listed, fmt.Sprint(row.Description, " ", row.Total.OnHand))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		_, _, ok, err := s.Row("A", m)
		if got := strings.Join(listed, ","); got != test.want || ok != (test.want != "") || err != nil {
			t.Errorf("at %d: %q in the list, found %t, %v; want %q", test.micros, got, ok, err, test.want)
		}
	}
}

// fold gives a store the events, in batches.
func (h *history) fold(t rapid.TB, s *Store, batch int) {
	for i, ev := range h.events {
		value, err := proto.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		rec := &eventlog.Record{TopicPartition: partition, Offset: h.offsets[i], Key: []byte(ev.Sku), Value: value}
		if err := s.view.Fold(rec); err != nil {
			t.Fatal(err)
		}
		if i%batch == 0 || i == len(h.events)-1 {
			if i%3 == 0 { // as with more items than are kept
				clear(s.view.items)
			}
			if err := s.view.Flush(context.Background(), eventlog.Offsets{partition: rec.Offset + 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// moment draws a time of an event, or one beside it, or a position.
func (h *history) moment(t *rapid.T) *asof.Moment {
	i := rapid.IntRange(0, len(h.events)-1).Draw(t, "at event")
	if rapid.IntRange(0, 2).Draw(t, "position?") == 0 {
		end := h.offsets[i] + rapid.Int64Range(0, 1).Draw(t, "after")
		return &asof.Moment{Position: eventlog.PositionOf(eventlog.Offsets{partition: end})}
	}
	at := h.events[i].Meta.RecordedAtMicros
	if rapid.Bool().Draw(t, "when it occurred") {
		at = h.events[i].Meta.OccurredAtMicros
	}
	return &asof.Moment{
		Micros:   at + rapid.Int64Range(-1, 1).Draw(t, "beside"),
		Occurred: rapid.Bool().Draw(t, "by the occurred clock"),
	}
}

// BenchmarkRowOfThePast reads the row of an item with 10,000 events at a random time.
func BenchmarkRowOfThePast(b *testing.B) {
	s := newStore(b)
	defer s.Close()
	h := &history{}
	for i := range 10_000 {
		level := &eventv1.Level{OnHand: int64(i), Available: int64(i)}
		ev := &eventv1.InventoryEvent{Sku: "A", Total: level, Meta: &eventv1.Meta{
			EventId: make([]byte, 16), Version: uint64(i + 1), RecordedAtMicros: int64(i+1) * 1e6,
			OccurredAtMicros: int64(i) * 1e6,
		}}
		ev.Locations = []*eventv1.LocationLevel{{Location: "main", Level: level}}
		ev.Change = &eventv1.InventoryEvent_StockReceived{
			StockReceived: &eventv1.StockReceived{Location: "main", Quantity: 1},
		}
		if i == 0 {
			ev.Change = &eventv1.InventoryEvent_ItemRegistered{ItemRegistered: &eventv1.ItemRegistered{}}
		}
		h.events, h.offsets = append(h.events, ev), append(h.offsets, int64(i))
	}
	h.fold(b, s, 500)
	for _, occurred := range []bool{false, true} {
		b.Run(fmt.Sprintf("occurred=%t", occurred), func(b *testing.B) {
			for b.Loop() {
				m := &asof.Moment{Micros: rand.Int64N(10_000) * 1e6, Occurred: occurred}
				if _, _, _, err := s.Row("A", m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNetworkOfThePast lists 4,000 items with 100 events each at a random time.
func BenchmarkNetworkOfThePast(b *testing.B) {
	s := newStore(b)
	defer s.Close()
	h := &history{}
	const items, events = 4_000, 100
	for i := range items * events {
		level := &eventv1.Level{OnHand: int64(i), Available: int64(i)}
		ev := &eventv1.InventoryEvent{Sku: fmt.Sprintf("SKU-%04d", i%items), Total: level, Meta: &eventv1.Meta{
			EventId: make([]byte, 16), Version: uint64(i/items + 1), RecordedAtMicros: int64(i+1) * 1e6,
			OccurredAtMicros: int64(i) * 1e6,
		}}
		ev.Locations = []*eventv1.LocationLevel{{Location: "main", Level: level}}
		ev.Change = &eventv1.InventoryEvent_StockReceived{
			StockReceived: &eventv1.StockReceived{Location: "main", Quantity: 1},
		}
		if i < items {
			ev.Change = &eventv1.InventoryEvent_ItemRegistered{ItemRegistered: &eventv1.ItemRegistered{}}
		}
		h.events, h.offsets = append(h.events, ev), append(h.offsets, int64(i))
	}
	h.fold(b, s, 5_000)
	for _, occurred := range []bool{false, true} {
		b.Run(fmt.Sprintf("occurred=%t", occurred), func(b *testing.B) {
			for b.Loop() {
				m := &asof.Moment{Micros: rand.Int64N(items*events) * 1e6, Occurred: occurred}
				if _, _, err := s.List(b.Context(), Filter{}, m, "", items); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
