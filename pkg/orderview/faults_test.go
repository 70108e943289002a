package orderview_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func reserved() *eventv1.OrderEvent {
	return schematest.OrderEvent(&eventv1.OrderReserved{})
}

func TestAnEventThatCannotBeFoldedStopsItsPartitionOnly(t *testing.T) {
	f := newFixture(t)
	s, stop := f.open(t.TempDir())
	bad, good := f.KeyIn(1), f.KeyIn(2)
	f.life(bad, "c-1")
	before := eventlog.PositionOf(f.last)
	f.append(bad, 9, reserved()) // two are missing
	passed := eventlog.PositionOf(f.last)
	f.life(good, "c-1")
	delete(f.last, eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: 1})
	if err := s.WaitFor(f.Ctx, eventlog.PositionOf(f.last).Merge(before)); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("cannot fold orders.events partition 1 offset 6: order %s has version 9 after 6", bad)
	f.Eventually("readiness names the place", func() bool {
		err := s.Ready()
		return err != nil && strings.HasPrefix(err.Error(), want+";")
	})
	if s.Reached().Reaches(passed) {
		t.Fatal("the view passed an event that it cannot fold")
	}
	if _, v, ok, err := s.Order(bad); v != 6 || !ok || err != nil {
		t.Fatalf("version %d, %v %v", v, ok, err)
	}
	stop() // and it stands there again after a restart
	s, _ = f.open(t.TempDir())
	f.Eventually("readiness names the place", func() bool {
		err := s.Ready()
		return err != nil && strings.HasPrefix(err.Error(), want+";")
	})
}

func TestWhatIsNoEventStopsThePartition(t *testing.T) {
	f := newFixture(t)
	rec := &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders},
		Key:            []byte("x"),
		Value:          []byte("not a protobuf"),
	}
	if err := f.Client.Produce(f.Ctx, []*eventlog.Record{rec}); err != nil {
		t.Fatal(err)
	}
	s, _ := f.open(t.TempDir())
	f.Eventually("readiness names the place", func() bool {
		err := s.Ready()
		return err != nil && strings.HasPrefix(err.Error(), "cannot fold orders.events partition 0 offset 0: ")
	})
}

// A transaction ends with a marker that has an offset, so that the log ends after its last record.
func TestAWaitForTheEndDoesNotHangBehindMarkers(t *testing.T) {
	f := newFixture(t)
	s, _ := f.open(t.TempDir())
	w, err := eventlog.OpenWriter(f.Ctx, f.Client, f.Layout, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	tp := eventlog.TopicPartition{
		Topic: eventlog.TopicOrders, Partition: eventlog.PartitionFor("o-1", f.Layout.PartitionCount),
	}
	for version := uint64(1); version <= 20; version++ {
		ev := reserved()
		ev.OrderId, ev.Meta = "o-1", &eventv1.Meta{Version: version}
		v, err := ev.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Commit([]*eventlog.Record{{TopicPartition: tp, Key: []byte("o-1"), Value: v}}); err != nil {
			t.Fatal(err)
		}
		end, err := f.Client.EndOffsets(f.Ctx, []eventlog.TopicPartition{tp})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.WaitFor(f.Ctx, eventlog.PositionOf(end)); err != nil {
			t.Fatalf("wait for %v: %v, the view is at %s", end, err, s.Reached())
		}
		if _, got, _, err := s.Order("o-1"); got != version || err != nil {
			t.Fatalf("version %d after %d was committed: %v", got, version, err)
		}
	}
}

func TestMetricsCountEventsAndLag(t *testing.T) {
	f := newFixture(t)
	f.life("o-1", "c-1")
	s, _ := f.open(t.TempDir())
	f.Eventually("ready", func() bool { return s.Ready() == nil })
	want := `
# HELP holdfast_view_events_total Records folded into the view, repeated ones included.
# TYPE holdfast_view_events_total counter
holdfast_view_events_total{view="orders"} 6
# HELP holdfast_view_lag_records Offsets between the view and the end of its topic, transaction markers included.
# TYPE holdfast_view_lag_records gauge
holdfast_view_lag_records{view="orders"} 0
# HELP holdfast_view_restarts_total Times the view began again after an error.
# TYPE holdfast_view_restarts_total counter
holdfast_view_restarts_total{view="orders"} 0
# HELP holdfast_view_stopped_partitions Partitions that stopped at a record that cannot be folded.
# TYPE holdfast_view_stopped_partitions gauge
holdfast_view_stopped_partitions{view="orders"} 0
`
	if err := testutil.GatherAndCompare(f.metrics, strings.NewReader(want), "holdfast_view_events_total",
		"holdfast_view_lag_records", "holdfast_view_restarts_total", "holdfast_view_stopped_partitions"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(f.metrics, "holdfast_view_lag_seconds"); n != 1 || err != nil {
		t.Errorf("%d of holdfast_view_lag_seconds: %v", n, err)
	}
}

func TestTenReadersReadTheirOwnWrites(t *testing.T) {
	f := newFixture(t)
	s, _ := f.open(t.TempDir())
	var mu sync.Mutex // the fixture writes one at a time
	var readers sync.WaitGroup
	for i := range 10 {
		readers.Go(func() {
			id := fmt.Sprintf("order-%d", i)
			for version := uint64(1); version <= 20; version++ {
				mu.Lock()
				f.append(id, version, reserved())
				p := eventlog.PositionOf(f.last)
				mu.Unlock()
				if err := s.WaitFor(f.Ctx, p); err != nil {
					t.Errorf("%s: wait for %s: %v", id, p, err)
					return
				}
				if _, got, _, err := s.Order(id); got != version || err != nil {
					t.Errorf("%s has version %d after its write of %d: %v", id, got, version, err)
				}
			}
		})
	}
	readers.Wait()
}
