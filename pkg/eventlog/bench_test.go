package eventlog_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// BenchmarkCommit commits batches of one shard with twelve partitions, one commit after the other.
func BenchmarkCommit(b *testing.B) {
	for _, records := range []int{1, 8, 200, 2000} {
		b.Run(fmt.Sprintf("records=%d", records), func(b *testing.B) {
			p := newPlatform(b, logtest.Config(b), 12, 1)
			w := p.writer(b, 0)
			value := make([]byte, 300)
			recs := make([]*eventlog.Record, records)
			for i := range recs {
				tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: int32(i/2) % 12}
				if i%2 == 1 {
					tp.Topic = eventlog.TopicInventory
				}
				recs[i] = &eventlog.Record{
					TopicPartition: tp,
					Key:            []byte("0198c3a2-7d5e-7c1f-9a44-0f2b6f1d2c3e"),
					Value:          value,
					Headers: []eventlog.Header{
						{Key: "ce_type", Value: value[:20]},
						{Key: "ce_id", Value: value[:36]},
					},
				}
			}
			for range 6 { // so that every producer knows the topics
				mustCommit(b, w, recs...)
			}
			b.ReportAllocs()
			took := make([]time.Duration, 0, 1<<16)
			for b.Loop() {
				began := time.Now()
				if err := w.Commit(recs); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(records*len(took))/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkRead reads a log of 100,000 records.
func BenchmarkRead(b *testing.B) {
	p := newPlatform(b, logtest.Config(b), 12, 1)
	w := p.writer(b, 0)
	const total, batch = 100_000, 2000
	value := make([]byte, 300)
	for n := 0; n < total; n += batch {
		recs := make([]*eventlog.Record, batch)
		for i := range recs {
			tp := eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: int32(i) % 12}
			recs[i] = &eventlog.Record{TopicPartition: tp, Value: value}
		}
		mustCommit(b, w, recs...)
	}
	end, err := p.EndOffsets(logtest.Context(b), p.layout.Partitions(0))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := p.Read(logtest.Context(b), nil, end, func(*eventlog.Record) error { n++; return nil })
		if err != nil || n != total {
			b.Fatalf("%d records, %v", n, err)
		}
	}
	b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "records/s")
}
