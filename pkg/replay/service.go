package replay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// Service is what people ask of insights: create replays, decide about them, look how far they are, and find the table
// that answers a question. It does not do the work: a Runner does, wherever it runs.
type Service struct {
	client  *eventlog.Client
	layout  eventlog.Layout
	conn    *clickhouse.Conn
	catalog *catalog.Catalog
}

// NewService returns a service. Its catalogue must be run.
func NewService(
	client *eventlog.Client, layout eventlog.Layout, conn *clickhouse.Conn, decisions *catalog.Catalog,
) *Service {
	return &Service{client: client, layout: layout, conn: conn, catalog: decisions}
}

// Order is what a replay is to do.
type Order struct {
	// File is where the definition was read from, for messages, and Text the definition in YAML.
	File string
	Text []byte
	// Source is FromMirror if empty.
	Source catalog.Source
	// From and To limit the replay to a time, and UpTo to the events before a position.
	From, To *time.Time
	UpTo     eventlog.Position
	// EventsPerSecond is the throttle; 0: none.
	EventsPerSecond int64
	// Promote means that it goes live by itself once it is filled and verified.
	Promote bool
	// Force creates it although the start of the log was deleted.
	Force bool
	By    catalog.Principal
}

// MaxEventsPerSecond is the greatest throttle.
const MaxEventsPerSecond = 100_000_000

// CutLogError is the error for a log whose start was deleted.
type CutLogError struct{ Topic string }

// Error implements error.
func (e *CutLogError) Error() string {
	return fmt.Sprintf("the start of %s was deleted, so that its history is not whole: restore the topic, or force the replay",
		e.Topic)
}

// Create checks a definition, pins where the log ends, and creates a replay. A fault of the definition is an
// *insight.Problem.
func (s *Service) Create(ctx context.Context, o Order) (*catalog.Replay, error) {
	d, err := insight.Parse(o.File, o.Text)
	if err != nil {
		return nil, err
	}
	if err := d.Validate(ctx, s.conn); err != nil {
		return nil, err
	}
	if o.EventsPerSecond < 0 || o.EventsPerSecond > MaxEventsPerSecond {
		return nil, &catalog.Refusal{Text: fmt.Sprintf("a throttle of %d events a second is not between 0 (none) and %d",
			o.EventsPerSecond, MaxEventsPerSecond)}
	}
	if o.Source == "" {
		o.Source = catalog.FromMirror
	}
	tps := s.partitions()
	if err := s.checkStart(ctx, tps); err != nil && !o.Force {
		return nil, err
	}
	pinned, err := s.client.StableOffsets(ctx, tps)
	if err != nil {
		return nil, err
	}
	id := uuid.NewString()
	created := &catalog.Created{
		Text: string(o.Text), Fingerprint: d.Fingerprint(), Source: o.Source,
		Pinned: eventlog.PositionOf(pinned).String(), From: o.From, To: o.To,
		EventsPerSecond: o.EventsPerSecond, Promote: o.Promote,
	}
	if !o.UpTo.IsZero() {
		created.UpTo = o.UpTo.String()
	}
	state, err := s.catalog.Decide(ctx, catalog.Decision{
		Type: catalog.ReplayCreated, ReplayID: id, Insight: d.Name, By: o.By, Forced: o.Force, Created: created,
	})
	if err != nil {
		return nil, err
	}
	return state.Replay(id), nil
}

// partitions are all partitions of the event topics.
func (s *Service) partitions() (tps []eventlog.TopicPartition) {
	for shard := range s.layout.ShardCount {
		tps = append(tps, s.layout.Partitions(shard)...)
	}
	return tps
}

func (s *Service) checkStart(ctx context.Context, tps []eventlog.TopicPartition) error {
	starts, err := s.client.StartOffsets(ctx, tps)
	if err != nil {
		return err
	}
	for tp, start := range starts {
		if start > 0 {
			return &CutLogError{tp.Topic}
		}
	}
	return nil
}

// ApplyReady creates a replay that goes live by itself for each definition that has never had one. Texts are by file
// name.
func (s *Service) ApplyReady(ctx context.Context, ready map[string][]byte, by catalog.Principal) error {
	for _, file := range slices.Sorted(maps.Keys(ready)) {
		d, err := insight.Parse(file, ready[file])
		if err != nil {
			return err
		}
		state, _ := s.catalog.State()
		known := slices.ContainsFunc(state.Replays(), func(r *catalog.Replay) bool {
			return r.Insight == d.Name && r.Fingerprint == d.Fingerprint()
		})
		if known {
			continue
		}
		if _, err := s.Create(ctx, Order{File: file, Text: ready[file], Promote: true, By: by}); err != nil {
			return err
		}
	}
	return nil
}

// Insights are all insights by name.
func (s *Service) Insights() []*catalog.Insight {
	state, _ := s.catalog.State()
	return state.Insights()
}

// Insight finds an insight; nil: there is none.
func (s *Service) Insight(name string) *catalog.Insight {
	state, _ := s.catalog.State()
	return state.Insight(name)
}

// Replays are all replays, the oldest first, of one insight or (empty) of all.
func (s *Service) Replays(name string) []*catalog.Replay {
	state, _ := s.catalog.State()
	return slices.DeleteFunc(state.Replays(), func(r *catalog.Replay) bool { return name != "" && r.Insight != name })
}

// Replay finds a replay; nil: there is none.
func (s *Service) Replay(id string) *catalog.Replay {
	state, _ := s.catalog.State()
	return state.Replay(id)
}

// Decided is a channel that is closed when there is another decision.
func (s *Service) Decided() <-chan struct{} {
	_, changed := s.catalog.State()
	return changed
}

// Ready returns nil once all decisions are known that there were at the start.
func (s *Service) Ready() error { return s.catalog.Ready() }

// Decide writes what somebody decided about a replay: to pause, resume, cancel, discard, verify, promote or roll it
// back. The error is a *catalog.Refusal when it is not allowed.
func (s *Service) Decide(ctx context.Context, d catalog.Decision) (*catalog.Replay, error) {
	if d.Type == catalog.RolledBack {
		if r := s.Replay(d.ReplayID); r != nil {
			d.Insight = r.Insight
		}
	}
	state, err := s.catalog.Decide(ctx, d)
	if err != nil {
		return nil, err
	}
	return state.Replay(d.ReplayID), nil
}

// Drop ends an insight and all its replays.
func (s *Service) Drop(ctx context.Context, name string, by catalog.Principal) error {
	_, err := s.catalog.Decide(ctx, catalog.Decision{Type: catalog.InsightDropped, Insight: name, By: by})
	return err
}
