package replay

import (
	"maps"
	"testing"

	"github.com/google/uuid"

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
