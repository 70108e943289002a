package availability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// topicState is what the availability topic has of each SKU, as far as it was read. Compaction keeps the last row of a
// SKU. A projector that was delayed may write an older row after a newer one, and compaction would then keep the older
// one. So every projector watches the topic, and writes the newer row again.
type topicState struct {
	newest map[string]int64    // by SKU: the greatest source offset of its rows
	stale  map[string]struct{} // SKUs whose last row is not their newest
}

func newTopicState() *topicState {
	return &topicState{newest: map[string]int64{}, stale: map[string]struct{}{}}
}

// add notes a row of the topic. Rows must be added in the topic's order.
func (t *topicState) add(row *eventv1.AvailabilityRow) {
	if row.Sku == "" {
		return
	}
	if newest, ok := t.newest[row.Sku]; ok && row.SourceOffset < newest {
		t.stale[row.Sku] = struct{}{}
		return
	}
	t.newest[row.Sku] = row.SourceOffset
	delete(t.stale, row.Sku)
}

// has reports whether the row, or a newer one, is the SKU's last in the topic.
func (t *topicState) has(row *eventv1.AvailabilityRow) bool {
	newest, ok := t.newest[row.Sku]
	_, stale := t.stale[row.Sku]
	return ok && !stale && newest >= row.SourceOffset
}

var errTopicGone = errors.New(
	"the topic " + eventlog.TopicAvailability + " was deleted or made again; building it anew")

// followTopic reads the availability topic from where restore ended, at the same time as events are projected. It
// returns when the topic was deleted or made again, too.
func (v *projectorView) followTopic(ctx context.Context) error {
	follower, err := v.client.Follow(v.restoredUpTo)
	if err != nil {
		return err
	}
	defer follower.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return v.watchTopic(ctx) })
	group.Go(func() error {
		for {
			recs, _, err := follower.Poll(ctx)
			if err == nil {
				err = v.repair(ctx, recs)
			}
			if err != nil {
				return err
			}
		}
	})
	return group.Wait()
}

// repair notes what is in the topic, and writes the rows again that older ones have replaced.
func (v *projectorView) repair(ctx context.Context, recs []eventlog.Record) error {
	replaced, err := v.replacedRows(recs)
	if err != nil || len(replaced) == 0 {
		return err
	}
	if err := v.client.Produce(ctx, replaced); err != nil {
		return err
	}
	v.rowsRepaired.Add(float64(len(replaced)))
	return nil
}

// replacedRows returns the rows to write again. A row newer than the fold's own is not among them: when the fold gets
// to that row's event, Flush finds that the topic does not have the row, and writes it.
func (v *projectorView) replacedRows(recs []eventlog.Record) ([]*eventlog.Record, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	touched := map[string]struct{}{}
	for i := range recs {
		row := &eventv1.AvailabilityRow{}
		switch err := decodeRow(&recs[i], row); {
		case errors.Is(err, errOldRow):
			continue // a projector that is not upgraded yet has written it; readers pass over it
		case err != nil:
			return nil, err
		}
		v.topic.add(row)
		touched[row.Sku] = struct{}{}
	}
	var replaced []*eventlog.Record
	for sku := range touched {
		row := v.fold.rows[sku]
		if _, stale := v.topic.stale[sku]; !stale || row == nil || row.SourceOffset < v.topic.newest[sku] {
			continue
		}
		rec, err := encodeRow(row)
		if err != nil {
			return nil, err
		}
		replaced = append(replaced, rec)
	}
	return replaced, nil
}

// watchTopic ends with an error when the topic is no longer the one that the fold was restored from. It may be deleted
// while nothing is written to it.
func (v *projectorView) watchTopic(ctx context.Context) error {
	before := v.restoredUpTo
	watcher := eventlog.EndWatcher{
		Ask:        v.client.EndOffsets,
		Partitions: projector.Partitions(eventlog.TopicAvailability, v.layout),
		Observe: func(end eventlog.Offsets, _ time.Time) error {
			if !end.Reaches(before) {
				return errTopicGone
			}
			before = end
			return nil
		},
		Failed: func(err error) error {
			if eventlog.IsTopicGone(err) {
				return fmt.Errorf("%w: %w", errTopicGone, err)
			}
			// Brokers that do not answer have not deleted the topic. The runtime tells of them, and of the view's age.
			return nil
		},
	}
	return watcher.Run(ctx)
}
