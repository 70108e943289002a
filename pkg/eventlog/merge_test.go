package eventlog_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// Two partitions have records of the same hours, and one has four times the bytes of the other. Without merging, the
// short one would be at its end when the long one is at a quarter.
func TestPartitionsAreReadMerged(t *testing.T) {
	const records, batch = 4000, 20 // a record a second; a fetch has a few hundred seconds of a partition
	const limit = records / 4 * time.Second
	p := newPlatform(t, logtest.Config(t), 2, 1)
	ctx := logtest.Context(t)
	began := time.Now().Add(-records * time.Second)
	random := rand.New(rand.NewPCG(1, 2))
	at := func(tp eventlog.TopicPartition, n int) *eventlog.Record {
		value := make([]byte, 500*(1+3*tp.Partition))
		for i := range value { // so that it does not compress
			value[i] = byte(random.Uint32())
		}
		return &eventlog.Record{
			TopicPartition:  tp,
			Value:           value,
			TimestampMicros: began.Add(time.Duration(n) * time.Second).UnixMicro(),
		}
	}
	tps := []eventlog.TopicPartition{
		{Topic: eventlog.TopicOrders, Partition: 0},
		{Topic: eventlog.TopicOrders, Partition: 1},
	}
	for n := 0; n < records; n += batch {
		for _, tp := range tps {
			recs := make([]*eventlog.Record, batch)
			for i := range recs {
				recs[i] = at(tp, n+i)
			}
			if err := p.Produce(ctx, recs); err != nil {
				t.Fatal(err)
			}
		}
	}
	end, err := p.EndOffsets(ctx, tps)
	if err != nil {
		t.Fatal(err)
	}
	reached := map[eventlog.TopicPartition]time.Time{tps[0]: began, tps[1]: began}
	read := map[eventlog.TopicPartition]int64{}
	var most time.Duration
	if err := p.ReadMerged(ctx, nil, end, func(rec *eventlog.Record) error {
		if rec.Offset != read[rec.TopicPartition] {
			t.Errorf("%v: offset %d comes after %d records", rec.TopicPartition, rec.Offset, read[rec.TopicPartition])
		}
		read[rec.TopicPartition]++
		reached[rec.TopicPartition] = time.UnixMicro(rec.TimestampMicros)
		most = max(most, reached[tps[0]].Sub(reached[tps[1]]).Abs())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if read[tps[0]] != records || read[tps[1]] != records {
		t.Errorf("%v were read, want %d of each", read, records)
	}
	if most > limit {
		t.Errorf("one partition was %s ahead of the other, want at most %s", most, limit)
	}
	t.Logf("at most %s apart", most)
}
