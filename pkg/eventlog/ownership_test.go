package eventlog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

func join(t *testing.T, cfg eventlog.Config) *eventlog.Ownership {
	t.Helper()
	o, err := eventlog.JoinOwnership(cfg, eventlog.OwnershipOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close(logtest.Context(t)) })
	return o
}

// awaitOwned receives events until the replica holds that many shards.
func awaitOwned(t *testing.T, o *eventlog.Ownership, held map[int32]bool, want int) {
	t.Helper()
	ctx := logtest.Context(t)
	for len(held) != want {
		select {
		case e, ok := <-o.Events():
			if !ok {
				t.Fatalf("the events ended with %v, want %d shards", held, want)
			}
			if held[e.Shard] == e.Owned {
				t.Fatalf("event %+v changes nothing in %v", e, held)
			}
			if delete(held, e.Shard); e.Owned {
				held[e.Shard] = true
			}
		case <-ctx.Done():
			t.Fatalf("held %v, want %d shards", held, want)
		}
	}
}

func confirmed(t *testing.T, o *eventlog.Ownership, shard int32) bool {
	t.Helper()
	ok, err := o.Confirm(logtest.Context(t), shard)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestShardsMoveBetweenReplicas(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 4)
	first := join(t, p.cfg)
	heldByFirst, heldBySecond := map[int32]bool{}, map[int32]bool{}
	awaitOwned(t, first, heldByFirst, 4)

	second := join(t, p.cfg)
	awaitOwned(t, first, heldByFirst, 2)
	awaitOwned(t, second, heldBySecond, 2)
	for shard := range int32(4) {
		if heldByFirst[shard] == heldBySecond[shard] {
			t.Errorf("shard %d: first %v, second %v", shard, heldByFirst[shard], heldBySecond[shard])
		}
		if first.Owned(shard) != heldByFirst[shard] || confirmed(t, first, shard) != heldByFirst[shard] {
			t.Errorf("the first does not confirm shard %d", shard)
		}
		if second.Owned(shard) != heldBySecond[shard] || confirmed(t, second, shard) != heldBySecond[shard] {
			t.Errorf("the second does not confirm shard %d", shard)
		}
	}

	// An explicit leave: the other has everything long before the session timeout.
	began := time.Now()
	if err := first.Close(logtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	awaitOwned(t, second, heldBySecond, 4)
	if took := time.Since(began); took >= eventlog.DefaultSessionTimeout {
		t.Errorf("the hand-over took %s", took)
	}
	if first.Owned(0) || first.Owned(1) || first.Owned(2) || first.Owned(3) {
		t.Error("the first still owns a shard after Close")
	}
	for range first.Events() { // ends
	}
	if err := first.Close(logtest.Context(t)); err != nil {
		t.Errorf("closed again: %v", err)
	}
}

func TestShardsBeyondTheLayoutAreHidden(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 4)
	l, err := p.ChangeLayout(logtest.Context(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	o, err := eventlog.JoinOwnership(p.cfg, eventlog.OwnershipOptions{ShardCount: l.ShardCount})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close(logtest.Context(t)) }()
	held := map[int32]bool{}
	awaitOwned(t, o, held, 2)
	if !held[0] || !held[1] || o.Owned(2) || o.Owned(3) {
		t.Errorf("held %v", held)
	}
}

func TestConfirmAsksTheCoordinator(t *testing.T) {
	p, cluster := faultyPlatform(t)
	o := join(t, p.cfg)
	awaitOwned(t, o, map[int32]bool{}, 1)
	if !confirmed(t, o, 0) || confirmed(t, o, 1) {
		t.Error("the member holds shard 0 and no other")
	}
	joining := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress, Count: -1})
	if !confirmed(t, o, 0) {
		t.Error("a member that is to join anew has lost its shard")
	}
	joining.Remove()
	refusing := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	if _, err := o.Confirm(logtest.Context(t), 0); !errors.Is(err, kerr.GroupAuthorizationFailed) {
		t.Errorf("refused: %v", err)
	}
	refusing.Remove()
	cancelled, cancel := context.WithCancel(logtest.Context(t))
	cancel()
	if ok, err := o.Confirm(cancelled, 0); ok || err == nil {
		t.Errorf("without time to ask: %v, %v", ok, err)
	}
}

func TestAMemberThatWasForgottenLosesItsShards(t *testing.T) {
	p, cluster := faultyPlatform(t)
	o := join(t, p.cfg)
	held := map[int32]bool{}
	awaitOwned(t, o, held, 1)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID})
	awaitOwned(t, o, held, 0)
	awaitOwned(t, o, held, 1) // joins anew by itself
	if !confirmed(t, o, 0) {
		t.Error("not confirmed after joining anew")
	}
}

func TestOwnershipOptions(t *testing.T) {
	cfg := logtest.Config(t)
	if _, err := eventlog.JoinOwnership(cfg, eventlog.OwnershipOptions{Heartbeat: 5 * time.Second}); err == nil {
		t.Error("a heartbeat as long as the session was accepted")
	}
	if _, err := eventlog.JoinOwnership(eventlog.Config{}, eventlog.OwnershipOptions{}); err == nil {
		t.Error("a configuration without brokers was accepted")
	}
}
