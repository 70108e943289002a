package availability

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Change is a row with the place of the event that last changed what clients see of it.
type Change struct {
	eventlog.TopicPartition
	Offset int64
	SKU    string
	// Body is the answer of Row, and Levels what is available in it.
	Body   []byte
	Levels *Levels
}

// Levels are what can be sold of an item, as answers have it.
type Levels struct {
	Available int64 `json:"available"`
	Locations []struct {
		Location  string `json:"location"`
		Available int64  `json:"available"`
	} `json:"locations"`
}

// Filter selects rows.
type Filter struct {
	// Location is one that the item has, or has had; empty: any.
	Location string
	// Below is the quantity below which what can be sold lies, at Location where that is set; 0: any.
	Below int64
}

// Selects reports whether the filter has an item with these levels.
func (f *Filter) Selects(l *Levels) bool {
	available, located := l.Available, f.Location == ""
	for i := range l.Locations {
		if l.Locations[i].Location == f.Location {
			available, located = l.Locations[i].Available, true
		}
	}
	return located && (f.Below == 0 || available < f.Below)
}

// Describe is the answer of Row for a row, and its levels.
func Describe(row *eventv1.AvailabilityRow) (body []byte, levels *Levels, err error) {
	body = render(row)
	levels, err = levelsOf(body)
	return body, levels, err
}

func levelsOf(body []byte) (*Levels, error) {
	l := &Levels{}
	if err := json.Unmarshal(body, l); err != nil {
		return nil, fmt.Errorf("read the levels of a row: %w", err)
	}
	return l, nil
}

// Changed returns the rows, as they are now, of the items whose last change that clients see lies between two
// positions of inventory.events, in the order of each partition. skus are those that are asked for; none: all.
func (s *Store) Changed(from, to eventlog.Position, skus []string) ([]Change, error) {
	var changed []Change
	add := func(sku string, row storedRow) {
		tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory}
		tp.Partition = eventlog.PartitionFor(sku, s.view.layout.PartitionCount)
		if row.body != nil && row.seen >= from.End(tp) && row.seen < to.End(tp) {
			changed = append(changed, Change{tp, row.seen, sku, row.body, nil})
		}
	}
	if len(skus) == 0 {
		s.view.rows.each(add)
	}
	for _, sku := range skus {
		add(sku, s.view.rows.get(sku))
	}
	slices.SortFunc(changed, func(a, b Change) int {
		return cmp.Or(a.Compare(b.TopicPartition), cmp.Compare(a.Offset, b.Offset))
	})
	for i := range changed {
		var err error
		if changed[i].Levels, err = levelsOf(changed[i].Body); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// Listener is told of rows that a store has, in the order of each partition. Reached is how far the store is in
// inventory.events; the rows of all events before it have been told. Its calls must return soon.
type Listener func(rows []*eventv1.AvailabilityRow, reached eventlog.Offsets)

// unfinished holds rows back until the projector says that all rows of events before them are in the topic. Its batches
// write rows in any order: who was told of a row at once could not say behind which events it is.
type unfinished struct {
	listener Listener
	// rows are the newest ones that were not told, by partition and SKU, and whether clients see that they differ from
	// what was told.
	rows    map[int32]map[string]unfinishedRow
	told    map[int32]int64 // by partition: the offset before which all rows were told
	changed []*eventv1.AvailabilityRow
}

type unfinishedRow struct {
	row     *eventv1.AvailabilityRow
	visible bool
}

func newUnfinished(listener Listener) *unfinished {
	return &unfinished{listener: listener, rows: map[int32]map[string]unfinishedRow{}, told: map[int32]int64{}}
}

// begin says that all rows come again. It tells the listener how far they were told, which is known of a platform
// without stock too: its topic has no row, and nobody says so in it.
func (u *unfinished) begin() {
	clear(u.rows)
	u.listener(nil, u.reached())
}

// add notes a row. visible: clients see that it differs from the one before it.
func (u *unfinished) add(row *eventv1.AvailabilityRow, visible bool) {
	p := row.SourcePartition
	if u.rows[p] == nil {
		u.rows[p] = map[string]unfinishedRow{}
	}
	before := u.rows[p][row.Sku]
	if row.SourceOffset < u.told[p] || before.row != nil && before.row.SourceOffset >= row.SourceOffset {
		return
	}
	u.rows[p][row.Sku] = unfinishedRow{row, visible || before.visible}
}

// finish notes that the topic has the rows of all events of a partition before an offset.
func (u *unfinished) finish(partition int32, next int64) {
	for sku, r := range u.rows[partition] {
		if r.row.SourceOffset >= next {
			continue
		}
		if r.visible {
			u.changed = append(u.changed, r.row)
		}
		delete(u.rows[partition], sku)
	}
	u.told[partition] = max(u.told[partition], next)
}

// tell tells the listener what was finished.
func (u *unfinished) tell() {
	if len(u.changed) == 0 && len(u.told) == 0 {
		return
	}
	slices.SortFunc(u.changed, func(a, b *eventv1.AvailabilityRow) int {
		return cmp.Or(cmp.Compare(a.SourcePartition, b.SourcePartition), cmp.Compare(a.SourceOffset, b.SourceOffset))
	})
	u.listener(u.changed, u.reached())
	u.changed = nil
}

// reached is how far rows were told.
func (u *unfinished) reached() eventlog.Offsets {
	reached := make(eventlog.Offsets, len(u.told))
	for partition, next := range u.told {
		reached[eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: partition}] = next
	}
	return reached
}
