package shard_test

import (
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
	chaosShards, chaosReplicas = 4, 3
	// chaosHang is how long an owner hangs, at most, with one message in chaosHangs. Others take its shards over.
	chaosHang, chaosHangs = 300 * time.Millisecond, 200
)

// chaos is a platform whose messages are lost, repeated, late and reordered, whose owners hang, and whose shards move
// all the time, until it is calm.
type chaos struct {
	*platform
	nodes      []*shard.Node
	registries []*prometheus.Registry
	calm       atomic.Bool
	skus       []string

	mu sync.Mutex
	// answered are the orders that clients know of: the status by ID, and the ID by key.
	answered map[string]string
	ids      map[string]string
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	c := &chaos{platform: newPlatformWithGoods(t, chaosShards), answered: map[string]string{}, ids: map[string]string{}}
	for i := range chaosReplicas {
		lossy, registry := unreliable(uint64(i)), prometheus.NewRegistry()
		c.registries = append(c.registries, registry)
		hooks := shard.Hooks{Deliver: func(send func()) {
			if c.calm.Load() {
				send()
				return
			}
			if rand.IntN(chaosHangs) == 0 {
				time.Sleep(rand.N(chaosHang)) // the disturbance itself: whoever sends it hangs
			}
			lossy(send)
		}}
		c.nodes = append(c.nodes, c.startAs(shard.Config{DataDir: t.TempDir(), Hooks: hooks, Registerer: registry}))
	}
	for i := range 12 {
		c.skus = append(c.skus, fmt.Sprint("s-", i))
		stock(t, c.nodes[0], c.skus[i], 200)
		if i%3 == 0 {
			ok(t, do(t, c.nodes[0], command.SetBackorderLimit, c.skus[i], "limit", `{"limit":20}`))
		}
	}
	return c
}

// metric is the sum of a metric over the replicas.
func (c *chaos) metric(name string) (sum float64) {
	for _, registry := range c.registries {
		sum += metricOf(c.t.(*testing.T), registry, name)
	}
	return sum
}

// moveShards moves shards until the chaos is calm: a replica takes one from its owner, or the owner gives it up first,
// or gives it up and takes it again.
func (c *chaos) moveShards() {
	for !c.calm.Load() {
		s, taker := int32(rand.IntN(chaosShards)), c.nodes[rand.IntN(chaosReplicas)]
		if rand.IntN(2) == 0 {
			for _, n := range c.nodes {
				if n.Owns(s) {
					n.Release(s)
				}
			}
		}
		taker.Acquire(s)
		time.Sleep(rand.N(400 * time.Millisecond)) // between two disturbances
	}
}

// place places an order of some SKUs, and tries again with the same key, by way of any replica, sometimes of two at
// once, and sometimes with other SKUs behind the first one, until it has an outcome.
func (c *chaos) place(key string) {
	skus := slices.Clone(c.skus)
	rand.Shuffle(len(skus), func(i, j int) { skus[i], skus[j] = skus[j], skus[i] })
	body := orderBody("prepaid", skus[:1+rand.IntN(4)]...)
	for deadline := time.Now().Add(waitLimit); ; {
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
			return
		}
		if time.Now().After(deadline) {
			c.t.Errorf("%s has no outcome", key)
			return
		}
		time.Sleep(10 * time.Millisecond) // a client's backoff
	}
}

// submit submits an order by way of any replica.
func (c *chaos) submit(key, body string) *shard.Future {
	n := c.nodes[rand.IntN(chaosReplicas)]
	return n.Submit(placing(c.t.(*testing.T), n, key, body))
}

// receive receives stock until the chaos is calm, which fills backorders.
func (c *chaos) receive() {
	for i := 0; !c.calm.Load(); i++ {
		sku := c.skus[rand.IntN(len(c.skus))]
		ok(c.t, do(c.t, c.nodes[rand.IntN(chaosReplicas)], command.ReceiveStock, sku, fmt.Sprint("more-", i),
			`{"location":"main","quantity":5}`))
		time.Sleep(rand.N(50 * time.Millisecond)) // between two deliveries
	}
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
		id := fut.AcceptedResult().Order.ID
		c.ids[key], c.answered[id] = id, c.answered[id]
	default:
	}
	switch r.Code {
	case problem.Unavailable, problem.TooManyRequests:
		return false
	case "", problem.InsufficientStock:
		c.ids[key], c.answered[r.Order.ID] = r.Order.ID, r.Order.Status
	case problem.KeyReused: // by the other body
	default:
		c.t.Errorf("%s is answered %s: %s", key, r.Code, r.Detail)
	}
	return true
}

// settle has everything come to rest, and checks that nothing is left over: what stock holds is what orders want, each
// order that a client knows of is there, and no key has placed two.
func (c *chaos) settle() {
	c.t.Helper()
	c.calm.Store(true)
	time.Sleep(2 * chaosHang) // what is late or hangs is past then
	for s := range int32(chaosShards) {
		for _, n := range c.nodes {
			if n.Owns(s) {
				n.Acquire(s) // who acquires a shard asks about all that is reserved
			}
		}
	}
	client := c.client()
	eventually(c.t, func() string {
		for s := range int32(chaosShards) {
			if !slices.ContainsFunc(c.nodes, func(n *shard.Node) bool { return n.Owns(s) }) {
				return fmt.Sprint("nobody owns shard ", s)
			}
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
	placed := c.placements()
	for key, id := range c.ids {
		if got := placed[key]; len(got) != 1 || got[0] != id {
			c.t.Errorf("%s was answered %s, and the log has %v", key, id, got)
		}
	}
	for key, ids := range placed {
		if told, any := c.ids[key]; len(ids) > 1 || any && told != ids[0] {
			c.t.Errorf("%s has placed %v; its client was told %q", key, ids, c.ids[key])
		}
	}
	for id, o := range c.foldOrders() {
		if status, known := c.answered[id]; known && status != "" && status != o.Lifecycle.String() {
			c.t.Errorf("%s is %s; its client was told %s", id, o.Lifecycle, status)
		}
	}
}

// Orders of several shards are placed while owners hang and are replaced, shards are handed over, and messages are
// lost, repeated, late and reordered.
func TestNothingIsLeftOverWhereverOwnersChange(t *testing.T) {
	lasts := 2 * time.Second
	if os.Getenv("HOLDFAST_TEST_CHAOS") == "long" {
		lasts = time.Minute
	}
	c := newChaos(t)
	var clients sync.WaitGroup
	var placed atomic.Int64
	for w := range 48 {
		clients.Go(func() {
			for i := 0; !c.calm.Load(); i++ {
				c.place(fmt.Sprintf("k-%d-%d", w, i))
				placed.Add(1)
			}
		})
	}
	var moves sync.WaitGroup
	moves.Go(c.moveShards)
	moves.Go(c.receive)
	time.Sleep(lasts) // the chaos
	c.calm.Store(true)
	moves.Wait()
	clients.Wait()
	c.settle()
	t.Logf("%d orders; %v reservations were released for orders that never were, %v orders written without an answer",
		placed.Load(), c.metric("holdfast_shard_reservations_released_total"),
		c.metric("holdfast_shard_orders_written_unanswered_total"))
}
