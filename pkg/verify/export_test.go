package verify

import (
	"context"
	"slices"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// CompareMirror holds ClickHouse's tables, but those left out, to the log, and fills nothing again.
func CompareMirror(ctx context.Context, client *eventlog.Client, conn *clickhouse.Conn, without ...string) (*Invariant, error) {
	layout, err := client.ReadLayout(ctx)
	if err != nil {
		return nil, err
	}
	c := newChecker(layout, Options{})
	c.mirrored = newMirrorFold()
	if err := c.readTopic(ctx, client, eventlog.TopicOrders, c.orderRecord); err != nil {
		return nil, err
	}
	if err := c.readTopic(ctx, client, eventlog.TopicInventory, c.stockRecord); err != nil {
		return nil, err
	}
	for _, m := range c.comparisons() {
		if slices.Contains(without, m.table) {
			continue
		}
		if err := c.compareSums(ctx, conn, m); err != nil {
			return nil, err
		}
	}
	return c.byID[Mirror], nil
}
