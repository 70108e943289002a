package live

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// ended is a context for pages that do not wait.
func ended(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// Whoever follows the feed gets each event once, and those of an aggregate in their order: from the tail and from the
// log, with any filter, and over restarts of the service while events come in.
func TestTheFeedHasEachEventOnceAndInOrder(t *testing.T) {
	for name, c := range map[string]struct {
		maxBytes int
		filter   Filter
	}{
		"from memory":           {MaxTailBytes, Filter{}},
		"from the log":          {0, Filter{}},
		"from both":             {4_000, Filter{}},
		"orders alone":          {4_000, Filter{Topic: eventlog.TopicOrders}},
		"one order":             {4_000, Filter{OrderID: orderID(3)}},
		"an order and an item":  {4_000, Filter{OrderID: orderID(3), SKU: "SKU-2"}},
		"one type":              {4_000, Filter{Types: []string{"order_placed"}}},
		"an item, in its topic": {4_000, Filter{Topic: eventlog.TopicInventory, SKU: "SKU-2"}},
		"a filter without any":  {4_000, Filter{SKU: "no such"}},
		"two types of one topic": {
			0, Filter{Types: []string{"stock_received", "order_confirmed"}, Topic: eventlog.TopicInventory},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory(t, 7)
			h.write(200)
			got := map[string][]string{}
			at, random := eventlog.Position{}, rand.New(rand.NewPCG(3, 1))
			for range 4 { // the service is stopped and started again
				feed, stop := h.serve(c.maxBytes)
				for range 3 {
					h.write(40)
					at = h.follow(feed, at, &c.filter, got, 1+random.IntN(60))
				}
				stop()
				h.write(20)
			}
			feed, stop := h.serve(c.maxBytes)
			defer stop()
			h.follow(feed, at, &c.filter, got, 10)
			want := h.read(func(rec *eventlog.Record) bool {
				return (c.filter.Topic == "" || c.filter.Topic == rec.Topic) && c.filter.selects(rec)
			})
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%v\nwant\n%v", got, want)
			}
		})
	}
}

// follow reads pages up to the end of the log, and returns where the next one begins.
func (h *history) follow(
	f *Feed, at eventlog.Position, filter *Filter, got map[string][]string, limit int,
) eventlog.Position {
	h.T.Helper()
	if err := f.WaitFor(h.Ctx, h.end()); err != nil {
		h.T.Fatal(err)
	}
	waiting, cancel := context.WithCancel(h.Ctx)
	cancel()
	for {
		page, err := f.Page(h.Ctx, waiting, at, filter, limit)
		if err != nil {
			h.T.Fatal(err)
		}
		if len(page.Events) > limit {
			h.T.Fatalf("%d events, the limit is %d", len(page.Events), limit)
		}
		for i := range page.Events {
			key := string(page.Events[i].Key)
			got[key] = append(got[key], placeOf(&page.Events[i]))
		}
		if at = page.Next; !page.More {
			return at
		}
	}
}

func TestAPageWaitsForAnEvent(t *testing.T) {
	h := newHistory(t, 1)
	feed, stop := h.serve(MaxTailBytes)
	defer stop()
	h.write(10)
	if err := feed.WaitFor(h.Ctx, h.end()); err != nil {
		t.Fatal(err)
	}
	at := feed.Reached()
	page, err := feed.Page(h.Ctx, ended(t), at, &Filter{}, 10)
	if err != nil || len(page.Events) != 0 || page.More || !page.Next.Equal(at) {
		t.Fatalf("nothing to come: %v, %v", page, err)
	}
	pages := make(chan *Page)
	go func() {
		page, err := feed.Page(h.Ctx, h.Ctx, at, &Filter{SKU: "SKU-A"}, 10)
		if err != nil {
			t.Error(err)
		}
		pages <- page
	}()
	h.write(10)
	if err := h.Client.Produce(h.Ctx, []*eventlog.Record{h.stockEvent("SKU-A")}); err != nil {
		t.Fatal(err)
	}
	if page := <-pages; len(page.Events) != 1 || string(page.Events[0].Key) != "SKU-A" {
		t.Errorf("got %v", page)
	}
	leaving, leave := context.WithCancel(h.Ctx)
	go leave()
	if _, err := feed.Page(leaving, leaving, h.end(), &Filter{}, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that leaves: %v", err)
	}
}

// A view that begins again has less than before for a while: who is behind it waits, and gets nothing twice.
func TestAPageOfAViewThatBeginsAgain(t *testing.T) {
	tail, tp := NewTail(1), eventlog.TopicPartition{Topic: eventlog.TopicOrders}
	feed, err := NewFeed(FeedConfig{Tail: tail})
	if err != nil {
		t.Fatal(err)
	}
	orders := tail.Listener(eventlog.TopicOrders)
	fold := func(from, to int64) {
		var recs []eventlog.Record
		for offset := from; offset < to; offset++ {
			recs = append(recs, eventlog.Record{TopicPartition: tp, Offset: offset})
		}
		orders.Folded(recs, eventlog.Offsets{tp: to})
	}
	tail.Listener(eventlog.TopicInventory).Began(eventlog.Offsets{{Topic: eventlog.TopicInventory}: 0})
	orders.Began(eventlog.Offsets{tp: 0})
	fold(0, 5)
	at := feed.Reached()
	orders.Began(eventlog.Offsets{tp: 2})
	page, err := feed.Page(t.Context(), ended(t), at, &Filter{}, 10)
	if err != nil || len(page.Events) != 0 || !page.Next.Equal(at) {
		t.Fatalf("before it is there again: %v, %v", page, err)
	}
	fold(2, 7)
	fold(4, 8) // what was folded comes again
	page, err = feed.Page(t.Context(), ended(t), at, &Filter{}, 10)
	if err != nil || len(page.Events) != 3 || page.Events[0].Offset != 5 || page.Events[2].Offset != 7 {
		t.Errorf("got %v, %v", page, err)
	}
	orders.Folded([]eventlog.Record{{TopicPartition: tp, Offset: 8}}, eventlog.Offsets{tp: 8}) // it stops there
	if page, err = feed.Page(t.Context(), ended(t), page.Next, &Filter{}, 10); err != nil || len(page.Events) != 0 {
		t.Errorf("a record that was not folded: %v, %v", page, err)
	}
}

// A client that goes on where its page ended gets the consumer that read it.
func TestReadersGoOnWhereTheyStand(t *testing.T) {
	h := newHistory(t, 1)
	h.write(100)
	feed, stop := h.serve(0)
	defer stop()
	if err := feed.WaitFor(h.Ctx, h.end()); err != nil {
		t.Fatal(err)
	}
	next := func(at eventlog.Position) eventlog.Position {
		t.Helper()
		page, err := feed.Page(h.Ctx, ended(t), at, &Filter{}, 10)
		if err != nil || len(page.Events) != 10 {
			t.Fatalf("%v, %v", page, err)
		}
		return page.Next
	}
	at := next(eventlog.Position{})
	reader := feed.readers.parked[0]
	if at = next(at); len(feed.readers.parked) != 1 || feed.readers.parked[0] != reader {
		t.Error("another reader has gone on")
	}
	for range MaxLogReaders + 2 { // other clients
		next(eventlog.Position{})
	}
	if n := len(feed.readers.parked); n != MaxLogReaders {
		t.Errorf("%d readers are kept, the limit is %d", n, MaxLogReaders)
	}
	next(at)
	for _, l := range append([]*logReader{}, feed.readers.parked...) {
		feed.readers.expire(l)
	}
	if n := len(feed.readers.parked); n != 0 {
		t.Errorf("%d readers are idle and kept", n)
	}
	feed.readers.wait = 0
	for range MaxLogReaders {
		feed.readers.slots <- struct{}{}
	}
	if _, err := feed.Page(h.Ctx, ended(t), at, &Filter{}, 10); !errors.Is(err, ErrBusy) {
		t.Errorf("all readers are in use: %v", err)
	}
}

// Brokers that are slow end a page: its reader goes on with the next one.
func TestAPageEndsInTime(t *testing.T) {
	h := newHistory(t, 1)
	h.write(10)
	feed, stop := h.serve(0)
	defer stop()
	if err := feed.WaitFor(h.Ctx, h.end()); err != nil {
		t.Fatal(err)
	}
	feed.pageTime = 0
	page, err := feed.Page(h.Ctx, ended(t), eventlog.Position{}, &Filter{}, 10)
	if err != nil || len(page.Events) != 0 || !page.More || len(feed.readers.parked) != 1 {
		t.Fatalf("%v, %v", page, err)
	}
	feed.pageTime = MaxPageTime
	if page, err = feed.Page(h.Ctx, ended(t), page.Next, &Filter{}, 10); err != nil || len(page.Events) != 10 {
		t.Errorf("%v, %v", page, err)
	}
}

// A log whose start was deleted is no log without events.
func TestAPageOfDeletedEvents(t *testing.T) {
	h := newHistory(t, 1)
	h.write(50)
	feed, stop := h.serve(0)
	defer stop()
	if err := feed.WaitFor(h.Ctx, h.end()); err != nil {
		t.Fatal(err)
	}
	logtest.DeleteRecords(t, h.Config, eventlog.TopicOrders)
	_, err := feed.Page(h.Ctx, ended(t), eventlog.Position{}, &Filter{}, 10)
	if _, ok := errors.AsType[*eventlog.LogStartError](err); !ok {
		t.Errorf("got %v", err)
	}
	other, err := eventlog.ParsePosition("o99.1")
	if err != nil {
		t.Fatal(err)
	}
	if err := feed.WaitFor(ended(t), other); !errors.Is(err, context.Canceled) {
		t.Errorf("a partition that there is not: %v", err)
	}
}

// A client that reads the log from its start.
func BenchmarkCatchUp(b *testing.B) {
	for name, maxBytes := range map[string]int{"log": 0, "memory": 256 << 20} {
		b.Run(name, func(b *testing.B) {
			h := newHistory(b, 1)
			for range 100 {
				h.write(2_000)
			}
			feed, stop := h.serve(maxBytes)
			defer stop()
			if err := feed.WaitFor(h.Ctx, h.end()); err != nil {
				b.Fatal(err)
			}
			var text []byte
			events := 0
			for b.Loop() {
				at, more := eventlog.Position{}, true
				for more {
					page, err := feed.Page(h.Ctx, ended(b), at, &Filter{}, MaxPageEvents)
					if err != nil {
						b.Fatal(err)
					}
					for i := range page.Events {
						if text, err = AppendEvent(text[:0], &page.Events[i], ""); err != nil {
							b.Fatal(err)
						}
					}
					at, more = page.Next, page.More
					events += len(page.Events)
				}
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
