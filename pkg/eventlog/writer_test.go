package eventlog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

func TestCommitSetsOffsetsAndIsRead(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 2)
	w := p.writer(t, 0)
	for i := range 7 { // each producer more than twice
		recs := []*eventlog.Record{
			order(0, fmt.Sprint("a", i)),
			stock(2, fmt.Sprint("b", i)),
			order(0, fmt.Sprint("c", i)),
		}
		recs[0].TimestampMicros = 1_700_000_000_123_000
		mustCommit(t, w, recs...)
		for _, r := range recs {
			got := p.readOne(t, r)
			if string(got.Value) != string(r.Value) || string(got.Key) != string(r.Key) || len(got.Headers) != 1 ||
				got.Headers[0].Key != "ce_type" || string(got.Headers[0].Value) != "test" {
				t.Fatalf("read %+v, committed %+v", got, r)
			}
			if r.TimestampMicros != 0 && got.TimestampMicros != r.TimestampMicros {
				t.Errorf("timestamp %d, want %d", got.TimestampMicros, r.TimestampMicros)
			}
		}
	}
	got := p.readAll(t, p.layout.Partitions(0))
	want := []string{"a0", "c0", "a1", "c1", "a2", "c2", "a3", "c3", "a4", "c4", "a5", "c5", "a6", "c6"}
	if !slices.Equal(got[orders0], want) {
		t.Errorf("read %v, want %v", got[orders0], want)
	}
}

// readOne reads the record at r's offset.
func (p *platform) readOne(t *testing.T, r *eventlog.Record) eventlog.Record {
	t.Helper()
	var got eventlog.Record
	err := p.Read(logtest.Context(t), eventlog.Offsets{r.TopicPartition: r.Offset},
		eventlog.Offsets{r.TopicPartition: r.Offset + 1}, func(r *eventlog.Record) error { got = *r; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestCommitRefusesWithoutDying(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 2)
	w := p.writer(t, 1)
	large := order(1, strings.Repeat("x", eventlog.MaxRecordBytes))
	for name, recs := range map[string][]*eventlog.Record{
		"no records":          nil,
		"another shard":       {order(1, "mine"), order(2, "theirs")},
		"another shard's":     {record(eventlog.TopicShards, 0, "x")},
		"no such partition":   {order(5, "x")},
		"negative partition":  {order(-1, "x")},
		"the layout":          {record(eventlog.TopicLayout, 0, "x")},
		"no events":           {record(eventlog.TopicAvailability, 1, "x")},
		"a record too large":  {large},
		"no topic of the log": {record("else", 1, "x")},
	} {
		var unclear *eventlog.UnclearError
		if err := w.Commit(recs); err == nil || errors.As(err, &unclear) || errors.Is(err, eventlog.ErrWriterDead) {
			t.Errorf("%s: %v", name, err)
		}
	}
	mustCommit(t, w, order(1, "good"), stock(3, "good"), record(eventlog.TopicShards, 1, "announcement"))
	orders1 := eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: 1}
	if got := p.readAll(t, p.layout.Partitions(1))[orders1]; !slices.Equal(got, []string{"good"}) {
		t.Errorf("read %v", got)
	}
}

func TestSecondWriterFencesTheFirst(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 2)
	// After any number of commits of the first writer, the id of its next one is fenced.
	for commits := range 4 {
		t.Run(fmt.Sprint("after commits ", commits), func(t *testing.T) {
			first := p.writer(t, 0)
			for i := range commits {
				mustCommit(t, first, order(0, fmt.Sprint("kept-", commits, i)))
			}
			second := p.writer(t, 0)
			err := first.Commit([]*eventlog.Record{order(0, "lost"), stock(0, "lost")})
			var unclear *eventlog.UnclearError
			if !errors.As(err, &unclear) || !unclear.Fenced {
				t.Fatalf("the first writer's commit: %v", err)
			}
			if err := first.Commit([]*eventlog.Record{order(0, "lost")}); !errors.Is(err, eventlog.ErrWriterDead) {
				t.Errorf("after that: %v", err)
			}
			mustCommit(t, second, order(0, fmt.Sprint("second-", commits)))
		})
	}
	for tp, values := range p.readAll(t, p.layout.Partitions(0)) {
		if slices.Contains(values, "lost") {
			t.Errorf("%v has %v", tp, values)
		}
	}
}

func TestTwoAcquirersAtOnceLeaveOneWriter(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 1)
	for _, at := range []string{"init-0", "init-1", "init-2", "layout"} {
		t.Run("the other comes before "+at, func(t *testing.T) {
			var other *eventlog.Writer
			slow := p.writer(t, 0, eventlog.Pause(func(phase string) {
				if phase == at {
					other = p.writer(t, 0)
					// It has acquired the shard, but not announced itself. An owner decides nothing before that.
				}
			}))
			// Both announce themselves under their first id. Only the last one to initialise that id can.
			errs := []error{
				slow.Commit([]*eventlog.Record{record(eventlog.TopicShards, 0, "slow")}),
				other.Commit([]*eventlog.Record{record(eventlog.TopicShards, 0, "other")}),
			}
			alive := 0
			for _, err := range errs {
				if err == nil {
					alive++
				}
			}
			if alive != 1 {
				t.Errorf("%d writers could announce: %v", alive, errs)
			}
		})
	}
}

func TestFormerGenerationsAreFenced(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 6, 3)
	old := []*eventlog.Writer{p.writer(t, 0), p.writer(t, 1), p.writer(t, 2)}
	for _, shards := range []int32{1, 2} {
		l, err := p.ChangeLayout(logtest.Context(t), shards)
		if err != nil {
			t.Fatal(err)
		}
		p.layout = l
	}
	var fenced []string
	p.writer(t, 1, eventlog.Pause(func(phase string) {
		if id, ok := strings.CutPrefix(phase, "fence "+p.cfg.Env+"-"); ok {
			fenced = append(fenced, id)
		}
	}))
	// Shard 1 of 2 writes the partitions 1, 3 and 5. In generation 1 each of the three shards wrote one of them.
	want := []string{
		"g1-s1-0", "g1-s1-1", "g1-s1-2",
		"g1-s0-0", "g1-s0-1", "g1-s0-2",
		"g1-s2-0", "g1-s2-1", "g1-s2-2",
		"g2-s0-0", "g2-s0-1", "g2-s0-2",
	}
	if !slices.Equal(fenced, want) {
		t.Errorf("fenced %v, want %v", fenced, want)
	}
	for shard, w := range old {
		var unclear *eventlog.UnclearError
		if err := w.Commit([]*eventlog.Record{order(int32(shard), "lost")}); !errors.As(err, &unclear) || !unclear.Fenced {
			t.Errorf("shard %d of generation 1 commits: %v", shard, err)
		}
	}
}

func TestOpenWriterUnderAnOldLayout(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 4, 1)
	if _, err := p.ChangeLayout(logtest.Context(t), 2); err != nil {
		t.Fatal(err)
	}
	if _, err := eventlog.OpenWriter(logtest.Context(t), p.Client, p.layout, 0); !errors.Is(err, eventlog.ErrLayoutMoved) {
		t.Errorf("opened under generation 1: %v", err)
	}
}

func TestOpenWriterRefusesShardsThatDoNotExist(t *testing.T) {
	client := open(t, logtest.Config(t))
	for _, shard := range []int32{-1, 2} {
		layout := eventlog.Layout{Generation: 1, PartitionCount: 4, ShardCount: 2}
		if _, err := eventlog.OpenWriter(context.Background(), client, layout, shard); err == nil {
			t.Errorf("shard %d was opened", shard)
		}
	}
}

func TestClosedWriterIsDead(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 1, 1)
	w := p.writer(t, 0)
	w.Close()
	if err := w.Commit([]*eventlog.Record{order(0, "x")}); !errors.Is(err, eventlog.ErrWriterDead) {
		t.Error(err)
	}
}
