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
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

func TestMain(m *testing.M) { chdbtest.Main(m) }

// parkedEvents is a log with two dead letters: an event that can be mirrored now, as after an upgrade, and one that
// cannot.
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
		{
			TopicPartition: tp, Key: []byte("o-1"), Value: value,
			Headers: []eventlog.Header{{Key: "ce_type", Value: []byte("t")}},
		},
		{TopicPartition: tp, Key: []byte("o-2"), Value: []byte{0xff}},
	}
	if err := client.Produce(ctx, recs); err != nil {
		t.Fatal(err)
	}
	err = analytics.Park(ctx, client, []analytics.DeadLetter{
		{Topic: tp.Topic, Reason: "not known yet", ParkedAt: time.Now()},
		{Topic: tp.Topic, Offset: 1, Reason: "garbage", ParkedAt: time.Now()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return k.Addrs()[0]
}

func TestDeadLettersAreListedShownAndTriedAgain(t *testing.T) {
	kafka := parkedEvents(t)
	clickHouse := chdbtest.Database(t)
	says := func(want string, fails bool, line string) {
		t.Helper()
		out, err := holdfast(t, strings.Fields(line)...)
		if err != nil {
			out += err.Error()
		}
		if (err != nil) != fails || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s\nwant %s", line, err, out, want)
		}
	}
	onKafka := " --kafka " + kafka
	onClickHouse := " --clickhouse " + clickHouse
	says("REASON\norders.events/0/0", false, "dead-letters ls"+onKafka)
	says("not known yet\norders.events/0/1", false, "dead-letters ls"+onKafka)
	says(`"ce_type": "t"`, false, "dead-letters show orders.events/0/0"+onKafka)
	says("dead-letters ls lists", true, "dead-letters show orders.events/0/7"+onKafka)
	says("does not answer", true, "dead-letters retry --clickhouse http://127.0.0.1:1/x"+onKafka)
	says("database is missing", true, "dead-letters retry"+onKafka+onClickHouse)
	makeMirror(t, clickHouse)
	says("dead-letters ls lists", true, "dead-letters retry x"+onKafka+onClickHouse)
	says("orders.events/0/0 is mirrored", false, "dead-letters retry orders.events/0/0"+onKafka+onClickHouse)
	says("orders.events/0/1 still cannot be mirrored", true, "dead-letters retry"+onKafka+onClickHouse)
	says("garbage", false, "dead-letters ls"+onKafka)
	out, err := holdfast(t, "dead-letters", "ls", "--kafka", kafka)
	if err != nil || strings.Contains(out, "not known yet") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestNoDeadLettersAreSaidToBeNone(t *testing.T) {
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	if err := analytics.Park(t.Context(), log.Client, nil); err != nil {
		t.Fatal(err)
	}
	out, err := holdfast(t, "dead-letters", "ls", "--kafka", strings.Join(log.Config.Seeds, ","),
		"--topic-prefix", log.Config.TopicPrefix)
	if err != nil || out != "There are no dead letters.\n" {
		t.Errorf("%q, %v", out, err)
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
