package live

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/eventlog/schema/schematest"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// history writes a random history of orders and items to a log.
type history struct {
	*logtest.Log
	random   *rand.Rand
	versions map[string]uint64
	written  int
}

func newHistory(t testing.TB, seed uint64) *history {
	t.Helper()
	return &history{
		Log:    logtest.New(t, eventlog.Layout{PartitionCount: 3, ShardCount: 1}),
		random: rand.New(rand.NewPCG(seed, 1)), versions: map[string]uint64{},
	}
}

// orderID is the ID of an order of the history.
func orderID(n int) string { return fmt.Sprintf("5f0c7f5e-2d5c-8a35-9d2f-%012d", n) }

// write appends n events of a few orders and items.
func (h *history) write(n int) {
	h.T.Helper()
	recs := make([]*eventlog.Record, n)
	for i := range recs {
		if h.random.IntN(2) == 0 {
			recs[i] = h.orderEvent(orderID(h.random.IntN(9)))
		} else {
			recs[i] = h.stockEvent(fmt.Sprintf("SKU-%d", h.random.IntN(9)))
		}
	}
	if err := h.Client.Produce(h.Ctx, recs); err != nil {
		h.T.Fatal(err)
	}
}

func (h *history) meta(key string) *eventv1.Meta {
	h.versions[key]++
	h.written++
	id := make([]byte, 16)
	binary.BigEndian.PutUint64(id, uint64(h.written))
	return &eventv1.Meta{EventId: id, Version: h.versions[key], OccurredAtMicros: int64(h.written)}
}

func (h *history) orderEvent(id string) *eventlog.Record {
	ev := schematest.OrderEvent(&eventv1.OrderConfirmed{})
	if h.versions[id] == 0 {
		ev = schematest.OrderEvent(&eventv1.OrderPlacedV2{CustomerId: "c-" + id[len(id)-1:], Currency: "GBP"})
	}
	ev.OrderId, ev.Meta = id, h.meta(id)
	return h.record(eventlog.TopicOrders, id, ev)
}

func (h *history) stockEvent(sku string) *eventlog.Record {
	ev := schematest.StockEvent(&eventv1.StockReceived{Location: "main", Quantity: 1})
	ev.Sku, ev.Meta = sku, h.meta(sku)
	return h.record(eventlog.TopicInventory, sku, ev)
}

func (h *history) record(topic, key string, ev proto.Message) *eventlog.Record {
	value, err := proto.Marshal(ev)
	if err != nil {
		h.T.Fatal(err)
	}
	tp := eventlog.TopicPartition{Topic: topic, Partition: h.PartitionOf(key)}
	return &eventlog.Record{TopicPartition: tp, Key: []byte(key), Value: value}
}

// serve runs a feed over views that keep nothing, as a query-api that starts, until stop is called.
func (h *history) serve(maxBytes int) (f *Feed, stop func()) {
	h.T.Helper()
	tail := NewTail(h.Layout.PartitionCount)
	tail.maxBytes = maxBytes
	var stops []func()
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		r, err := projector.New(projector.Config{
			Name: topic, Partitions: projector.Partitions(topic, h.Layout), View: &blank{h.Layout, topic},
			Client: h.Client, Listener: tail.Listener(topic),
		})
		if err != nil {
			h.T.Fatal(err)
		}
		stops = append(stops, h.Background(r.Run))
	}
	f, err := NewFeed(FeedConfig{Tail: tail, Client: h.Client})
	if err != nil {
		h.T.Fatal(err)
	}
	h.T.Cleanup(f.Close)
	return f, func() {
		for _, stop := range stops {
			stop()
		}
		f.Close()
	}
}

// blank is a view that begins at the start of its topic.
type blank struct {
	layout eventlog.Layout
	topic  string
}

func (b *blank) Begin(context.Context, eventlog.Offsets) (eventlog.Offsets, error) {
	from := eventlog.Offsets{}
	for _, tp := range projector.Partitions(b.topic, b.layout) {
		from[tp] = 0
	}
	return from, nil
}
func (*blank) Fold(*eventlog.Record) error                   { return nil }
func (*blank) Flush(context.Context, eventlog.Offsets) error { return nil }

// end is where the log ends.
func (h *history) end() eventlog.Position {
	h.T.Helper()
	ends, err := h.Client.StableOffsets(h.Ctx, h.Layout.AllPartitions())
	if err != nil {
		h.T.Fatal(err)
	}
	return eventlog.PositionOf(ends)
}

// read is an independent read of the topics: the events of each aggregate that are selected, by key.
func (h *history) read(selected func(*eventlog.Record) bool) map[string][]string {
	h.T.Helper()
	got := map[string][]string{}
	err := h.Client.Read(h.Ctx, eventlog.Offsets{}, h.end().Offsets(), func(rec *eventlog.Record) error {
		if selected(rec) {
			got[string(rec.Key)] = append(got[string(rec.Key)], placeOf(rec))
		}
		return nil
	})
	if err != nil {
		h.T.Fatal(err)
	}
	return got
}

func placeOf(rec *eventlog.Record) string {
	return fmt.Sprintf("%s/%d@%d", strings.TrimSuffix(rec.Topic, ".events"), rec.Partition, rec.Offset)
}
