package availability

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// history draws inventory events of some SKUs in one partition, in the order of the log, with gaps between
// offsets as transaction markers leave them.
func history(t *rapid.T) []eventlog.Record {
	var recs []eventlog.Record
	versions := map[string]uint64{}
	offset := int64(0)
	for range rapid.IntRange(1, 60).Draw(t, "events") {
		sku := rapid.SampledFrom([]string{"A", "B", "C", "D"}).Draw(t, "sku")
		versions[sku]++
		level := func() *eventv1.Level {
			return &eventv1.Level{
				OnHand: rapid.Int64Range(0, 9).Draw(t, "on hand"), Available: rapid.Int64Range(-9, 9).Draw(t, "available"),
			}
		}
		ev := &eventv1.InventoryEvent{
			Sku: sku, Meta: &eventv1.Meta{Version: versions[sku], OccurredAtMicros: offset}, Total: level(),
			Change: &eventv1.InventoryEvent_ItemRegistered{
				ItemRegistered: &eventv1.ItemRegistered{Description: fmt.Sprint(offset), Metadata: drawMetadata(t, offset)},
			},
		}
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 4:
			ev.Change = &eventv1.InventoryEvent_ReservationRejected{ReservationRejected: &eventv1.ReservationRejected{}}
		case 0:
			ev.Change = &eventv1.InventoryEvent_BackorderLimitSet{BackorderLimitSet: &eventv1.BackorderLimitSet{Limit: offset}}
		case 1, 2:
			location := rapid.SampledFrom([]string{"main", "north", "south"}).Draw(t, "location")
			ev.Locations = []*eventv1.LocationLevel{{Location: location, Level: level()}}
			ev.Change = &eventv1.InventoryEvent_StockReceived{StockReceived: &eventv1.StockReceived{}}
		}
		v, err := ev.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, eventlog.Record{
			TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicInventory},
			Offset:         offset,
			Key:            []byte(sku),
			Value:          v,
		})
		offset += rapid.Int64Range(1, 3).Draw(t, "gap")
	}
	return recs
}

// drawMetadata is metadata that is set, or removed, or nil where it stays.
func drawMetadata(t *rapid.T, offset int64) *eventv1.Metadata {
	switch rapid.IntRange(0, 2).Draw(t, "metadata") {
	case 0:
		return &eventv1.Metadata{Entries: []*eventv1.MetadataEntry{
			{Key: "a", Value: fmt.Sprint(offset)}, {Key: "b", Value: "2"},
		}}
	case 1:
		return &eventv1.Metadata{}
	}
	return nil
}

// naive is the row that a SKU must have, made from all of its events at once.
func naive(t *rapid.T, recs []eventlog.Record, sku string) *eventv1.AvailabilityRow {
	row := &eventv1.AvailabilityRow{Sku: sku, Format: rowFormat}
	levels := map[string]*eventv1.Level{}
	var order []string
	for i := range recs {
		ev := &eventv1.InventoryEvent{}
		if err := ev.UnmarshalVT(recs[i].Value); err != nil {
			t.Fatal(err)
		}
		if ev.Sku != sku {
			continue
		}
		for _, l := range ev.Locations {
			if !slices.Contains(order, l.Location) {
				order = append(order, l.Location)
			}
			levels[l.Location] = l.Level
		}
		if r := ev.GetItemRegistered(); r != nil {
			row.Registered, row.Description = true, r.Description
			if r.Metadata != nil {
				row.Metadata = r.Metadata.Entries
			}
		}
		if b := ev.GetBackorderLimitSet(); b != nil {
			row.BackorderLimit = b.Limit
		}
		row.Version = ev.Meta.Version
		if ev.GetReservationRejected() == nil {
			row.VisibleVersion, row.OccurredAtMicros = ev.Meta.Version, ev.Meta.OccurredAtMicros
		}
		row.Total, row.SourceOffset = ev.Total, recs[i].Offset
	}
	for _, l := range order {
		row.Locations = append(row.Locations, &eventv1.LocationLevel{Location: l, Level: levels[l]})
	}
	return row
}

// The rows are those of the naive fold however the log is cut into batches, whatever of a batch reaches the topic
// before the projector is killed, and in whatever order a delayed projector writes its rows.
func TestRowsAreThoseOfANaiveFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		recs := history(t)
		var topic []*eventv1.AvailabilityRow
		f := newFold()
		killed := 0
		for at := 0; at < len(recs); {
			end := min(len(recs), at+rapid.IntRange(1, 10).Draw(t, "batch"))
			changed := map[string]*eventv1.AvailabilityRow{}
			for i := at; i < end; i++ {
				row, err := f.apply(&recs[i])
				if err != nil {
					t.Fatal(err)
				}
				if row != nil {
					changed[row.Sku] = row
				}
			}
			written := len(changed) + 1
			if killed < 10 && rapid.IntRange(0, 3).Draw(t, "killed") == 0 {
				killed++
				written = rapid.IntRange(0, len(changed)).Draw(t, "written")
			}
			skus := slices.Sorted(maps.Keys(changed))
			for _, sku := range skus[:min(written, len(skus))] {
				topic = append(topic, proto.CloneOf(changed[sku]))
			}
			if written > len(changed) {
				topic = append(topic, &eventv1.AvailabilityRow{SourceOffset: recs[end-1].Offset})
				at = end
				continue
			}
			f = newFold() // it starts again from the topic
			if len(topic) > 0 && rapid.Bool().Draw(t, "late") {
				topic = append(topic, proto.CloneOf(topic[rapid.IntRange(0, len(topic)-1).Draw(t, "which")]))
			}
			for _, row := range topic {
				f.restore(proto.CloneOf(row))
			}
			at = slices.IndexFunc(recs, func(r eventlog.Record) bool { return r.Offset >= f.next[0] })
			if at < 0 {
				at = len(recs)
			}
		}
		for sku, row := range f.rows {
			if want := naive(t, recs, sku); !proto.Equal(row, want) {
				t.Fatalf("%s is %v, want %v", sku, row, want)
			}
		}
	})
}

func TestTheTopicStateKnowsWhichRowsAreStale(t *testing.T) {
	s := newTopicState()
	row := func(offset int64) *eventv1.AvailabilityRow {
		return &eventv1.AvailabilityRow{Sku: "A", SourceOffset: offset}
	}
	if s.has(row(0)) {
		t.Fatal("an empty topic has no rows")
	}
	s.add(row(5))
	if !s.has(row(5)) || !s.has(row(4)) || s.has(row(6)) {
		t.Fatal("it has the row that was added, and older ones")
	}
	s.add(row(3))
	if s.has(row(5)) || s.has(row(3)) {
		t.Fatal("a row behind which an older one was written is stale")
	}
	s.add(row(5))
	if !s.has(row(5)) {
		t.Fatal("the newest row is last again")
	}
}
