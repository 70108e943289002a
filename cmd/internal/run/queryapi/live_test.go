package queryapi_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/cmd/internal/run/inventory"
	"github.com/holdfast/holdfast/cmd/internal/run/queryapi"
	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// shop is a log that gets a random history, and the read side of it.
type shop struct {
	*logtest.Log
	random   *rand.Rand
	versions map[string]uint64
	written  int
	dir      string
	address  string
	registry *prometheus.Registry
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{
		Log:    logtest.New(t, eventlog.Layout{PartitionCount: 3, ShardCount: 1}),
		random: rand.New(rand.NewPCG(5, 1)), versions: map[string]uint64{}, dir: t.TempDir(), address: "127.0.0.1:0",
	}
	s.run(inventory.Run)
	return s
}

// run starts a service, and returns how to stop it and where it listens.
func (s *shop) run(work func(context.Context, run.Service) error) (stop func(), address string) {
	s.T.Helper()
	listening, registry := make(chan string, 1), prometheus.NewRegistry()
	s.registry = registry
	stop = s.Background(func(ctx context.Context) error {
		err := work(ctx, run.Service{
			Log: s.Config, Layout: s.Layout, Listen: s.address,
			Logger: slog.New(slog.DiscardHandler), Registry: registry,
			Ready: func(address string) { listening <- address },
		})
		if err != nil {
			s.T.Errorf("the service ended: %v", err)
			listening <- ""
		}
		return err
	})
	return stop, <-listening
}

// serve starts query-api, always at the same address.
func (s *shop) serve() (stop func()) { return s.serveWith(queryapi.Config{}) }

func (s *shop) serveWith(cfg queryapi.Config) (stop func()) {
	s.T.Helper()
	stop, s.address = s.run(func(ctx context.Context, service run.Service) error {
		cfg.Service, cfg.DataDir = service, s.dir
		return queryapi.Run(ctx, cfg)
	})
	s.Eventually("query-api is ready", func() bool {
		response, err := http.Get("http://" + s.address + "/readyz")
		return err == nil && response.Body.Close() == nil && response.StatusCode == http.StatusOK
	})
	return stop
}

func (s *shop) orderID(n int) string { return fmt.Sprintf("5f0c7f5e-2d5c-8a35-9d2f-%012d", n) }

// write appends n random events of orders and items.
func (s *shop) write(n int) {
	s.T.Helper()
	recs := make([]*eventlog.Record, n)
	for i := range recs {
		if s.random.IntN(2) == 0 {
			recs[i] = s.orderEvent(s.orderID(s.random.IntN(12)))
		} else {
			recs[i] = s.stockEvent(fmt.Sprintf("SKU-%d", s.random.IntN(12)))
		}
	}
	if err := s.Client.Produce(s.Ctx, recs); err != nil {
		s.T.Fatal(err)
	}
}

func (s *shop) meta(key string) *eventv1.Meta {
	s.versions[key]++
	s.written++
	id := make([]byte, 16)
	binary.BigEndian.PutUint64(id, uint64(s.written))
	return &eventv1.Meta{EventId: id, Version: s.versions[key], OccurredAtMicros: int64(s.written)}
}

// orderEvent places an order, and then puts it on hold again and again: clients see each of these events.
func (s *shop) orderEvent(id string) *eventlog.Record {
	ev := schematest.OrderEvent(&eventv1.OrderHeld{Reason: fmt.Sprint("reason ", s.written)})
	if s.versions[id] == 0 {
		ev = schematest.OrderEvent(&eventv1.OrderPlacedV2{CustomerId: "c-" + id[len(id)-1:], Currency: "GBP"})
	}
	ev.OrderId, ev.Meta = id, s.meta(id)
	return s.record(eventlog.TopicOrders, id, ev)
}

func (s *shop) stockEvent(sku string) *eventlog.Record {
	ev := schematest.StockEvent(&eventv1.StockReceived{Location: "main", Quantity: 1})
	if s.versions[sku] == 0 {
		ev = schematest.StockEvent(&eventv1.ItemRegistered{})
	}
	ev.Sku, ev.Meta = sku, s.meta(sku)
	level := &eventv1.Level{OnHand: int64(ev.Meta.Version) - 1, Available: int64(ev.Meta.Version) - 1}
	ev.Total, ev.Locations = level, []*eventv1.LocationLevel{{Location: "main", Level: level}}
	return s.record(eventlog.TopicInventory, sku, ev)
}

func (s *shop) record(topic, key string, ev proto.Message) *eventlog.Record {
	value, err := proto.Marshal(ev)
	if err != nil {
		s.T.Fatal(err)
	}
	tp := eventlog.TopicPartition{Topic: topic, Partition: s.PartitionOf(key)}
	return &eventlog.Record{TopicPartition: tp, Key: []byte(key), Value: value}
}

// heard is what one follower got: by key the versions, or the places, of what it was told.
type heard struct {
	mu    sync.Mutex
	byKey map[string][]string
}

func (h *heard) add(key, what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byKey == nil {
		h.byKey = map[string][]string{}
	}
	h.byKey[key] = append(h.byKey[key], what)
}

func (h *heard) all() map[string][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.byKey)
}

// last is the last thing that was told of a key.
func (h *heard) last(key string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if of := h.byKey[key]; len(of) > 0 {
		return of[len(of)-1]
	}
	return ""
}

// Followers get everything once and in order, whatever becomes of query-api meanwhile, and leave nothing behind.
func TestFollowersMissNothingOverRestarts(t *testing.T) {
	s := newShop(t)
	s.write(150)
	stop := s.serve()
	var events, orders, one, rows heard
	ctx, leave := context.WithCancel(s.Ctx)
	defer leave()
	c := client.New("http://"+s.address, client.WithAttempts(1_000))
	var followers sync.WaitGroup
	follow(&followers, c.FollowEvents(ctx, client.EventFilter{Limit: 40}), func(page *client.Answer[[]client.Event]) {
		for _, ev := range page.Value {
			events.add(ev.Subject, ev.Position)
		}
	})
	toldOrder := func(h *heard) func(m *client.Message[client.Order]) {
		return func(m *client.Message[client.Order]) {
			h.add(m.Value.OrderID, fmt.Sprintf("%s %d of %d", m.Event, m.Value.Version, len(m.Value.Timeline)))
		}
	}
	follow(&followers, c.StreamOrders(ctx, client.OrderStream{After: "start"}), toldOrder(&orders))
	follow(&followers, c.StreamOrder(ctx, s.orderID(3), "start"), toldOrder(&one))
	follow(&followers, c.StreamAvailability(ctx, client.StockStream{After: "start"}),
		func(m *client.Message[client.Availability]) {
			rows.add(m.Value.SKU, fmt.Sprintf("%06d", m.Value.Version))
		})
	for range 3 {
		for range 5 {
			s.write(30)
			runtime.Gosched()
		}
		stop()
		s.write(50)
		stop = s.serve()
	}
	s.write(100)
	wantEvents, wantOrders, wantRows := s.read()
	id := s.orderID(3)
	s.Eventually("everything has come", func() bool {
		if len(events.all()) < len(wantEvents) || one.last(id) != wantOrders[id][len(wantOrders[id])-1] {
			return false
		}
		for key, want := range wantEvents {
			if events.last(key) != want[len(want)-1] {
				return false
			}
		}
		for key, want := range wantOrders {
			if orders.last(key) != want[len(want)-1] {
				return false
			}
		}
		for key, want := range wantRows {
			if rows.last(key) != want {
				return false
			}
		}
		return true
	})
	leave()
	followers.Wait()
	if got := events.all(); !reflect.DeepEqual(got, wantEvents) {
		t.Errorf("the feed has\n%v\nwant\n%v", got, wantEvents)
	}
	if got := orders.all(); !reflect.DeepEqual(got, wantOrders) {
		t.Errorf("the stream of orders has\n%v\nwant\n%v", got, wantOrders)
	}
	if got := one.all(); !reflect.DeepEqual(got, map[string][]string{id: wantOrders[id]}) {
		t.Errorf("the stream of one order has\n%v\nwant\n%v", got, wantOrders[id])
	}
	for sku, versions := range rows.all() { // of changes at the same time there is the last one alone
		if !slices.IsSorted(versions) || len(slices.Compact(slices.Clone(versions))) != len(versions) {
			t.Errorf("%s has the versions %v", sku, versions)
		}
	}
	s.Eventually("no goroutine is left behind", func() bool {
		stacks := make([]byte, 4<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		open, _ := logtest.Metric(t, s.registry, "holdfast_streams_open")
		return open == 0 && !strings.Contains(string(stacks), "queries.(*stream)") &&
			!strings.Contains(string(stacks), "queries.(*eventAPI)")
	})
	stop()
}

// follow runs a follower until its messages end.
func follow[T any](followers *sync.WaitGroup, messages func(yield func(T, error) bool), told func(T)) {
	followers.Go(func() {
		for m, err := range messages {
			if err != nil {
				return // its context has ended; what is missing shows
			}
			told(m)
		}
	})
}

// read reads the topics themselves: the places of all events by their key, what a stream of orders has to tell of each
// order, and the last version of each item.
func (s *shop) read() (events, orders map[string][]string, rows map[string]string) {
	s.T.Helper()
	events, orders, rows = map[string][]string{}, map[string][]string{}, map[string]string{}
	end, err := s.Client.StableOffsets(s.Ctx, s.Layout.AllPartitions())
	if err != nil {
		s.T.Fatal(err)
	}
	err = s.Client.Read(s.Ctx, eventlog.Offsets{}, end, func(rec *eventlog.Record) error {
		key := string(rec.Key)
		place := eventlog.PositionOf(eventlog.Offsets{rec.TopicPartition: rec.Offset + 1})
		events[key] = append(events[key], place.String())
		if n := len(events[key]); rec.Topic == eventlog.TopicInventory {
			rows[key] = fmt.Sprintf("%06d", n)
		} else if n == 1 {
			orders[key] = append(orders[key], "order_placed 1 of 1")
		} else {
			orders[key] = append(orders[key], fmt.Sprintf("order_held %d of %d", n, n))
		}
		return nil
	})
	if err != nil {
		s.T.Fatal(err)
	}
	return events, orders, rows
}
