package shard_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard"
)

// replica starts a replica that follows the layout.
func (p *platform) replica(dir string) *shard.Replica {
	p.t.Helper()
	r, err := shard.Start(context.Background(), shard.Config{
		DataDir: dir, Log: p.log, Want: p.want, PeerListen: "127.0.0.1:0", Decode: rebuild, Logger: testLogger(),
		StandbyEvery: p.standby,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.closeReplica(r) })
	return r
}

func (p *platform) closeReplica(r *shard.Replica) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = r.Close(ctx) // a second close has nothing to say
}

// plans refreshes a plan until stop, and returns how far each replica has reported to be.
func (p *platform) plans(to eventlog.Layout) (plan eventlog.LayoutPlan, prepared func() int, stop func()) {
	p.t.Helper()
	c := p.client()
	from, err := c.ReadLayout(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	plan = eventlog.LayoutPlan{ID: uuid.New(), From: from, To: to, By: "a test"}
	ctx, cancel := context.WithCancel(p.t.Context())
	if err := c.WritePlan(ctx, plan); err != nil {
		p.t.Fatal(err)
	}
	f, err := c.FollowLayout(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	var mu sync.Mutex
	ready := map[string]bool{}
	var background sync.WaitGroup
	background.Go(func() {
		for ctx.Err() == nil {
			news, _ := f.Next(ctx)
			mu.Lock()
			for _, n := range news {
				if n.Preparation != nil && n.Preparation.Plan == plan.ID {
					ready[n.Preparation.Replica] = n.Preparation.Ready
				}
			}
			mu.Unlock()
		}
	})
	background.Go(func() {
		for ctx.Err() == nil {
			_ = c.WritePlan(ctx, plan)
			select {
			case <-ctx.Done():
			case <-time.After(eventlog.PlanRefresh):
			}
		}
	})
	stop = func() { cancel(); background.Wait(); f.Close() }
	p.t.Cleanup(stop)
	return plan, func() int {
		mu.Lock()
		defer mu.Unlock()
		n := 0
		for _, r := range ready {
			if r {
				n++
			}
		}
		return n
	}, stop
}

// TestTheLayoutChangesUnderLoad: replicas prepare for what is planned, and take their new shards over when it counts.
// Nothing that was acknowledged is lost, nothing is sold twice, and no command is answered but with its outcome.
func TestTheLayoutChangesUnderLoad(t *testing.T) {
	p := newPlatform(t, 1)
	replicas := []*shard.Replica{p.replica(t.TempDir()), p.replica(t.TempDir())}
	load := startLoad(t, replicas, 16, 7, 400)
	for _, shards := range []int32{3, 2, 4, 1} {
		load.await(100)
		now, err := p.client().ReadLayout(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		plan, prepared, withdrawn := p.plans(now.Next(shards))
		eventually(t, func() string {
			if n := prepared(); n < len(replicas) {
				return fmt.Sprintf("%d replicas have prepared", n)
			}
			return ""
		})
		began := time.Now()
		if err := p.client().MoveLayout(t.Context(), plan.From, plan.To); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() string {
			owned := 0
			for _, r := range replicas {
				if g := r.Node().Layout().Generation; g != plan.To.Generation {
					return fmt.Sprintf("a replica is in generation %d", g)
				}
				owned += r.OwnedShards()
			}
			if owned != int(shards) {
				return fmt.Sprintf("%d of %d shards are served", owned, shards)
			}
			return ""
		})
		t.Logf("%d shards were served %s after the change; %d commands were answered 503", shards, time.Since(began),
			load.unavailable.Load())
		withdrawn()
	}
	load.stop()
	if n := load.unavailable.Load(); n > 0 {
		t.Errorf("%d commands were answered 503", n)
	}
	for _, r := range replicas {
		p.closeReplica(r)
	}
	p.verify()
}
