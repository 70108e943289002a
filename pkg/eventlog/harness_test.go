package eventlog_test

import (
	"fmt"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// platform is a new platform with a client.
type platform struct {
	*eventlog.Client
	cfg    eventlog.Config
	layout eventlog.Layout
}

func newPlatform(t testing.TB, cfg eventlog.Config, partitions, shards int32) *platform {
	t.Helper()
	c := open(t, cfg)
	layout, err := c.EnsurePlatform(logtest.Context(t), eventlog.Layout{PartitionCount: partitions, ShardCount: shards})
	if err != nil {
		t.Fatal(err)
	}
	return &platform{c, cfg, layout}
}

func open(t testing.TB, cfg eventlog.Config) *eventlog.Client {
	t.Helper()
	c, err := eventlog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (p *platform) writer(t testing.TB, shard int32, opts ...eventlog.WriterOption) *eventlog.Writer {
	t.Helper()
	w, err := eventlog.OpenWriter(logtest.Context(t), p.Client, p.layout, shard, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// readAll reads the committed records of the partitions, from their starts to their ends.
func (p *platform) readAll(t testing.TB, tps []eventlog.TopicPartition) map[eventlog.TopicPartition][]string {
	t.Helper()
	ctx := logtest.Context(t)
	end, err := p.EndOffsets(ctx, tps)
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[eventlog.TopicPartition][]string)
	last := make(eventlog.Offsets)
	err = p.Read(ctx, nil, end, func(r *eventlog.Record) error {
		if before, ok := last[r.TopicPartition]; ok && r.Offset <= before {
			return fmt.Errorf("offset %d after %d", r.Offset, before)
		}
		last[r.TopicPartition] = r.Offset
		values[r.TopicPartition] = append(values[r.TopicPartition], string(r.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func record(topic string, partition int32, value string) *eventlog.Record {
	return &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: topic, Partition: partition},
		Key:            []byte("key-" + value), Value: []byte(value),
		Headers: []eventlog.Header{{Key: "ce_type", Value: []byte("test")}},
	}
}

func order(partition int32, value string) *eventlog.Record {
	return record(eventlog.TopicOrders, partition, value)
}

func stock(partition int32, value string) *eventlog.Record {
	return record(eventlog.TopicInventory, partition, value)
}

var (
	orders0 = eventlog.TopicPartition{Topic: eventlog.TopicOrders}
	stock0  = eventlog.TopicPartition{Topic: eventlog.TopicInventory}
)

func mustCommit(t testing.TB, w *eventlog.Writer, recs ...*eventlog.Record) {
	t.Helper()
	if err := w.Commit(recs); err != nil {
		t.Fatal(err)
	}
}
