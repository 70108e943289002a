package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/devstack"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestMain(m *testing.M) { chdbtest.Main(m) }

// parkedEvent is a log with one event that is parked though it can be mirrored, as after an upgrade, and one
// that cannot be.
func parkedEvents(t *testing.T) (kafka string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	k, err := devstack.StartKafka(ctx, devstack.KafkaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	client, err := eventlog.Open(eventlog.Config{Seeds: k.Addrs(), Embedded: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.EnsurePlatform(ctx, eventlog.Layout{PartitionCount: 1, ShardCount: 1}); err != nil {
		t.Fatal(err)
	}
	event := &eventv1.OrderEvent{
		OrderId: "o-1", Meta: &eventv1.Meta{EventId: make([]byte, 16), Version: 1},
		Change: &eventv1.OrderEvent_OrderConfirmed{OrderConfirmed: &eventv1.OrderConfirmed{}},
	}
	value, err := event.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders}
	recs := []*eventlog.Record{
		{TopicPartition: tp, Key: []byte("o-1"), Value: value, Headers: []eventlog.Header{{Key: "ce_type", Value: []byte("t")}}},
		{TopicPartition: tp, Key: []byte("o-2"), Value: []byte{0xff}},
	}
	if err := client.Produce(ctx, recs); err != nil {
		t.Fatal(err)
	}
	err = analytics.Park(ctx, client, []analytics.DeadLetter{
		{Topic: tp.Topic, Reason: "not known yet", ParkedAt: time.Now()}, {Topic: tp.Topic, Offset: 1, Reason: "garbage", ParkedAt: time.Now()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return k.Addrs()[0]
}

func TestDeadLettersAreListedShownAndTriedAgain(t *testing.T) {
	kafka := parkedEvents(t)
	clickHouse := chdbtest.Database(t)
	says := func(want string, fails bool, args ...string) {
		t.Helper()
		out, err := holdfast(t, args...)
		if err != nil {
			out += err.Error()
		}
		if (err != nil) != fails || !strings.Contains(out, want) {
			t.Errorf("%v: %v\n%s\nwant %s", args, err, out, want)
		}
	}
	says("not known yet\norders.events/0/1", false, "dead-letters", "ls", "--kafka", kafka)
	says(`"ce_type": "t"`, false, "dead-letters", "show", "orders.events/0/0", "--kafka", kafka)
	says("dead-letters ls lists", true, "dead-letters", "show", "orders.events/0/7", "--kafka", kafka)
	says("does not answer", true, "dead-letters", "retry", "--kafka", kafka, "--clickhouse", "http://127.0.0.1:1/x")
	says("database is missing", true, "dead-letters", "retry", "--kafka", kafka, "--clickhouse", clickHouse)
	says("database is missing", true, "mirror", "rebuild", "--clickhouse", clickHouse)
	makeMirror(t, clickHouse)
	says("is empty", false, "mirror", "rebuild", "--clickhouse", clickHouse)
	says("dead-letters ls lists", true, "dead-letters", "retry", "x", "--kafka", kafka, "--clickhouse", clickHouse)
	says("orders.events/0/0 is mirrored", false, "dead-letters", "retry", "orders.events/0/0", "--kafka", kafka, "--clickhouse", clickHouse)
	says("orders.events/0/1 still cannot be mirrored", true, "dead-letters", "retry", "--kafka", kafka, "--clickhouse", clickHouse)
	says("garbage", false, "dead-letters", "ls", "--kafka", kafka)
	if out, err := holdfast(t, "dead-letters", "ls", "--kafka", kafka); err != nil || strings.Contains(out, "not known yet") {
		t.Errorf("%v: %s", err, out)
	}
}

func makeMirror(t *testing.T, clickHouse string) {
	t.Helper()
	ctx := context.Background()
	conn, err := openClickHouse(ctx, clickHouse)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m, err := analytics.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Migrate(ctx, m); err != nil {
		t.Fatal(err)
	}
}
