package orderview

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestADamagedHistoryIsReported(t *testing.T) {
	s := openStore(t, vfs.NewMem())
	defer closeStore(t, s)
	ev := changes[0].event()
	ev.OrderId, ev.Meta = "o-1", &eventv1.Meta{Version: 1}
	rec := record(t, 0, ev)
	if err := s.view.Fold(&rec); err != nil {
		t.Fatal(err)
	}
	if err := s.view.Flush(context.Background(), eventlog.Offsets{partition: 1}); err != nil {
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
		if _, err := readSummary(s.view.db.DB, "o-1"); !errors.Is(err, errShortHistory) {
			t.Errorf("the summary in %d bytes of %d: %v", n, len(whole), err)
		}
	}
}
