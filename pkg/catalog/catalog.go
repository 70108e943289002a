// Package catalog has the catalogue: names that no partition of stock or orders can answer for alone. These are the
// locations.
//
// What became of each name is in the topic catalog.events, which has one partition. Every order-api follows it
// (Catalog), and whoever is asked to change something appends the change: which of two changes counts, that of "Berlin"
// or that of "berlin", the topic's order says, for every reader alike. The rules are those of package inventory (INV-74
// to INV-76).
package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/inventory"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Catalog follows the catalogue of a platform, and changes it.
type Catalog struct {
	*eventlog.Journal
	state atomic.Pointer[state]
}

// Open returns the catalogue of the platform that cfg reaches. It reads nothing yet: Run does, and closes it at its
// end.
func Open(cfg eventlog.Config) (*Catalog, error) {
	cfg.ClientID += "-catalog"
	c := &Catalog{}
	c.state.Store(newState())
	var err error
	c.Journal, err = eventlog.OpenJournal(cfg, eventlog.TopicCatalog, "names of the catalogue", c.apply)
	return c, err
}

// apply changes the state by records. It is copied once for all of them.
func (c *Catalog) apply(records []eventlog.Record) {
	state := c.state.Load().clone()
	for _, rec := range records {
		var change eventv1.CatalogChange
		if err := change.UnmarshalVT(rec.Value); err != nil {
			c.Logger().Error("a record is no change of the catalogue, and is passed", "offset", rec.Offset, "error", err)
			continue
		}
		state.apply(&change)
	}
	c.state.Store(state)
}

// Place implements inventory.Places.
func (c *Catalog) Place(name string) (is string, retired bool) {
	state := c.state.Load()
	if !state.declared {
		return name, false
	}
	return state.Place(name)
}

// Locations are all locations, by name.
func (c *Catalog) Locations() []Location {
	state := c.state.Load()
	all := make([]Location, 0, len(state.byName))
	for _, l := range state.byName {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b Location) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Describe declares a location, or describes it anew, and returns it once this process knows it. created: there was
// none. A refusal is an *inventory.Error. Run must be running, and Ready must be nil.
func (c *Catalog) Describe(
	ctx context.Context, want inventory.DeclarePlace, by *eventv1.Principal,
) (is Location, created bool, err error) {
	state := c.state.Load()
	if err := want.Check(state, len(state.byName)); err != nil {
		return Location{}, false, err
	}
	old := state.byName[want.Name]
	if old != nil && !old.ChangedAt.IsZero() && old.Description == want.Description {
		return *old, false, nil
	}
	err = c.write(ctx, want.Name, &eventv1.CatalogChange{By: by, Change: &eventv1.CatalogChange_LocationDescribed{
		LocationDescribed: &eventv1.LocationDescribed{Location: want.Name, Description: want.Description},
	}})
	if err != nil {
		return Location{}, false, err
	}
	state = c.state.Load()
	if found := state.byName[want.Name]; found != nil {
		return *found, old == nil, nil
	}
	return Location{}, false, want.CheckName(state, len(state.byName)) // another replica was faster
}

// Retire has a location take no new goods, or, with retired false, take goods again. It returns the location once this
// process knows that; found: there is one. What is so already stays as it is.
func (c *Catalog) Retire(
	ctx context.Context, name string, retired bool, by *eventv1.Principal,
) (is Location, found bool, err error) {
	old := c.state.Load().byName[name]
	if old == nil || old.Retired() == retired {
		return locationOf(old), old != nil, nil
	}
	change := &eventv1.CatalogChange{By: by, Change: &eventv1.CatalogChange_LocationReopened{
		LocationReopened: &eventv1.LocationReopened{Location: name},
	}}
	if retired {
		change.Change = &eventv1.CatalogChange_LocationRetired{
			LocationRetired: &eventv1.LocationRetired{Location: name},
		}
	}
	if err := c.write(ctx, name, change); err != nil {
		return Location{}, true, err
	}
	return locationOf(c.state.Load().byName[name]), true, nil
}

func locationOf(l *Location) Location {
	if l == nil {
		return Location{}
	}
	return *l
}

// write appends a change, and waits until it was read.
func (c *Catalog) write(ctx context.Context, name string, change *eventv1.CatalogChange) error {
	change.ChangedAtMicros = time.Now().UnixMicro()
	value, err := change.MarshalVT()
	if err != nil {
		return fmt.Errorf("a change of the catalogue: %w", err)
	}
	return c.Append(ctx, name, value)
}
