package shard_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// eventsOf counts the events of a topic.
func (p *platform) eventsOf(topic string) (n int) {
	p.t.Helper()
	p.readAll(topic, p.want.PartitionCount, func(*eventlog.Record) error { n++; return nil })
	return n
}

// The largest order of SKUs that do not exist is placed and refused: two events of the order, and none of stock. So is
// a document. Stock that does exist remembers that it was asked.
func TestARefusalIsOneEventOfTheOrder(t *testing.T) {
	for _, shards := range []int32{1, 4} {
		t.Run(fmt.Sprint(shards, " shards"), func(t *testing.T) {
			p := newPlatform(t, shards)
			dir := t.TempDir()
			n := p.start(dir, shard.Hooks{})
			var skus, quantities []string
			for i := range limits.MaxLines {
				sku := fmt.Sprintf("%0*d", limits.MaxSKULength, i)
				skus, quantities = append(skus, sku), append(quantities, sku+"=1")
			}
			refused := func(typ, key, body string, short int) {
				t.Helper()
				if r := do(t, n, typ, "", key, body); r.Code != problem.UnknownSKU || len(r.Short) < short {
					t.Fatalf("%s: %s %s, %d short", key, r.Code, r.Detail, len(r.Short))
				}
			}
			refused(command.PlaceOrder, "o", orderBody("prepaid", skus...), 1) // one shard's refusal is enough
			orders, ofStock := p.eventsOf(eventlog.TopicOrders), p.eventsOf(eventlog.TopicInventory)
			if orders != 2 || ofStock != 0 {
				t.Errorf("refusing an order wrote %d events of orders and %d of stock", orders, ofStock)
			}
			refused(command.ImportOrder, "d", documentOf(quantities...), limits.MaxLines)
			if stock := p.eventsOf(eventlog.TopicInventory); stock != 0 {
				t.Errorf("refusing a document wrote %d events of stock", stock)
			}
			p.stop(n)
			n = p.start(dir, shard.Hooks{})
			stock(t, n, "A", 1)
			before := p.eventsOf(eventlog.TopicInventory)
			refused(command.PlaceOrder, "mixed", orderBody("prepaid", "A", skus[0]), 1)
			if more := p.eventsOf(eventlog.TopicInventory) - before; more > 2 {
				t.Errorf("refusing an order of one SKU that exists wrote %d events of stock", more)
			}
			p.stop(n)
			p.verify()
		})
	}
}

// unknownAway places an order of a SKU of another shard that nobody has registered, and returns the step to that shard,
// to be delivered again.
func unknownAway(t *testing.T, p *platform, n *shard.Node, mail *post) (step func()) {
	t.Helper()
	key := ""
	for i := 0; ; i++ {
		key = fmt.Sprint("k", i)
		if n.ShardOf(orderid.ByKey(orderid.DefaultTenant, key)) != n.ShardOf("X") {
			break
		}
	}
	if r := do(t, n, command.PlaceOrder, "", key, orderBody("on_account", "X")); r.Code != problem.UnknownSKU {
		t.Fatalf("%+v", r)
	}
	if causes := p.causes(eventlog.TopicInventory, "X"); len(causes) > 0 {
		t.Fatalf("stock that does not exist has events: %v", causes)
	}
	return mail.first()
}

// A step is refused because its SKU is unknown. The SKU is registered, and the same step comes once more: stock has not
// remembered it, and reserves. The order, which was refused long ago, gives that back. If the answer is lost, the sweep
// finds it.
func TestALateStepOfASKUThatWasUnknownIsTakenBack(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("answer lost=%t", lost), func(t *testing.T) {
			p, dir, mail := newPlatform(t, 2), t.TempDir(), &post{}
			n := p.start(dir, shard.Hooks{Deliver: mail.deliver})
			step := unknownAway(t, p, n, mail)
			stock(t, n, "X", 3)
			want := []string{"command", "command", "saga", "saga"} // registered, received, reserved, released
			if lost {
				mail.hold(1_000)
				want[3] = "reconciliation"
			}
			step()
			if lost {
				stockIs(t, n, "X", inventory.Level{OnHand: 3, Available: 2, Reserved: 1})
				p.stop(n)
				n = p.start(dir, shard.Hooks{})
			}
			eventually(t, func() string {
				if causes := p.causes(eventlog.TopicInventory, "X"); !slices.Equal(causes, want) {
					return fmt.Sprintf("the causes are %v, want %v", causes, want)
				}
				return ""
			})
			levelIs(t, n, "X", 3)
			p.stop(n)
			p.verify()
		})
	}
}

// A document waits for all answers. Its SKU is registered after a shard has answered that it is unknown, and before
// another one has answered: what a repeat of the step reserves then counts.
func TestADocumentTakesWhatARepeatedStepReserves(t *testing.T) {
	p, mail := newPlatform(t, 3), &post{held: make(chan func(), 1_000)}
	n := p.start(t.TempDir(), shard.Hooks{Deliver: mail.deliver})
	home := n.ShardOf(orderid.ByKey(orderid.DefaultTenant, "d"))
	x, y := "", ""
	for i := 0; y == ""; i++ { // a document of which each SKU is in another shard
		switch sku := fmt.Sprint("s", i); {
		case n.ShardOf(sku) == home:
		case x == "":
			x = sku
		case n.ShardOf(sku) != n.ShardOf(x):
			y = sku
		}
	}
	cmd, err := decode(command.ImportOrder, "", "d", []byte(documentOf(x+"=1", y+"=1")), time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 { // some SKU of each shard, so that all have been acquired
		stock(t, n, fmt.Sprint("other-", i), 1)
	}
	fut := accepted(t, n, cmd)
	first := <-mail.held // a step to one of the shards
	<-mail.held          // to the other
	first()              // unknown; messages are decided before commands that came later
	stock(t, n, x, 3)
	stock(t, n, y, 3)
	first()
	eventually(t, func() string { // one of them has reserved, and its answer is on the way
		if stockOf(t, n, x).Total.Reserved+stockOf(t, n, y).Total.Reserved == 0 {
			return "nothing is reserved"
		}
		return ""
	})
	held := mail.goOn()
	for len(held) > 0 { // the other step is sent again
		(<-held)()
	}
	<-fut.Done()
	if r := ok(t, fut.Result()); r.Order.Status != "completed" {
		t.Fatalf("%+v", r)
	}
	levelIs(t, n, x, 2)
	levelIs(t, n, y, 2)
	p.stop(n)
	p.verify()
}
