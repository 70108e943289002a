package shard_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/shard"
)

// follower is a replica whose standbys can be seen.
type follower struct {
	*shard.Node
	reg *prometheus.Registry
}

func (p *platform) follower() *follower {
	reg := prometheus.NewRegistry()
	return &follower{p.startAs(shard.Config{DataDir: p.t.TempDir(), Registerer: reg}), reg}
}

// follows are the shards of which the replica has a standby that has caught up.
func (f *follower) follows(t *testing.T) (shards []int32) {
	t.Helper()
	families, err := f.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "holdfast_shard_standby_lag_records" {
			continue
		}
		for _, m := range family.Metric {
			s, err := strconv.Atoi(m.Label[0].GetValue())
			if err != nil {
				t.Fatal(err)
			}
			shards = append(shards, int32(s))
		}
	}
	return shards
}

func (f *follower) owns() (shards []int32) {
	for s := range f.Layout().ShardCount {
		if f.Owns(s) {
			shards = append(shards, s)
		}
	}
	return shards
}

// atRest is empty when shards and standbys are spread evenly over the replicas, with two standbys of each shard.
func atRest(t *testing.T, replicas []*follower, shards int) string {
	var owned, kept []int
	of := map[int32]int{}
	for _, f := range replicas {
		owns, follows := f.owns(), f.follows(t)
		owned, kept = append(owned, len(owns)), append(kept, len(follows))
		for _, s := range follows {
			of[s]++
			if slices.Contains(owns, s) {
				return fmt.Sprintf("a replica serves shard %d and follows it", s)
			}
		}
	}
	want := min(shard.DefaultStandbys, len(replicas)-1)
	for s := range int32(shards) {
		if of[s] != want {
			return fmt.Sprintf("shard %d has %d standbys; owned %v, kept %v", s, of[s], owned, kept)
		}
	}
	if sum(owned) != shards || slices.Max(owned)-slices.Min(owned) > 1 || slices.Max(kept)-slices.Min(kept) > 1 {
		return fmt.Sprintf("owned %v, kept %v", owned, kept)
	}
	return ""
}

func sum(of []int) (all int) {
	for _, n := range of {
		all += n
	}
	return all
}

// restored is how many records of the log replicas have read to take shards over.
func restored(t *testing.T, replicas []*follower) (records float64) {
	t.Helper()
	for _, f := range replicas {
		records += metricOf(t, f.reg, "holdfast_shard_restored_records_total")
	}
	return records
}

// Given five replicas, when one after the other joins, then each shard has two standbys and not four; and when one
// leaves, then replicas that followed its shards serve them, without reading their logs, and there are two standbys of
// each shard again.
func TestEachShardHasTwoStandbys(t *testing.T) {
	const shards = 10
	p := newPlatform(t, shards)
	var replicas []*follower
	for i := range 5 {
		replicas = append(replicas, p.follower())
		eventually(t, func() string { return text(replicas[i].Ready()) })
	}
	eventually(t, func() string { return atRest(t, replicas, shards) })
	skus := []string{"A", "B", "C", "D", "E", "F", "G", "H"}
	for _, sku := range skus {
		stock(t, replicas[0].Node, sku, 10_000)
	}
	place(t, replicas[0].Node, 200, skus, "prepaid")
	for len(replicas) > 2 {
		leaver, rest := replicas[0], replicas[1:]
		lost, read := leaver.owns(), restored(t, rest)
		p.stop(leaver.Node)
		for _, s := range lost {
			eventually(t, func() string {
				if !slices.ContainsFunc(rest, func(f *follower) bool { return f.Owns(s) }) {
					return fmt.Sprintf("nobody serves shard %d", s)
				}
				return ""
			})
		}
		// Each shard has a hundred records and more. Of what was followed the last one of each partition is read again.
		if now := restored(t, rest); now-read > float64(20*len(lost)) {
			t.Errorf("with %d replicas left, they read %v records to take %d shards over", len(rest), now-read, len(lost))
		}
		place(t, rest[0].Node, 200, skus, "prepaid") // the keys of before: nothing happens
		eventually(t, func() string { return atRest(t, rest, shards) })
		replicas = rest
	}
	for _, f := range replicas {
		p.stop(f.Node)
	}
	p.verify()
}
