package queryapi

import (
	"cmp"
	"fmt"

	"github.com/holdfast/holdfast/pkg/availability"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/httpapi/queries"
	"github.com/holdfast/holdfast/pkg/live"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// openStreams makes the hubs of the streams. Their views are opened later, and told to publish to them.
func (v *views) openStreams(partitions int32, of eventlog.Incarnation, cfg *Config) error {
	metrics, err := live.NewStreamMetrics(cfg.Registry)
	if err != nil {
		return err
	}
	hub := live.HubConfig{Partitions: partitions, Incarnation: of, Logger: cfg.Logger, Metrics: metrics}
	orders, stock := hub, hub
	orders.Name, orders.Topic, orders.Render = "orders", eventlog.TopicOrders, v.renderOrder
	stock.Name, stock.Topic, stock.Render = "availability", eventlog.TopicInventory, renderRow
	v.streams = &queries.Streams{
		OrderHub: live.NewHub(orders), StockHub: live.NewHub(stock),
		Max: cmp.Or(cfg.MaxStreams, queries.DefaultMaxStreams), Heartbeat: queries.StreamHeartbeat,
	}
	return nil
}

// renderOrder is the message of an event of an order.
func (v *views) renderOrder(c *live.Change) (event string, data []byte, of any, err error) {
	event, data, order, err := queries.OrderAfter(v.orders, c.Key, c.Offset)
	return event, data, order, err
}

// renderRow is the message of a row.
func renderRow(c *live.Change) (event string, data []byte, of any, err error) {
	row, ok := c.Value.(*eventv1.AvailabilityRow)
	if !ok {
		return "", nil, nil, fmt.Errorf("the change of %s has no row", c.Key)
	}
	data, levels, err := availability.Describe(row)
	return queries.StockEvent, data, levels, err
}

// publishRows tells the hub of stock what the store has.
func (v *views) publishRows(rows []*eventv1.AvailabilityRow, reached eventlog.Offsets) {
	v.streams.StockHub.Publish(func() []live.Change {
		changes := make([]live.Change, len(rows))
		for i, row := range rows {
			tp := eventlog.TopicPartition{Topic: eventlog.TopicInventory, Partition: row.SourcePartition}
			changes[i] = live.Change{TopicPartition: tp, Offset: row.SourceOffset, Key: row.Sku, Value: row}
		}
		return changes
	}, reached)
}
