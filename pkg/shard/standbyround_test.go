package shard

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/codec"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/inventory"
)

var stockTopic = eventlog.TopicPartition{Topic: eventlog.TopicInventory}

// newStandby is a standby that has folded a log with one event.
func newStandby(t *testing.T) (*standby, *logtest.Log) {
	t.Helper()
	log := logtest.New(t, eventlog.Layout{PartitionCount: 1, ShardCount: 1})
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{cfg: Config{DataDir: t.TempDir()}, client: log.Client, layout: log.Layout, log: slog.New(slog.NewTextHandler(io.Discard, nil)), metrics: m}
	value, _, err := codec.AppendInventory(nil, "A", &codec.Meta{EventID: [16]byte{1}, Version: 1}, inventory.Event{Change: inventory.ItemRegistered{Description: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	log.Write(eventlog.TopicInventory, 0, "A", value)
	s := &standby{r: &runner{node: n, layout: n.layout, log: n.log}, recent: map[string]struct{}{}}
	if err := s.r.restore(t.Context(), stableEnds(t, log), func(int64) {}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.r.st.close(); err != nil {
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

// A standby stops where its checkpoint is not of the log that there is, and before an event that it cannot read.
func TestAStandbyTrustsNoCheckpointAndNoLog(t *testing.T) {
	for name, test := range map[string]struct {
		disturb func(s *standby, log *logtest.Log)
		want    error
	}{
		"the checkpoint is ahead of the log": {func(s *standby, _ *logtest.Log) { s.r.st.cursors[stockTopic].next++ }, errNotAPrefix},
		"the checkpoint has another event": {func(s *standby, log *logtest.Log) {
			s.r.st.cursors[stockTopic].lastID[0]++
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
		if _, wantBad := test.want.(*badEventError); wantBad != errors.As(err, &bad) || !wantBad && !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Orders at the log's end are kept for reconciliation, also through rounds in which nothing comes; those before them go.
func TestAStandbyForgetsWhatIsFarFromTheEnd(t *testing.T) {
	s, log := newStandby(t)
	ends := stableEnds(t, log)
	touched := func() (ids []string) {
		t.Helper()
		if err := s.r.st.checkpoint(); err != nil {
			t.Fatal(err)
		}
		if err := s.r.st.touched(func(id string) error { ids = append(ids, id); return nil }); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	s.r.st.newlyTouched["before"] = struct{}{}
	if got := touched(); !slices.Equal(got, []string{"before"}) {
		t.Fatalf("touched: %v", got)
	}
	for i := range standbyTouched + 1 {
		s.recent[fmt.Sprint("order-", i)] = struct{}{}
	}
	for range 3 { // the first forgets, the others find nothing new
		if _, err := s.round(t.Context(), ends); err != nil {
			t.Fatal(err)
		}
		if got := touched(); len(got) != standbyTouched+1 || slices.Contains(got, "before") {
			t.Fatalf("%d are touched, want the newest %d", len(got), standbyTouched+1)
		}
	}
}
