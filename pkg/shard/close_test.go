package shard_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard"
)

// A replica that stops waits for brokers no longer than its context allows, in whatever phase of acquiring a shard it
// is.
func TestCloseEndsAnAcquisitionThatHangs(t *testing.T) {
	for name, disturb := range map[string]func(*kfake.Cluster){
		"no commit succeeds": func(c *kfake.Cluster) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
		},
		"no broker is there": func(c *kfake.Cluster) { c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Close)
			p := &platform{t: t, log: eventlog.Config{Seeds: cluster.ListenAddrs(), Embedded: true, Logger: testLogger()},
				want: eventlog.Layout{PartitionCount: 2, ShardCount: 1}}
			announces := make(chan struct{})
			var once sync.Once
			n := p.start(t.TempDir(), shard.Hooks{Acquire: func(_ int32, phase string) {
				if phase == "announce" {
					once.Do(func() {
						disturb(cluster)
						close(announces)
					})
				}
			}})
			<-announces
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			closed := make(chan struct{})
			go func() {
				_ = n.Close(ctx) // that it gave up is no news
				close(closed)
			}()
			select {
			case <-closed:
			case <-time.After(waitLimit):
				t.Fatal("Close still waits")
			}
		})
	}
}
