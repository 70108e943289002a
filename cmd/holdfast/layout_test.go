package main

import (
	"context"
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
	run(0, "Generation 1: 4 partitions, 1 shard; new orders by the shard of their key", "show")
	run(0, "0  0 1 2 3     nobody in the last hour", "show")
	run(0, `"shard_count": 1`, "show -o json")
	fails("--shards 5: layout: shard count 5 is not between 1 and the partition count 4", "set --shards 5 --yes")
	fails("--shards 0: layout: shard count 0", "set --shards 0 --yes")
	fails("at least one of the flags in the group [shards orders] is required", "set")
	fails(`--orders "by-key": say with-goods; there is no way back from it`, "set --orders by-key --yes")
	run(0, "Nothing to do: it is so already.\n\nGeneration 1: 4 partitions, 1 shard;", "set --shards 1")
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
	run(0, "Generation 2: 4 partitions, 2 shards;", "show")
	run(0, `"generation": 3`, "set --shards 4 --yes -o json")
	run(2, "0 of 4 partitions get another shard", "set --orders with-goods --dry-run")
	run(0, "Done: 4 shards", "set --orders with-goods --yes")
	run(0, "Nothing to do: it is so already.\n\n"+
		"Generation 4: 4 partitions, 4 shards; new orders by the shard of their first SKU",
		"set --orders with-goods")
	run(0, `"with_goods_since": 4`, "show -o json")
	run(0, "Done: 2 shards", "set --shards 2 --yes")
	run(0, `"with_goods_since": 4`, "show -o json")
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
	// One that prepares, and does not know where orders are placed.
	preparing, stop := context.WithCancel(log.Ctx)
	defer stop()
	go prepareAs(preparing, log.Client, "old")
	holdfastFails(t, "runs a release that cannot place orders with their goods: upgrade it", "layout", "set", "--orders",
		"with-goods", "--yes", "--kafka", strings.Join(log.Config.Seeds, ","), "--env", log.Config.Env, "--topic-prefix",
		log.Config.TopicPrefix)
	if l, err := log.Client.ReadLayout(log.Ctx); err != nil || l != log.Layout {
		t.Errorf("the layout is %+v: %v", l, err)
	}
}

// prepareAs reports that a replica of an earlier release has prepared for whatever is planned, until ctx ends.
func prepareAs(ctx context.Context, client *eventlog.Client, replica string) {
	f, err := client.FollowLayout(ctx)
	if err != nil {
		return
	}
	defer f.Close()
	for ctx.Err() == nil {
		news, _ := f.Next(ctx)
		for _, n := range news {
			if n.Plan != nil {
				_ = client.ReportPreparation(ctx, eventlog.Preparation{Plan: n.Plan.ID, Replica: replica, Ready: true})
			}
		}
	}
}
