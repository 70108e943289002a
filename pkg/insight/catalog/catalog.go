package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Catalog follows the decisions.
type Catalog struct {
	*eventlog.Journal
	state atomic.Pointer[State]

	mu sync.Mutex
	// refused are why decisions of this process were not allowed, by ID, until Decide takes them.
	refused map[string]error
}

// New returns a catalog that follows nothing yet: Run does.
func New(client *eventlog.Client, logger *slog.Logger) *Catalog {
	c := &Catalog{refused: map[string]error{}}
	c.state.Store(NewState())
	c.Journal = eventlog.NewJournal(client, logger, eventlog.TopicInsights, "decisions about insights", c.apply)
	return c
}

// State is the state as it is now, and a channel that is closed when it changes.
func (c *Catalog) State() (*State, <-chan struct{}) {
	changed := c.Changed() // first: a change in between closes it
	return c.state.Load(), changed
}

// apply changes the state by records. It is copied once for all of them: a long topic is read in a few copies.
func (c *Catalog) apply(records []eventlog.Record) {
	state := c.state.Load().clone()
	for _, rec := range records {
		var d Decision
		if err := json.Unmarshal(rec.Value, &d); err != nil {
			c.Logger().Error("a record is no decision about insights, and is passed", "offset", rec.Offset, "error", err)
			continue
		}
		if err := state.note(d); err != nil {
			c.Logger().Warn("a decision about insights has no effect", "offset", rec.Offset, "type", d.Type, "why", err)
			c.refuse(d.ID, err)
		}
	}
	c.state.Store(state)
}

// refuse notes why a decision of this process was not allowed.
func (c *Catalog) refuse(id string, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ours := c.refused[id]; ours {
		c.refused[id] = why
	}
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
	if err := c.Append(ctx, d.ReplayID, value); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Load(), c.refused[d.ID]
}

// check refuses a decision that is not allowed after all decisions so far. Those that are not read yet are waited for
// before it is refused.
func (c *Catalog) check(ctx context.Context, d Decision) error {
	state, _ := c.State()
	if _, err := state.Apply(d); err == nil {
		return nil
	}
	if err := c.AwaitEnd(ctx); err != nil {
		return err
	}
	state, _ = c.State()
	_, err := state.Apply(d)
	return err
}
