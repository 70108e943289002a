package shard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

func receipt(t *testing.T, sku, key string) *shard.Command {
	t.Helper()
	cmd, err := decode(command.ReceiveStock, sku, key, []byte(`{"location":"main","quantity":1}`), time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// A command behind another one runs in the queue that accepted that one, and nowhere else.
func TestACommandBehindAnotherRunsWhereThatOneDoes(t *testing.T) {
	p := newPlatform(t, 1)
	n := p.start(t.TempDir(), shard.Hooks{})
	stock(t, n, "A", 1)
	first := n.Submit(receipt(t, "A", "first"))
	second := n.SubmitBehind(first, receipt(t, "A", "second"))
	third := n.SubmitBehind(second, receipt(t, "A", "third"))
	<-third.Done()
	for i, f := range []*shard.Future{first, second, third} {
		select {
		case <-f.Done():
		default:
			t.Fatalf("command %d has no outcome, and the last one has", i)
		}
		if r := ok(t, f.Result()); r.Version != uint64(i)+3 {
			t.Errorf("command %d left version %d", i, r.Version)
		}
	}
	n.Release(0)
	n.Acquire(0)
	if s := stockOf(t, n, "A"); s.Total.Available != 4 {
		t.Fatalf("stock %+v", s)
	}
	late := n.SubmitBehind(third, receipt(t, "A", "late"))
	<-late.Done()
	if r := late.Result(); r.Code != problem.Unavailable {
		t.Errorf("behind a command of the former owner: %+v", r)
	}
}

func TestNothingStandsBehindACommandOfAPeer(t *testing.T) {
	p := newPlatform(t, racedShards)
	nodes := [2]*shard.Node{p.start(t.TempDir(), shard.Hooks{}), p.start(t.TempDir(), shard.Hooks{})}
	settled(t, nodes)
	eventually(t, func() string {
		for s := range int32(racedShards) {
			if nodes[0].Owns(s) != nodes[0].Scheduled(s) || nodes[1].Owns(s) != nodes[1].Scheduled(s) {
				return fmt.Sprintf("shard %d is not where the group put it", s)
			}
		}
		return ""
	})
	for i, sku := range skuOfEachShard(nodes[0]) {
		stock(t, nodes[0], sku, 1)
		first := nodes[0].Submit(receipt(t, sku, fmt.Sprint("first", i)))
		second := nodes[0].SubmitBehind(first, receipt(t, sku, fmt.Sprint("second", i)))
		if here := nodes[0].Owns(int32(i)); here != (second != nil) {
			t.Errorf("shard %d: owned here %v, queue found %v", i, here, second != nil)
		}
	}
}
