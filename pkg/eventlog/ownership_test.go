package eventlog_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

func join(t *testing.T, cfg eventlog.Config) *eventlog.Ownership {
	t.Helper()
	return joinAs(t, cfg, "")
}

// awaitOwned receives events until the replica owns that many shards.
func awaitOwned(t *testing.T, o *eventlog.Ownership, owned map[int32]bool, want int) {
	t.Helper()
	ctx := logtest.Context(t)
	for len(owned) != want {
		select {
		case e, ok := <-o.Events():
			if !ok {
				t.Fatalf("the events ended with %v, want %d shards", owned, want)
			}
			if owned[e.Shard] == e.Owned {
				t.Fatalf("event %+v changes nothing in %v", e, owned)
			}
			if delete(owned, e.Shard); e.Owned {
				owned[e.Shard] = true
			}
		case <-ctx.Done():
			t.Fatalf("owned %v, want %d shards", owned, want)
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
	ownedByFirst, ownedBySecond := map[int32]bool{}, map[int32]bool{}
	awaitOwned(t, first, ownedByFirst, 4)

	second := join(t, p.cfg)
	awaitOwned(t, first, ownedByFirst, 2)
	awaitOwned(t, second, ownedBySecond, 2)
	for shard := range int32(4) {
		if ownedByFirst[shard] == ownedBySecond[shard] {
			t.Errorf("shard %d: first %v, second %v", shard, ownedByFirst[shard], ownedBySecond[shard])
		}
		if first.Owned(shard) != ownedByFirst[shard] || confirmed(t, first, shard) != ownedByFirst[shard] {
			t.Errorf("the first does not confirm shard %d", shard)
		}
		if second.Owned(shard) != ownedBySecond[shard] || confirmed(t, second, shard) != ownedBySecond[shard] {
			t.Errorf("the second does not confirm shard %d", shard)
		}
	}

	// The first leaves, so the second gets its shards long before the session timeout.
	began := time.Now()
	if err := first.Close(logtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	awaitOwned(t, second, ownedBySecond, 4)
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
	owned := map[int32]bool{}
	awaitOwned(t, o, owned, 2)
	if !owned[0] || !owned[1] || o.Owned(2) || o.Owned(3) {
		t.Errorf("owned %v", owned)
	}
}

func TestConfirmAsksTheCoordinator(t *testing.T) {
	p, cluster := faultyPlatform(t)
	o := join(t, p.cfg)
	awaitOwned(t, o, map[int32]bool{}, 1)
	if !confirmed(t, o, 0) || confirmed(t, o, 1) {
		t.Error("the member owns shard 0 and no other")
	}
	joining := cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress, Count: -1,
	})
	if !confirmed(t, o, 0) {
		t.Error("a member that has to join again has lost its shard")
	}
	joining.Remove()
	refusing := cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.GroupAuthorizationFailed, Count: -1,
	})
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
	owned := map[int32]bool{}
	awaitOwned(t, o, owned, 1)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID})
	awaitOwned(t, o, owned, 0)
	awaitOwned(t, o, owned, 1) // it has joined again by itself
	if !confirmed(t, o, 0) {
		t.Error("not confirmed after joining again")
	}
}

func joinAs(t *testing.T, cfg eventlog.Config, replica string) *eventlog.Ownership {
	t.Helper()
	o, err := eventlog.JoinOwnership(cfg, eventlog.OwnershipOptions{Replica: replica})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close(logtest.Context(t)) })
	return o
}

// A replica that was killed has its shards again as soon as it has started, and the other keeps its own. The test lets
// the second one stand for the killed one's next process: a name that joins again is what the group sees of a restart.
func TestAReplicaThatComesBackHasItsShardsAtOnce(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 4)
	killed, other := joinAs(t, p.cfg, "one"), joinAs(t, p.cfg, "two")
	ownedByKilled, ownedByOther := map[int32]bool{}, map[int32]bool{}
	awaitOwned(t, other, ownedByOther, 2)
	awaitOwned(t, killed, ownedByKilled, 2)

	began := time.Now()
	back, ownedByBack := joinAs(t, p.cfg, "one"), map[int32]bool{}
	awaitOwned(t, back, ownedByBack, 2)
	if took := time.Since(began); took >= eventlog.DefaultSessionTimeout {
		t.Errorf("it took %s", took)
	}
	for shard := range int32(4) {
		if other.Owned(shard) == back.Owned(shard) {
			t.Errorf("shard %d: other %v, back %v", shard, other.Owned(shard), back.Owned(shard))
		}
	}
	// The former process, if it is still there, learns that it has been replaced, and says what to do.
	awaitOwned(t, killed, ownedByKilled, 0)
	awaitFault(t, killed)
	if confirmed(t, killed, 0) || back.Fault() != nil || other.Fault() != nil {
		t.Error("the one that was replaced owns shards, or the others are faulty")
	}
	// Its end must not take the name from the one that has it now. When that one leaves, its shards move at once.
	if err := killed.Close(logtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	for shard := range ownedByBack {
		if !confirmed(t, back, shard) {
			t.Errorf("shard %d was lost to the end of a former process", shard)
		}
	}
	began = time.Now()
	if err := back.Close(logtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	awaitOwned(t, other, ownedByOther, 4)
	if took := time.Since(began); took >= eventlog.DefaultSessionTimeout {
		t.Errorf("the hand-over took %s", took)
	}
}

func awaitFault(t *testing.T, o *eventlog.Ownership) {
	t.Helper()
	ctx := logtest.Context(t)
	for o.Fault() == nil {
		if err := backoff.Sleep(ctx, time.Millisecond); err != nil {
			t.Fatal("the replica does not say that it was replaced")
		}
	}
	var replaced *eventlog.ReplacedError
	if !errors.As(o.Fault(), &replaced) || !strings.Contains(o.Fault().Error(), "replica-id") {
		t.Errorf("the fault is %v", o.Fault())
	}
}

func TestAMemberLeavesForAWhile(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 2)
	first, second := joinAs(t, p.cfg, "one"), joinAs(t, p.cfg, "two")
	ownedByFirst, ownedBySecond := map[int32]bool{}, map[int32]bool{}
	awaitOwned(t, second, ownedBySecond, 1)
	awaitOwned(t, first, ownedByFirst, 1)
	if others, err := first.Others(logtest.Context(t)); err != nil || others != 1 {
		t.Errorf("%d others, %v", others, err)
	}
	began := time.Now()
	if err := first.Leave(logtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	awaitOwned(t, first, ownedByFirst, 0)
	awaitOwned(t, second, ownedBySecond, 2)
	if took := time.Since(began); took >= eventlog.DefaultSessionTimeout {
		t.Errorf("the hand-over took %s", took)
	}
	if others, err := second.Others(logtest.Context(t)); err != nil || others != 0 {
		t.Errorf("%d others, %v", others, err)
	}
	if others, err := first.Others(logtest.Context(t)); err != nil || others != 0 || confirmed(t, first, 0) {
		t.Errorf("while it is away: %d others, %v, or it owns a shard", others, err)
	}
	if err := first.Leave(logtest.Context(t)); err != nil {
		t.Errorf("left twice: %v", err)
	}
	for range 2 { // a member that is there stays there
		if err := first.Rejoin(); err != nil {
			t.Fatal(err)
		}
	}
	awaitOwned(t, first, ownedByFirst, 1)
	awaitOwned(t, second, ownedBySecond, 1)
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
