package availability

import (
	"encoding/json"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec/codectest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// FuzzFold: an event changes its row or is refused. The row survives being encoded and decoded.
func FuzzFold(f *testing.F) {
	for _, s := range codectest.Samples(f) {
		f.Add(s.Value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		view := newFold()
		var ev eventv1.InventoryEvent
		if ev.UnmarshalVT(value) == nil && ev.Meta != nil && ev.Sku != "" { // the version that it follows
			view.rows[ev.Sku] = &eventv1.AvailabilityRow{
				Sku: ev.Sku, Version: ev.Meta.Version - 1, SourceOffset: -1, Format: rowFormat,
			}
		}
		row, err := view.apply(&eventlog.Record{Value: value})
		if err != nil || row == nil {
			return
		}
		record, err := row.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		var back eventv1.AvailabilityRow
		err = decodeRow(&eventlog.Record{Key: []byte(row.Sku), Value: record}, &back)
		if err != nil || string(shown(&back)) != string(shown(row)) {
			t.Fatalf("%v: %s, then %s", err, shown(row), shown(&back))
		}
	})
}

// shown is the whole JSON of a row.
func shown(row *eventv1.AvailabilityRow) []byte {
	return renderStock(render(row), string(renderMetadata(row.Metadata)), row)
}

// FuzzDecodeRow: a record of the topic is refused, or is a row with valid JSON.
func FuzzDecodeRow(f *testing.F) {
	level := &eventv1.Level{OnHand: 5, Available: -2, Reserved: 7}
	for _, row := range []*eventv1.AvailabilityRow{
		{Sku: "85123A", Version: 3, VisibleVersion: 2, Registered: true, Description: "Heart",
			Metadata: []*eventv1.MetadataEntry{{Key: "a", Value: "\""}}, Total: level,
			Format:     rowFormat,
			Backorders: []*eventv1.WaitingOrder{{OrderId: "o-1", Location: 1, Quantity: 2}},
			Locations:  []*eventv1.LocationLevel{{Location: "main", Level: level}, {}}},
		{SourceOffset: 17, Format: rowFormat},
	} {
		value, err := row.MarshalVT()
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(row.Sku), value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		row := &eventv1.AvailabilityRow{}
		if err := decodeRow(&eventlog.Record{Key: key, Value: value}, row); err != nil {
			return
		}
		newFold().restore(row)
		if b := shown(row); !json.Valid(b) {
			t.Fatalf("not JSON: %s", b)
		}
	})
}
