package shard_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/backup"
	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/shard"
)

// TestAnArchiveOfABusyPlatformIsWhole: what is exported while orders are placed across shards is a state of the whole
// platform. Every invariant holds in a platform that is made from it, without anything to repair.
func TestAnArchiveOfABusyPlatformIsWhole(t *testing.T) {
	p := newPlatform(t, 3)
	replicas := []*shard.Replica{p.replica(t.TempDir()), p.replica(t.TempDir())}
	const skus = 7
	for i := range skus {
		stock(t, replicas[0].Node(), fmt.Sprint("sku-", i), 300)
	}
	var done, unavailable atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for w := range 8 {
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				body := orderBody("on_account", fmt.Sprint("sku-", (w+i)%skus), fmt.Sprint("sku-", (w+i+1)%skus))
				cmd, err := decode(command.PlaceOrder, "", fmt.Sprintf("%d-%d", w, i), []byte(body), time.Now().UnixMicro())
				if err != nil {
					t.Error(err)
					return
				}
				fut := replicas[(w+i)%2].Submit(cmd)
				<-fut.Done()
				if r := fut.Result(); r.Code == "unavailable" || r.Code == "too_many_requests" {
					unavailable.Add(1)
				}
				done.Add(1)
			}
		})
	}
	for range 3 {
		before := done.Load()
		eventually(t, func() string {
			if n := done.Load() - before; n < 100 {
				return fmt.Sprintf("%d commands", n)
			}
			return ""
		})
		acknowledged := done.Load()
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
	close(stop)
	load.Wait()
	t.Logf("%d orders, %d answered 503", done.Load(), unavailable.Load())
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
