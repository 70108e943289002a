package stockledger

import (
	"cmp"
	"context"
	"errors"

	"github.com/holdfast/holdfast/pkg/asof"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// Change is how the stock of an item differs between two moments.
type Change struct {
	SKU         string `json:"sku"`
	Description string `json:"description"`
	// From and To are all locations together. An item that was not registered then had nothing.
	From  Level `json:"from"`
	To    Level `json:"to"`
	Delta Delta `json:"delta"`
	// Locations are those that differ.
	Locations []LocationChange `json:"locations"`
}

// LocationChange is how much a location differs between two moments.
type LocationChange struct {
	Location string `json:"location"`
	Delta    Delta  `json:"delta"`
}

// Span asks for what changed from one moment to another.
type Span struct {
	Filter
	// SKU is the one item that is asked about; empty: all that the filter selects at one of the moments.
	SKU      string
	From, To asof.Moment
}

// Changes returns up to limit items that differ, by SKU. after is the next that the page before returned; "" is the
// first page. next is "" on the last page.
func (s *Store) Changes(ctx context.Context, span *Span, after string, limit int) (
	changes []Change, next string, err error,
) {
	r, err := s.read()
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	last := ""
	err = r.items(ctx, span.SKU, span.Prefix, after, func(sku string) error {
		c, err := r.change(sku, span)
		if err != nil || c == nil {
			return err
		}
		if len(changes) == limit {
			next = last
			return errEnough
		}
		changes, last = append(changes, *c), c.SKU
		return nil
	})
	return changes, next, err
}

// change is how an item differs; nil: it does not.
func (r *reader) change(sku string, span *Span) (*Change, error) {
	from, err := r.rowAt(sku, &span.From)
	if err != nil {
		return nil, err
	}
	to, err := r.rowAt(sku, &span.To)
	if err != nil || from == nil && to == nil {
		return nil, err
	}
	if (from == nil || !span.selects(from)) && (to == nil || !span.selects(to)) {
		return nil, nil
	}
	c := &Change{
		SKU: sku, Description: cmp.Or(to, from).GetDescription(),
		From: shownTotal(from), To: shownTotal(to),
		Delta: shownTotal(to).since(shownTotal(from)), Locations: []LocationChange{},
	}
	seen := map[string]bool{}
	for _, row := range []*eventv1.AvailabilityRow{to, from} {
		for _, l := range row.GetLocations() {
			if seen[l.Location] || span.Location != "" && l.Location != span.Location {
				continue
			}
			seen[l.Location] = true
			delta := shownLevel(levelIn(to, l.Location)).since(shownLevel(levelIn(from, l.Location)))
			if delta != (Delta{}) {
				c.Locations = append(c.Locations, LocationChange{l.Location, delta})
			}
		}
	}
	if len(c.Locations) == 0 {
		return nil, nil
	}
	return c, nil
}

// levelIn is the level of a location; nil where there is none, or no row.
func levelIn(row *eventv1.AvailabilityRow, location string) *eventv1.Level {
	if row == nil {
		return nil
	}
	return levelAt(row, location)
}
