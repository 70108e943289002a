package availability

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/projector"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// topicState is what stands in the availability topic, as far as it was read. A projector that was held up
// may write an older row behind a newer one, and compaction keeps the last: so whoever sees that writes the
// newer one again.
type topicState struct {
	newest map[string]int64    // by SKU: the greatest source offset
	stale  map[string]struct{} // SKUs whose last row is not their newest
}

func newTopicState() *topicState {
	return &topicState{newest: map[string]int64{}, stale: map[string]struct{}{}}
}

// see takes a record of the topic, in its order.
func (t *topicState) see(row *eventv1.AvailabilityRow) {
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

// holds reports whether the row, or a newer one, is the SKU's last in the topic.
func (t *topicState) holds(row *eventv1.AvailabilityRow) bool {
	newest, ok := t.newest[row.Sku]
	_, stale := t.stale[row.Sku]
	return ok && !stale && newest >= row.SourceOffset
}

// How the own topic is watched: it may be deleted while nothing happens in it.
const (
	topicInterval = time.Second
	// shrunkLimit is how often in a row its end must have gone back: a new leader may know it late.
	shrunkLimit = 3
)

var errTopicGone = errors.New("the topic " + eventlog.TopicAvailability + " was deleted or made again; building it anew")

// readAlong reads the own topic beside the projection, from where restore ended.
func (p *projection) readAlong(ctx context.Context) error {
	follower, err := p.client.Follow(p.restored)
	if err != nil {
		return err
	}
	defer follower.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		cancel(p.watchTopic(ctx))
	}()
	defer func() { cancel(nil); <-watching }()
	for {
		recs, _, err := follower.Poll(ctx)
		if err == nil {
			err = p.see(ctx, recs)
		}
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
	}
}

// see notes what stands in the topic, and writes again what an older row covers.
func (p *projection) see(ctx context.Context, recs []eventlog.Record) error {
	mend, err := p.note(recs)
	if err != nil || len(mend) == 0 {
		return err
	}
	if err := p.client.Produce(ctx, mend); err != nil {
		return err
	}
	p.mended.Add(float64(len(mend)))
	return nil
}

// note returns the rows to write again. A row that this projector does not have yet is left to the fold:
// it will come to it, and find it covered.
func (p *projection) note(recs []eventlog.Record) ([]*eventlog.Record, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	touched := map[string]struct{}{}
	for i := range recs {
		row := &eventv1.AvailabilityRow{}
		switch err := decodeRow(&recs[i], row); {
		case errors.Is(err, errOldRow):
			continue // of a projector that is still to be upgraded: readers pass it over
		case err != nil:
			return nil, err
		}
		p.topic.see(row)
		touched[row.Sku] = struct{}{}
	}
	var mend []*eventlog.Record
	for sku := range touched {
		row := p.fold.rows[sku]
		if _, stale := p.topic.stale[sku]; !stale || row == nil || row.SourceOffset < p.topic.newest[sku] {
			continue
		}
		rec, err := record(sku, row)
		if err != nil {
			return nil, err
		}
		mend = append(mend, rec)
	}
	return mend, nil
}

// watchTopic returns when the topic is no longer the one that was restored from.
func (p *projection) watchTopic(ctx context.Context) error {
	tick := time.NewTicker(topicInterval)
	defer tick.Stop()
	before := p.restored
	for shrunk := 0; shrunk < shrunkLimit; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		end, err := p.client.EndOffsets(ctx, projector.Partitions(eventlog.TopicAvailability, p.layout))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("%w: %w", errTopicGone, err)
		case end.Covers(before):
			before, shrunk = end, 0
		default:
			shrunk++
		}
	}
	return errTopicGone
}
