package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// TestLayoutSetWithoutReplicas: what can be seen and done while no order-api runs. How replicas take part is tested in
// pkg/shard and test/chaos.
func TestLayoutSetWithoutReplicas(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 4, ShardCount: 1})
	reach := []string{
		"--kafka", strings.Join(log.Config.Seeds, ","), "--env", log.Config.Env, "--topic-prefix", log.Config.TopicPrefix,
	}
	run := func(wantStatus int, want, args string) {
		t.Helper()
		out, err := holdfast(t, append(append([]string{"layout"}, strings.Fields(args)...), reach...)...)
		var status exitStatus
		errors.As(err, &status)
		if (err != nil && status == 0) || int(status) != wantStatus || !strings.Contains(out, want) {
			t.Errorf("layout %s: %v, want status %d and %q\n%s", args, err, wantStatus, want, out)
		}
	}
	fails := func(want, args string) {
		t.Helper()
		holdfastFails(t, want, append(append([]string{"layout"}, strings.Fields(args)...), reach...)...)
	}
	run(0, "Generation 1: 4 partitions, 1 shard\n", "show")
	run(0, "0  0 1 2 3     nobody in the last hour", "show")
	run(0, `"shard_count": 1`, "show -o json")
	fails("--shards 5: layout: shard count 5 is not between 1 and the partition count 4", "set --shards 5 --yes")
	fails("--shards 0: layout: shard count 0", "set --shards 0 --yes")
	fails(`required flag(s) "shards" not set`, "set")
	run(0, "Nothing to do: the log is written by 1 shard already.", "set --shards 1")
	run(2, "2 of 4 partitions get another shard", "set --shards 2 --dry-run")
	fails("--yes does it without a question", "set --shards 2")
	plan := eventlog.LayoutPlan{ID: uuid.New(), From: log.Layout, To: log.Layout.Next(3), By: "zoe@other"}
	if err := log.Client.WritePlan(log.Ctx, plan); err != nil {
		t.Fatal(err)
	}
	run(0, "zoe@other is changing it to 3 shards.", "show")
	fails("zoe@other is changing the layout from 1 to 3 shards", "set --shards 2 --yes")
	fails("zoe@other is changing the layout from 1 to 3 shards", "set --shards 1 --yes")
	if err := log.Client.WithdrawPlan(log.Ctx, plan.ID); err != nil {
		t.Fatal(err)
	}
	run(0, "Done: 2 shards. No replica of order-api runs; the next one serves them.", "set --shards 2 --yes")
	run(0, "Generation 2: 4 partitions, 2 shards\n", "show")
	run(0, `"generation": 3`, "set --shards 4 --yes -o json")
}

// A member of the group that never says that it prepares is one of an earlier release.
func TestLayoutSetNeedsReplicasThatPrepare(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 4, ShardCount: 1})
	old, err := eventlog.JoinOwnership(log.Config, eventlog.OwnershipOptions{Replica: "old"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = old.Close(log.Ctx) })
	<-old.Events()
	holdfastFails(t, "do not prepare for another layout: old at ", "layout", "set", "--shards", "2", "--yes",
		"--kafka", strings.Join(log.Config.Seeds, ","), "--env", log.Config.Env, "--topic-prefix", log.Config.TopicPrefix)
	holdfastFails(t, "not all replicas were ready after 1s", "layout", "set", "--shards", "2", "--yes", "--wait", "1s",
		"--kafka", strings.Join(log.Config.Seeds, ","), "--env", log.Config.Env, "--topic-prefix", log.Config.TopicPrefix)
	if l, err := log.Client.ReadLayout(log.Ctx); err != nil || l != log.Layout {
		t.Errorf("the layout is %+v: %v", l, err)
	}
}
