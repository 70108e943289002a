package shard_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// Given five replicas, so that none has a checkpoint of every shard, when a key has placed an order in a shard, then
// every replica learns of it, also where another replica has taken the shard over, and refuses the key with another
// body.
func TestAKeyIsKnownWhereNoStandbyIsKept(t *testing.T) {
	const shards = 5
	p := newPlatformWithGoods(t, shards)
	var replicas []*follower
	for i := range 5 {
		replicas = append(replicas, p.follower())
		eventually(t, func() string { return text(replicas[i].Ready()) })
	}
	eventually(t, func() string { return atRest(t, replicas, shards) })
	skus := inAllShards(t, replicas[0].Node, 1_000)
	for round := range 2 {
		for _, f := range replicas {
			awaitFilters(t, f.Node)
		}
		for s := range int32(shards) {
			key := fmt.Sprintf("k-%d-%d", round, s)
			ok(t, do(t, replicas[0].Node, command.PlaceOrder, "", key, orderBody("prepaid", skus[s])))
			told := 0
			for _, f := range replicas {
				if f.Owns(s) {
					continue
				}
				if !slices.Contains(f.follows(t), s) {
					told++
				}
				eventually(t, func() string {
					if may, known := f.MayHaveKey(s, key); !may || !known {
						return fmt.Sprintf("key %s: %v, %v", key, may, known)
					}
					return ""
				})
				if may, _ := f.MayHaveKey(s, "another "+key); may {
					t.Errorf("shard %d may have a key that nobody has sent", s)
				}
				other := orderBody("prepaid", skus[(s+1)%shards])
				if r := do(t, f.Node, command.PlaceOrder, "", key, other); r.Code != problem.KeyReused {
					t.Errorf("key %s with another body: %+v", key, r)
				}
			}
			if want := len(replicas) - 1 - shard.DefaultStandbys; told != want {
				t.Errorf("%d replicas know shard %d from its owner, want %d", told, s, want)
			}
		}
		if round == 0 {
			p.stop(replicas[4].Node)
			replicas = replicas[:4]
			eventually(t, func() string { return atRest(t, replicas, shards) })
		}
	}
	for _, f := range replicas {
		p.stop(f.Node)
	}
	p.verify()
}
