package queries

import (
	"context"
	"fmt"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/live"
	"github.com/holdfast/holdfast/pkg/problem"
)

// StockEvent is the name of the messages of a stream of stock.
const StockEvent = "availability"

type stockStreams struct{ *streamRoutes }

// rows streams the rows of items as they change.
func (a *stockStreams) rows(c echo.Context) error {
	parameters := c.QueryParams()
	if err := onlyParameters(parameters, afterParameter, "skus", "location", "below"); err != nil {
		return err
	}
	skus := splitList(parameters, "skus")
	if len(skus) > live.MaxKeys {
		return problem.New(problem.TooManySKUs, fmt.Sprintf("A stream names up to %d items.", live.MaxKeys))
	}
	for _, sku := range skus {
		if fault := input.SKUFault(sku); fault != "" {
			return badParameter("A SKU in skus " + fault + ".")
		}
	}
	filter := availability.Filter{Location: parameters.Get("location")}
	if text := parameters.Get("below"); parameters.Has("below") {
		below, err := strconv.ParseInt(text, 10, 64)
		if err != nil || below < 1 {
			return badParameter("below must be a whole number from 1.")
		}
		filter.Below = below
	}
	s := &stream{
		streamRoutes: a.streamRoutes, c: c, hub: a.StockHub, view: a.Stock, topic: eventlog.TopicInventory, keys: skus,
		between: func(_ context.Context, from, to eventlog.Position, send sender) error {
			return a.between(from, to, skus, send)
		},
	}
	s.here = func(at eventlog.Position, send sender) error { return a.between(eventlog.Position{}, at, skus, send) }
	if filter != (availability.Filter{}) {
		s.match = func(m *live.Message) bool {
			levels, _ := m.Of.(*availability.Levels)
			return levels != nil && filter.Selects(levels)
		}
	}
	return s.serve()
}

// between sends the rows, as they are now, of the items that have changed between two positions. It takes no reading
// of the log: a row has the offset of its newest change.
func (a *stockStreams) between(from, to eventlog.Position, skus []string, send sender) error {
	changed, err := a.Stock.Changed(from, to, skus)
	if err != nil {
		return err
	}
	place := from
	for i := range changed {
		c := &changed[i]
		place = place.Merge(eventlog.PositionOf(eventlog.Offsets{c.TopicPartition: c.Offset + 1}))
		if err := send(place, StockEvent, c.Body, c.Levels); err != nil {
			return err
		}
	}
	return nil
}
