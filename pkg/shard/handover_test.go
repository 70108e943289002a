package shard_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// gate stops those who acquire a shard in one phase, while it is closed.
type gate struct {
	mu      sync.Mutex
	phase   string
	closed  chan struct{} // nil: it is open
	stopped chan struct{} // closes when somebody has come to it
}

func (g *gate) hook(_ int32, phase string) {
	g.mu.Lock()
	closed := g.closed
	if closed == nil || phase != g.phase {
		g.mu.Unlock()
		return
	}
	select {
	case <-g.stopped:
	default:
		close(g.stopped)
	}
	g.mu.Unlock()
	<-closed
}

func (g *gate) close(t *testing.T, phase string) (open func()) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	closed := make(chan struct{})
	g.phase, g.closed, g.stopped = phase, closed, make(chan struct{})
	open = sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.closed = nil
		close(closed)
	})
	t.Cleanup(open)
	return open
}

// startReplicas starts some replicas that pass the gate, and waits until each serves a shard.
func startReplicas(p *platform, g *gate, count int) []*shard.Node {
	p.t.Helper()
	nodes := make([]*shard.Node, count)
	for i := range nodes {
		nodes[i] = p.start(p.t.TempDir(), shard.Hooks{Acquire: g.hook})
	}
	eventually(p.t, func() string {
		for i, n := range nodes {
			if n.OwnedShards() != int(p.want.ShardCount)/count {
				return fmt.Sprintf("replica %d serves %d shards", i, n.OwnedShards())
			}
		}
		return ""
	})
	return nodes
}

// skuOf is a SKU whose shard the replica serves.
func skuOf(n *shard.Node, prefix string) string {
	for i := 0; ; i++ {
		if sku := fmt.Sprintf("%s-%d", prefix, i); n.Owns(n.ShardOf(sku)) {
			return sku
		}
	}
}

func undecided(t *testing.T, futures []*shard.Future) {
	t.Helper()
	for _, fut := range futures {
		select {
		case <-fut.Done():
			t.Fatalf("answered while nobody serves the shard: %+v", fut.Result())
		default:
		}
	}
}

// Commands for a shard without an owner wait in the replicas that took them, and in the one that acquires it. Then each
// is done once.
func TestCommandsWaitForTheNextOwner(t *testing.T) {
	for _, phase := range []string{"fence", "reconcile"} {
		t.Run(phase, func(t *testing.T) {
			p, g := newPlatform(t, 3), &gate{}
			nodes := startReplicas(p, g, 3)
			leaver, others := nodes[0], nodes[1:]
			sku := skuOf(leaver, "A")
			stock(t, leaver, sku, 1)
			open := g.close(t, phase)
			p.stop(leaver)
			<-g.stopped
			const commands = 20
			var futures []*shard.Future
			for i := range commands {
				for _, n := range others { // the client of each sends the same command twice
					cmd := attempt(t, n, command.ReceiveStock, sku, fmt.Sprint("more-", i), `{"location":"main","quantity":1}`)
					futures = append(futures, n.Submit(cmd), n.Submit(cmd))
				}
			}
			undecided(t, futures)
			open()
			for _, fut := range futures {
				<-fut.Done()
				ok(t, fut.Result())
			}
			if s := stockOf(t, others[0], sku); s.Total.OnHand != commands+1 {
				t.Errorf("%d commands, each sent four times, made %d of 1", commands, s.Total.OnHand)
			}
		})
	}
}

// A command that waits is bound by a refusal of a later attempt, as one that is under way.
func TestARefusalBindsACommandThatWaits(t *testing.T) {
	p, g := newPlatform(t, 2), &gate{}
	nodes := startReplicas(p, g, 2)
	leaver, stayer := nodes[0], nodes[1]
	sku := skuOf(leaver, "A")
	stock(t, leaver, sku, 1)
	late := refusedMeanwhile(t, stayer, leaver, sku, "k")
	open := g.close(t, "fence")
	p.stop(leaver)
	<-g.stopped
	fut := stayer.Submit(late)
	undecided(t, []*shard.Future{fut})
	open()
	<-fut.Done()
	if r := fut.Result(); r.Code != problem.Unavailable {
		t.Errorf("the client heard no, and then the command was answered %+v", r)
	}
	if s := stockOf(t, stayer, sku); s.Total.OnHand != 10 {
		t.Errorf("the client heard no, and the stock is %+v", s.Total)
	}
}

// Where no owner comes, commands wait for a while, and later ones not at all.
func TestCommandsDoNotWaitForEver(t *testing.T) {
	t.Parallel()
	p, g := newPlatform(t, 2), &gate{}
	nodes := startReplicas(p, g, 2)
	leaver, stayer := nodes[0], nodes[1]
	sku := skuOf(leaver, "A")
	stock(t, leaver, sku, 1)
	open := g.close(t, "fence")
	p.stop(leaver)
	<-g.stopped
	const oneMore = `{"location":"main","quantity":1}`
	began := time.Now()
	r := outcome(t, stayer, attempt(t, stayer, command.ReceiveStock, sku, "k", oneMore))
	if r.Code != problem.Unavailable {
		t.Fatalf("answered %+v", r)
	}
	if waited := time.Since(began); waited < shard.HandOverWait {
		t.Errorf("it waited for %s, less than %s", waited, shard.HandOverWait)
	}
	began = time.Now()
	r = outcome(t, stayer, attempt(t, stayer, command.ReceiveStock, sku, "k", oneMore))
	if r.Code != problem.Unavailable {
		t.Fatalf("answered %+v", r)
	}
	if waited := time.Since(began); waited >= shard.HandOverWait {
		t.Errorf("a command that comes later waits for %s too", waited)
	}
	open()
	ok(t, do(t, stayer, command.ReceiveStock, sku, "k", oneMore))
	if s := stockOf(t, stayer, sku); s.Total.OnHand != 2 {
		t.Errorf("the stock is %+v", s.Total)
	}
}

// A break in which commands found no owner, and after which none came, does not shorten the next hand-over.
func TestABreakDoesNotShortenTheNextHandOver(t *testing.T) {
	p, g := newPlatform(t, 2), &gate{}
	nodes := startReplicas(p, g, 2)
	leaver, stayer := nodes[0], nodes[1]
	sku := skuOf(leaver, "A")
	stock(t, stayer, sku, 1)
	stayer.Break(stayer.ShardOf(sku), time.Now().Add(-2*shard.HandOverWait))
	eventually(t, func() string {
		if !stayer.KnowsOwner(stayer.ShardOf(sku)) {
			return "the owner serves the shard, and it counts as one without an owner"
		}
		return ""
	})
	open := g.close(t, "fence")
	p.stop(leaver)
	<-g.stopped
	fut := stayer.Submit(attempt(t, stayer, command.ReceiveStock, sku, "k", `{"location":"main","quantity":1}`))
	eventually(t, func() string {
		undecided(t, []*shard.Future{fut})
		if !stayer.Waits(stayer.ShardOf(sku)) {
			return "the command does not wait"
		}
		return ""
	})
	open()
	<-fut.Done()
	ok(t, fut.Result())
}

// An order that waits for stock of another shard, while its own changes hands, has its outcome from the next owner.
func TestAnOrdersOutcomeComesFromTheNextOwner(t *testing.T) {
	for _, throughOwner := range []bool{true, false} {
		t.Run(fmt.Sprintf("through the owner %t", throughOwner), func(t *testing.T) {
			p := newPlatform(t, 2)
			var lost atomic.Bool
			former := p.start(t.TempDir(), shard.Hooks{Deliver: func(send func()) {
				if !lost.Load() {
					send()
				}
			}})
			next := p.start(t.TempDir(), shard.Hooks{})
			eventually(t, func() string {
				if former.OwnedShards() != 1 || next.OwnedShards() != 1 {
					return "the shards are not shared yet"
				}
				return ""
			})
			skus := []string{skuOf(former, "A"), skuOf(next, "B")}
			for _, sku := range skus {
				stock(t, former, sku, 10)
			}
			lost.Store(true)
			through := next
			if throughOwner {
				through = former
			}
			cmd := orderIn(t, through, former.ShardOf(skus[0]), skus)
			fut := accepted(t, through, cmd)
			former.Release(former.ShardOf(skus[0]))
			next.Acquire(former.ShardOf(skus[0]))
			select {
			case <-fut.Done():
			case <-time.After(waitLimit):
				t.Fatal("no outcome")
			}
			if r := ok(t, fut.Result()); r.Order.Status != "confirmed" {
				t.Errorf("%+v", r.Order)
			}
		})
	}
}

// A step that comes while its shard is acquired is decided once the shard is served: the announcement of the new owner
// has others send their steps again, and they would wait for their next resend otherwise.
func TestStepsWaitForTheirShard(t *testing.T) {
	p, g := newPlatform(t, 2), &gate{}
	nodes := startReplicas(p, g, 2)
	asks, asked := nodes[0], nodes[1]
	skus := []string{skuOf(asks, "A"), skuOf(asked, "B")}
	for _, sku := range skus {
		stock(t, asks, sku, 10)
	}
	moves := asked.ShardOf(skus[1])
	asked.Release(moves)
	fut := accepted(t, asks, orderIn(t, asks, asks.ShardOf(skus[0]), skus))
	open := g.close(t, "reconcile")
	asked.Acquire(moves)
	eventually(t, func() string {
		if asked.Held(moves) == 0 {
			return "the step does not wait"
		}
		return ""
	})
	undecided(t, []*shard.Future{fut})
	open()
	<-fut.Done()
	if r := ok(t, fut.Result()); r.Order.Status != "confirmed" {
		t.Errorf("%+v", r.Order)
	}
}

// A replica that starts while others serve takes no shard over before it has read the log, because nobody would serve
// that shard meanwhile.
func TestAReplicaCatchesUpBeforeItJoinsTheOthers(t *testing.T) {
	p, g := newPlatform(t, 2), &gate{}
	serves := startReplicas(p, &gate{}, 1)[0]
	stock(t, serves, "A", 10)
	stock(t, serves, "B", 10)
	open := g.close(t, "read")
	joins := p.start(t.TempDir(), shard.Hooks{Acquire: g.hook})
	<-g.stopped
	eventually(t, func() string {
		if err := joins.Ready(); err == nil || !strings.Contains(err.Error(), "before it takes shards over") {
			return "it does not say that it catches up, but: " + text(err)
		}
		return ""
	})
	ok(t, do(t, serves, command.ReceiveStock, "A", "k", `{"location":"main","quantity":1}`))
	if serves.OwnedShards() != 2 || joins.Scheduled(0) || joins.Scheduled(1) {
		t.Errorf("a replica that catches up was given shards: the other one has %d", serves.OwnedShards())
	}
	open()
	eventually(t, func() string {
		if serves.OwnedShards() != 1 || joins.OwnedShards() != 1 {
			return "the shards are not shared"
		}
		return ""
	})
}

// A replica that catches up joins before it has, where nobody serves the shards any more.
func TestAReplicaDoesNotCatchUpWhileNobodyServes(t *testing.T) {
	p, g := newPlatform(t, 2), &gate{}
	serves := startReplicas(p, &gate{}, 1)[0]
	stock(t, serves, "A", 10)
	stock(t, serves, "B", 10)
	open := g.close(t, "read")
	joins := p.start(t.TempDir(), shard.Hooks{Acquire: g.hook})
	<-g.stopped
	p.stop(serves)
	eventually(t, func() string {
		if !joins.Scheduled(0) || !joins.Scheduled(1) {
			return "it has not joined"
		}
		return ""
	})
	open()
	eventually(t, func() string {
		if joins.OwnedShards() != 2 {
			return "it does not serve"
		}
		return ""
	})
	ok(t, do(t, joins, command.ReceiveStock, "A", "k", `{"location":"main","quantity":1}`))
}

// orderIn places an order in that shard.
func orderIn(t *testing.T, n *shard.Node, in int32, skus []string) *shard.Command {
	t.Helper()
	for i := 0; ; i++ {
		cmd := attempt(t, n, command.PlaceOrder, "", fmt.Sprint("o-", i), orderBody("on_account", skus...))
		if n.ShardOf(cmd.ID) == in {
			return cmd
		}
	}
}
