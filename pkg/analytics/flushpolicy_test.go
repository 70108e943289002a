package analytics

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// pollEvery and writeTakes are how long a poll and a flush take on two busy cores.
const (
	pollEvery  = 50 * time.Millisecond
	writeTakes = 200 * time.Millisecond
)

// simulated is the result of a simulation.
type simulated struct {
	lines   []int           // of each batch
	visible []time.Duration // of each event, from when it was recorded until its batch was written
}

func (g *simulated) percentile(p int) time.Duration {
	slices.Sort(g.visible)
	return g.visible[(len(g.visible)-1)*p/100]
}

// simulate decodes the records of simulated polls. orders says how many orders each poll finds; an order has one line
// and three events. The clock is simulated too: it advances only while every goroutine waits.
func simulate(t *testing.T, orders []int) *simulated {
	t.Helper()
	var g simulated
	synctest.Test(t, func(t *testing.T) {
		m, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		p := newPipeline(m, uuid.UUID{}, nil)
		decoded := make(chan error)
		go func() { decoded <- p.decode(ctx) }()
		written := make(chan *batch)
		for range batchesWritten {
			go func() {
				for b := range p.full {
					time.Sleep(writeTakes)
					written <- b
				}
			}()
		}
		collected := make(chan struct{})
		go func() {
			defer close(collected)
			for b := range written {
				g.lines = append(g.lines, len(b.lines.offset))
				for _, at := range b.events.recordedAt {
					g.visible = append(g.visible, time.Since(at))
				}
				b.reset()
				p.free <- b
			}
		}()
		var offset int64
		for _, n := range orders {
			time.Sleep(pollEvery)
			p.input <- pollOf(t, n, &offset)
		}
		time.Sleep(time.Minute)
		cancel()
		<-decoded
		close(p.full)
		close(written)
		<-collected
	})
	return &g
}

// pollOf is the result of a poll that finds these orders. They were recorded at even distances since the previous poll.
func pollOf(t *testing.T, orders int, offset *int64) polled {
	t.Helper()
	var out polled
	var stock []eventlog.Record
	now := time.Now()
	for i := range orders {
		at := now.Add(-pollEvery + pollEvery*time.Duration(i)/time.Duration(orders)).UnixMicro()
		id := fmt.Sprint("order-", *offset)
		meta := func() *eventv1.Meta {
			eventID := uuid.New()
			return &eventv1.Meta{EventId: eventID[:], Version: 1, OccurredAtMicros: at, RecordedAtMicros: at}
		}
		add := func(to *[]eventlog.Record, topic string, ev encodable) {
			value, err := ev.MarshalVT()
			if err != nil {
				t.Fatal(err)
			}
			tp := eventlog.TopicPartition{Topic: topic}
			*to = append(*to, eventlog.Record{TopicPartition: tp, Offset: *offset, Value: value})
			*offset++
		}
		add(&out.records, eventlog.TopicOrders, &eventv1.OrderEvent{
			Meta: meta(), OrderId: id,
			Change: &eventv1.OrderEvent_OrderPlacedV2{OrderPlacedV2: &eventv1.OrderPlacedV2{
				CustomerId: "c", Currency: "GBP",
				Lines: []*eventv1.OrderLine{{Sku: "A", Quantity: 1, UnitPriceMicros: 1_000_000}},
			}},
		})
		add(&out.records, eventlog.TopicOrders, &eventv1.OrderEvent{
			Meta: meta(), OrderId: id,
			Change: &eventv1.OrderEvent_OrderReserved{OrderReserved: &eventv1.OrderReserved{}},
		})
		add(&stock, eventlog.TopicInventory, &eventv1.InventoryEvent{
			Meta: meta(), Sku: "A",
			Locations: []*eventv1.LocationLevel{{Location: "main", Level: &eventv1.Level{}}},
			Change:    &eventv1.InventoryEvent_StockReserved{StockReserved: &eventv1.StockReserved{}},
		})
	}
	out.records = append(out.records, stock...)
	out.reached = eventlog.Offsets{busy: *offset, quiet: *offset}
	return out
}

// loadTakes is how long a steady load lasts.
const loadTakes = 15 * time.Second

// steady is how many orders each poll finds.
func steady(perSecond int) []int {
	const polls = int(loadTakes / pollEvery)
	out := make([]int, polls)
	for i := range out {
		out[i] = perSecond*(i+1)*int(pollEvery)/int(time.Second) - perSecond*i*int(pollEvery)/int(time.Second)
	}
	return out
}

// At 1,000 orders a second, of one line each, every insert has a thousand rows or more. Half of the events are visible
// within a second, 99 of 100 within two.
func TestABusyLogIsWrittenInWholeParts(t *testing.T) {
	for _, perSecond := range []int{1_000, 10_000} {
		g := simulate(t, steady(perSecond))
		if n := len(g.visible); n != 3*perSecond*int(loadTakes/time.Second) {
			t.Fatalf("%d events were written", n)
		}
		// The last batch has what remained, so it may be small.
		if least := slices.Min(g.lines[:len(g.lines)-1]); least < partRows {
			t.Errorf("%d orders a second: an insert has %d lines", perSecond, least)
		}
		p50, p99 := g.percentile(50), g.percentile(99)
		t.Logf("%d orders a second: %d batches, visible after %v (p50), %v (p99)", perSecond, len(g.lines), p50, p99)
		if p50 > time.Second || p99 > 2*time.Second {
			t.Errorf("%d orders a second: visible after %v (p50), %v (p99)", perSecond, p50, p99)
		}
	}
}

// On a slow log, after a burst, and after a single order, the mirror does not wait for rows that will not come.
func TestASlowLogIsSeenWithinASecond(t *testing.T) {
	for name, orders := range map[string][]int{
		"slow": steady(20), "slower": steady(1), "burst": {0, 2_000, 2_000}, "single": {1},
	} {
		g := simulate(t, orders)
		if slowest := g.percentile(100); slowest > time.Second {
			t.Errorf("%s: an event is visible after %v", name, slowest)
		}
	}
}
