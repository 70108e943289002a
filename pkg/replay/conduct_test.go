package replay

import (
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// One verification runs at a time, and nobody waits for the ready insights. Of these, the ones come first whose source
// was read for the one before.
func TestWhatPeopleHaveAskedForComesFirst(t *testing.T) {
	alice := catalog.Principal{Name: "alice"}
	of := func(id, source string, by catalog.Principal) *catalog.Replay {
		return &catalog.Replay{ID: id, By: by, Definition: &insight.Definition{Source: insight.Source{Table: source}}}
	}
	replays := func() []*catalog.Replay {
		return []*catalog.Replay{
			of("ready-1", "sales", self), of("ready-2", "events", self), of("alice-1", "sales", alice),
			of("ready-3", "sales", self), of("alice-2", "events", alice),
		}
	}
	for read, want := range map[string][]string{
		"":       {"alice-1", "alice-2", "ready-1", "ready-2", "ready-3"},
		"events": {"alice-2", "alice-1", "ready-2", "ready-1", "ready-3"},
	} {
		var ids []string
		for _, r := range byUrgency(replays(), func(table string) bool { return table == read }) {
			ids = append(ids, r.ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("when %q was read the order is %v, want %v", read, ids, want)
		}
	}
}
