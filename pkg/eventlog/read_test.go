package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// transactional is a Kafka client under a transactional id of the platform. Tests use it to abort, and to leave a
// transaction open, which a Writer never does.
func (p *platform) transactional(t *testing.T, id string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts,
		kgo.SeedBrokers(p.cfg.Seeds...),
		kgo.TransactionalID(p.cfg.Env+"-"+id),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// begin opens a transaction with one record and leaves it open.
func (p *platform) begin(t *testing.T, cl *kgo.Client, value string) {
	t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	res := cl.ProduceSync(logtest.Context(t), &kgo.Record{
		Topic: p.cfg.TopicPrefix + eventlog.TopicOrders, Partition: 0, Value: []byte(value),
	})
	if err := res.FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// awaitEnd waits until the partition's end is at least want: a real broker writes the markers of a transaction a moment
// after it has answered.
func (p *platform) awaitEnd(t *testing.T, tp eventlog.TopicPartition, want int64) eventlog.Offsets {
	t.Helper()
	for ctx := logtest.Context(t); ; {
		end, err := p.StableOffsets(ctx, []eventlog.TopicPartition{tp})
		if err != nil {
			t.Fatal(err)
		}
		if end[tp] >= want {
			return end
		}
	}
}

// Every partition has an aborted record, and all of them together are larger than one fetch.
func TestAbortedRecordsAreNotReadHoweverMuchIsFetched(t *testing.T) {
	const partitions, records = 12, 10
	p := newPlatform(t, logtest.Config(t), partitions, 1)
	ctx := logtest.Context(t)
	cl := p.transactional(t, "aborts", kgo.ProducerBatchCompression(kgo.NoCompression()))
	produce := func(end kgo.TransactionEndTry, size int, value string) {
		t.Helper()
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for partition := range int32(partitions) {
			cl.Produce(ctx, &kgo.Record{
				Topic: p.cfg.TopicPrefix + eventlog.TopicOrders, Partition: partition,
				Key: []byte(value), Value: make([]byte, size),
			}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
		if err := errors.Join(cl.Flush(ctx), cl.EndTransaction(ctx, end)); err != nil {
			t.Fatal(err)
		}
	}
	produce(kgo.TryAbort, 1, "aborted")
	for range records {
		produce(kgo.TryCommit, 900<<10, "committed")
	}
	var tps []eventlog.TopicPartition
	for partition := range int32(partitions) {
		tps = append(tps, eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: partition})
	}
	ends, err := p.EndOffsets(ctx, tps)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	err = p.Read(ctx, eventlog.Offsets{}, ends, func(rec *eventlog.Record) error {
		read++
		if string(rec.Key) != "committed" {
			t.Errorf("partition %d offset %d was aborted, and read", rec.Partition, rec.Offset)
		}
		return nil
	})
	if err != nil || read != partitions*records {
		t.Errorf("%d records were read of %d, %v", read, partitions*records, err)
	}
}

func TestReadPassesAnAbortedTail(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 1)
	w := p.writer(t, 0)
	mustCommit(t, w, order(0, "kept"))
	cl := p.transactional(t, "other")
	p.begin(t, cl, "aborted")
	if err := cl.EndTransaction(logtest.Context(t), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	// The log is: kept, its marker, aborted, its marker. Read must reach 4 although only one record is visible.
	end := p.awaitEnd(t, orders0, 4)
	if got := p.readAll(t, p.layout.Partitions(0)); len(got) != 1 || !slices.Equal(got[orders0], []string{"kept"}) {
		t.Errorf("read %v", got)
	}
	// After the last visible record there are only an aborted record and markers.
	err := p.Read(logtest.Context(t), eventlog.Offsets{orders0: 1}, end, func(r *eventlog.Record) error {
		t.Errorf("read %s at %d", r.Value, r.Offset)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAcquiringAbortsAnOpenTransaction(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 1)
	p.begin(t, p.transactional(t, "g1-s0-1"), "left open")
	stable, err := p.StableOffsets(logtest.Context(t), []eventlog.TopicPartition{orders0})
	if err != nil || stable[orders0] != 0 {
		t.Fatalf("stable %v, %v", stable, err)
	}
	w := p.writer(t, 0)
	mustCommit(t, w, order(0, "kept"))
	if got := p.readAll(t, p.layout.Partitions(0)); len(got) != 1 || !slices.Equal(got[orders0], []string{"kept"}) {
		t.Errorf("read %v", got)
	}
}

func TestReadStopsAtItsEnd(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 1)
	w := p.writer(t, 0)
	var recs []*eventlog.Record
	for i := range 100 {
		recs = append(recs, order(0, fmt.Sprint(i)), order(1, fmt.Sprint(i)))
	}
	mustCommit(t, w, recs...)
	orders1 := eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: 1}
	from := eventlog.Offsets{orders0: 10, orders1: 40, stock0: 0}
	to := eventlog.Offsets{orders0: 20, orders1: 40}
	var got []int64
	err := p.Read(logtest.Context(t), from, to, func(r *eventlog.Record) error {
		if r.TopicPartition != orders0 {
			t.Errorf("read %v at %d", r.TopicPartition, r.Offset)
		}
		got = append(got, r.Offset)
		return nil
	})
	if err != nil || len(got) != 10 || got[0] != 10 || got[9] != 19 {
		t.Errorf("read %v, %v", got, err)
	}
	stop := errors.New("stop")
	if err := p.Read(logtest.Context(t), nil, to, func(*eventlog.Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error from the callback came back as %v", err)
	}
	cancelled, cancel := context.WithCancel(logtest.Context(t))
	cancel()
	if err := p.Read(cancelled, nil, to, func(*eventlog.Record) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled read: %v", err)
	}
}

func TestStartsThatTheLogDoesNotHave(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 1)
	w := p.writer(t, 0)
	for i := range int64(5) {
		mustCommit(t, w, order(0, "x"))
		p.awaitEnd(t, orders0, 2*(i+1)) // wait for the marker: on a real broker the next record may come before it
	}
	p.deleteBefore(t, orders0, 4)
	for _, tc := range []struct {
		from, to int64
		want     string
	}{
		{0, 10, "orders.events partition 0 starts at offset 4, and is needed from offset 0 on"},
		{3, 10, "orders.events partition 0 starts at offset 4, and is needed from offset 3 on"},
		{11, 20, "orders.events/0: offset 11 is out of the log's range 4 to 10"},
	} {
		from, to := eventlog.Offsets{orders0: tc.from}, eventlog.Offsets{orders0: tc.to}
		errRead := p.Read(logtest.Context(t), from, to, func(*eventlog.Record) error { return nil })
		_, errFollow := p.Follow(from)
		for _, err := range []error{errRead, errFollow} {
			if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("from %d: %v, want %s", tc.from, err, tc.want)
			}
		}
	}
	n := 0
	err := p.Read(logtest.Context(t), eventlog.Offsets{orders0: 4}, eventlog.Offsets{orders0: 10},
		func(*eventlog.Record) error { n++; return nil })
	if err != nil || n != 3 {
		t.Errorf("from the new start: %d records, %v", n, err)
	}
}

// deleteBefore deletes the records below the offset, as retention would.
func (p *platform) deleteBefore(t *testing.T, tp eventlog.TopicPartition, offset int64) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.cfg.Seeds...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var del kadm.Offsets
	del.Add(kadm.Offset{Topic: p.cfg.TopicPrefix + tp.Topic, Partition: tp.Partition, At: offset})
	resp, err := kadm.NewClient(cl).DeleteRecords(logtest.Context(t), del)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}
