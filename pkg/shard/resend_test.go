package shard_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/shard"
)

// counter is the value of a counter without labels.
func counter(t *testing.T, registry *prometheus.Registry, name string) int {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return int(family.GetMetric()[0].GetCounter().GetValue())
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

// Where stock takes long to answer, steps wait for it: what is sent again is what the first answers cost, not every
// step.
func TestSlowAnswersAreWaitedFor(t *testing.T) {
	const orders, messageDelay = 400, 250 * time.Millisecond // an answer takes two messages
	p := newPlatform(t, 2)
	hooks := shard.Hooks{Deliver: func(send func()) { time.AfterFunc(messageDelay, send) }}
	n := p.startCounted(shard.Config{Hooks: hooks})
	eventually(t, func() string {
		if err := n.Ready(); err != nil {
			return err.Error()
		}
		return ""
	})
	skus := [2]string{}
	for i := 0; skus[0] == "" || skus[1] == ""; i++ {
		sku := fmt.Sprint("sku-", i)
		skus[n.ShardOf(sku)] = sku
	}
	for _, sku := range skus {
		stock(t, n.Node, sku, orders)
	}
	for first := 0; first < orders; first += orders / 4 { // each quarter knows what the one before has measured
		var waiting []*shard.Future
		for i := range orders / 4 {
			cmd, err := decode(command.PlaceOrder, "", fmt.Sprint("k-", first+i), []byte(orderOf(skus[0]+"=1", skus[1]+"=1")),
				time.Now().UnixMicro())
			if err != nil {
				t.Fatal(err)
			}
			waiting = append(waiting, n.Submit(cmd))
		}
		for _, fut := range waiting {
			<-fut.Done()
			ok(t, fut.Result())
		}
	}
	sent, resent := counter(t, n.registry, "holdfast_shard_steps_sent_total"),
		counter(t, n.registry, "holdfast_shard_steps_resent_total")
	if sent < orders || resent > sent/4 {
		t.Errorf("%d steps were sent for %d orders, %d of them again", sent, orders, resent)
	}
	p.verify()
}
