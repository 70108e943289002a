package verify

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

const (
	// defaultPlace is the location of commands that name none. It is known from the beginning.
	defaultPlace = "main"
	// placesLag is how long after the first declaration of a location a replica may not know of it, or may have another
	// clock.
	placesLag = time.Minute
)

// placeUse is the newest command that used a location which its item had not had.
type placeUse struct {
	micros int64
	by     string
}

// notePlaces keeps which locations an event of a command uses first for its item. The item is as it was before.
func (c *checker) notePlaces(rec *eventlog.Record, it *item, ev *eventv1.InventoryEvent) {
	if c.placesUsed == nil || ev.Meta.Cause != eventv1.Cause_CAUSE_COMMAND {
		return // what follows from an order was asked for when the order was changed, perhaps long before
	}
	for _, l := range ev.Locations {
		if it.find(l.Location) == nil && c.placesUsed[l.Location].micros <= ev.Meta.RecordedAtMicros {
			c.placesUsed[l.Location] = placeUse{ev.Meta.RecordedAtMicros, at(rec).String() + ": SKU " + ev.Sku}
		}
	}
}

// checkPlaces checks I17 (INV-74): once a location was declared, commands bring goods to declared ones alone, and to
// those that the item has had.
func (c *checker) checkPlaces(ctx context.Context, client *eventlog.Client) error {
	tp := eventlog.TopicPartition{Topic: eventlog.TopicCatalog}
	end, err := client.EndOffsets(ctx, []eventlog.TopicPartition{tp})
	if eventlog.IsTopicGone(err) {
		c.byID[Places].Note = "no release that knows declared locations has run"
		return nil
	}
	if err != nil {
		return err
	}
	declared, since := []string{defaultPlace}, int64(0)
	err = client.Read(ctx, nil, end, func(rec *eventlog.Record) error {
		var change eventv1.CatalogChange
		if change.UnmarshalVT(rec.Value) != nil {
			return nil // readers pass over it
		}
		if d := change.GetLocationDescribed(); d != nil && !slices.ContainsFunc(declared, func(name string) bool {
			return strings.EqualFold(name, d.Location)
		}) {
			declared = append(declared, d.Location)
		}
		if change.Change != nil && since == 0 {
			since = change.ChangedAtMicros + placesLag.Microseconds()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if since == 0 {
		c.byID[Places].Note = "no location was declared"
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(c.placesUsed)) {
		use := c.placesUsed[name]
		c.check(Places, slices.Contains(declared, name) || use.micros < since,
			"%s came to the location %q, which was not declared", use.by, name)
	}
	return nil
}
