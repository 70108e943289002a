package shard_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/shard"
)

// A replica that cannot serve leaves its shards to one that can, or the group moves them there, and takes shards again
// once it can.
func TestAReplicaThatCannotServeLeavesItsShardsToAnother(t *testing.T) {
	t.Parallel()
	p, clock := newPlatform(t, 2), &setClock{}
	clock.set(40 * time.Minute)
	unable := p.startAs(shard.Config{DataDir: t.TempDir(), Clock: clock.now, MaxClockSkew: maxClockSkew})
	awaitOff(t, unable)
	able := p.start(t.TempDir(), shard.Hooks{})
	eventually(t, func() string {
		if able.OwnedShards() != 2 {
			return "the replica that can serve does not have all shards: " + text(able.Ready())
		}
		return ""
	})
	stock(t, able, "A", 1)
	clock.set(0)
	eventually(t, func() string {
		if unable.OwnedShards() != 1 || able.OwnedShards() != 1 {
			return "the shards are not shared again"
		}
		return ""
	})
}

// The shards of a replica whose checkpoints do not reach a deleted start of the log go to one whose checkpoints do, and
// stay there: those of the former are never current.
func TestAReplicaBehindADeletedStartLeavesItsShardsToAnother(t *testing.T) {
	t.Parallel()
	p, dir := newPlatform(t, 2), t.TempDir()
	able := p.start(dir, shard.Hooks{})
	skus := []string{"A", "B", "C", "D", "E", "F", "G", "H"} // some of each shard
	for _, sku := range skus {
		stock(t, able, sku, 1)
	}
	p.stop(able)
	logtest.DeleteRecords(t, p.log, eventlog.TopicInventory)
	behind := p.start(t.TempDir(), shard.Hooks{})
	eventually(t, func() string {
		var gone *eventlog.LogStartError
		if err := behind.Ready(); !errors.As(err, &gone) {
			return "the replica that is behind does not say so: " + text(err)
		}
		return ""
	})
	able = p.start(dir, shard.Hooks{})
	eventually(t, func() string {
		if able.OwnedShards() != 2 {
			return "the replica with the checkpoints does not have all shards: " + text(able.Ready())
		}
		return ""
	})
	for _, sku := range skus {
		ok(t, do(t, able, command.ReceiveStock, sku, "after", `{"location":"main","quantity":1}`))
	}
}

// Where no replica can serve a shard, offering it once is enough: each time moves the healthy shards too.
func TestAShardThatNobodyCanServeIsNotOfferedAgainAndAgain(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, 2)
	n := p.start(t.TempDir(), shard.Hooks{})
	stock(t, n, "A", 1) // nothing is in the other shard
	broken := n.ShardOf("A")
	p.stop(n)
	logtest.DeleteRecords(t, p.log, eventlog.TopicInventory)
	nodes, registries := make([]*shard.Node, 2), make([]*prometheus.Registry, 2)
	for i := range nodes {
		registries[i] = prometheus.NewRegistry()
		nodes[i] = p.startAs(shard.Config{DataDir: t.TempDir(), Registerer: registries[i]})
	}
	left := func(i int) float64 { return metricOf(t, registries[i], "holdfast_shard_given_up_total") }
	leaver := -1
	eventually(t, func() string {
		for i := range nodes {
			if left(i) > 0 {
				leaver = i
				return ""
			}
		}
		return "nobody offers the shard"
	})
	for range 4 { // when it takes the third, it is back and has decided on the first two
		nodes[leaver].GiveUp(broken, &eventlog.LogStartError{})
	}
	if times := left(leaver); times != 1 {
		t.Errorf("it left %v times for a shard that the other cannot serve either", times)
	}
	eventually(t, func() string { // the other one may be away at first
		nodes[leaver].GiveUp(broken, &shard.ClockError{})
		if times := left(leaver); times < 2 {
			return fmt.Sprintf("it left %v times, want once more for its clock", times)
		}
		return ""
	})
}

// A checkpoint that is damaged costs the time to build it again: no shard, and no process.
func TestADamagedCheckpointIsBuiltAgain(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut short": func(b []byte) []byte { return b[:len(b)/2] },
		"every tenth byte flipped": func(b []byte) []byte {
			for i := 0; i < len(b); i += 10 {
				b[i] ^= 1
			}
			return b
		},
		"one bit flipped": func(b []byte) []byte {
			at := bytes.Index(b, []byte("description of A"))
			if at < 0 {
				at = len(b) / 3
			}
			b[at] ^= 4
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, dir := newPlatform(t, 1), t.TempDir()
			n := p.start(dir, shard.Hooks{})
			stock(t, n, "A", 5)
			placed := ok(t, do(t, n, command.PlaceOrder, "", "k", orderBody("on_account", "A")))
			p.stop(n)
			damageTables(t, dir, damage)
			registry := prometheus.NewRegistry()
			n = p.startAs(shard.Config{DataDir: dir, Registerer: registry})
			ok(t, do(t, n, command.ReceiveStock, "A", "more", `{"location":"main","quantity":1}`))
			if s := stockOf(t, n, "A"); s.Total.Available+s.Total.Reserved+s.Total.Committed != 6 {
				t.Errorf("after the damage: %+v", s.Total)
			}
			again := ok(t, do(t, n, command.PlaceOrder, "", "k", orderBody("on_account", "A")))
			if again.Order.ID != placed.Order.ID {
				t.Errorf("the order is %s, was %s", again.Order.ID, placed.Order.ID)
			}
			if got := metricOf(t, registry, "holdfast_shard_checkpoints_damaged_total"); got != 1 {
				t.Errorf("%v checkpoints were built again, want 1", got)
			}
		})
	}
}

// damageTables changes every table of the checkpoints below a folder.
func damageTables(t *testing.T, dir string, damage func([]byte) []byte) {
	t.Helper()
	tables := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".sst") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		tables++
		return os.WriteFile(path, damage(b), 0o600)
	})
	if err != nil || tables == 0 {
		t.Fatalf("%d tables: %v", tables, err)
	}
}

// metricOf is the value of a counter without labels.
func metricOf(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
