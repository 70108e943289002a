package catalog

import (
	"maps"
	"time"

	"github.com/holdfast/holdfast/pkg/inventory"
	"github.com/holdfast/holdfast/pkg/limits"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Location is a location as the catalogue has it. It never changes: one that is described anew is another Location.
type Location struct {
	Name, Description string
	// DeclaredAt is when it was declared first, and ChangedAt when it was described, retired or reopened last. Both are
	// zero for inventory.DefaultLocation until somebody does.
	DeclaredAt, ChangedAt time.Time
	// RetiredAt is when it was retired; zero: it takes goods.
	RetiredAt time.Time
}

// Retired reports whether it takes no new goods.
func (l *Location) Retired() bool { return !l.RetiredAt.IsZero() }

// state is what follows from the changes so far. It never changes: apply makes another one.
type state struct {
	// declared: there was a change of a location.
	declared bool
	byName   map[string]*Location
	// byFold has the names by limits.FoldCase.
	byFold map[string]string
}

func newState() *state {
	s := &state{byName: map[string]*Location{}, byFold: map[string]string{}}
	s.put(&Location{Name: inventory.DefaultLocation})
	return s
}

func (s *state) clone() *state {
	return &state{declared: s.declared, byName: maps.Clone(s.byName), byFold: maps.Clone(s.byFold)}
}

func (s *state) put(l *Location) {
	s.byName[l.Name] = l
	s.byFold[limits.FoldCase(l.Name)] = l.Name
}

// Place implements inventory.Places, whether or not something was declared.
func (s *state) Place(name string) (is string, retired bool) {
	if l := s.byName[name]; l != nil {
		return name, l.Retired()
	}
	if is = s.byFold[limits.FoldCase(name)]; is != "" {
		retired = s.byName[is].Retired()
	}
	return is, retired
}

// apply changes the state by a record. What cannot be done has no effect, for every reader alike.
func (s *state) apply(c *eventv1.CatalogChange) {
	at := time.UnixMicro(c.GetChangedAtMicros()).UTC()
	switch change := c.GetChange().(type) {
	case *eventv1.CatalogChange_LocationDescribed:
		s.describe(change.LocationDescribed, at)
	case *eventv1.CatalogChange_LocationRetired:
		s.retire(change.LocationRetired.GetLocation(), at, at)
	case *eventv1.CatalogChange_LocationReopened:
		s.retire(change.LocationReopened.GetLocation(), at, time.Time{})
	}
}

func (s *state) describe(c *eventv1.LocationDescribed, at time.Time) {
	want := inventory.DeclarePlace{Name: c.GetLocation(), Description: c.GetDescription()}
	if want.CheckName(s, len(s.byName)) != nil {
		return
	}
	described := locationOf(s.byName[want.Name])
	described.Name, described.Description, described.ChangedAt = want.Name, want.Description, at
	if described.DeclaredAt.IsZero() {
		described.DeclaredAt = at
	}
	s.declared = true
	s.put(&described)
}

// retire sets since when a location is retired; zero: it is not.
func (s *state) retire(name string, at, since time.Time) {
	old := s.byName[name]
	if old == nil || old.Retired() == !since.IsZero() {
		return
	}
	changed := *old
	changed.RetiredAt, changed.ChangedAt = since, at
	s.declared = true
	s.put(&changed)
}
