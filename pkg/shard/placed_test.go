package shard_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/order"
	"github.com/holdfast/holdfast/pkg/orderid"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
	"github.com/holdfast/holdfast/pkg/verify"
)

// inAllShards registers SKUs so that each shard has one, and returns them by shard.
func inAllShards(t *testing.T, n *shard.Node, quantity int) []string {
	t.Helper()
	skus := make([]string, n.Layout().ShardCount)
	for i, left := 0, len(skus); left > 0; i++ {
		sku := fmt.Sprint("sku-", i)
		if s := n.ShardOf(sku); skus[s] == "" {
			skus[s] = sku
			stock(t, n, sku, quantity)
			left--
		}
	}
	return skus
}

// placements are the orders that each key has placed, as the log has them.
func (p *platform) placements() map[string][]string {
	p.t.Helper()
	ids := map[string][]string{}
	p.readAll(eventlog.TopicOrders, p.want.PartitionCount, func(rec *eventlog.Record) error {
		_, m, ev, err := codec.DecodeOrder(rec.Value)
		if _, placed := ev.(order.OrderPlaced); placed {
			ids[m.IdempotencyKey] = append(ids[m.IdempotencyKey], string(rec.Key))
		}
		return err
	})
	return ids
}

// An order of one line is in the shard of its goods, however many there are, and nothing is sent between shards for it.
func TestAnOrderLivesWhereItsGoodsLive(t *testing.T) {
	p := newPlatformWithGoods(t, 4)
	var sent atomic.Int64
	n := p.start(t.TempDir(), shard.Hooks{Deliver: func(send func()) { sent.Add(1); send() }})
	for _, sku := range inAllShards(t, n, 10) {
		before := sent.Load()
		for i := range 5 {
			id := ok(t, do(t, n, command.PlaceOrder, "", fmt.Sprint(sku, "-", i), orderBody("on_account", sku))).Order.ID
			if eventlog.PartitionFor(id, 12) != eventlog.PartitionFor(sku, 12) {
				t.Errorf("the order %s of SKU %s is in another partition", id, sku)
			}
		}
		if messages := sent.Load() - before; messages != 0 {
			t.Errorf("%d messages between shards", messages)
		}
	}
	p.stop(n)
	p.verify()
}

// A key that comes again with another body is refused, also where that body belongs to another partition or shard: at
// once where the first order is in the same shard or was placed by way of the same replica.
func TestAKeyIsRefusedForAnotherBody(t *testing.T) {
	for _, shards := range []int32{1, 4} {
		t.Run(fmt.Sprintf("shards=%d", shards), func(t *testing.T) {
			p := newPlatformWithGoods(t, shards)
			n := p.start(t.TempDir(), shard.Hooks{})
			skus := inAllShards(t, n, 100)
			for i := range 12 { // in most partitions
				sku := fmt.Sprint("more-", i)
				stock(t, n, sku, 100)
				skus = append(skus, sku)
			}
			first := ok(t, do(t, n, command.PlaceOrder, "", "k", orderBody("prepaid", skus[0]))).Order.ID
			awaitFilters(t, n)
			for _, sku := range skus[1:] {
				r := do(t, n, command.PlaceOrder, "", "k", orderBody("prepaid", sku))
				if r.Code != problem.KeyReused {
					t.Errorf("%s instead of %s: %+v", sku, skus[0], r)
				}
				if other := eventlog.PartitionFor(sku, 12) != eventlog.PartitionFor(skus[0], 12); other &&
					(r.Order == nil || r.Order.ID != first) {
					t.Errorf("it does not name the order: %+v", r.Order)
				}
			}
			if r := do(t, n, command.ImportOrder, "", "k", documentOf(skus[0]+"=1")); r.Code != problem.KeyReused {
				t.Errorf("the key of an order imports a document: %+v", r)
			}
			again := ok(t, do(t, n, command.PlaceOrder, "", "k", orderBody("prepaid", skus[0])))
			if !again.Repeated || again.Order.ID != first {
				t.Errorf("the repeat: %+v", again)
			}
			p.stop(n)
			p.verify()
			if got := p.placements()["k"]; len(got) != 1 {
				t.Errorf("key k placed %v", got)
			}
		})
	}
}

// An order is named by the ID of its key alone, too, by whoever knows no SKU: in each shard, by way of each replica,
// with filters and without.
func TestTheIDOfAKeyNamesItsOrder(t *testing.T) {
	for name, standby := range map[string]time.Duration{"standbys": standbyEvery, "no standbys": 0} {
		t.Run(name, func(t *testing.T) {
			p := newPlatformWithGoods(t, 4)
			p.standby = standby
			nodes := []*shard.Node{p.start(t.TempDir(), shard.Hooks{}), p.start(t.TempDir(), shard.Hooks{})}
			for i, sku := range inAllShards(t, nodes[0], 10) {
				for j, n := range nodes {
					key := fmt.Sprint(sku, "-", j)
					alias := orderid.ByKey(orderid.DefaultTenant, key)
					id := ok(t, do(t, nodes[(i+j)%2], command.PlaceOrder, "", key, orderBody("prepaid", sku))).Order.ID
					paid := ok(t, do(t, n, command.AuthorizePayment, alias, "pay", `{"amount":"2.55"}`))
					if paid.Order.ID != id || paid.Order.Status != "confirmed" {
						t.Errorf("%s paid as %s: %+v", id, alias, paid.Order)
					}
					for _, name := range []string{alias, id} { // a retry may use either name
						again := ok(t, do(t, nodes[1-j], command.AuthorizePayment, name, "pay", `{"amount":"2.55"}`))
						if !again.Repeated || again.Version != paid.Version {
							t.Errorf("paid again as %s: %+v", name, again)
						}
					}
					shipped := ok(t, do(t, n, command.ShipOrder, alias, "ship", `{}`))
					if want := command.FulfilmentID(id, "ship"); shipped.Order.FulfilmentID != want {
						t.Errorf("the fulfilment is %s, want %s", shipped.Order.FulfilmentID, want)
					}
				}
			}
			nobody := orderid.ByKey(orderid.DefaultTenant, "nobody")
			if r := do(t, nodes[0], command.CancelOrder, nobody, "c", `{}`); r.Code != problem.OrderNotFound {
				t.Errorf("no order: %+v", r)
			}
			for _, n := range nodes {
				p.stop(n)
			}
			p.verify()
		})
	}
}

// awaitFilters waits until a replica knows all orders of the shards that it serves by their keys.
func awaitFilters(t *testing.T, nodes ...*shard.Node) {
	t.Helper()
	eventually(t, func() string {
		for i, n := range nodes {
			if unknown := n.UnknownKeys(); len(unknown) > 0 {
				return fmt.Sprintf("replica %d does not know the keys of the shards %v", i, unknown)
			}
		}
		return ""
	})
}

// A key that comes again with another body, by way of a replica that has not heard of the first order yet, may place a
// second one in another shard. It is refused as soon as a standby has read of the first. What was placed is found.
func TestAReusedKeyIsFoundAfterwards(t *testing.T) {
	p := newPlatformWithGoods(t, 4)
	p.standby = 0 // nobody reads of the orders of other replicas
	nodes := []*shard.Node{p.start(t.TempDir(), shard.Hooks{}), p.start(t.TempDir(), shard.Hooks{})}
	skus := inAllShards(t, nodes[0], 10)
	var near, far string // in the shards of the two replicas
	eventually(t, func() string {
		near, far = "", ""
		for s, sku := range skus {
			if nodes[0].Owns(int32(s)) {
				near = sku
			} else if nodes[1].Owns(int32(s)) {
				far = sku
			}
		}
		if near == "" || far == "" {
			return "a replica serves no shard"
		}
		return ""
	})
	first := ok(t, do(t, nodes[0], command.PlaceOrder, "", "k", orderBody("prepaid", near))).Order.ID
	second := ok(t, do(t, nodes[1], command.PlaceOrder, "", "k", orderBody("prepaid", far))).Order.ID
	if first == second {
		t.Fatalf("both are %s", first)
	}
	report, err := verify.Run(t.Context(), p.client(), verify.Options{})
	if err != nil || report.ReusedKeys != 1 || len(report.ReusedKeyExamples) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	p.verify() // it is no violation
	p.stop(nodes[1])
	p.standby = standbyEvery
	late := p.start(t.TempDir(), shard.Hooks{})
	awaitFilters(t, late)
	ok(t, do(t, nodes[0], command.PlaceOrder, "", "k2", orderBody("prepaid", near)))
	eventually(t, func() string { // once it has read of it
		r := do(t, late, command.PlaceOrder, "", "k2", orderBody("prepaid", far))
		if r.Code != problem.KeyReused && late.ShardOf(far) != late.ShardOf(near) {
			return fmt.Sprintf("%+v", r)
		}
		return ""
	})
}

// TestRetriesAcrossTheUpgrade: orders that were placed by their keys are found by a retry after the platform has begun
// to place orders with their goods, whichever replica takes it, with standbys and without; another body is refused.
func TestRetriesAcrossTheUpgrade(t *testing.T) {
	for name, standby := range map[string]time.Duration{"standbys": standbyEvery, "no standbys": 0} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, 4)
			p.standby = standby
			replicas := []*shard.Replica{p.replica(t.TempDir()), p.replica(t.TempDir())}
			node := func(i int) *shard.Node { return replicas[i%2].Node() }
			skus := inAllShards(t, node(0), 1_000)
			const orders = 40
			ids := make([]string, orders)
			for i := range ids {
				body := orderBody("prepaid", skus[i%4], skus[(i+1)%4])
				ids[i] = ok(t, do(t, node(i), command.PlaceOrder, "", fmt.Sprint("k-", i), body)).Order.ID
			}
			p.begin(replicas)
			for i := range ids {
				body := orderBody("prepaid", skus[i%4], skus[(i+1)%4])
				for _, n := range []*shard.Node{node(i), node(i + 1)} {
					r := ok(t, do(t, n, command.PlaceOrder, "", fmt.Sprint("k-", i), body))
					if !r.Repeated || r.Order.ID != ids[i] {
						t.Fatalf("order %s is placed again as %+v", ids[i], r.Order)
					}
				}
				other := do(t, node(i), command.PlaceOrder, "", fmt.Sprint("k-", i), orderBody("prepaid", skus[(i+2)%4]))
				if other.Code != problem.KeyReused {
					t.Fatalf("another body: %+v", other)
				}
			}
			for i, sku := range skus {
				id := ok(t, do(t, node(i), command.PlaceOrder, "", fmt.Sprint("new-", i), orderBody("prepaid", sku))).Order.ID
				if node(i).ShardOf(id) != int32(i) || !orderid.IsBySKU(id) {
					t.Errorf("a new order is %s", id)
				}
			}
			for _, r := range replicas {
				p.closeReplica(r)
			}
			p.verify()
			for key, placed := range p.placements() {
				if len(placed) != 1 {
					t.Errorf("key %s placed %v", key, placed)
				}
			}
		})
	}
}

// begin has the platform place orders with their goods, and waits until all shards are served.
func (p *platform) begin(replicas []*shard.Replica) {
	p.t.Helper()
	now, err := p.client().ReadLayout(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	to := now.NextWithGoods(now.ShardCount)
	change := &shard.Change{Client: p.client(),
		Plan: eventlog.LayoutPlan{ID: uuid.New(), From: now, To: to, By: "a test"}}
	if _, err := change.Run(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, func() string {
		for i, r := range replicas {
			if r.Node().Layout() != to {
				return fmt.Sprintf("replica %d has %+v", i, r.Node().Layout())
			}
		}
		return ""
	})
}

// TestTheUpgradeUnderLoad: orders are placed, and each one is sent again by way of the other replica, while the
// platform begins to place orders with their goods. Each key places one order.
func TestTheUpgradeUnderLoad(t *testing.T) {
	p := newPlatform(t, 4)
	replicas := []*shard.Replica{p.replica(t.TempDir()), p.replica(t.TempDir())}
	skus := inAllShards(t, replicas[0].Node(), 100_000)
	var done, unavailable atomic.Int64
	place := func(r *shard.Replica, key, body string) string {
		for {
			cmd, err := decodeUnder(r.Node().Layout(), command.PlaceOrder, "", key, []byte(body), time.Now().UnixMicro())
			if err != nil {
				t.Error(err)
				return ""
			}
			fut := r.Submit(cmd)
			<-fut.Done()
			switch result := fut.Result(); result.Code {
			case "":
				return result.Order.ID
			case problem.Unavailable, problem.TooManyRequests:
				unavailable.Add(1)
				time.Sleep(time.Millisecond) // a client's pause
			default:
				t.Errorf("%s: %+v", key, result)
				return ""
			}
		}
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	for w := range 8 {
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key, body := fmt.Sprintf("%d-%d", w, i), orderBody("on_account", skus[(w+i)%4], skus[(w+i+1)%4])
				first := place(replicas[(w+i)%2], key, body)
				if again := place(replicas[(w+i+1)%2], key, body); again != first {
					t.Errorf("key %s has placed %s and %s", key, first, again)
				}
				done.Add(1)
			}
		})
	}
	after := func(n int64) {
		before := done.Load()
		eventually(t, func() string {
			if since := done.Load() - before; since < n {
				return fmt.Sprintf("%d orders", since)
			}
			return ""
		})
	}
	after(100)
	p.begin(replicas)
	after(100)
	close(stop)
	load.Wait()
	t.Logf("%d orders, %d answers 503", done.Load(), unavailable.Load())
	for _, r := range replicas {
		p.closeReplica(r)
	}
	p.verify()
	for key, placed := range p.placements() {
		if len(placed) != 1 {
			t.Errorf("key %s placed %v", key, placed)
		}
	}
}
