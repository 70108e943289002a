package shard_test

import (
	"testing"

	"github.com/holdfast/holdfast/pkg/backup"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/shard"
)

// TestAnArchiveOfABusyPlatformIsWhole: what is exported while orders are placed across shards is a state of the whole
// platform. Every invariant holds in a platform that is made from it, without anything to repair.
func TestAnArchiveOfABusyPlatformIsWhole(t *testing.T) {
	p := newPlatform(t, 3)
	replicas := []*shard.Replica{p.replica(t.TempDir()), p.replica(t.TempDir())}
	load := startLoad(t, replicas, 8, 7, 300)
	for range 3 {
		load.await(100)
		acknowledged := load.done.Load()
		archive, err := backup.ExportFile(t.Context(), backup.ExportConfig{Client: p.client()}, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		copied := newPlatform(t, 3)
		if _, err := backup.ImportFile(t.Context(), backup.ImportConfig{Client: copied.client()}, archive.Path); err != nil {
			t.Fatal(err)
		}
		copied.verify()
		if orders := copied.orders(); orders < acknowledged {
			t.Errorf("%d orders are in the archive, and %d were answered before", orders, acknowledged)
		}
	}
	load.stop()
	t.Logf("%d orders, %d answered 503", load.done.Load(), load.unavailable.Load())
}

// orders counts the orders in the log.
func (p *platform) orders() int64 {
	p.t.Helper()
	seen := map[string]bool{}
	p.readAll(eventlog.TopicOrders, p.want.PartitionCount, func(r *eventlog.Record) error {
		seen[string(r.Key)] = true
		return nil
	})
	return int64(len(seen))
}

// A pin without an owner of each shard says so instead of waiting for ever. One whose maker is gone keeps nobody
// waiting.
func TestAPinNeedsEveryShard(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, 2)
	r := p.replica(t.TempDir())
	stock(t, r.Node(), "sku-0", 1)
	stock(t, r.Node(), "sku-1", 1)
	layout := r.Node().Layout()
	if _, err := p.client().PinEnds(logtest.Context(t), layout); err != nil {
		t.Fatal(err)
	}
	r.Node().Release(0)
	if _, err := p.client().PinEnds(logtest.Context(t), layout); err == nil {
		t.Error("a shard that nobody serves was pinned")
	}
	stock(t, r.Node(), "sku-1", 1)
}
