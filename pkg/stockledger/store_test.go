package stockledger_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/asof"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/stockledger"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// fixture is a log with receipts.
type fixture struct {
	*logtest.Log
	versions map[string]uint64
	last     eventlog.Offsets
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return &fixture{
		logtest.New(t, eventlog.Layout{PartitionCount: 3, ShardCount: 1}), map[string]uint64{}, eventlog.Offsets{},
	}
}

// at is when the event of a version was recorded.
func at(version uint64) time.Time {
	return time.UnixMicro(1_700_000_000_000_000 + int64(version)*1_000_000)
}

// append adds the next event of an item: its registration, then receipts of a unit each.
func (f *fixture) append(sku string) {
	f.T.Helper()
	f.versions[sku]++
	version := f.versions[sku]
	level := &eventv1.Level{OnHand: int64(version - 1), Available: int64(version - 1)}
	ev := &eventv1.InventoryEvent{Sku: sku, Total: level, Meta: &eventv1.Meta{
		EventId: make([]byte, 16), Version: version, RecordedAtMicros: at(version).UnixMicro(),
		OccurredAtMicros: at(version).UnixMicro(),
	}}
	if version == 1 {
		ev.Change = &eventv1.InventoryEvent_ItemRegistered{ItemRegistered: &eventv1.ItemRegistered{}}
	} else {
		ev.Locations = []*eventv1.LocationLevel{{Location: "main", Level: level}}
		ev.Change = &eventv1.InventoryEvent_StockReceived{
			StockReceived: &eventv1.StockReceived{Location: "main", Quantity: 1, Reference: fmt.Sprint("PO-", version)},
		}
	}
	value, err := ev.MarshalVT()
	if err != nil {
		f.T.Fatal(err)
	}
	f.last.Merge(f.Write(eventlog.TopicInventory, f.PartitionOf(sku), sku, value).Offsets())
}

// open opens a store that has all of the log.
func (f *fixture) open(dir string) (s *stockledger.Store, stop func()) {
	f.T.Helper()
	s, err := stockledger.Open(stockledger.Config{
		Dir: dir, Client: f.Client, Layout: f.Layout, Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		f.T.Fatal(err)
	}
	end := f.Background(s.Run)
	stop = func() {
		end()
		if err := s.Close(); err != nil {
			f.T.Error(err)
		}
	}
	if err := s.WaitFor(f.Ctx, eventlog.PositionOf(f.last)); err != nil {
		f.T.Fatal(err)
	}
	return s, stop
}

// everything is what a store says of all items at some moments, and their ledgers.
func (f *fixture) everything(s *stockledger.Store) (all string) {
	f.T.Helper()
	for _, sku := range []string{"A", "B", "C"} {
		for version := uint64(0); version <= f.versions[sku]+1; version += 7 {
			body, _, ok, err := s.Stock(sku, &asof.Moment{Micros: at(version).UnixMicro()})
			if err != nil || ok != (version > 0) {
				f.T.Fatalf("%s at version %d: %v %v", sku, version, ok, err)
			}
			all += string(body) + "\n"
		}
		page, ok, err := s.Ledger(f.Ctx, sku, &stockledger.Question{Limit: 500}, eventlog.Position.String)
		if err != nil || !ok || len(page.Entries) != int(f.versions[sku]) {
			f.T.Fatalf("the ledger of %s: %d entries of %d, %v", sku, len(page.Entries), f.versions[sku], err)
		}
		all += fmt.Sprintf("%+v\n", page.Entries)
	}
	return all
}

// The store goes on where it stopped, and comes back equal when its folder is deleted.
func TestTheLedgerGoesOnAndComesBackEqual(t *testing.T) {
	f := newFixture(t)
	for range 150 { // with snapshots
		for _, sku := range []string{"A", "B", "C"} {
			f.append(sku)
		}
	}
	dir := t.TempDir()
	_, stop := f.open(dir)
	stop()
	for range 100 {
		f.append("B")
	}
	s, stop := f.open(dir)
	went := f.everything(s)
	stop()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s, stop = f.open(dir)
	defer stop()
	if again := f.everything(s); again != went {
		t.Error("built again, the store says something else")
	}
	if _, _, ok, err := s.Row("nobody", &asof.Moment{}); ok || err != nil {
		t.Errorf("an item that there is not: %v %v", ok, err)
	}
	q := &stockledger.Question{Limit: 1}
	if _, ok, err := s.Ledger(f.Ctx, "nobody", q, eventlog.Position.String); ok || err != nil {
		t.Errorf("its ledger: %v %v", ok, err)
	}
}
