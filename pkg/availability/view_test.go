package availability_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

type fixture struct {
	*logtest.Log
	items map[string]*eventv1.Level
	vers  map[string]uint64

	metrics *prometheus.Registry // of the last projector
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return &fixture{
		Log:   logtest.New(t, eventlog.Layout{PartitionCount: 3, ShardCount: 1}),
		items: map[string]*eventv1.Level{},
		vers:  map[string]uint64{},
	}
}

// receive appends a receipt (and before the first, the registration) and returns the position after it.
func (f *fixture) receive(sku string, quantity int64) eventlog.Position {
	f.T.Helper()
	if f.vers[sku] == 0 {
		f.items[sku] = &eventv1.Level{}
		f.append(sku, schematest.StockEvent(&eventv1.ItemRegistered{Description: "the " + sku}))
	}
	level := f.items[sku]
	level.OnHand += quantity
	level.Available += quantity
	return f.append(sku, &eventv1.InventoryEvent{
		Locations: []*eventv1.LocationLevel{{Location: "main", Level: level}},
		Change: &eventv1.InventoryEvent_StockReceived{
			StockReceived: &eventv1.StockReceived{Location: "main", Quantity: quantity},
		},
	})
}

func (f *fixture) append(sku string, ev *eventv1.InventoryEvent) eventlog.Position {
	f.T.Helper()
	f.vers[sku]++
	ev.Sku, ev.Total = sku, f.items[sku]
	ev.Meta = &eventv1.Meta{Version: f.vers[sku], OccurredAtMicros: time.Now().UnixMicro(), EventId: make([]byte, 16)}
	v, err := ev.MarshalVT()
	if err != nil {
		f.T.Fatal(err)
	}
	return f.write(sku, v)
}

func (f *fixture) write(sku string, value []byte) eventlog.Position {
	f.T.Helper()
	return f.Write(eventlog.TopicInventory, f.PartitionOf(sku), sku, value)
}

// project runs a projector until the test, or stop, ends it.
func (f *fixture) project() (p *availability.Projector, stop func()) {
	f.T.Helper()
	f.metrics = prometheus.NewRegistry()
	p, err := availability.NewProjector(availability.ProjectorConfig{
		Client: f.Client, Log: f.Config, Layout: f.Layout, Registerer: f.metrics,
	})
	if err != nil {
		f.T.Fatal(err)
	}
	return p, f.Background(p.Run)
}

func (f *fixture) store() *availability.Store {
	f.T.Helper()
	s, err := availability.NewStore(availability.StoreConfig{Client: f.Client, Layout: f.Layout})
	if err != nil {
		f.T.Fatal(err)
	}
	f.Background(s.Run)
	return s
}

type row struct {
	SKU       string `json:"sku"`
	Available int64  `json:"available"`
	OnHand    int64  `json:"on_hand"`
	Version   uint64 `json:"version"`
	Locations []struct {
		Location  string `json:"location"`
		Available int64  `json:"available"`
	} `json:"locations"`
}

func (f *fixture) want(s *availability.Store, p eventlog.Position, sku string, available int64) {
	f.T.Helper()
	if err := s.WaitFor(f.Ctx, p); err != nil {
		f.T.Fatalf("the view does not reach %s: %v (at %s)", p, err, s.Reached())
	}
	body, version, ok := s.Row(sku)
	if !ok {
		f.T.Fatalf("%s is not in the view", sku)
	}
	var r row
	if err := json.Unmarshal(body, &r); err != nil {
		f.T.Fatalf("%s: %v in %s", sku, err, body)
	}
	if r.SKU != sku || r.Available != available || r.OnHand != available || r.Version != version || len(r.Locations) != 1 {
		f.T.Fatalf("%s is %s, want %d available", sku, body, available)
	}
}

func TestAReaderSeesWhatItsPositionHolds(t *testing.T) {
	f := newFixture(t)
	f.project()
	s := f.store()
	for i := range 50 {
		sku := fmt.Sprintf("sku-%d", i%7)
		p := f.receive(sku, 3)
		f.want(s, p, sku, int64(i/7+1)*3)
	}
	if _, _, ok := s.Row("nobody"); ok {
		t.Fatal("an unknown SKU has a row")
	}
}

func TestAProjectorGoesOnWhereAnotherStopped(t *testing.T) {
	f := newFixture(t)
	s := f.store()
	_, stop := f.project()
	f.want(s, f.receive("A", 5), "A", 5)
	stop()
	p := f.receive("A", 5)
	f.project()
	f.project() // a second replica, or a zombie, repeats rows and harms nothing
	f.want(s, p, "A", 10)
	f.want(s, f.receive("A", 1), "A", 11)
	fresh := f.store()
	f.want(fresh, p, "A", 11)
}

// The item as a whole has its metadata. Availability, which is asked for often, does not.
func TestStockShowsMetadata(t *testing.T) {
	f := newFixture(t)
	f.project()
	s := f.store()
	f.items["A"] = &eventv1.Level{}
	register := func(description string, metadata *eventv1.Metadata) eventlog.Position {
		return f.append("A", schematest.StockEvent(&eventv1.ItemRegistered{Description: description, Metadata: metadata}))
	}
	for _, step := range []struct {
		description string
		metadata    *eventv1.Metadata
		want        string
	}{
		{"a", &eventv1.Metadata{Entries: []*eventv1.MetadataEntry{{Key: "a", Value: "\"1\""}, {Key: "b.c", Value: "2"}}},
			`"metadata":{"a":"\"1\"","b.c":"2"},"transfers":[]`},
		{"b", nil, `"metadata":{"a":"\"1\"","b.c":"2"},"transfers":[]`},
		{"b", &eventv1.Metadata{}, `"locations":[],"transfers":[]`},
	} {
		if err := s.WaitFor(f.Ctx, register(step.description, step.metadata)); err != nil {
			t.Fatal(err)
		}
		whole, _, _ := s.Stock("A")
		body, _, _ := s.Row("A")
		if !strings.Contains(string(whole), step.want) || strings.Contains(string(body), "metadata") {
			t.Errorf("%s has no %s, or %s has metadata", whole, step.want, body)
		}
	}
}
