package shard_test

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/shard"
)

// A replica that never had the other's shard acquires it with its whole state, without reading its history; and again,
// once it has released it.
func TestAShardIsTakenOverFromItsStandby(t *testing.T) {
	const orders = 300
	p := newPlatform(t, 2)
	skus := []string{"A", "B", "C", "D"}
	var regs [2]*prometheus.Registry
	var nodes [2]*shard.Node
	start := func(i int) {
		regs[i] = prometheus.NewRegistry()
		nodes[i] = p.startAs(shard.Config{DataDir: t.TempDir(), Registerer: regs[i]})
	}
	start(0)
	eventually(t, func() string { return text(nodes[0].Ready()) })
	for _, sku := range skus {
		stock(t, nodes[0], sku, 10_000)
	}
	place(t, nodes[0], orders, skus, "prepaid")
	for round := range 2 {
		leaver, stayer := round, 1-round
		start(1 - round)
		// It acquires one shard, and has a standby for the other.
		eventually(t, func() string {
			lag, standbys := logtest.Metric(t, regs[stayer], "holdfast_shard_standby_lag_records")
			if nodes[stayer].OwnedShards() != 1 || standbys != 1 || lag != 0 {
				return fmt.Sprintf("%d shards, %d standbys, %v records behind", nodes[stayer].OwnedShards(), standbys, lag)
			}
			return ""
		})
		read, _ := logtest.Metric(t, regs[stayer], "holdfast_shard_restored_records_total")
		p.stop(nodes[leaver])
		eventually(t, func() string {
			if n := nodes[stayer].OwnedShards(); n != 2 {
				return fmt.Sprintf("it serves %d shards", n)
			}
			return ""
		})
		after, _ := logtest.Metric(t, regs[stayer], "holdfast_shard_restored_records_total")
		_, standbys := logtest.Metric(t, regs[stayer], "holdfast_shard_standby_lag_records")
		// What is not in the checkpoint: the last event of each partition, read again, and what the other wrote as it left.
		if after-read > orders/4 || standbys != 0 {
			t.Errorf("round %d: it read %v records of the log to acquire the shard; %d standbys are left",
				round, after-read, standbys)
		}
		place(t, nodes[stayer], orders, skus, "prepaid") // the keys of before: nothing happens
		for _, sku := range skus {
			l := stockOf(t, nodes[stayer], sku).Total
			if l.OnHand != 10_000 || l.Available != 10_000-l.Reserved || l.Reserved == 0 {
				t.Errorf("%s: %+v", sku, l)
			}
		}
	}
	p.stop(nodes[0])
	p.stop(nodes[1])
	p.verify()
}

func TestAStandbyIntervalBelowZeroIsRefused(t *testing.T) {
	p := newPlatform(t, 1)
	_, err := shard.StartNode(t.Context(), shard.Config{Log: p.log, DataDir: t.TempDir(), Decode: rebuild,
		StandbyEvery: -1})
	if err == nil || err.Error() != "a standby cannot follow the log every -1ns; 0 turns standbys off" {
		t.Error(err)
	}
}
