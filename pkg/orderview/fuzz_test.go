package orderview

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec/codectest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// FuzzRender: an order can be rendered after any two events that Fold accepts.
func FuzzRender(f *testing.F) {
	samples := codectest.Samples(f)
	for i, s := range samples {
		f.Add(samples[(i+1)%len(samples)].Value, s.Value)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var s summary
		var events []*eventv1.OrderEvent
		for _, value := range [][]byte{first, second} {
			ev := &eventv1.OrderEvent{}
			if ev.UnmarshalVT(value) != nil || ev.OrderId == "" || ev.Meta == nil || ev.Change == nil {
				return
			}
			s.apply(ev)
			events = append(events, ev)
		}
		var back summary
		if err := back.decode(s.encode(nil)); err != nil || back.version != s.version || back.unshipped != s.unshipped {
			t.Fatalf("%v: %+v, then %+v", err, s, back)
		}
		_, _, _ = render(12, events) // an error names the order; a year beyond 9999 has no text
	})
}

// FuzzHistory: any stored value is read as events, or refused.
func FuzzHistory(f *testing.F) {
	for _, sample := range codectest.Samples(f) {
		chunk := appendWithLength(nil, (&summary{number: 12}).encode(nil))
		chunk = appendWithLength(append(chunk, 7), sample.Value) // at offset 7
		f.Add(appendWithLength(nil, chunk))
	}
	f.Fuzz(func(t *testing.T, history []byte) {
		h, err := readHistory(history)
		if err == nil && (len(h.events) == 0 || len(h.events) != len(h.offsets)) {
			t.Fatal("no events, and no error")
		}
		var s summary
		_ = eachChunk(history, func(summary, _ []byte) error { return s.decode(summary) })
	})
}

// FuzzListCursor: a list goes on after any cursor, also one that no list has returned.
func FuzzListCursor(f *testing.F) {
	s := openStore(f, vfs.NewMem())
	defer closeStore(f, s)
	for i, id := range []string{"o-1", "o-2", "o-3"} {
		ev := &eventv1.OrderEvent{
			OrderId: id,
			Meta:    &eventv1.Meta{Version: 1, OccurredAtMicros: int64(i)},
			Change: &eventv1.OrderEvent_OrderPlacedV2{
				OrderPlacedV2: &eventv1.OrderPlacedV2{CustomerId: "c-1", Currency: "GBP", Lines: lines}},
		}
		rec := record(f, int64(i), ev)
		if err := s.view.Fold(&rec); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.view.Flush(context.Background(), eventlog.Offsets{partition: 3}); err != nil {
		f.Fatal(err)
	}
	_, next, err := s.List(context.Background(), Filter{CustomerID: "c-1"}, "", 2)
	if err != nil || next == "" {
		f.Fatal(next, err)
	}
	f.Add("", "", "")
	f.Add("c-1", "", next)
	f.Add("c-1", "placed", "\xff")
	f.Add("c", "1\x00", next)
	f.Fuzz(func(t *testing.T, customerID, status, after string) {
		rows, next, err := s.List(context.Background(), Filter{CustomerID: customerID, Status: status}, after, 2)
		if err != nil || len(rows) > 2 || next != "" && len(rows) < 2 {
			t.Fatalf("%d rows, next %q, %v", len(rows), next, err)
		}
	})
}
