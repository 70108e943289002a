package shard_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// apart are two SKUs of two shards, and a key. An order of both SKUs in that order is the first one's shard's.
func apart(t *testing.T, n *shard.Node) (near, far string) {
	t.Helper()
	near = "s-0"
	for i := 1; ; i++ {
		if far = fmt.Sprint("s-", i); n.ShardOf(far) != n.ShardOf(near) {
			break
		}
	}
	return near, far
}

// placing makes the command that places an order, as a replica does.
func placing(t *testing.T, n *shard.Node, key, body string) *shard.Command {
	t.Helper()
	cmd, err := decodeUnder(n.Layout(), command.PlaceOrder, "", key, []byte(body), time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// outcomeOf waits for that of a command.
func outcomeOf(t *testing.T, fut *shard.Future) shard.Result {
	t.Helper()
	select {
	case <-fut.Done():
		return fut.Result()
	case <-time.After(waitLimit):
		t.Fatal("no answer")
		return shard.Result{}
	}
}

// written are the types of an order's events, and whether one transaction wrote all of them: a transaction ends with a
// marker in each partition, which takes an offset.
func (p *platform) written(id string) (types []string, together bool) {
	p.t.Helper()
	var offsets []int64
	p.readAll(eventlog.TopicOrders, p.want.PartitionCount, func(rec *eventlog.Record) error {
		if string(rec.Key) == id {
			_, _, ev, err := codec.DecodeOrder(rec.Value)
			types, offsets = append(types, fmt.Sprintf("%T", ev)), append(offsets, rec.Offset)
			return err
		}
		return nil
	})
	for i := range offsets {
		together = offsets[i] == offsets[0]+int64(i)
	}
	return types, together
}

// An order that needs stock of another shard is written with its outcome, in one transaction: stock was asked before.
func TestAnOrderIsWrittenWithItsOutcome(t *testing.T) {
	p := newPlatformWithGoods(t, 2)
	n := p.start(t.TempDir(), shard.Hooks{})
	near, far := apart(t, n)
	stock(t, n, near, 1)
	stock(t, n, far, 2)
	first := ok(t, do(t, n, command.PlaceOrder, "", "k1", orderBody("prepaid", near, far)))
	if first.Order.Status != "reserved" {
		t.Errorf("the order is %+v", first.Order)
	}
	if types, together := p.written(first.Order.ID); !together ||
		!slices.Equal(types, []string{"order.OrderPlaced", "order.OrderReserved"}) {
		t.Errorf("written: %v, in one transaction: %t", types, together)
	}
	if again := ok(t, do(t, n, command.PlaceOrder, "", "k1", orderBody("prepaid", near, far))); again.Order.ID !=
		first.Order.ID || !again.Repeated {
		t.Errorf("a repeat is answered %+v", again.Order)
	}
	// The nearer SKU is sold out: the other shard is not asked.
	r := do(t, n, command.PlaceOrder, "", "k2", orderBody("prepaid", near, far))
	if r.Code != problem.InsufficientStock || r.Short[0].SKU != near {
		t.Errorf("without near stock: %+v", r)
	}
	ok(t, do(t, n, command.ReceiveStock, near, "more", `{"location":"main","quantity":5}`))
	ok(t, do(t, n, command.PlaceOrder, "", "k3", orderBody("prepaid", near, far)))
	r = do(t, n, command.PlaceOrder, "", "k4", orderBody("prepaid", near, far))
	if r.Code != problem.InsufficientStock || r.Short[0].SKU != far {
		t.Errorf("without far stock: %+v", r)
	}
	if types, together := p.written(r.Order.ID); !together ||
		!slices.Equal(types, []string{"order.OrderPlaced", "order.OrderRejected"}) {
		t.Errorf("written: %v, in one transaction: %t", types, together)
	}
	stockIs(t, n, near, inventory.Level{OnHand: 6, Available: 4, Reserved: 2})
	stockIs(t, n, far, inventory.Level{OnHand: 2, Reserved: 2})
	p.stop(n)
	p.verify()
}

// One of three shards refuses, after another has reserved: that one gives back.
func TestWhatWasReservedForARefusedOrderIsGivenBack(t *testing.T) {
	p := newPlatformWithGoods(t, 3)
	n := p.start(t.TempDir(), shard.Hooks{})
	skus := [3]string{}
	for i := 0; slices.Contains(skus[:], ""); i++ {
		sku := fmt.Sprint("s-", i)
		skus[n.ShardOf(sku)] = sku
	}
	for i, quantity := range []int{5, 5, 1} {
		stock(t, n, skus[i], quantity)
	}
	for i := range 5 {
		r := do(t, n, command.PlaceOrder, "", fmt.Sprint("k", i), orderBody("prepaid", skus[:]...))
		if (r.Code == "") != (i == 0) {
			t.Errorf("order %d: %+v", i, r)
		}
	}
	stockIs(t, n, skus[0], inventory.Level{OnHand: 5, Available: 4, Reserved: 1})
	stockIs(t, n, skus[1], inventory.Level{OnHand: 5, Available: 4, Reserved: 1})
	stockIs(t, n, skus[2], inventory.Level{OnHand: 1, Reserved: 1})
	p.stop(n)
	p.verify()
}

// Stock does not answer: the order is written, so that its client knows that it is not lost, and is decided when stock
// does answer. Commands on it that came before wait for that, and for nothing else.
func TestAnOrderThatIsNotAnsweredIsWritten(t *testing.T) {
	p, mail := newPlatformWithGoods(t, 2), &post{}
	n := p.start(t.TempDir(), shard.Hooks{Deliver: mail.deliver})
	near, far := apart(t, n)
	stock(t, n, near, 5)
	stock(t, n, far, 5)
	mail.hold(1_000)
	cmd := placing(t, n, "k", orderBody("prepaid", near, far))
	placed := n.Submit(cmd)
	late := <-mail.held
	again := n.Submit(placing(t, n, "k", orderBody("prepaid", near, far)))
	other := n.Submit(placing(t, n, "k", orderBody("prepaid", near, near)))
	select {
	case <-placed.Accepted():
	case <-time.After(waitLimit):
		t.Fatal("the order is not accepted")
	}
	if id := placed.AcceptedResult().Order.ID; id != cmd.ID {
		t.Errorf("accepted: %+v", placed.AcceptedResult())
	}
	if r := outcomeOf(t, other); r.Code != problem.KeyReused {
		t.Errorf("another body with the key: %+v", r)
	}
	late() // stock reserves now; its answer is held
	(<-mail.held)()
	held := mail.goOn()
	for len(held) > 0 {
		(<-held)()
	}
	for name, fut := range map[string]*shard.Future{"first": placed, "repeat": again} {
		if r := ok(t, outcomeOf(t, fut)); r.Order.Status != "reserved" || r.Repeated != (name == "repeat") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	stockIs(t, n, far, inventory.Level{OnHand: 5, Available: 4, Reserved: 1})
	p.stop(n)
	p.verify()
}

// The shard of an order is handed over while stock is asked: the order is written before.
func TestAnOrderIsWrittenBeforeItsShardIsHandedOver(t *testing.T) {
	p, mail := newPlatformWithGoods(t, 2), &post{}
	n := p.start(t.TempDir(), shard.Hooks{Deliver: mail.deliver})
	near, far := apart(t, n)
	stock(t, n, near, 5)
	stock(t, n, far, 5)
	mail.hold(1_000)
	cmd := placing(t, n, "k", orderBody("prepaid", near, far))
	placed := n.Submit(cmd)
	<-mail.held // the step is lost
	home := n.ShardOf(cmd.ID)
	n.Release(home)
	if types, _ := p.written(cmd.ID); !slices.Equal(types, []string{"order.OrderPlaced"}) {
		t.Errorf("written: %v", types)
	}
	mail.goOn()
	n.Acquire(home)
	if r := ok(t, outcomeOf(t, placed)); r.Order.ID != cmd.ID || r.Order.Status != "reserved" {
		t.Errorf("the outcome is %+v", r)
	}
	p.stop(n)
	p.verify()
}

// hanging is a replica that hangs, and another one that takes over. Each has a shard of two: the first one home, which
// is near's, the other one far's.
type hanging struct {
	*platform
	former, next *shard.Node
	home         int32
	near, far    string
	armed        atomic.Bool
	steps        chan func()
	goOn         func()
}

func newHanging(t *testing.T) *hanging {
	t.Helper()
	h := &hanging{platform: newPlatformWithGoods(t, 2), steps: make(chan func(), 1)}
	hang := make(chan struct{})
	h.goOn = sync.OnceFunc(func() { close(hang) })
	t.Cleanup(h.goOn)
	h.former = h.start(t.TempDir(), shard.Hooks{Deliver: func(send func()) {
		if h.armed.CompareAndSwap(true, false) { // the step: whoever sends it hangs
			h.steps <- send
			<-hang
			return
		}
		send()
	}})
	h.next = h.start(t.TempDir(), shard.Hooks{})
	eventually(t, func() string {
		for s := range int32(2) {
			if h.former.Owns(s) && h.next.Owns(1-s) {
				h.home = s
				return ""
			}
		}
		return "the replicas do not share the shards yet"
	})
	for i := 0; h.near == "" || h.far == ""; i++ {
		if sku := fmt.Sprint("s-", i); h.next.ShardOf(sku) == h.home {
			h.near = sku
		} else {
			h.far = sku
		}
	}
	return h
}

// lose has the replica hang that asks stock for an order. It returns its step, and the order's future.
func (h *hanging) lose(key, body string) (step func(), lost *shard.Future) {
	h.t.Helper()
	h.armed.Store(true)
	lost = h.former.Submit(placing(h.t.(*testing.T), h.former, key, body))
	return <-h.steps, lost
}

// stopAll stops both, and verifies the log.
func (h *hanging) stopAll() {
	h.t.Helper()
	h.goOn()
	h.stop(h.former)
	h.stop(h.next)
	h.verify()
}

// The shard of an order is lost after stock of another shard has reserved for it, and before the order is written: the
// replica hangs, and another one takes the shard over. What was reserved is given back. The client's retry places the
// order, and the former replica's step, which comes once more then, changes nothing.
func TestWhatWasReservedForAnOrderThatWasNeverWrittenIsGivenBack(t *testing.T) {
	h := newHanging(t)
	stock(t, h.next, h.near, 5)
	stock(t, h.next, h.far, 1)
	body := orderBody("prepaid", h.near, h.far)
	step, lost := h.lose("k", body)
	step()
	stockIs(t, h.next, h.far, inventory.Level{OnHand: 1, Reserved: 1})
	h.next.Acquire(h.home)
	levelIs(t, h.next, h.far, 1)
	h.goOn()
	if r := outcomeOf(t, lost); r.Code != problem.Unavailable {
		ok(t, r) // it has waited for the next owner
	}
	r := ok(t, do(t, h.next, command.PlaceOrder, "", "k", body))
	if id := placing(t, h.next, "k", body).ID; r.Order.ID != id || r.Order.Status != "reserved" {
		t.Errorf("the order is %+v", r.Order)
	}
	step()
	stockIs(t, h.next, h.far, inventory.Level{OnHand: 1, Reserved: 1})
	h.stopAll()
}

// Stock fills a backorder of an order that was never written. Nobody ever confirms that, so its shard stops telling it
// once it knows that there is no such order.
func TestNobodyIsToldForEverOfAFillForAnOrderThatWasNeverWritten(t *testing.T) {
	h := newHanging(t)
	stock(t, h.next, h.near, 5)
	ok(t, do(t, h.next, command.RegisterItem, h.far, "register", `{"description":"far"}`))
	ok(t, do(t, h.next, command.SetBackorderLimit, h.far, "limit", `{"limit":5}`))
	step, _ := h.lose("k", orderBody("prepaid", h.near, h.far))
	step()
	eventually(t, func() string {
		if l := stockOf(t, h.next, h.far).Total; l.Reserved != 1 {
			return fmt.Sprintf("nothing is reserved: %+v", l)
		}
		return ""
	})
	ok(t, do(t, h.next, command.ReceiveStock, h.far, "receive", `{"location":"main","quantity":1}`))
	memory := h.next.MemoryOf(h.next.ShardOf(h.far))
	h.next.Acquire(h.home)
	levelIs(t, h.next, h.far, 1)
	h.stopAll()
	if n := memory().BackorderNotices; n != 0 {
		t.Errorf("%d fills are still told", n)
	}
}

// The same key comes with another body, whose first SKU is another shard's, while the first order is not written yet.
// The replica knows of that one, and has its shard refuse the other.
func TestTheKeyOfAnOrderThatIsNotWrittenYetIsKnown(t *testing.T) {
	p, mail := newPlatformWithGoods(t, 2), &post{}
	n := p.start(t.TempDir(), shard.Hooks{Deliver: mail.deliver})
	near, far := apart(t, n)
	stock(t, n, near, 5)
	stock(t, n, far, 5)
	awaitFilters(t, n)
	mail.hold(1_000)
	first := n.Submit(placing(t, n, "k", orderBody("prepaid", near, far)))
	step := <-mail.held
	other := n.Submit(placing(t, n, "k", orderBody("prepaid", far)))
	mail.goOn()
	step()
	placed := ok(t, outcomeOf(t, first)).Order.ID
	if r := outcomeOf(t, other); r.Code != problem.KeyReused || r.Order == nil || r.Order.ID != placed {
		t.Errorf("another body with the key: %+v", r)
	}
	p.stop(n)
	p.verify()
	if got := p.placements()["k"]; len(got) != 1 {
		t.Errorf("key k placed %v", got)
	}
}

// An attempt to place an order was never written, and stock that had reserved for it is the order's own shard's by now.
// The client has tried again with another body, which does not name that SKU: what is reserved is given back all the
// same.
func TestStockOfTheOwnShardIsGivenBackWhenAnotherAttemptPlacedTheOrder(t *testing.T) {
	p, dir := newPlatform(t, 1), t.TempDir()
	n := p.start(dir, shard.Hooks{})
	stock(t, n, "A", 5)
	stock(t, n, "B", 1)
	lost, _ := p.placed("k", "prepaid", "B")
	placed, recs := p.placed("k", "prepaid", "A")
	if lost.ID != placed.ID {
		t.Fatalf("the attempts are %s and %s", lost.ID, placed.ID)
	}
	p.torn(append(recs, p.reserved(n, "B", &lost), p.reserved(n, "A", &placed))...)
	p.stop(n)
	n = p.start(dir, shard.Hooks{})
	levelIs(t, n, "B", 1)
	stockIs(t, n, "A", inventory.Level{OnHand: 5, Available: 4, Reserved: 1})
	p.stop(n)
	p.verify()
}

// More orders ask stock first, one after the other, than a transaction may have commands, and stock does not answer.
// Nothing is to be committed before that, so nothing else makes room for the others, or for writing them.
func TestMoreOrdersAskThanATransactionMayHave(t *testing.T) {
	p, mail := newPlatformWithGoods(t, 2), &post{}
	n := p.start(t.TempDir(), shard.Hooks{Deliver: mail.deliver})
	near, far := apart(t, n)
	const orders = 2*shard.MaxBatchCommands + 1
	stock(t, n, near, orders)
	stock(t, n, far, orders)
	mail.hold(100 * orders)
	body := orderBody("prepaid", near, far)
	var futures []*shard.Future
	for i := range orders {
		futures = append(futures, n.Submit(placing(t, n, fmt.Sprint("k-", i), body)))
	}
	limit := time.After(30 * time.Second) // a heartbeat, each minute, makes room too
	for i, fut := range futures {
		select {
		case <-fut.Accepted():
		case <-limit:
			t.Fatalf("order %d is not accepted", i)
		}
	}
}
