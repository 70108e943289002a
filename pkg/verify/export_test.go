package verify

import (
	"context"
	"slices"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// CompareMirror compares ClickHouse's tables with the log, without the given ones, and fills no copy.
func CompareMirror(
	ctx context.Context, client *eventlog.Client, conn *clickhouse.Conn, without ...string,
) (*Invariant, error) {
	layout, err := client.ReadLayout(ctx)
	if err != nil {
		return nil, err
	}
	c := newChecker(layout, Options{})
	c.mirrorSums = newMirrorSums()
	if err := c.readTopic(ctx, client, eventlog.TopicOrders, c.foldOrder); err != nil {
		return nil, err
	}
	if err := c.readTopic(ctx, client, eventlog.TopicInventory, c.foldStock); err != nil {
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
