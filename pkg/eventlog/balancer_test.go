package eventlog_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// keeper is a member of the group that knows standbys.
type keeper struct {
	*eventlog.Ownership
	has atomic.Pointer[eventlog.Checkpoints]
}

func joinKeeper(t *testing.T, cfg eventlog.Config, name string, has eventlog.Checkpoints) *keeper {
	t.Helper()
	k := &keeper{}
	k.has.Store(&has)
	var err error
	k.Ownership, err = eventlog.JoinOwnership(cfg, eventlog.OwnershipOptions{
		Replica: name, Standbys: 2, Checkpoints: func(func(int32) bool) eventlog.Checkpoints { return *k.has.Load() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close(logtest.Context(t)) }) // a second close has nothing to say
	return k
}

// awaitTold waits until a member is told what is wanted.
func awaitTold(t *testing.T, k *keeper, wrong func(eventlog.Standbys) string) {
	t.Helper()
	ctx := logtest.Context(t)
	for {
		problem := wrong(k.Standbys())
		if problem == "" {
			return
		}
		select {
		case <-k.Changed():
		case <-ctx.Done():
			t.Fatal(problem)
		}
	}
}

func tells(t *testing.T, p *platform) bool {
	t.Helper()
	members, err := p.Replicas(logtest.Context(t), 1)
	if err != nil || len(members) == 0 {
		t.Fatal(members, err)
	}
	return members[0].TellsStandbys
}

// Given a replica that serves all shards, when another one joins that has no checkpoints, then it is told to build
// some, and gets its shards once it reports that they are current; and the rest when the first one leaves.
func TestANewReplicaGetsShardsOnceItsCheckpointsAreCurrent(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 4)
	all := eventlog.Checkpoints{Current: []int32{0, 1, 2, 3}}
	first := joinKeeper(t, p.cfg, "first", all)
	ownedByFirst, ownedBySecond := map[int32]bool{}, map[int32]bool{}
	awaitOwned(t, first.Ownership, ownedByFirst, 4)
	if !tells(t, p) {
		t.Error("the group does not tell standbys")
	}

	second := joinKeeper(t, p.cfg, "second", eventlog.Checkpoints{Old: []int32{2, 7, -1}}) // it has one of another layout
	awaitTold(t, second, func(s eventlog.Standbys) string {
		if len(s.Shards) != 4 || len(s.Awaited) != 2 || !slices.Contains(s.Awaited, 2) {
			return fmt.Sprintf("it is to keep %+v, want all and two awaited, with 2 among them", s)
		}
		return ""
	})
	awaited := second.Standbys().Awaited
	if len(ownedByFirst) != 4 || second.Owned(awaited[0]) || !second.Standbys().Keeps(0) {
		t.Errorf("a shard has moved to a replica without its checkpoint")
	}

	second.has.Store(&all)
	second.Report()
	awaitOwned(t, first.Ownership, ownedByFirst, 2)
	awaitOwned(t, second.Ownership, ownedBySecond, 2)
	for _, shard := range awaited {
		if !ownedBySecond[shard] {
			t.Errorf("shard %d was awaited, and the second owns %v", shard, ownedBySecond)
		}
	}
	if err := first.Close(logtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	awaitOwned(t, second.Ownership, ownedBySecond, 4)
	awaitTold(t, second, func(s eventlog.Standbys) string {
		if s.All || len(s.Shards) > 0 {
			return fmt.Sprintf("it is alone, and keeps %+v", s)
		}
		return ""
	})
}

// Given a group with a replica of a release that knows no standbys, then the others keep a standby of each shard, and
// shards move as they did; when that replica is gone, then the group tells which standbys to keep.
func TestAGroupWithAFormerReleaseKeepsAllStandbys(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 4)
	former := joinAs(t, p.cfg, "former")
	ownedByFormer, owned := map[int32]bool{}, map[int32]bool{}
	awaitOwned(t, former, ownedByFormer, 4)
	k := joinKeeper(t, p.cfg, "new", eventlog.Checkpoints{})
	awaitOwned(t, former, ownedByFormer, 2)
	awaitOwned(t, k.Ownership, owned, 2)
	if s := k.Standbys(); !s.All || !s.Keeps(3) || tells(t, p) {
		t.Errorf("it is to keep %+v", s)
	}
	if err := former.Close(logtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	awaitOwned(t, k.Ownership, owned, 4)
	awaitTold(t, k, func(s eventlog.Standbys) string {
		if s.All {
			return "it is to keep all"
		}
		return ""
	})
	again := joinAs(t, p.cfg, "again") // a release is taken back
	defer func() { _ = again.Close(logtest.Context(t)) }()
	awaitTold(t, k, func(s eventlog.Standbys) string {
		if !s.All {
			return fmt.Sprintf("it is to keep %+v", s)
		}
		return ""
	})
}

// Given a replica that has recent checkpoints, when it comes back after the others have taken its shards, then it gets
// none before it reports; and a report while it is away does nothing.
func TestAReplicaThatComesBackTakesNoServedShard(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 4)
	first := joinKeeper(t, p.cfg, "first", eventlog.Checkpoints{Current: []int32{0, 1, 2, 3}})
	owned := map[int32]bool{}
	awaitOwned(t, first.Ownership, owned, 4)
	back := joinKeeper(t, p.cfg, "back", eventlog.Checkpoints{Recent: []int32{0, 1, 2, 3}})
	awaitTold(t, back, func(s eventlog.Standbys) string {
		if len(s.Awaited) != 2 {
			return fmt.Sprintf("it is to keep %+v", s)
		}
		return ""
	})
	if len(owned) != 4 {
		t.Errorf("the first owns %v", owned)
	}
	if err := back.Leave(logtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	back.Report()
}
