package shard

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/inventory"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

var stockTopic = eventlog.TopicPartition{Topic: eventlog.TopicInventory}

// newStandby is a standby that has folded a log with one event.
func newStandby(t *testing.T) (*standby, *logtest.Log) {
	t.Helper()
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	m, err := newMetrics(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{
		process: process{
			cfg: Config{DataDir: t.TempDir()}, client: log.Client, log: slog.New(slog.DiscardHandler), metrics: m,
		},
		layout: log.Layout,
	}
	value, _, err := codec.AppendInventory(nil, "A", &codec.Meta{EventID: [16]byte{1}, Version: 1},
		inventory.Event{Change: inventory.ItemRegistered{Description: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	log.Write(eventlog.TopicInventory, 0, "A", value)
	s := &standby{shardState: n.newState(0)}
	if _, err := s.restore(t.Context(), stableEnds(t, log), &s.end, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s, log
}

func stableEnds(t *testing.T, log *logtest.Log) eventlog.Offsets {
	t.Helper()
	ends, err := log.Client.StableOffsets(t.Context(), log.Layout.Partitions(0))
	if err != nil {
		t.Fatal(err)
	}
	return ends
}

// A standby stops where its checkpoint is not a prefix of the log, and before an event that it cannot read.
func TestAStandbyTrustsNoCheckpointAndNoLog(t *testing.T) {
	for name, test := range map[string]struct {
		disturb func(s *standby, log *logtest.Log)
		want    error
	}{
		"the checkpoint is ahead of the log": {func(s *standby, _ *logtest.Log) {
			s.store.Cursors()[stockTopic].Next++
		}, errNotAPrefix},
		"the checkpoint has another event": {func(s *standby, log *logtest.Log) {
			s.store.Cursors()[stockTopic].LastID[0]++
			log.Write(eventlog.TopicInventory, 0, "A", nil)
		}, errNotAPrefix},
		"the log has what is no event": {func(_ *standby, log *logtest.Log) {
			log.Write(eventlog.TopicInventory, 0, "A", []byte("not a protobuf"))
		}, &badEventError{}},
	} {
		s, log := newStandby(t)
		test.disturb(s, log)
		_, err := s.round(t.Context(), stableEnds(t, log))
		var bad *badEventError
		_, wantBad := test.want.(*badEventError)
		if wantBad != errors.As(err, &bad) || !wantBad && !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Orders at the log's end are kept for reconciliation, also those that an earlier standby has left, and through rounds
// in which nothing comes. Once the log has gone on, they are forgotten.
func TestAStandbyForgetsWhatIsFarFromTheEnd(t *testing.T) {
	s, log := newStandby(t)
	touched := func() (ids []string) {
		t.Helper()
		if _, err := s.round(t.Context(), stableEnds(t, log)); err != nil {
			t.Fatal(err)
		}
		if err := s.store.Save(); err != nil {
			t.Fatal(err)
		}
		if err := s.store.EachTouched(func(id string) error { ids = append(ids, id); return nil }); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	version := uint64(1)
	write := func(after time.Duration, cause eventv1.Cause) {
		t.Helper()
		version++
		m := &codec.Meta{EventID: [16]byte{byte(version)}, Version: version, Cause: cause}
		value, _, err := codec.AppendInventory(nil, "A", m,
			inventory.Event{Change: inventory.ItemRegistered{Description: "a"}})
		if err != nil {
			t.Fatal(err)
		}
		rec := &eventlog.Record{
			TopicPartition: stockTopic, Key: []byte("A"), Value: value,
			TimestampMicros: time.Now().Add(after).UnixMicro(),
		}
		if err := log.Client.Produce(t.Context(), []*eventlog.Record{rec}); err != nil {
			t.Fatal(err)
		}
	}
	s.store.Touch(map[string]struct{}{"left": {}})
	if err := s.store.Save(); err != nil {
		t.Fatal(err)
	}
	if err := s.resumeTouched(); err != nil {
		t.Fatal(err)
	}
	for _, round := range []struct {
		name string
		do   func()
		want []string
	}{
		{"nothing has come", func() {}, []string{"left"}},
		{"some of it has been repaired, long after", func() {
			write(time.Hour, eventv1.Cause_CAUSE_RECONCILIATION)
		}, []string{"left"}},
		{"the log has gone on a little", func() { write(0, eventv1.Cause_CAUSE_COMMAND) }, []string{"left"}},
		{"the log has gone on", func() { write(2*tornWithin, eventv1.Cause_CAUSE_COMMAND) }, nil},
	} {
		round.do()
		if got := touched(); !slices.Equal(got, round.want) {
			t.Errorf("%s: %v are looked at, want %v", round.name, got, round.want)
		}
	}
}
