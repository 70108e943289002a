package eventlog_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

func TestLayoutPartitionsCoverEverythingOnce(t *testing.T) {
	l := eventlog.Layout{PartitionCount: 12, ShardCount: 5}
	writers := make(map[eventlog.TopicPartition]int32)
	for shard := range l.ShardCount {
		for _, tp := range l.Partitions(shard) {
			if former, ok := writers[tp]; ok {
				t.Errorf("%v is written by shards %d and %d", tp, former, shard)
			}
			if l.ShardOf(tp.Partition) != shard {
				t.Errorf("%v is listed under shard %d, not %d", tp, shard, l.ShardOf(tp.Partition))
			}
			writers[tp] = shard
		}
	}
	if len(writers) != 24 {
		t.Errorf("%d partitions are written, want 24", len(writers))
	}
	if got := l.Partitions(5); got != nil {
		t.Errorf("a shard that does not exist writes %v", got)
	}
}

func TestLayoutValidate(t *testing.T) {
	for _, tc := range []struct {
		partitions, shards int32
		ok                 bool
	}{
		{1, 1, true},
		{12, 3, true},
		{12, 12, true},
		{0, 1, false},
		{12, 0, false},
		{12, 13, false},
		{-1, -1, false},
		{eventlog.MaxPartitionCount + 1, 1, false},
	} {
		err := eventlog.Layout{PartitionCount: tc.partitions, ShardCount: tc.shards}.Validate()
		if (err == nil) != tc.ok {
			t.Errorf("%d partitions, %d shards: %v", tc.partitions, tc.shards, err)
		}
	}
}

func TestEnsurePlatformKeepsTheFirstLayout(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 2)
	if want := (eventlog.Layout{Generation: 1, PartitionCount: 4, ShardCount: 2}); p.layout != want {
		t.Fatalf("layout %+v, want %+v", p.layout, want)
	}
	var said strings.Builder
	cfg := p.cfg
	cfg.Logger = slog.New(slog.NewTextHandler(&said, nil))
	again, err := open(t, cfg).EnsurePlatform(logtest.Context(t), eventlog.Layout{PartitionCount: 8, ShardCount: 1})
	if !strings.Contains(said.String(), "partitions=4 shards=2 asked_partitions=8 asked_shards=1") {
		t.Errorf("settings without effect are not told: %s", said.String())
	}
	if err != nil || again != p.layout {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	read, err := p.ReadLayout(logtest.Context(t))
	if err != nil || read != p.layout {
		t.Errorf("read: %+v, %v", read, err)
	}
}

func TestEnsurePlatformByReplicasAtOnce(t *testing.T) {
	cfg := logtest.Config(t)
	ctx := logtest.Context(t)
	const replicas = 4
	var wg sync.WaitGroup
	var layouts [replicas]eventlog.Layout
	var errs [replicas]error
	for i := range replicas {
		c := open(t, cfg)
		wg.Go(func() {
			// They want different layouts; one of them must win for all.
			layouts[i], errs[i] = c.EnsurePlatform(ctx, eventlog.Layout{PartitionCount: int32(4 + i), ShardCount: 1})
		})
	}
	wg.Wait()
	for i := range replicas {
		if errs[i] != nil || layouts[i] != layouts[0] || layouts[i].Generation != 1 {
			t.Errorf("replica %d: %+v, %v; replica 0: %+v", i, layouts[i], errs[i], layouts[0])
		}
	}
}

func TestEnsurePlatformRefusesTopicsThatTheLayoutDoesNotFit(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 1)
	wrong := &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicLayout}, Key: []byte("2"),
		Value: []byte(`{"generation":2,"partition_count":6,"shard_count":1}`),
	}
	if err := p.Produce(logtest.Context(t), []*eventlog.Record{wrong}); err != nil {
		t.Fatal(err)
	}
	_, err := p.EnsurePlatform(logtest.Context(t), eventlog.Layout{PartitionCount: 4, ShardCount: 1})
	wantError(t, err, p.cfg.TopicPrefix+eventlog.TopicOrders, "has 4 partitions", "says 6", "delete the topic")
}

func TestEnsurePlatformRefusesTopicsThatExistedBefore(t *testing.T) {
	cfg := logtest.Config(t)
	createTopic(t, cfg, eventlog.TopicInventory, 10)
	_, err := open(t, cfg).EnsurePlatform(logtest.Context(t), eventlog.Layout{PartitionCount: 4, ShardCount: 1})
	wantError(t, err, cfg.TopicPrefix+eventlog.TopicInventory, "has 10 partitions", "says 4", "partition count 10")
	// Do what the message says, and what the next one would say.
	alter(t, cfg, eventlog.TopicInventory, "retention.ms", "-1")
	l, err := open(t, cfg).EnsurePlatform(logtest.Context(t), eventlog.Layout{PartitionCount: 10, ShardCount: 1})
	if err != nil || l.PartitionCount != 10 {
		t.Errorf("with the count that is there: %+v, %v", l, err)
	}
}

func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
}

// createTopic creates a topic with the brokers' default configuration.
func createTopic(t *testing.T, cfg eventlog.Config, topic string, partitions int32) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cfg.Seeds...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	if _, err := admin.CreateTopic(logtest.Context(t), partitions, 1, nil, cfg.TopicPrefix+topic); err != nil {
		t.Fatal(err)
	}
}

func TestChangeLayout(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 1)
	ctx := logtest.Context(t)
	var wg sync.WaitGroup
	for _, shards := range []int32{2, 4, 2} {
		wg.Go(func() {
			if _, err := p.ChangeLayout(ctx, shards); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	l, err := p.ReadLayout(ctx)
	if err != nil || l.Generation < 3 || l.Generation > 4 {
		t.Fatalf("after three changes at once: %+v, %v", l, err)
	}
	last := []eventlog.TopicPartition{{Topic: eventlog.TopicShards, Partition: 3}}
	if _, err := p.StableOffsets(ctx, last); err != nil {
		t.Errorf("the shards topic was not grown: %v", err)
	}
	if _, err := p.ChangeLayout(ctx, 5); err == nil {
		t.Error("more shards than partitions were accepted")
	}
}

func TestLayoutOfAPlatformThatDoesNotExist(t *testing.T) {
	c := open(t, logtest.Config(t))
	if _, err := c.ReadLayout(logtest.Context(t)); !errors.Is(err, eventlog.ErrNoLayout) {
		t.Errorf("read: %v", err)
	}
}

// A platform begins to place orders with their goods once, in a generation of its own, and goes on with it.
func TestALayoutPlacesOrdersWithGoodsSinceAGeneration(t *testing.T) {
	if l := eventlog.NewLayout(12, 3); !l.OrdersWithGoods() || l.OrdersByKeyBefore() || l.Validate() != nil {
		t.Errorf("a new platform: %+v, %v", l, l.Validate())
	}
	by := eventlog.Layout{Generation: 4, PartitionCount: 12, ShardCount: 3}
	if by.OrdersWithGoods() || by.Next(6).OrdersWithGoods() {
		t.Errorf("a platform of before: %+v", by)
	}
	next := by.NextWithGoods(3)
	if want := (eventlog.Layout{Generation: 5, PartitionCount: 12, ShardCount: 3, WithGoodsSince: 5}); next != want ||
		!next.OrdersByKeyBefore() {
		t.Errorf("after the change: %+v", next)
	}
	for _, later := range []eventlog.Layout{next.Next(6), next.NextWithGoods(6)} {
		if want := (eventlog.Layout{Generation: 6, PartitionCount: 12, ShardCount: 6, WithGoodsSince: 5}); later != want {
			t.Errorf("later: %+v", later)
		}
	}
	by.WithGoodsSince = 5
	if err := by.Validate(); err == nil {
		t.Error("generation 4 places orders with goods since generation 5")
	}
	// What a release before this one has written, or has not.
	var l eventlog.Layout
	if err := json.Unmarshal([]byte(`{"generation":1,"partition_count":4,"shard_count":2}`), &l); err != nil ||
		l.OrdersWithGoods() {
		t.Errorf("%+v, %v", l, err)
	}
	if b, err := json.Marshal(l); err != nil || strings.Contains(string(b), "goods") {
		t.Errorf("%s, %v", b, err)
	}
}
