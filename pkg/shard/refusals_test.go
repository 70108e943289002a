package shard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/problem"
	"github.com/holdfast/holdfast/pkg/shard"
)

// attempt is one attempt of a command, as the replica took it that is given: it may hand it on much later.
func attempt(t *testing.T, taken *shard.Node, typ, id, key, body string) *shard.Command {
	t.Helper()
	cmd, err := decode(typ, id, key, []byte(body), time.Now().UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	cmd.Heard = taken.Heard()
	return cmd
}

func outcome(t *testing.T, n *shard.Node, cmd *shard.Command) shard.Result {
	t.Helper()
	fut := n.Submit(cmd)
	select {
	case <-fut.Done():
		return fut.Result()
	case <-time.After(waitLimit):
		t.Fatal("no answer")
		return shard.Result{}
	}
}

const fiveAway = `{"location":"main","delta":-5,"reason":"damaged"}`

// refusedMeanwhile is an attempt to take five away that replica took was given, and that asked refused after that.
// There are ten by now.
func refusedMeanwhile(t *testing.T, took, asked *shard.Node, sku, key string) *shard.Command {
	t.Helper()
	late := attempt(t, took, command.AdjustStock, sku, key, fiveAway)
	if r := do(t, asked, command.AdjustStock, sku, key, fiveAway); r.Code != inventory.CodeNegativeOnHand {
		t.Fatalf("there is too little: %+v", r)
	}
	ok(t, do(t, asked, command.ReceiveStock, sku, "more-"+key, `{"location":"main","quantity":9}`))
	return late
}

// lateIsRefused holds that an attempt is not carried out any more, and that the client may try again.
func lateIsRefused(t *testing.T, n *shard.Node, late *shard.Command) {
	t.Helper()
	if r := outcome(t, n, late); r.Code != problem.Unavailable {
		t.Fatalf("an attempt that was refused meanwhile: %+v", r)
	}
	if s := stockOf(t, n, late.ID); s.Total.OnHand != 10 {
		t.Fatalf("the client heard no, and the stock is %+v", s.Total)
	}
	if r := do(t, n, late.Type, late.ID, late.Key, fiveAway); r.Code != "" || r.Stock.Total.OnHand != 5 {
		t.Fatalf("the client tries again, and there is enough now: %+v", r)
	}
}

func TestAnAttemptThatWasRefusedMeanwhileIsNotCarriedOut(t *testing.T) {
	p := newPlatform(t, 4)
	nodes := []*shard.Node{p.start(t.TempDir(), shard.Hooks{}), p.start(t.TempDir(), shard.Hooks{})}
	eventually(t, func() string {
		if nodes[0].OwnedShards() == 0 || nodes[1].OwnedShards() == 0 {
			return "the shards are not shared"
		}
		return ""
	})
	for _, took := range nodes {
		for _, asked := range nodes {
			for i := range 4 {
				sku := fmt.Sprintf("sku-%d", i)
				key := fmt.Sprintf("%s-%p-%p", sku, took, asked)
				sku += key
				stock(t, nodes[0], sku, 1)
				lateIsRefused(t, took, refusedMeanwhile(t, took, asked, sku, key))
			}
		}
	}
	p.verify()
}

// A refusal is known to every later owner, also to one that is a process that has started since.
func TestARefusalOutlivesItsOwner(t *testing.T) {
	p := newPlatform(t, 1)
	dirs := []string{t.TempDir(), t.TempDir()}
	first, second := p.start(dirs[0], shard.Hooks{}), p.start(dirs[1], shard.Hooks{})
	eventually(t, func() string { return text(first.Ready()) })
	eventually(t, func() string { return text(second.Ready()) })
	owner, other := first, second
	if second.Owns(0) {
		owner, other = second, first
	}
	stock(t, owner, "A", 1)
	late := refusedMeanwhile(t, other, owner, "A", "k")
	later := refusedMeanwhileUnkeyed(t, other, owner)
	p.stop(owner)
	for _, cmd := range []*shard.Command{late, later} {
		eventually(t, func() string { return text(other.Ready()) })
		if r := outcome(t, other, cmd); r.Code != problem.Unavailable {
			t.Fatalf("after a hand-over: %+v", r)
		}
	}
	p.stop(other)
	restarted := p.start(dirs[0], shard.Hooks{})
	eventually(t, func() string { return text(restarted.Ready()) })
	lateIsRefused(t, restarted, late) // it says the same of an attempt that is handed over from an older process
	p.verify()
}

// The topic of announcements keeps an hour: after a longer outage it is empty, and its first offset is not 0.
func TestReplicasStartOnATopicWhoseRecordsAreGone(t *testing.T) {
	p := newPlatform(t, 1)
	before := p.start(t.TempDir(), shard.Hooks{})
	stock(t, before, "A", 1)
	late := refusedMeanwhile(t, before, before, "A", "k")
	p.stop(before)
	logtest.DeleteRecords(t, p.log, eventlog.TopicShards)
	after := p.start(t.TempDir(), shard.Hooks{})
	eventually(t, func() string { return text(after.Ready()) })
	lateIsRefused(t, after, late) // that it was refused is known from the topic's start alone
}

// refusedMeanwhileUnkeyed is the same for a command without a key.
func refusedMeanwhileUnkeyed(t *testing.T, took, asked *shard.Node) *shard.Command {
	t.Helper()
	const body = `{"location":"main","quantity":3}`
	late := attempt(t, took, command.SetSafetyStock, "U", "", body)
	if r := do(t, asked, command.SetSafetyStock, "U", "", body); r.Code != problem.UnknownSKU {
		t.Fatalf("nobody has registered it: %+v", r)
	}
	stock(t, asked, "U", 3) // enough to carry it out
	return late
}

// A past document that stock refused may come again under its key. So an attempt from before the refusal must not.
func TestARefusedDocumentIsNotImportedByAnEarlierAttempt(t *testing.T) {
	p := newPlatform(t, 4)
	n := p.start(t.TempDir(), shard.Hooks{})
	skus := make([]string, 8) // of more than one shard
	for i := range skus {
		skus[i] = fmt.Sprintf("S%d=1", i)
	}
	body := documentOf(skus...)
	eventually(t, func() string { return text(n.Ready()) })
	late := attempt(t, n, command.ImportOrder, "", "doc", body)
	if r := do(t, n, command.ImportOrder, "", "doc", body); r.Code != problem.UnknownSKU {
		t.Fatalf("no SKU is registered: %+v", r)
	}
	for i := range skus {
		stock(t, n, fmt.Sprintf("S%d", i), 1)
	}
	if r := outcome(t, n, late); r.Code != problem.Unavailable {
		t.Fatalf("the earlier attempt: %+v", r)
	}
	ok(t, do(t, n, command.ImportOrder, "", "doc", body))
	p.stop(n)
	p.verify()
}
