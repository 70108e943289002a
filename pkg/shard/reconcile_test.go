package shard_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// torn appends some records of a transaction to the log, as a broker that was killed may have kept them.
func (p *platform) torn(recs ...*eventlog.Record) {
	p.t.Helper()
	if err := p.client().Produce(p.t.Context(), recs); err != nil {
		p.t.Fatal(err)
	}
}

// record is an event as a shard writes it.
func (p *platform) record(
	topic, key string, m *codec.Meta, encode func(m *codec.Meta) (value []byte, ceType string, err error),
) *eventlog.Record {
	p.t.Helper()
	partition := eventlog.PartitionFor(key, p.want.PartitionCount)
	m.EventID, m.Generation, m.Shard = [16]byte(uuid.New()), 1, uint32(p.want.ShardOf(partition))
	m.OccurredAtMicros, m.RecordedAtMicros = time.Now().UnixMicro(), time.Now().UnixMicro()
	value, ceType, err := encode(m)
	if err != nil {
		p.t.Fatal(err)
	}
	tp := eventlog.TopicPartition{Topic: topic, Partition: partition}
	return shard.EventRecord(tp, key, value, ceType, m)
}

// placed are the events of an order that has its stock, decided by the rules; key makes its ID.
func (p *platform) placed(key, terms, sku string) (o order.Order, recs []*eventlog.Record) {
	p.t.Helper()
	cmd, err := decode(command.PlaceOrder, "", key, []byte(orderBody(terms, sku)), time.Now().UnixMicro())
	if err != nil {
		p.t.Fatal(err)
	}
	o.ID = cmd.ID
	reserved := order.RecordReservation{ReservationVersion: 1, Answers: []order.StockAnswer{{SKU: sku, Reserved: 1}}}
	for _, c := range []order.Command{cmd.Order, reserved} {
		evs, err := order.Decide(o, c)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, ev := range evs {
			m := codec.Meta{Version: o.Version + 1}
			if o.Version == 0 {
				m.IdempotencyKey, m.Fingerprint = key, cmd.Fingerprint
			}
			recs = append(recs, p.record(eventlog.TopicOrders, o.ID, &m, func(m *codec.Meta) ([]byte, string, error) {
				return codec.AppendOrder(nil, o.ID, m, ev)
			}))
			o = order.Evolve(o, ev, order.Facts{EventID: m.EventID})
		}
	}
	return o, recs
}

// reserved is the event of stock that reserves one unit for an order's first step.
func (p *platform) reserved(n *shard.Node, sku string, o *order.Order) *eventlog.Record {
	p.t.Helper()
	s := stockOf(p.t, n, sku)
	item := inventory.Item{SKU: sku, Version: s.Version, Registered: true, Locations: s.Locations}
	evs, err := inventory.Decide(item, inventory.Reservation{}, inventory.SetReservation{
		OrderID: o.ID, PlacedEventID: inventory.ID(o.PlacedEventID), Version: 1, Reserved: 1,
	})
	if err != nil || len(evs) != 1 {
		p.t.Fatal(evs, err)
	}
	m := &codec.Meta{Version: s.Version + 1}
	return p.record(eventlog.TopicInventory, sku, m, func(m *codec.Meta) ([]byte, string, error) {
		return codec.AppendInventory(nil, sku, m, evs[0])
	})
}

// stockIs waits until a SKU has this level.
func stockIs(t *testing.T, n *shard.Node, sku string, want inventory.Level) {
	t.Helper()
	eventually(t, func() string {
		if got := stockOf(t, n, sku).Total; got != want {
			return fmt.Sprintf("%s has %+v, want %+v", sku, got, want)
		}
		return ""
	})
}

// TestATornTransactionIsMended: some records of the last transaction are missing. Where the replica that finds out is
// fenced before it has repaired anything, the next one still knows.
func TestATornTransactionIsMended(t *testing.T) {
	for _, fenced := range []bool{false, true} {
		for _, c := range []struct {
			part, terms string
			want        inventory.Level
		}{
			{"stock", "prepaid", inventory.Level{OnHand: 5, Available: 5}},
			{"order", "prepaid", inventory.Level{OnHand: 5, Available: 4, Reserved: 1}},
			{"order", "on_account", inventory.Level{OnHand: 5, Available: 4, Committed: 1}},
		} {
			t.Run(fmt.Sprintf("only=%s,%s,fenced=%t", c.part, c.terms, fenced), func(t *testing.T) {
				p := newPlatform(t, 1)
				dir := t.TempDir()
				n := p.start(dir, shard.Hooks{})
				stock(t, n, "A", 5)
				o, recs := p.placed("k", c.terms, "A")
				if c.part == "stock" {
					recs = []*eventlog.Record{p.reserved(n, "A", &o)}
				}
				p.stop(n)
				p.torn(recs...)
				var once sync.Once
				n = p.start(dir, shard.Hooks{Acquire: func(number int32, phase string) {
					if fenced && phase == "reconcile" {
						once.Do(func() { p.fence(number) })
					}
				}})
				stockIs(t, n, "A", c.want)
				p.stop(n)
				p.verify()
			})
		}
	}
}

// fence ends whoever writes the shard, as another replica would that acquires it.
func (p *platform) fence(number int32) {
	ctx := p.t.Context()
	client := p.client()
	layout, err := client.EnsurePlatform(ctx, p.want)
	if err != nil {
		p.t.Error(err)
		return
	}
	w, err := eventlog.OpenWriter(ctx, client, layout, number)
	if err != nil {
		p.t.Error(err)
		return
	}
	w.Close()
}

// An order ends when its stock lost the step, and another order has the stock since (ORD-9).
func TestAnOrderWhoseStockIsGoneIsCancelled(t *testing.T) {
	p := newPlatform(t, 1)
	dir := t.TempDir()
	n := p.start(dir, shard.Hooks{})
	stock(t, n, "A", 1)
	ok(t, do(t, n, command.PlaceOrder, "", "other", orderBody("on_account", "A")))
	o, recs := p.placed("k", "on_account", "A")
	p.stop(n)
	p.torn(recs...)
	n = p.start(dir, shard.Hooks{})
	stockIs(t, n, "A", inventory.Level{OnHand: 1, Committed: 1})
	if r := do(t, n, command.ShipOrder, o.ID, "ship", `{}`); r.Code == "" || r.Status != "cancelled" {
		t.Errorf("its order can be shipped: %+v", r)
	}
	p.stop(n)
	p.verify()
}

// fates places orders of two SKUs and moves each to a status that its number chooses: shipped, cancelled, rejected, or
// waiting.
func fates(t *testing.T, n *shard.Node, orders int) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < orders; i += 16 {
				fate(t, n, i)
			}
		})
	}
	wg.Wait()
}

func fate(t *testing.T, n *shard.Node, i int) {
	key, a, b := fmt.Sprint("fate-", i), fmt.Sprint("sku-", i%7), fmt.Sprint("sku-", i%5)
	if i%6 == 0 {
		if r := do(t, n, command.PlaceOrder, "", key, orderBody("on_account", a, "nobody")); r.Code != problem.UnknownSKU {
			t.Errorf("%+v", r)
		}
		return
	}
	r := do(t, n, command.PlaceOrder, "", key, orderBody([]string{"on_account", "prepaid"}[i%2], a, b))
	if r.Code != "" {
		t.Errorf("%+v", r)
		return
	}
	id := r.Order.ID
	if i%2 == 1 {
		r = do(t, n, command.AuthorizePayment, id, "pay", `{"amount":"5.10"}`)
	}
	switch i % 6 {
	case 1, 2:
		r = do(t, n, command.ShipOrder, id, "ship", `{}`)
	case 3:
		r = do(t, n, command.CancelOrder, id, "cancel", `{"reason":"changed my mind"}`)
	}
	if r.Code != "" {
		t.Errorf("%+v", r)
	}
}

// events counts the events in the log.
func (p *platform) events() (sum int) {
	p.t.Helper()
	for _, topic := range []string{eventlog.TopicOrders, eventlog.TopicInventory} {
		p.readAll(topic, p.want.PartitionCount, func(*eventlog.Record) error { sum++; return nil })
	}
	return sum
}

// TestHistoryIsNotTakenUpAgain: a shard that builds its checkpoint from the log finds out which steps stock has
// answered, though no event says so. It keeps nothing in memory for orders that have ended, and writes nothing.
func TestHistoryIsNotTakenUpAgain(t *testing.T) {
	p := newPlatform(t, 1)
	n := p.start(t.TempDir(), shard.Hooks{})
	for i := range 7 {
		stock(t, n, fmt.Sprint("sku-", i), 1_000)
	}
	fates(t, n, 120)
	p.stop(n)
	before := p.events()
	n = p.start(t.TempDir(), shard.Hooks{})
	stockOf(t, n, "sku-0")
	if ids := n.Unsettled(t, 0); len(ids) > 0 {
		t.Errorf("%d orders are not known to be settled", len(ids))
	}
	p.stop(n)
	if after := p.events(); after != before {
		t.Errorf("there were %d events, and are %d", before, after)
	}
}

// TestHistoryIsNotTakenUpAfterAChange: after a change of the shard count, the stock of most orders is another shard's.
// They are known to be settled all the same, though no event says so, and none is written to say so.
func TestHistoryIsNotTakenUpAfterAChange(t *testing.T) {
	p := newPlatform(t, 1)
	dir := t.TempDir()
	n := p.start(dir, shard.Hooks{})
	for i := range 7 {
		stock(t, n, fmt.Sprint("sku-", i), 10_000)
	}
	fates(t, n, 300)
	waits := ok(t, do(t, n, command.PlaceOrder, "", "waits", orderBody("prepaid", "sku-0", "sku-1", "sku-2"))).Order.ID
	p.stop(n)
	if _, err := p.client().ChangeLayout(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	p.want.ShardCount = 3
	n = p.start(dir, shard.Hooks{})
	eventually(t, func() string { return text(n.Ready()) })
	for s := range p.want.ShardCount {
		if ids := n.Unsettled(t, s); len(ids) > 0 {
			t.Errorf("%d orders of shard %d are not known to be settled", len(ids), s)
		}
	}
	ok(t, do(t, n, command.AuthorizePayment, waits, "pay", `{"amount":"7.65"}`))
	ok(t, do(t, n, command.ShipOrder, waits, "ship", `{}`))
	p.stop(n)
	p.readAll(eventlog.TopicOrders, p.want.PartitionCount, func(rec *eventlog.Record) error {
		id, m, ev, err := codec.DecodeOrder(rec.Value)
		if err == nil && m.Generation > 1 && id != waits {
			t.Errorf("%T was written after the change", ev)
		}
		return err
	})
	p.verify()
}
