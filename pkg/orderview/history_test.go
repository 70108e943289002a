package orderview

import (
	"context"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// A list of all orders goes through the statuses: one that an event leads to and that is not among them would be lost.
func TestEveryStatusIsListed(t *testing.T) {
	oneof := (&eventv1.OrderEvent{}).ProtoReflect().Descriptor().Oneofs().ByName("change").Fields()
	for i := range oneof.Len() {
		ev := &eventv1.OrderEvent{}
		m := ev.ProtoReflect()
		m.Set(oneof.Get(i), protoreflect.ValueOfMessage(m.NewField(oneof.Get(i)).Message()))
		if status := statusAfter(ev); status != "" && !slices.Contains(statuses, status) {
			t.Errorf("%s leads to %q, which is not in the list of statuses", oneof.Get(i).Name(), status)
		}
	}
}

func TestADamagedHistoryIsReported(t *testing.T) {
	s := openWriter(t, vfs.NewMem())
	defer closeWriter(t, s)
	ev := changes[0].event()
	ev.OrderId, ev.Meta = "o-1", &eventv1.Meta{Version: 1}
	rec := record(t, 0, ev)
	if err := errors.Join(s.view.Fold(&rec), s.view.Flush(context.Background(), eventlog.Offsets{partition: 1})); err != nil {
		t.Fatal(err)
	}
	v, closer, err := s.view.db.Get(historyKey("o-1"))
	if err != nil {
		t.Fatal(err)
	}
	whole := slices.Clone(v)
	if err := closer.Close(); err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		if err := s.view.db.Set(historyKey("o-1"), whole[:n], pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := s.Order("o-1"); !errors.Is(err, errShortHistory) {
			t.Errorf("%d bytes of %d: %v", n, len(whole), err)
		}
		if _, err := s.view.head("o-1"); !errors.Is(err, errShortHistory) {
			t.Errorf("the head in %d bytes of %d: %v", n, len(whole), err)
		}
	}
}
