package shard_test

import (
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/shard"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// All events that a traced request leads to name its span: those of the order, of its stock in other shards and at
// other replicas, and the outcome that follows from stock's answers. Other events name none.
func TestATraceGoesWithTheStepsOfAnOrder(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	p := newPlatform(t, 4)
	nodes := p.replicas(nil)
	n := nodes[0]
	// A shard that another replica takes over asks stock again, and does not know who asked for the order.
	eventually(t, func() string {
		if one, two := nodes[0].OwnedShards(), nodes[1].OwnedShards(); one == 0 || two == 0 || one+two < 4 {
			return "the shards are not shared"
		}
		return ""
	})
	skus := []string{"A", "B", "C", "D", "E", "F"}
	for _, sku := range skus {
		stock(t, n, sku, 10)
	}
	ordered := func(key, parent string) string {
		cmd, err := decode(command.PlaceOrder, "", key, []byte(orderBody("on_account", skus...)), time.Now().UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		cmd.TraceParent = parent
		var r shard.Result
		eventually(t, func() string {
			fut := n.Submit(cmd)
			<-fut.Done()
			r = fut.Result()
			return r.Code
		})
		return r.Order.ID
	}
	traced, other := ordered("traced", parent), ordered("other", "")
	events := map[string]int{}
	p.readAll(eventlog.TopicOrders, p.want.PartitionCount, func(rec *eventlog.Record) error {
		want := map[string]string{traced: parent, other: ""}[string(rec.Key)]
		if got := rec.Header(tracing.HeaderName); got != want {
			t.Errorf("%s of %s names %q", rec.Header("ce_type"), rec.Key, got)
		}
		events[string(rec.Key)]++
		return nil
	})
	p.readAll(eventlog.TopicInventory, p.want.PartitionCount, func(rec *eventlog.Record) error {
		_, _, ev, err := codec.DecodeInventory(rec.Value)
		if err != nil {
			return err
		}
		step, _ := inventory.StepOf(ev.Change)
		want := map[string]string{traced: parent}[step.OrderID]
		if got := rec.Header(tracing.HeaderName); got != want {
			t.Errorf("%s of %s for %q names %q", rec.Header("ce_type"), rec.Key, step.OrderID, got)
		}
		events[step.OrderID]++
		return nil
	})
	if atLeast := 2 + len(skus); events[traced] < atLeast || events[other] < atLeast {
		t.Errorf("the orders have %v events", events)
	}
}
