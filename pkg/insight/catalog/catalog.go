package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

// decisions is the topic's only partition.
var decisions = eventlog.TopicPartition{Topic: eventlog.TopicInsights}

// Catalog follows the decisions.
type Catalog struct {
	client *eventlog.Client
	logger *slog.Logger

	mu    sync.Mutex
	state *State
	// next is the offset after the newest decision that is in state.
	next int64
	// refused are why decisions of this process were not allowed, by ID, until Decide takes them.
	refused map[string]error
	fault   error
	current bool          // all decisions that there were at the start are in state
	changed chan struct{} // closed when state or next changes
}

// New returns a catalog that follows nothing yet: Run does.
func New(client *eventlog.Client, logger *slog.Logger) *Catalog {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Catalog{
		client: client, logger: logger, state: NewState(), refused: map[string]error{}, changed: make(chan struct{}),
	}
}

// State is the state as it is now, and a channel that is closed when it changes.
func (c *Catalog) State() (*State, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.changed
}

// Ready returns nil once all decisions are known that there were at the start.
func (c *Catalog) Ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.current: // what comes later is not missed: it is read when Kafka answers again
		return nil
	case c.fault != nil:
		return fmt.Errorf("the decisions about insights: %w", c.fault)
	}
	return errors.New("the decisions about insights are being read")
}

// Run follows the topic until ctx is done.
func (c *Catalog) Run(ctx context.Context) error {
	pauses := backoff.ForStores()
	for {
		err := c.follow(ctx, pauses.Reset)
		if ctx.Err() != nil {
			return nil
		}
		c.mu.Lock()
		c.fault = err
		c.mu.Unlock()
		pause := pauses.Next()
		c.logger.Error("the decisions about insights cannot be read", "error", err, "again_in", pause)
		if backoff.Sleep(ctx, pause) != nil {
			return nil
		}
	}
}

// follow reads decisions until the first error.
func (c *Catalog) follow(ctx context.Context, read func()) error {
	tp := decisions
	end, err := c.client.StableOffsets(ctx, []eventlog.TopicPartition{tp})
	if err != nil {
		return err
	}
	c.mu.Lock()
	from := c.next
	c.mu.Unlock()
	if from > end[tp] {
		return fmt.Errorf("%s ends at %d, but was read up to %d: it was made again; restart the services that read it",
			tp.Topic, end[tp], from)
	}
	follower, err := c.client.Follow(eventlog.Offsets{tp: from})
	if err != nil {
		return err
	}
	defer follower.Close()
	c.read(nil, from, end[tp])
	for {
		records, reached, err := follower.Poll(ctx)
		if err != nil {
			return err
		}
		read()
		c.read(records, reached[tp], end[tp])
	}
}

// read applies records. The state is copied once for all of them: a long topic is read in a few copies.
func (c *Catalog) read(records []eventlog.Record, next, end int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := c.state
	if len(records) > 0 {
		state = state.clone()
	}
	for _, rec := range records {
		var d Decision
		if err := json.Unmarshal(rec.Value, &d); err != nil {
			c.logger.Error("a record is no decision about insights, and is passed", "offset", rec.Offset, "error", err)
			continue
		}
		if err := state.note(d); err != nil {
			c.logger.Warn("a decision about insights has no effect", "offset", rec.Offset, "type", d.Type, "why", err)
			if _, ours := c.refused[d.ID]; ours {
				c.refused[d.ID] = err
			}
		}
	}
	c.state = state
	c.fault, c.next = nil, max(c.next, next)
	c.current = c.current || c.next >= end
	close(c.changed)
	c.changed = make(chan struct{})
}

// Decide writes a decision, and waits until it has its effect. The error is a *Refusal when it is not allowed, and then
// it has none. The time is set here, and an ID unless d has one: a decision whose ID has had its effect changes
// nothing.
func (c *Catalog) Decide(ctx context.Context, d Decision) (*State, error) {
	state, _ := c.State()
	if state.seen[d.ID] {
		return state, nil
	}
	if d.At = time.Now().UTC(); d.ID == "" {
		d.ID = uuid.NewString()
	}
	if err := c.check(ctx, d); err != nil {
		return nil, err
	}
	value, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("a decision about insights: %w", err)
	}
	c.mu.Lock()
	c.refused[d.ID] = nil
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.refused, d.ID)
		c.mu.Unlock()
	}()
	rec := &eventlog.Record{TopicPartition: decisions, Key: []byte(d.ReplayID), Value: value}
	if err := c.client.Produce(ctx, []*eventlog.Record{rec}); err != nil {
		return nil, err
	}
	if err := c.await(ctx, rec.Offset); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.refused[d.ID]
}

// check refuses a decision that is not allowed after all decisions so far. Those that are not read yet are waited for
// before it is refused.
func (c *Catalog) check(ctx context.Context, d Decision) error {
	state, _ := c.State()
	if _, err := state.Apply(d); err == nil {
		return nil
	}
	end, err := c.client.StableOffsets(ctx, []eventlog.TopicPartition{decisions})
	if err != nil {
		return err
	}
	if err := c.await(ctx, end[decisions]-1); err != nil {
		return err
	}
	state, _ = c.State()
	_, err = state.Apply(d)
	return err
}

// await waits until the record at an offset was read.
func (c *Catalog) await(ctx context.Context, offset int64) error {
	for {
		c.mu.Lock()
		next, changed := c.next, c.changed
		c.mu.Unlock()
		if next > offset {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
