package shard_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
	"github.com/holdfast/holdfast/pkg/verify"
)

const (
	chaosShards, chaosReplicas, chaosClients = 4, 3, 48
	// chaosLong is how long the chaos of the night lasts.
	chaosLong = time.Minute
)

// chaos is a platform whose messages are lost, repeated, late and reordered, and whose owners hang, until it is calm.
// A test moves its shards meanwhile.
type chaos struct {
	*platform
	test       *testing.T
	replicas   []*shard.Replica
	registries []*prometheus.Registry
	calm       atomic.Bool
	skus       []string
	// hang is how long an owner hangs, at most, with one message in 200. Others take its shards over.
	hang    time.Duration
	clients sync.WaitGroup
	placed  atomic.Int64

	mu sync.Mutex
	// ids are the orders that clients know of, by key, and statuses their outcomes, where they know them.
	ids, statuses map[string]string
}

// newChaos begins with clients that place orders.
func newChaos(t *testing.T, hang time.Duration) *chaos {
	t.Helper()
	c := &chaos{
		platform: newPlatformWithGoods(t, chaosShards), test: t, hang: hang,
		ids: map[string]string{}, statuses: map[string]string{},
	}
	for i := range chaosReplicas {
		c.startReplica(uint64(i))
	}
	for i := range 12 {
		sku, n := fmt.Sprint("s-", i), c.replicas[0].Node()
		c.skus = append(c.skus, sku)
		stock(t, n, sku, 200)
		if i%3 == 0 {
			ok(t, do(t, n, command.SetBackorderLimit, sku, "limit", `{"limit":20}`))
		}
	}
	for w := range chaosClients {
		c.clients.Go(func() {
			for i := 0; !c.calm.Load(); i++ {
				c.place(fmt.Sprintf("k-%d-%d", w, i))
			}
		})
	}
	c.clients.Go(c.receive)
	return c
}

func (c *chaos) startReplica(seed uint64) {
	lossy, registry := unreliable(seed), prometheus.NewRegistry()
	r, err := shard.Start(context.Background(), shard.Config{
		DataDir: c.test.TempDir(), Log: c.log, Want: c.want, PeerListen: "127.0.0.1:0", Decode: rebuild,
		Logger: testLogger(), StandbyEvery: c.standby, Registerer: registry,
		Hooks: shard.Hooks{Deliver: func(send func()) {
			if c.calm.Load() {
				send()
				return
			}
			if rand.IntN(200) == 0 {
				time.Sleep(rand.N(c.hang)) // the disturbance itself: whoever sends it hangs
			}
			lossy(send)
		}},
	})
	if err != nil {
		c.test.Fatal(err)
	}
	c.test.Cleanup(func() { c.closeReplica(r) })
	c.replicas, c.registries = append(c.replicas, r), append(c.registries, registry)
}

func (c *chaos) anyReplica() *shard.Replica { return c.replicas[rand.IntN(chaosReplicas)] }

// place places an order of some SKUs, and tries again with the same key, by way of any replica, sometimes of two at
// once, and sometimes with other SKUs behind the first one, until it has an outcome.
func (c *chaos) place(key string) {
	skus := slices.Clone(c.skus)
	rand.Shuffle(len(skus), func(i, j int) { skus[i], skus[j] = skus[j], skus[i] })
	body := orderBody("prepaid", skus[:1+rand.IntN(4)]...)
	for deadline := time.Now().Add(waitLimit); time.Now().Before(deadline); {
		futures := []*shard.Future{c.submit(key, body)}
		if rand.IntN(4) == 0 {
			futures = append(futures, c.submit(key, body))
		}
		if rand.IntN(4) == 0 {
			futures = append(futures, c.submit(key, orderBody("prepaid", skus[0], skus[5], skus[6])))
		}
		known := false
		for _, fut := range futures {
			known = c.note(key, fut) || known
		}
		if known {
			c.placed.Add(1)
			return
		}
		time.Sleep(10 * time.Millisecond) // a client's backoff
	}
	c.t.Errorf("%s has no outcome", key)
}

// submit submits an order by way of any replica.
func (c *chaos) submit(key, body string) *shard.Future {
	r := c.anyReplica()
	return r.Submit(placing(c.test, r.Node(), key, body))
}

// note notes what a client is answered. It reports whether that is the outcome.
func (c *chaos) note(key string, fut *shard.Future) (known bool) {
	select {
	case <-fut.Done():
	case <-time.After(waitLimit):
		c.t.Errorf("%s: no answer", key)
		return true
	}
	r := fut.Result()
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-fut.Accepted():
		c.ids[key] = fut.AcceptedResult().Order.ID
	default:
	}
	switch r.Code {
	case problem.Unavailable, problem.TooManyRequests:
		return false
	case "", problem.InsufficientStock:
		c.ids[key], c.statuses[r.Order.ID] = r.Order.ID, r.Order.Status
	case problem.KeyReused: // by the other body
	default:
		c.t.Errorf("%s is answered %s: %s", key, r.Code, r.Detail)
	}
	return true
}

// receive receives stock until the chaos is calm, which fills backorders.
func (c *chaos) receive() {
	for i := 0; !c.calm.Load(); i++ {
		sku, key := c.skus[rand.IntN(len(c.skus))], fmt.Sprint("more-", i)
		eventually(c.t, func() string {
			cmd, err := decode(command.ReceiveStock, sku, key, []byte(`{"location":"main","quantity":5}`), 1)
			if err != nil {
				return err.Error()
			}
			fut := c.anyReplica().Submit(cmd)
			<-fut.Done()
			return fut.Result().Code
		})
		time.Sleep(rand.N(50 * time.Millisecond)) // between two deliveries
	}
}

// during disturbs, again and again with pauses of up to so long, for as long as the chaos lasts.
func (c *chaos) during(lasts, pause time.Duration, disturb func()) {
	for began := time.Now(); time.Since(began) < lasts; {
		disturb()
		time.Sleep(rand.N(pause)) // between two disturbances
	}
}

// settle has everything come to rest, and checks that nothing is left over: what stock holds is what orders want, each
// order that a client knows of is there, and no key has placed two. askAgain has all shards acquired: who acquires one
// asks about all that is reserved.
func (c *chaos) settle(askAgain func()) {
	c.t.Helper()
	c.calm.Store(true)
	c.clients.Wait()
	time.Sleep(2 * c.hang) // what is late or hangs is past then
	askAgain()
	client := c.client()
	eventually(c.t, func() string {
		layout, err := client.ReadLayout(c.t.Context())
		if err != nil {
			return err.Error()
		}
		owned := 0
		for _, r := range c.replicas {
			owned += r.OwnedShards()
		}
		if owned != int(layout.ShardCount) {
			return fmt.Sprintf("%d of %d shards have an owner", owned, layout.ShardCount)
		}
		report, err := verify.Run(c.t.Context(), client, verify.Options{Settled: true})
		if err != nil {
			return err.Error()
		}
		for _, inv := range report.Invariants {
			if inv.ID != verify.View && inv.Violations > 0 {
				return fmt.Sprintf("%s %s: %d violations: %q", inv.ID, inv.Name, inv.Violations, inv.Examples)
			}
		}
		return ""
	})
	c.compareAnswers()
	c.t.Logf("%d orders; %v reservations were released for orders that never were, %v orders written without an answer",
		c.placed.Load(), c.metric("holdfast_shard_reservations_released_total"),
		c.metric("holdfast_shard_orders_written_unanswered_total"))
}

// compareAnswers compares the log with what clients were answered.
func (c *chaos) compareAnswers() {
	c.t.Helper()
	placed, orders := c.placements(), c.foldOrders()
	for key, id := range c.ids {
		if got := placed[key]; len(got) != 1 || got[0] != id {
			c.t.Errorf("%s was answered %s, and the log has %v", key, id, got)
		}
		o, status := orders[id], c.statuses[id]
		if status != "" && status != o.Lifecycle.String() {
			c.t.Errorf("%s is %s; its client was told %s", id, o.Lifecycle, status)
		}
	}
	for key, ids := range placed {
		if len(ids) > 1 {
			c.t.Errorf("%s has placed %v", key, ids)
		}
	}
}

// metric is the sum of a metric over the replicas.
func (c *chaos) metric(name string) (sum float64) {
	for _, registry := range c.registries {
		sum += metricOf(c.test, registry, name)
	}
	return sum
}

func longChaos() bool { return os.Getenv("HOLDFAST_TEST_CHAOS") == "long" }

// Orders of several shards are placed while owners hang and are replaced, shards are handed over, and messages are
// lost, repeated, late and reordered.
func TestNothingIsLeftOverWhereverOwnersChange(t *testing.T) {
	lasts := 2 * time.Second
	if longChaos() {
		lasts = chaosLong
	}
	c := newChaos(t, 300*time.Millisecond)
	eachOwner := func(s int32, do func(n *shard.Node)) {
		for _, r := range c.replicas {
			if n := r.Node(); n.Owns(s) {
				do(n)
			}
		}
	}
	// A replica takes a shard from its owner, or that one gives it up first, perhaps to take it again.
	c.during(lasts, 400*time.Millisecond, func() {
		s := int32(rand.IntN(chaosShards))
		if rand.IntN(2) == 0 {
			eachOwner(s, func(n *shard.Node) { n.Release(s) })
		}
		c.anyReplica().Node().Acquire(s)
	})
	c.settle(func() {
		for s := range int32(chaosShards) {
			eachOwner(s, func(n *shard.Node) { n.Acquire(s) })
		}
	})
}

// So they are while the layout changes, with owners of former generations that hang and go on.
func TestNothingIsLeftOverWhereverTheLayoutChanges(t *testing.T) {
	if !longChaos() {
		t.Skip("it takes more than a minute; HOLDFAST_TEST_CHAOS=long runs it")
	}
	c := newChaos(t, 2*time.Second)
	client := c.client()
	change := func(shards int32) {
		if _, err := client.ChangeLayout(t.Context(), shards); err != nil {
			t.Log(err) // it had so many
		}
	}
	c.during(chaosLong, 3*time.Second, func() { change(int32(1 + rand.IntN(5))) })
	c.settle(func() { change(6) })
}
