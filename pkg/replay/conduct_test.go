package replay

import (
	"slices"
	"testing"

	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// One verification runs at a time, and nobody waits for the ready insights.
func TestWhatPeopleHaveAskedForComesFirst(t *testing.T) {
	alice := catalog.Principal{Name: "alice"}
	var ids []string
	for _, r := range byUrgency([]*catalog.Replay{
		{ID: "ready-1", By: self}, {ID: "ready-2", By: self}, {ID: "alice-1", By: alice}, {ID: "ready-3", By: self},
		{ID: "alice-2", By: alice},
	}) {
		ids = append(ids, r.ID)
	}
	if want := []string{"alice-1", "alice-2", "ready-1", "ready-2", "ready-3"}; !slices.Equal(ids, want) {
		t.Errorf("the order is %v, want %v", ids, want)
	}
}
