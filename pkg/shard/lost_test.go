package shard_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/shard"
)

// lostAcross has an order of a torn transaction whose stock another order has by now, and whose stock is another
// shard's from now on.
func lostAcross(t *testing.T) (p *platform, id string) {
	t.Helper()
	p = newPlatform(t, 1)
	n := p.start(t.TempDir(), shard.Hooks{})
	stock(t, n, "A", 1)
	ok(t, do(t, n, command.PlaceOrder, "", "other", orderBody("on_account", "A")))
	p.stop(n)
	p.want.ShardCount = 4
	layout := eventlog.Layout{PartitionCount: 12, ShardCount: 4}
	var recs []*eventlog.Record
	for i := 0; ; i++ {
		var o order.Order
		o, recs = p.placed(fmt.Sprint("k", i), "on_account", "A")
		if id = o.ID; layout.ShardOf(eventlog.PartitionFor(id, 12)) != layout.ShardOf(eventlog.PartitionFor("A", 12)) {
			break
		}
	}
	p.torn(recs...)
	if _, err := p.client().ChangeLayout(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	return p, id
}

// An order whose stock was lost is ended (ORD-9), also where that stock is another shard's, which does not know that
// anything was lost.
func TestAnOrderWhoseStockInAnotherShardIsGoneIsCancelled(t *testing.T) {
	for name, deliver := range map[string]func(uint64) func(func()){"all arrive": nil, "unreliable": unreliable} {
		t.Run(name, func(t *testing.T) {
			p, id := lostAcross(t)
			nodes := p.replicas(deliver)
			eventually(t, func() string {
				// Neither a confirmed order nor a cancelled one allows it, and the refusal says which it is.
				if r := do(t, nodes[1], command.ConfirmOrder, id, "confirm", `{}`); r.Status != "cancelled" {
					return fmt.Sprintf("%+v", r)
				}
				return ""
			})
			stockIs(t, nodes[0], "A", inventory.Level{OnHand: 1, Committed: 1})
			for _, n := range nodes {
				p.stop(n)
			}
			causes := p.causes(eventlog.TopicOrders, id)
			if !slices.Contains(causes[len(causes)-2:], "reconciliation") {
				t.Errorf("it was cancelled by %v", causes)
			}
			p.verify()
		})
	}
}

// causes are those of an aggregate's events.
func (p *platform) causes(topic, key string) (causes []string) {
	p.t.Helper()
	p.readAll(topic, p.want.PartitionCount, func(rec *eventlog.Record) error {
		if string(rec.Key) != key {
			return nil
		}
		var m codec.Meta
		var err error
		if topic == eventlog.TopicOrders {
			_, m, _, err = codec.DecodeOrder(rec.Value)
		} else {
			_, m, _, err = codec.DecodeInventory(rec.Value)
		}
		causes = append(causes, strings.ToLower(strings.TrimPrefix(m.Cause.String(), "CAUSE_")))
		return err
	})
	return causes
}

// Stock of another shard may have another step of the same version, because the order's events of a transaction were
// lost and the order went on otherwise. It would ignore a repeat: the order goes past that version. The events that
// stock then writes say why.
func TestStockWithAnotherStepOfTheSameVersionIsTold(t *testing.T) {
	p, dir, mail := newPlatform(t, 2), t.TempDir(), &post{}
	n := p.start(dir, shard.Hooks{})
	key, id := "", ""
	cmdOf := func(key string) *shard.Command {
		cmd, err := decode(command.PlaceOrder, "", key, []byte(orderBody("prepaid", "A")), 1)
		if err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	for i := 0; id == "" || n.ShardOf(id) == n.ShardOf("A"); i++ {
		key = fmt.Sprint("k", i)
		id = cmdOf(key).ID
	}
	stock(t, n, "A", 3)
	ok(t, do(t, n, command.PlaceOrder, "", key, orderBody("prepaid", "A")))
	stockIs(t, n, "A", inventory.Level{OnHand: 3, Available: 2, Reserved: 1})
	p.stop(n)
	p.torn(p.unheard("A", inventory.SetReservation{OrderID: id, Version: 3, Committed: 1}))
	mail.held = make(chan func(), 10_000)
	n = p.start(dir, shard.Hooks{Deliver: mail.deliver})
	ok(t, do(t, n, command.CancelOrder, id, "c", `{}`)) // before anything of that is heard
	held := mail.goOn()
	for len(held) > 0 {
		<-held
	}
	levelIs(t, n, "A", 3)
	p.stop(n)
	if causes := p.causes(eventlog.TopicInventory, "A"); causes[len(causes)-1] != "reconciliation" {
		t.Errorf("the causes are %v", causes)
	}
	p.verify()
}

// A document that goes past a step of stock is still imported at its own time.
func TestADocumentThatIsBehindItsStockKeepsItsTime(t *testing.T) {
	p, dir := newPlatform(t, 2), t.TempDir()
	n := p.start(dir, shard.Hooks{Deliver: func(func()) {}})
	at := time.Now().UnixMicro()
	cmd, err := decode(command.ImportOrder, "", "d", []byte(documentOf("x=1")), at)
	if err != nil {
		t.Fatal(err)
	}
	near, far := "", farSKU(n, cmd.ID)
	for i := 0; near == ""; i++ {
		if sku := fmt.Sprint("near-", i); n.ShardOf(sku) == n.ShardOf(cmd.ID) {
			near = sku
		}
	}
	stock(t, n, near, 3)
	stock(t, n, far, 3)
	if cmd, err = decode(command.ImportOrder, "", "d", []byte(documentOf(near+"=1", far+"=1")), at); err != nil {
		t.Fatal(err)
	}
	accepted(t, n, cmd)
	p.stop(n)
	p.torn(p.unheard(near, inventory.SetReservation{OrderID: cmd.ID, Version: 3, Reserved: 1, Imported: true}))
	n = p.start(dir, shard.Hooks{})
	levelIs(t, n, near, 2)
	levelIs(t, n, far, 2)
	p.stop(n)
	p.readAll(eventlog.TopicOrders, p.want.PartitionCount, func(rec *eventlog.Record) error {
		_, m, ev, err := codec.DecodeOrder(rec.Value)
		if m.OccurredAtMicros != cmd.OccurredAtMicros {
			t.Errorf("%T occurred at %d, the document at %d", ev, m.OccurredAtMicros, cmd.OccurredAtMicros)
		}
		return err
	})
	p.verify()
}

// unheard is an event of stock that moves the newest reservation of a SKU to a step that the order does not know.
func (p *platform) unheard(sku string, step inventory.SetReservation) *eventlog.Record {
	p.t.Helper()
	item, res := inventory.Item{SKU: sku}, inventory.Reservation{}
	p.readAll(eventlog.TopicInventory, p.want.PartitionCount, func(rec *eventlog.Record) error {
		key, _, ev, err := codec.DecodeInventory(rec.Value)
		if err == nil && key == sku {
			item, res = inventory.Evolve(item, res, ev)
		}
		return err
	})
	step.PlacedEventID = res.PlacedEventID
	evs, err := inventory.Decide(item, res, step)
	if err != nil || len(evs) != 1 {
		p.t.Fatal(evs, err)
	}
	m := &codec.Meta{Version: item.Version + 1}
	return p.record(eventlog.TopicInventory, sku, m, func(m *codec.Meta) ([]byte, string, error) {
		return codec.AppendInventory(nil, sku, m, evs[0])
	})
}
