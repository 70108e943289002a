package eventlog_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// foreign appends a record without the writer, and returns its offset.
func (p *platform) foreign(t testing.TB, r *eventlog.Record) int64 {
	t.Helper()
	if err := p.Produce(logtest.Context(t), []*eventlog.Record{r}); err != nil {
		t.Fatal(err)
	}
	return r.Offset
}

// isForeign checks that the error names the record.
func isForeign(t testing.TB, err error, tp eventlog.TopicPartition, offset int64) {
	t.Helper()
	var foreign *eventlog.ForeignRecordError
	if !errors.As(err, &foreign) || foreign.TopicPartition != tp || foreign.Offset != offset {
		t.Fatalf("%v, want a foreign record at %v offset %d", err, tp, offset)
	}
	if !strings.Contains(err.Error(), "in no transaction") {
		t.Errorf("%v does not say who wrote it", err)
	}
}

// TestAWriterStopsAtARecordOfAnother: nothing of the transaction that met it is in the log, nor anything later.
func TestAWriterStopsAtARecordOfAnother(t *testing.T) {
	for name, before := range map[string]int{"first": 0, "later": 7} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, logtest.Config(t), 2, 1)
			w := p.writer(t, 0)
			var want []string
			for range before {
				mustCommit(t, w, order(0, "kept"), order(1, "kept"))
				want = append(want, "kept")
			}
			if err := w.CheckEnds(); err != nil { // the markers of all transactions are there then
				t.Fatal(err)
			}
			offset := p.foreign(t, order(0, "foreign"))
			isForeign(t, w.Commit([]*eventlog.Record{order(1, "lost"), order(0, "lost")}), orders0, offset)
			if err := w.Commit([]*eventlog.Record{order(1, "late")}); !errors.Is(err, eventlog.ErrWriterDead) {
				t.Errorf("the writer is not dead: %v", err)
			}
			next := p.writer(t, 0)
			if values := p.readAll(t, p.layout.Partitions(0)); !slices.Equal(values[orders0], append(want, "foreign")) {
				t.Errorf("the log has %v", values)
			}
			mustCommit(t, next, order(0, "next"), order(1, "next"))
		})
	}
}

func TestAnIdleWriterNoticesARecordOfAnother(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 1)
	w := p.writer(t, 0)
	mustCommit(t, w, order(0, "kept"), stock(1, "kept"))
	if err := w.CheckEnds(); err != nil {
		t.Fatal(err)
	}
	offset := p.foreign(t, stock(0, "foreign"))
	isForeign(t, w.CheckEnds(), stock0, offset)
	if err := w.Commit([]*eventlog.Record{order(1, "late")}); !errors.Is(err, eventlog.ErrWriterDead) {
		t.Errorf("the writer is not dead: %v", err)
	}
}

// TestAWriterKnowsItsOwnRecords: markers come when the broker likes, former writers leave aborted transactions, and a
// transaction may have any number of records in a partition, or only an announcement.
func TestAWriterKnowsItsOwnRecords(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 3, 1)
	for owner := range 3 {
		w := p.writer(t, 0)
		for n := range 60 {
			recs := []*eventlog.Record{record(eventlog.TopicShards, 0, "announcement")}
			for i := range n % 5 {
				recs = append(recs, order(int32((n+i)%3), "o"), stock(int32(i%2), "s"), order(int32(n%3), "o"))
			}
			mustCommit(t, w, recs...)
			if n%20 == owner {
				if err := w.CheckEnds(); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.LeaveOpen(t, order(0, "aborted"), stock(2, "aborted"))
	}
}

// TestARecordThatLandsBeforeOthers: the topic was made again under a running writer.
func TestARecordThatLandsBeforeOthers(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 1, 1)
	w := p.writer(t, 0)
	mustCommit(t, w, order(0, "a"), order(0, "b"))
	w.ExpectEnd(orders0, 99)
	err := w.Commit([]*eventlog.Record{order(0, "c")})
	unclear(t, err, false)
	if !strings.Contains(err.Error(), "landed at offset") {
		t.Error(err)
	}
}

// TestAMarkerThatIsWrittenTwiceIsNoForeignRecord: a coordinator that does not hear whether a marker was written sends
// it again.
func TestAMarkerThatIsWrittenTwiceIsNoForeignRecord(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 1, 1)
	w := p.writer(t, 0)
	again := func() {
		t.Helper()
		mustCommit(t, w, order(0, "a"))
		if err := w.CheckEnds(); err != nil { // its marker is there
			t.Fatal(err)
		}
		p.writeMarkerAgain(t)
	}
	again()
	mustCommit(t, w, order(0, "b"))
	again()
	if err := w.CheckEnds(); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, w, order(0, "c"))
}

// writeMarkerAgain writes the last transaction's marker once more in partition 0 of orders.events.
func (p *platform) writeMarkerAgain(t *testing.T) {
	t.Helper()
	ctx := logtest.Context(t)
	end, err := p.EndOffsets(ctx, []eventlog.TopicPartition{orders0})
	if err != nil {
		t.Fatal(err)
	}
	last, err := p.RawRecord(ctx, orders0, end[orders0]-1)
	if err != nil {
		t.Fatal(err)
	}
	kafka, err := kgo.NewClient(kgo.SeedBrokers(p.cfg.Seeds...))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	topic.Topic, topic.Partitions = p.cfg.TopicPrefix+eventlog.TopicOrders, []int32{0}
	marker := kmsg.NewWriteTxnMarkersRequestMarker()
	marker.ProducerID, marker.ProducerEpoch, marker.Committed = last.ProducerID, last.ProducerEpoch, true
	// A broker that was restarted with its data has a coordinator of a higher epoch, and refuses those before. The value
	// of a marker is its version, in two bytes, and that epoch.
	marker.CoordinatorEpoch = int32(binary.BigEndian.Uint32(last.Value[2:]))
	marker.Topics = append(marker.Topics, topic)
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Markers = append(req.Markers, marker)
	resp, err := req.RequestWith(ctx, kafka)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(resp.Markers[0].Topics[0].Partitions[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
	after, err := p.EndOffsets(ctx, []eventlog.TopicPartition{orders0})
	if err != nil || after[orders0] != end[orders0]+1 {
		t.Fatalf("the end is %d after %d: %v", after[orders0], end[orders0], err)
	}
}
