package replay

import (
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// While a history arrives, from Kafka or in the mirror, a replay fills whole segments: what it fills of a segment it
// would compute again with the rest. The last one it fills when all of it is there. Live work fills what there is.
func TestAHistoryThatArrivesIsFilledInWholeSegments(t *testing.T) {
	const text = "name: sold\ndescription: Units sold.\nsource: sales\nmeasures: {units: sum(quantity)}\n"
	d, err := insight.Parse("sold.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	orders := func(partition int32) eventlog.TopicPartition {
		return eventlog.TopicPartition{Topic: eventlog.TopicOrders, Partition: partition}
	}
	stock := eventlog.TopicPartition{Topic: eventlog.TopicInventory}
	pinned := eventlog.Offsets{orders(0): 10_000, orders(1): 10_000, stock: 50}
	r := &catalog.Replay{
		ID: "r-1", Definition: d, Phase: catalog.Filling,
		Created: catalog.Created{Pinned: eventlog.PositionOf(pinned).String()},
	}
	version, err := versionOf(r, uuid.UUID{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	segment := version.SegmentBegin(10_000) / 2
	for _, c := range []struct {
		name          string
		phase         catalog.Phase
		next, reached eventlog.Offsets
		want          eventlog.Offsets
	}{
		{"less than a segment", catalog.Filling, nil, eventlog.Offsets{orders(0): segment - 1}, nil},
		{"a segment and a part", catalog.Filling, nil, eventlog.Offsets{orders(0): segment + 7, orders(1): 3},
			eventlog.Offsets{orders(0): segment}},
		{"one partition has all", catalog.Filling, eventlog.Offsets{orders(0): segment},
			eventlog.Offsets{orders(0): 10_000, orders(1): 9_999},
			eventlog.Offsets{orders(0): 10_000, orders(1): 2 * segment}},
		{"more than the history", catalog.Filling, eventlog.Offsets{orders(0): 2 * segment},
			eventlog.Offsets{orders(0): 10_007}, eventlog.Offsets{orders(0): 10_007}},
		{"live", catalog.Live, nil, eventlog.Offsets{orders(0): 5}, eventlog.Offsets{orders(0): 5}},
	} {
		r.Phase = c.phase
		table := &table{Version: version, replay: r, next: c.next}
		if got := table.behind(c.reached, chunkOffsets).next; !maps.Equal(got, c.want) {
			t.Errorf("%s: it is then at %v, want %v", c.name, got, c.want)
		}
	}
}

// What a replay says of its time is the time of its own work: not how long it was paused, nor that of other replays. An
// earlier release has no column for it.
func TestTheTimeOfAReplayIsThatOfItsWork(t *testing.T) {
	ctx := t.Context()
	conn, err := clickhouse.Open(chdbtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Migrate(ctx, &clickhouse.Migrations{}); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{createProgress, "ALTER TABLE insight_progress DROP COLUMN worked_seconds"} {
		if err := conn.Exec(ctx, statement, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := createProgressTable(ctx, conn); err != nil {
		t.Fatal(err)
	}
	definition, err := insight.Parse("sold.yaml", []byte(
		"name: sold\ndescription: Units sold.\nsource: sales\nmeasures: {units: sum(quantity)}\n"))
	if err != nil {
		t.Fatal(err)
	}
	version, err := insight.NewVersion(definition, definition.TableName("b"))
	if err != nil {
		t.Fatal(err)
	}
	slow, quick := eventlog.TopicPartition{Topic: "t"}, eventlog.TopicPartition{Topic: "t", Partition: 1}
	work := &table{Version: version, replay: &catalog.Replay{ID: "r"}}
	for i, chunk := range []struct {
		name   string
		worked time.Duration
		next   eventlog.Offsets
	}{
		{version.Table, 2 * time.Second, eventlog.Offsets{slow: 1, quick: 1}},
		{version.Table, 3 * time.Second, eventlog.Offsets{slow: 2}},
		{version.Table, 4 * time.Second, eventlog.Offsets{quick: 2}}, // of another replica, at the same time
		{work.logName(), time.Minute, eventlog.Offsets{slow: 1}},     // is in the time of the table
		{version.Table, 0, eventlog.Offsets{slow: 3}},
	} {
		work.worked, work.filledAt = chunk.worked, time.Unix(int64(i)*1000, 0)
		if err := saveProgress(ctx, conn, work, chunk.name, chunk.next); err != nil {
			t.Fatal(err)
		}
	}
	if seconds, err := workedSeconds(ctx, conn, "r", version.Table); err != nil || seconds != 6 {
		t.Errorf("it was worked at for %v s, %v, want 6", seconds, err)
	}
}

// What comes and goes is stalled until it works for some time: the longer, the more often it has stalled lately.
func TestWhatComesAndGoesIsStalledMeanwhile(t *testing.T) {
	now := time.Now()
	for stalls, want := range map[int]time.Duration{1: steadyFor, 2: 2 * steadyFor, 5: 16 * steadyFor, 30: longestSteady} {
		r := &catalog.Replay{Log: []catalog.Decision{{Type: catalog.ReplayStalled, At: now.Add(-2 * time.Hour)}}}
		for range stalls {
			r.Log = append(r.Log, catalog.Decision{Type: catalog.ReplayStalled, At: now},
				catalog.Decision{Type: catalog.ReplayContinued, At: now})
		}
		work := &table{replay: r, worksAt: now}
		if got := work.steadyIn() + time.Since(now); got < want-time.Millisecond || got > want+time.Second {
			t.Errorf("after %d stalls it goes on in %s, want %s", stalls, got, want)
		}
	}
	if never := (&table{replay: &catalog.Replay{}}).steadyIn(); never <= 0 {
		t.Errorf("what this process did not see fail goes on in %s", never)
	}
}
