package orderview

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec/codectest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// FuzzRender: an order can be followed through any two events that have what Fold asks for.
func FuzzRender(f *testing.F) {
	samples := codectest.Samples(f)
	for i, s := range samples {
		f.Add(samples[(i+1)%len(samples)].Value, s.Value)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var h head
		var events []*eventv1.OrderEvent
		for _, value := range [][]byte{first, second} {
			ev := &eventv1.OrderEvent{}
			if ev.UnmarshalVT(value) != nil || ev.OrderId == "" || ev.Meta == nil || ev.Change == nil {
				return
			}
			h.follow(ev)
			events = append(events, ev)
		}
		var back head
		if err := back.decode(h.encode(nil)); err != nil || back.version != h.version || back.left != h.left {
			t.Fatalf("%v: %+v, then %+v", err, h, back)
		}
		_, _ = render(events) // an error names the order; a year beyond 9999 has no text
	})
}

// FuzzHistory: what is stored of an order reads as events or is refused, whatever it is.
func FuzzHistory(f *testing.F) {
	for _, s := range codectest.Samples(f) {
		var h head
		chapter := appendFrame(appendFrame(nil, h.encode(nil)), appendFrame(nil, s.Value))
		f.Add(appendFrame(nil, chapter))
	}
	f.Fuzz(func(t *testing.T, history []byte) {
		events, err := eventsOf(history)
		if err == nil && len(events) == 0 {
			t.Fatal("no events, and no error")
		}
		var h head
		_ = chapters(history, func(head, _ []byte) error { return h.decode(head) })
	})
}

// FuzzListPlace: a list goes on behind any place, also one that no list has named.
func FuzzListPlace(f *testing.F) {
	s := openWriter(f, vfs.NewMem())
	defer closeWriter(f, s)
	for i, id := range []string{"o-1", "o-2", "o-3"} {
		ev := &eventv1.OrderEvent{OrderId: id, Meta: &eventv1.Meta{Version: 1, OccurredAtMicros: int64(i)}, Change: &eventv1.OrderEvent_OrderPlaced{
			OrderPlaced: &eventv1.OrderPlaced{CustomerId: "c-1", Currency: "GBP", Lines: lines}}}
		rec := record(f, int64(i), ev)
		if err := s.view.Fold(&rec); err != nil {
			f.Fatal(err)
		}
	}
	if err := s.view.Flush(context.Background(), eventlog.Offsets{partition: 3}); err != nil {
		f.Fatal(err)
	}
	_, next, err := s.List(context.Background(), "c-1", "", "", 2)
	if err != nil || next == "" {
		f.Fatal(next, err)
	}
	f.Add("", "", "")
	f.Add("c-1", "", next)
	f.Add("c-1", "placed", "\xff")
	f.Add("c", "1\x00", next)
	f.Fuzz(func(t *testing.T, customerID, status, after string) {
		if rows, next, err := s.List(context.Background(), customerID, status, after, 2); err != nil || len(rows) > 2 || next != "" && len(rows) < 2 {
			t.Fatalf("%d rows, next %q, %v", len(rows), next, err)
		}
	})
}
