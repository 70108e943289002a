package eventlog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

func TestProduceOutsideOfTransactions(t *testing.T) {
	p := newPlatform(t, logtest.Config(t), 2, 1)
	rows := []*eventlog.Record{
		record(eventlog.TopicAvailability, 0, "a"),
		record(eventlog.TopicAvailability, 1, "b"),
		record(eventlog.TopicAvailability, 0, "c"),
	}
	if err := p.Produce(logtest.Context(t), rows); err != nil {
		t.Fatal(err)
	}
	if rows[0].Offset != 0 || rows[1].Offset != 0 || rows[2].Offset != 1 {
		t.Errorf("offsets %d, %d, %d", rows[0].Offset, rows[1].Offset, rows[2].Offset)
	}
	got := p.readAll(t, []eventlog.TopicPartition{rows[0].TopicPartition, rows[1].TopicPartition})
	if !slices.Equal(got[rows[0].TopicPartition], []string{"a", "c"}) {
		t.Errorf("read %v", got)
	}
	large := record(eventlog.TopicAvailability, 0, strings.Repeat("x", eventlog.MaxRecordBytes))
	if err := p.Produce(logtest.Context(t), []*eventlog.Record{large}); err == nil {
		t.Error("a record over the limit was appended")
	}
	if err := p.Produce(logtest.Context(t), nil); err != nil {
		t.Error(err)
	}
}
