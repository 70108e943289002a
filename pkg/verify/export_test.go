package verify

import (
	"context"
	"slices"
	"time"

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

// NewHastyAuditor is NewAuditor with ticks of a millisecond: what is due is due soon.
func NewHastyAuditor(cfg AuditorConfig) (*Auditor, error) {
	cfg.tick, cfg.Grace, cfg.OverdueAfter = time.Millisecond, 3*tickInterval, 20*tickInterval
	return NewAuditor(cfg)
}

// Found are the invariants that the auditor has found violated, as of its last save.
func (a *Auditor) Found() map[string]bool {
	found := map[string]bool{}
	for i, n := range a.view.snapshot().checked {
		if n.violations > 0 {
			found[names[i].id] = true
		}
	}
	return found
}

// Compared reports whether nothing is due any more that was folded so far.
func (a *Auditor) Compared() bool {
	a.view.mu.Lock()
	defer a.view.mu.Unlock()
	if a.view.checker == nil || a.Lag() > 0 || a.view.disk.err != nil ||
		len(a.view.checker.accounts.changed)+len(a.view.checker.items.changed) > 0 {
		return false
	}
	none := true
	err := a.view.disk.due(a.view.marks.tick+1, func(uint64, byte, string) bool { none = false; return false })
	return none && err == nil
}

// SaveAfterEach folds the log with a tick, which saves, after each record, and returns where it would go on after a
// crash.
func (a *Auditor) SaveAfterEach(ctx context.Context) (eventlog.Offsets, error) {
	from, err := a.view.Begin(ctx, nil)
	if err != nil {
		return nil, err
	}
	end, err := a.view.cfg.Client.EndOffsets(ctx, a.view.partitions)
	if err != nil {
		return nil, err
	}
	err = a.view.cfg.Client.Read(ctx, from, end, func(rec *eventlog.Record) error {
		if err := a.view.Fold(rec); err != nil {
			return err
		}
		_, err := a.view.tick(nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a.view.Begin(ctx, nil)
}
