package availability_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// row writes a row into the availability topic, as a projector elsewhere would.
func (f *fixture) row(r *eventv1.AvailabilityRow) {
	f.T.Helper()
	r.SourcePartition = f.PartitionOf(r.Sku)
	v, err := r.MarshalVT()
	if err != nil {
		f.T.Fatal(err)
	}
	f.Write(eventlog.TopicAvailability, r.SourcePartition, r.Sku, v)
}

// lastRow is the last row of a SKU in the topic: what compaction keeps.
func (f *fixture) lastRow(sku string) *eventv1.AvailabilityRow {
	f.T.Helper()
	tps := []eventlog.TopicPartition{{Topic: eventlog.TopicAvailability, Partition: f.PartitionOf(sku)}}
	end, err := f.Client.EndOffsets(f.Ctx, tps)
	if err != nil {
		f.T.Fatal(err)
	}
	last := &eventv1.AvailabilityRow{}
	err = f.Client.Read(f.Ctx, eventlog.Offsets{}, end, func(rec *eventlog.Record) error {
		if string(rec.Key) != sku {
			return nil
		}
		last.Reset()
		return last.UnmarshalVT(rec.Value)
	})
	if err != nil {
		f.T.Fatal(err)
	}
	return last
}

func TestAnEventThatCannotBeFoldedStopsItsPartitionOnly(t *testing.T) {
	f := newFixture(t)
	bad, good := f.KeyIn(1), f.KeyIn(2)
	f.receive(bad, 5)
	f.write(bad, []byte("not a protobuf"))
	p, _ := f.project()
	s := f.store()
	f.want(s, f.receive(good, 7), good, 7)
	after := f.receive(bad, 1)
	f.want(s, f.receive(good, 1), good, 8)
	want := "cannot fold inventory.events partition 1 offset 2: "
	f.Eventually("readiness names the place", func() bool {
		err := p.Ready()
		return err != nil && strings.HasPrefix(err.Error(), want)
	})
	if s.Reached().Reaches(after) {
		t.Fatal("the view passed an event that it cannot fold")
	}
	f.Eventually("a metric counts the partition", func() bool {
		return f.metric("holdfast_view_stopped_partitions", "availability_projector") == 1
	})
	if _, v, _ := s.Row(bad); v != 2 {
		t.Fatalf("what stood before it shows version %d", v)
	}
}

func TestAGapInVersionsStopsThePartition(t *testing.T) {
	f := newFixture(t)
	f.receive("A", 5)
	f.vers["A"]++ // one event is lost
	f.receive("A", 5)
	p, _ := f.project()
	f.Eventually("readiness names the gap", func() bool {
		err := p.Ready()
		return err != nil && strings.Contains(err.Error(), "SKU A has version 4 after 2")
	})
}

// metric is the value of a gauge or counter of the projector's registry.
func (f *fixture) metric(name, view string) float64 {
	families, err := f.metrics.Gather()
	if err != nil {
		f.T.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.Metric {
			for _, l := range m.Label {
				if family.GetName() == name && l.GetValue() == view {
					return m.GetGauge().GetValue() + m.GetCounter().GetValue()
				}
			}
		}
	}
	f.T.Fatalf("no metric %s of %s", name, view)
	return 0
}

func TestMetricsCountEventsAndLag(t *testing.T) {
	f := newFixture(t)
	p := f.receive("A", 1)
	f.receive("A", 1)
	proj, _ := f.project()
	f.want(f.store(), p, "A", 2)
	f.Eventually("ready", func() bool { return proj.Ready() == nil })
	if n := f.metric("holdfast_view_events_total", "availability_projector"); n != 3 {
		t.Errorf("%v events counted, want 3", n)
	}
	if n := f.metric("holdfast_view_lag_records", "availability_projector"); n != 0 {
		t.Errorf("a lag of %v records", n)
	}
	if n := f.metric("holdfast_view_lag_seconds", "availability_projector"); n < 0 || n > logtest.Patience.Seconds() {
		t.Errorf("a lag of %v seconds", n)
	}
	n, err := testutil.GatherAndCount(f.metrics, "holdfast_availability_rows_total", "holdfast_view_restarts_total")
	if n != 2 || err != nil {
		t.Errorf("%d metrics of rows and restarts: %v", n, err)
	}
}

// A transaction ends with a marker that has an offset, so that the log ends after its last record.
func TestAWaitForTheEndDoesNotHangBehindMarkers(t *testing.T) {
	f := newFixture(t)
	f.project()
	s := f.store()
	w, err := eventlog.OpenWriter(f.Ctx, f.Client, f.Layout, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	tp := eventlog.TopicPartition{
		Topic: eventlog.TopicInventory, Partition: eventlog.PartitionFor("A", f.Layout.PartitionCount),
	}
	for i := range 20 {
		ev := &eventv1.InventoryEvent{
			Sku: "A", Meta: &eventv1.Meta{Version: uint64(i + 1)}, Total: &eventv1.Level{},
			Change: &eventv1.InventoryEvent_ItemRegistered{ItemRegistered: &eventv1.ItemRegistered{Description: fmt.Sprint(i)}},
		}
		v, err := ev.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		rec := &eventlog.Record{TopicPartition: tp, Key: []byte("A"), Value: v}
		if err := w.Commit([]*eventlog.Record{rec}); err != nil {
			t.Fatal(err)
		}
		end, err := f.Client.EndOffsets(f.Ctx, []eventlog.TopicPartition{tp})
		if err != nil {
			t.Fatal(err)
		}
		if end[tp] < rec.Offset+1 {
			t.Fatalf("the log ends at %d before its record %d", end[tp], rec.Offset)
		}
		if err := s.WaitFor(f.Ctx, eventlog.PositionOf(end)); err != nil {
			t.Fatalf("round %d: wait for %v: %v, the view is at %s", i, end, err, s.Reached())
		}
		if _, version, _ := s.Row("A"); version != uint64(i+1) {
			t.Fatalf("round %d shows version %d", i, version)
		}
	}
}

func TestAnOlderRowNeverReplacesANewer(t *testing.T) {
	f := newFixture(t)
	f.project()
	s := f.store()
	p := f.receive("A", 5)
	f.want(s, p, "A", 5)
	old := f.lastRow("A")
	p = f.receive("A", 5)
	f.want(s, p, "A", 10)
	f.row(old) // a projector that was delayed
	f.Eventually("the newest row is the topic's last again", func() bool { return f.lastRow("A").Version == 3 })
	f.want(s, p, "A", 10)
	f.want(f.store(), p, "A", 10)
}

func TestAnOlderRowIsRepairedAtTheNextStartToo(t *testing.T) {
	f := newFixture(t)
	_, stop := f.project()
	s := f.store()
	f.want(s, f.receive("A", 5), "A", 5)
	old := f.lastRow("A")
	f.want(s, f.receive("A", 5), "A", 10)
	stop()
	f.row(old)
	f.project()
	f.Eventually("the newest row is the topic's last again", func() bool { return f.lastRow("A").Version == 3 })
}

// A projector that is killed between writing rows and progress leaves rows without progress.
func TestRowsWithoutProgressAreFoldedAgain(t *testing.T) {
	f := newFixture(t)
	_, stop := f.project()
	s := f.store()
	f.want(s, f.receive("A", 5), "A", 5)
	row := f.lastRow("A")
	stop()
	p := f.receive("A", 5)
	f.receive("B", 1)
	row.Version, row.SourceOffset = 3, row.SourceOffset+1
	row.Total.OnHand, row.Total.Available = 10, 10
	row.Locations[0].Level = row.Total
	f.row(row)
	f.project()
	f.want(s, p, "A", 10)
	f.want(s, f.receive("A", 1), "A", 11)
	f.want(f.store(), f.receive("B", 1), "B", 2)
}

func TestTheTopicIsBuiltAgainWhenItWasDeleted(t *testing.T) {
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprintf("projector running %v", running), func(t *testing.T) {
			t.Parallel() // readers take seconds to notice
			f := newFixture(t)
			_, stop := f.project()
			s := f.store()
			var p eventlog.Position
			for i := range 20 {
				sku := fmt.Sprintf("sku-%d", i)
				p = p.Merge(f.receive(sku, int64(i+1)))
				f.want(s, p, sku, int64(i+1))
			}
			if !running {
				stop()
			}
			f.DeleteTopic(eventlog.TopicAvailability)
			if !running {
				f.project()
			}
			fresh := f.store()
			for i := range 20 {
				sku := fmt.Sprintf("sku-%d", i)
				f.want(fresh, p, sku, int64(i+1))
				mine, _, _ := s.Row(sku)
				if body, _, _ := fresh.Row(sku); string(body) != string(mine) {
					t.Errorf("before %s\nafter %s", mine, body)
				}
			}
			// The reader that had it before goes on too.
			f.want(s, f.receive("sku-3", 1), "sku-3", 5)
		})
	}
}

func TestWhatIsNoRowStopsTheReader(t *testing.T) {
	f := newFixture(t)
	f.project()
	s := f.store()
	f.want(s, f.receive("A", 5), "A", 5)
	f.Write(eventlog.TopicAvailability, 0, "A", []byte("not a row"))
	f.Eventually("readiness names the place", func() bool {
		err := s.Ready()
		return err != nil && strings.HasPrefix(err.Error(), "cannot fold inventory.availability partition 0 offset")
	})
}

// Rows of an earlier version are made again from the log, with their open work.
func TestRowsOfAnEarlierFormatAreMadeAgain(t *testing.T) {
	for format := range uint32(4) {
		t.Run(fmt.Sprint(format), func(t *testing.T) { rowsAreMadeAgain(t, format) })
	}
}

func rowsAreMadeAgain(t *testing.T, format uint32) {
	f := newFixture(t)
	_, stop := f.project()
	s := f.store()
	f.want(s, f.receive("A", 5), "A", 5)
	p := f.append("A", &eventv1.InventoryEvent{
		Locations: []*eventv1.LocationLevel{{Location: "main", Level: f.items["A"]}},
		Change: &eventv1.InventoryEvent_StockExpected{
			StockExpected: &eventv1.StockExpected{Location: "main", Quantity: 7, Delta: 7, Reference: "PO-1"},
		},
	})
	f.want(s, p, "A", 5)
	old := f.lastRow("A")
	stop()
	f.DeleteTopic(eventlog.TopicAvailability)
	if _, err := f.Client.EnsurePlatform(f.Ctx, f.Layout); err != nil {
		t.Fatal(err)
	}
	old.Format, old.Deliveries = format, nil
	f.row(old)
	progress := &eventv1.AvailabilityRow{
		SourcePartition: f.PartitionOf("A"), SourceOffset: old.SourceOffset, Format: format,
	}
	v, err := progress.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	f.Write(eventlog.TopicAvailability, progress.SourcePartition, "\x00progress", v)
	f.project()
	s = f.store()
	f.want(s, p, "A", 5)
	body, _, _ := s.Stock("A")
	if !strings.Contains(string(body), `"expected":[{"location":"main","reference":"PO-1","quantity":7}]`) {
		t.Errorf("the delivery is missing: %s", body)
	}
	if _, _, ok := s.Stock("nobody"); ok {
		t.Error("an unknown SKU has stock")
	}
	old.Format = 99
	f.row(old)
	f.Eventually("a row of a newer version stops the reader", func() bool {
		err := s.Ready()
		return err != nil && strings.Contains(err.Error(), "format 99; this one knows 4: upgrade")
	})
}

func TestAProjectorBeforeItsLogSaysSo(t *testing.T) {
	f := newFixture(t)
	p := eventlog.PartitionFor("B", f.Layout.PartitionCount)
	v, err := (&eventv1.AvailabilityRow{SourcePartition: p, SourceOffset: 99, Format: 4}).MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	f.Write(eventlog.TopicAvailability, p, "\x00progress", v)
	proj, _ := f.project()
	f.Eventually("it says that the log is too short", func() bool {
		err := proj.Ready()
		return err != nil && strings.Contains(err.Error(), "up to offset 100, but it ends at 0")
	})
}

// Another projector goes on while one restores: its progress may be beyond the end that was asked for before.
func TestAProjectorStartsBesideOneThatIsAhead(t *testing.T) {
	f := newFixture(t)
	before, err := f.Client.StableOffsets(f.Ctx, projector.Partitions(eventlog.TopicInventory, f.Layout))
	if err != nil {
		t.Fatal(err)
	}
	f.project()
	f.want(f.store(), f.receive("A", 5), "A", 5)
	second, err := availability.NewProjector(availability.ProjectorConfig{
		Client: f.Client, Log: f.Config, Layout: f.Layout,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	from, err := second.BeginAt(f.Ctx, before)
	tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: f.PartitionOf("A")}
	if err != nil || from[tp] != 2 {
		t.Errorf("begins at %v: %v", from, err)
	}
}

func TestTenReadersReadTheirOwnWrites(t *testing.T) {
	f := newFixture(t)
	f.project()
	f.project()
	stores := []*availability.Store{f.store(), f.store()}
	var mu sync.Mutex // the fixture writes one at a time
	var readers sync.WaitGroup
	for i := range 10 {
		readers.Go(func() {
			sku := fmt.Sprintf("sku-%d", i)
			for n := range 20 {
				mu.Lock()
				p := f.receive(sku, 1)
				mu.Unlock()
				s := stores[n%2]
				if err := s.WaitFor(f.Ctx, p); err != nil {
					t.Errorf("%s: wait for %s: %v", sku, p, err)
					return
				}
				if _, version, _ := s.Row(sku); version != uint64(n+2) {
					t.Errorf("%s has version %d after its write of %d", sku, version, n+2)
				}
			}
		})
	}
	readers.Wait()
}
