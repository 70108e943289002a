// Package logtest gives a test a log of its own, on the broker that HOLDFAST_TEST_KAFKA names or on an embedded one. It
// also has what tests do to a log from outside. It knows nothing of the contents of records.
package logtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/devstack"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Patience bounds a test's waits. Only a test that fails waits that long.
const Patience = 60 * time.Second

// pollInterval is the time between two checks of a condition.
const pollInterval = 5 * time.Millisecond

// Config has names of topics, groups and transactional ids that no other test uses.
func Config(t testing.TB) eventlog.Config {
	t.Helper()
	unique := "t" + rand.Text()[:10]
	cfg := eventlog.Config{Env: unique, TopicPrefix: unique + "."}
	if seeds := os.Getenv("HOLDFAST_TEST_KAFKA"); seeds != "" {
		cfg.Seeds = strings.Split(seeds, ",")
		return cfg
	}
	k, err := devstack.StartKafka(t.Context(), devstack.KafkaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	cfg.Seeds, cfg.Embedded = k.Addrs(), true
	return cfg
}

// Context ends after Patience, or with the test.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Log is an empty platform with its topics, and a client of it.
type Log struct {
	T      testing.TB
	Ctx    context.Context
	Client *eventlog.Client
	Config eventlog.Config
	Layout eventlog.Layout
}

// New creates a platform for the test.
func New(t testing.TB, want eventlog.Layout) *Log {
	t.Helper()
	l := &Log{T: t, Ctx: Context(t), Config: Config(t)}
	var err error
	if l.Client, err = eventlog.Open(l.Config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Client.Close)
	if l.Layout, err = l.Client.EnsurePlatform(l.Ctx, want); err != nil {
		t.Fatal(err)
	}
	return l
}

// Write appends a record outside of any transaction, and returns the position after it.
func (l *Log) Write(topic string, partition int32, key string, value []byte) eventlog.Position {
	l.T.Helper()
	tp := eventlog.TopicPartition{Topic: topic, Partition: partition}
	rec := &eventlog.Record{TopicPartition: tp, Key: []byte(key), Value: value, TimestampMicros: time.Now().UnixMicro()}
	if err := l.Client.Produce(l.Ctx, []*eventlog.Record{rec}); err != nil {
		l.T.Fatal(err)
	}
	return eventlog.PositionOf(eventlog.Offsets{tp: rec.Offset + 1})
}

// PartitionOf is the partition of a key.
func (l *Log) PartitionOf(key string) int32 {
	return eventlog.PartitionFor(key, l.Layout.PartitionCount)
}

// KeyIn is a key of the partition.
func (l *Log) KeyIn(partition int32) string {
	for i := 0; ; i++ {
		if key := fmt.Sprintf("key-%d", i); l.PartitionOf(key) == partition {
			return key
		}
	}
}

// DeleteTopic deletes a topic without the platform's knowledge.
func (l *Log) DeleteTopic(topic string) {
	l.T.Helper()
	DeleteTopic(l.T, l.Config, topic)
}

// DeleteTopic deletes a topic of the platform that cfg reaches.
func DeleteTopic(t testing.TB, cfg eventlog.Config, topic string) {
	t.Helper()
	kafka, err := kgo.NewClient(kgo.SeedBrokers(cfg.Seeds...))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	answers, err := kadm.NewClient(kafka).DeleteTopics(Context(t), cfg.TopicPrefix+topic)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// DeleteRecords deletes every record of a topic, as brokers do when their time has passed.
func DeleteRecords(t testing.TB, cfg eventlog.Config, topic string) {
	t.Helper()
	kafka, err := kgo.NewClient(kgo.SeedBrokers(cfg.Seeds...))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	admin := kadm.NewClient(kafka)
	ends, err := admin.ListEndOffsets(Context(t), cfg.TopicPrefix+topic)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DeleteRecords(Context(t), ends.Offsets()); err != nil {
		t.Fatal(err)
	}
}

// CompactSoon makes Apache Kafka compact a topic within seconds instead of hours: segments roll every second, and one
// replaced record is enough to start.
func (l *Log) CompactSoon(topic string) {
	l.T.Helper()
	kafka, err := kgo.NewClient(kgo.SeedBrokers(l.Config.Seeds...))
	if err != nil {
		l.T.Fatal(err)
	}
	defer kafka.Close()
	set := func(name, value string) kadm.AlterConfig {
		return kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value}
	}
	answers, err := kadm.NewClient(kafka).AlterTopicConfigs(Context(l.T),
		[]kadm.AlterConfig{set("segment.ms", "1000"), set("min.cleanable.dirty.ratio", "0.01")}, l.Config.TopicPrefix+topic)
	if err == nil {
		for _, a := range answers {
			err = a.Err
		}
	}
	if err != nil {
		l.T.Fatal(err)
	}
}

// Eventually waits until the condition is true.
func (l *Log) Eventually(what string, isTrue func() bool) {
	l.T.Helper()
	for !isTrue() {
		select {
		case <-l.Ctx.Done():
			l.T.Fatalf("never came true: %s", what)
		case <-time.After(pollInterval):
		}
	}
}

// Background runs fn until the test ends or stop is called.
func (l *Log) Background(fn func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(l.Ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = fn(ctx) // ends with its context
	}()
	stop = func() { cancel(); <-done }
	l.T.Cleanup(stop)
	return stop
}

// Metric is the sum of a counter or gauge over its labels, and how many series it has.
func Metric(t testing.TB, reg prometheus.Gatherer, name string) (sum float64, series int) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.Metric {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
			return sum, len(family.Metric)
		}
	}
	return 0, 0
}
