package shard_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard"
	"github.com/holdfast/holdfast/pkg/verify"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

const (
	racedShards = 12
	// racePause is the longest pause before a phase of acquiring; every tenth is ten times as long.
	racePause = 2 * time.Millisecond
	// raceRepeats of every write keep a round going until the slower replica has acquired.
	raceRepeats = 4
)

// TestAcquireRace has two replicas acquire each shard at the same moment, a thousand times in all, with pauses before
// every phase, while clients write through both. Whoever announces later must have fenced the other for good: no
// announcement and no heartbeat of a former owner follows, and no event is decided from its state.
func TestAcquireRace(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, racedShards)
	rounds := 1_000/racedShards + 1
	if testing.Short() || os.Getenv("HOLDFAST_TEST_KAFKA") != "" {
		rounds = 100/racedShards + 1
	}
	var announced atomic.Int64
	hooks := shard.Hooks{Acquire: func(_ int32, phase string) {
		pause := rand.N(racePause)
		if rand.IntN(10) == 0 {
			pause *= 10
		}
		time.Sleep(pause) // the disturbance itself
		if phase == "announce" {
			announced.Add(1)
		}
	}}
	nodes := [2]*shard.Node{p.start(t.TempDir(), hooks), p.start(t.TempDir(), hooks)}
	settled(t, nodes)
	skus := skuOfEachShard(nodes[0])
	for _, sku := range skus {
		stock(t, nodes[0], sku, 1)
	}
	var all sync.WaitGroup
	for i, sku := range skus {
		all.Go(func() {
			for round := range rounds {
				race(t, nodes, int32(i), sku, round)
			}
		})
	}
	all.Wait()
	if n, least := announced.Load(), int64(racedShards*rounds*3/2); n < least {
		t.Errorf("%d acquisitions came as far as announcing, in %d rounds: that was no race", n, racedShards*rounds)
	}
	for _, sku := range skus {
		if got, want := stockOf(t, nodes[0], sku).Total.Available, int64(1+2*rounds); got != want {
			t.Errorf("%s has %d available, %d were received", sku, got, want)
		}
	}
	p.ownersNeverReturn()
	p.verify()
}

// settled waits until the group has spread the shards and does not move them any more.
func settled(t *testing.T, nodes [2]*shard.Node) {
	t.Helper()
	eventually(t, func() string {
		var held [len(nodes)]int
		for who, n := range nodes {
			for s := range int32(racedShards) {
				if n.Scheduled(s) {
					held[who]++
				}
			}
		}
		if held != [len(nodes)]int{racedShards / 2, racedShards / 2} {
			return fmt.Sprintf("the group has given %v shards", held)
		}
		return ""
	})
}

// race has both replicas acquire the shard at once, and writes through both of them: an event each, and repeats, which
// are answered from memory and so commit a heartbeat.
func race(t *testing.T, nodes [2]*shard.Node, number int32, sku string, round int) {
	for _, n := range nodes {
		n.Release(number)
	}
	var both sync.WaitGroup
	for who, n := range nodes {
		both.Go(func() {
			n.Acquire(number)
			key := fmt.Sprintf("%s-%d-%d", sku, round, who)
			for range 1 + raceRepeats {
				if r := do(t, n, command.ReceiveStock, sku, key, `{"location":"main","quantity":1}`); r.Code != "" {
					t.Errorf("%s: %s %s", key, r.Code, r.Detail)
				}
			}
		})
	}
	both.Wait()
}

// skuOfEachShard names a SKU of each shard.
func skuOfEachShard(n *shard.Node) []string {
	skus := make([]string, racedShards)
	for i, found := 0, 0; found < racedShards; i++ {
		sku := fmt.Sprintf("sku-%d", i)
		if s := n.ShardOf(sku); skus[s] == "" {
			skus[s] = sku
			found++
		}
	}
	return skus
}

// ownersNeverReturn reads all announcements and heartbeats: once another owner has announced itself, the former one
// writes none.
func (p *platform) ownersNeverReturn() {
	p.t.Helper()
	former, owner, owners := map[string]bool{}, map[int32]string{}, 0
	p.read(eventlog.TopicShards, func(rec *eventlog.Record) error {
		var a eventv1.Announcement
		if err := a.UnmarshalVT(rec.Value); err != nil {
			return err
		}
		id := string(a.OwnerId)
		if former[id] {
			p.t.Errorf("shard %d: owner %x commits at %d, after another had announced", rec.Partition, id, rec.Offset)
		}
		if last := owner[rec.Partition]; last != id {
			former[last] = true
			owner[rec.Partition] = id
			owners++
		}
		return nil
	})
	p.t.Logf("%d owners of %d shards", owners, len(owner))
}

// read hands over what is committed in a topic of the shards.
func (p *platform) read(topic string, fn func(*eventlog.Record) error) {
	p.t.Helper()
	p.readAll(topic, p.want.ShardCount, fn)
}

// readAll hands over what is committed in the partitions of a topic.
func (p *platform) readAll(topic string, partitions int32, fn func(*eventlog.Record) error) {
	p.t.Helper()
	client := p.client()
	ctx := p.t.Context()
	tps := make([]eventlog.TopicPartition, partitions)
	for i := range tps {
		tps[i] = eventlog.TopicPartition{Topic: topic, Partition: int32(i)}
	}
	from, err := client.StartOffsets(ctx, tps)
	if err != nil {
		p.t.Fatal(err)
	}
	to, err := client.EndOffsets(ctx, tps)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := client.Read(ctx, from, to, fn); err != nil {
		p.t.Fatal(err)
	}
}

func (p *platform) client() *eventlog.Client {
	p.t.Helper()
	client, err := eventlog.Open(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(client.Close)
	return client
}

// verify checks the invariants on the log; there is no view here to compare.
func (p *platform) verify() {
	p.t.Helper()
	report, err := verify.Run(p.t.Context(), p.client(), verify.Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, inv := range report.Invariants {
		if inv.ID != verify.View && inv.Violations > 0 {
			p.t.Errorf("%s %s: %d violations: %q", inv.ID, inv.Name, inv.Violations, inv.Examples)
		}
	}
}
