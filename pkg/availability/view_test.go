package availability_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/devstack"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

const waitLimit = 60 * time.Second

type fixture struct {
	t      *testing.T
	ctx    context.Context
	cfg    eventlog.Config
	client *eventlog.Client
	layout eventlog.Layout
	items  map[string]*eventv1.Level
	vers   map[string]uint64

	metrics *prometheus.Registry // of the last projector
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	t.Cleanup(cancel)
	unique := "t" + uuid.NewString()[:8]
	cfg := eventlog.Config{Env: unique, TopicPrefix: unique + "."}
	if seed := os.Getenv("HOLDFAST_TEST_KAFKA"); seed != "" {
		cfg.Seeds = []string{seed}
	} else {
		k, err := devstack.StartKafka(ctx, devstack.KafkaOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(k.Close)
		cfg.Seeds, cfg.Embedded = k.Addrs(), true
	}
	client, err := eventlog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	layout, err := client.EnsurePlatform(ctx, eventlog.Layout{PartitionCount: 3, ShardCount: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{t: t, ctx: ctx, cfg: cfg, client: client, layout: layout, items: map[string]*eventv1.Level{}, vers: map[string]uint64{}}
}

// receive appends a receipt (and before the first, the registration) and returns the position after it.
func (f *fixture) receive(sku string, quantity int64) eventlog.Position {
	f.t.Helper()
	if f.vers[sku] == 0 {
		f.items[sku] = &eventv1.Level{}
		f.append(sku, &eventv1.InventoryEvent{Change: &eventv1.InventoryEvent_ItemRegistered{ItemRegistered: &eventv1.ItemRegistered{Description: "the " + sku}}})
	}
	level := f.items[sku]
	level.OnHand += quantity
	level.Available += quantity
	return f.append(sku, &eventv1.InventoryEvent{
		Locations: []*eventv1.LocationLevel{{Location: "main", Level: level}},
		Change:    &eventv1.InventoryEvent_StockReceived{StockReceived: &eventv1.StockReceived{Location: "main", Quantity: quantity}},
	})
}

func (f *fixture) append(sku string, ev *eventv1.InventoryEvent) eventlog.Position {
	f.t.Helper()
	f.vers[sku]++
	ev.Sku, ev.Total = sku, f.items[sku]
	ev.Meta = &eventv1.Meta{Version: f.vers[sku], OccurredAtMicros: time.Now().UnixMicro(), EventId: make([]byte, 16)}
	v, err := ev.MarshalVT()
	if err != nil {
		f.t.Fatal(err)
	}
	return f.write(sku, v)
}

func (f *fixture) write(sku string, value []byte) eventlog.Position {
	f.t.Helper()
	tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: eventlog.PartitionFor(sku, f.layout.PartitionCount)}
	rec := &eventlog.Record{TopicPartition: tp, Key: []byte(sku), Value: value, TimestampMicros: time.Now().UnixMicro()}
	if err := f.client.Produce(f.ctx, []*eventlog.Record{rec}); err != nil {
		f.t.Fatal(err)
	}
	return eventlog.PositionOf(eventlog.Offsets{tp: rec.Offset + 1})
}

// project runs a projector until the test, or stop, ends it.
func (f *fixture) project() (p *availability.Projector, stop func()) {
	f.t.Helper()
	f.metrics = prometheus.NewRegistry()
	p, err := availability.NewProjector(availability.ProjectorConfig{Client: f.client, Log: f.cfg, Layout: f.layout, Registerer: f.metrics})
	if err != nil {
		f.t.Fatal(err)
	}
	return p, f.background(p.Run)
}

func (f *fixture) store() *availability.Store {
	f.t.Helper()
	s, err := availability.NewStore(availability.StoreConfig{Client: f.client, Layout: f.layout})
	if err != nil {
		f.t.Fatal(err)
	}
	f.background(s.Run)
	return s
}

func (f *fixture) background(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(f.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = run(ctx) // ends with its context
	}()
	stop = func() { cancel(); <-done }
	f.t.Cleanup(stop)
	return stop
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
	f.t.Helper()
	if err := s.WaitFor(f.ctx, p); err != nil {
		f.t.Fatalf("the view does not reach %s: %v (at %s)", p, err, s.Reached())
	}
	body, version, ok := s.Row(sku)
	if !ok {
		f.t.Fatalf("%s is not in the view", sku)
	}
	var r row
	if err := json.Unmarshal(body, &r); err != nil {
		f.t.Fatalf("%s: %v in %s", sku, err, body)
	}
	if r.SKU != sku || r.Available != available || r.OnHand != available || r.Version != version || len(r.Locations) != 1 {
		f.t.Fatalf("%s is %s, want %d available", sku, body, available)
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
