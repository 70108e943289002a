package replay

import (
	"context"
	"errors"
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

// Request is what a replay is to do.
type Request struct {
	// ID makes it one of its own: a request that comes again with it makes no second replay. Empty: each is another.
	ID string
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
	return fmt.Sprintf("the start of %s was deleted, so that its history is not whole: restore the topic, or force the "+
		"replay", e.Topic)
}

// ErrOtherRequest is the error for an ID that a replay of another request has.
var ErrOtherRequest = errors.New("the replay with this ID was created by another request")

// Create checks a definition, pins where the log ends, and creates a replay. A fault of the definition is an
// *insight.Problem. A request whose ID has a replay gets that one.
func (s *Service) Create(ctx context.Context, request Request) (*catalog.Replay, error) {
	d, err := s.Validate(ctx, request.File, request.Text)
	if err != nil {
		return nil, err
	}
	if request.EventsPerSecond < 0 || request.EventsPerSecond > MaxEventsPerSecond {
		return nil, &catalog.Refusal{Text: fmt.Sprintf("a throttle of %d events a second is not between 0 (none) and %d",
			request.EventsPerSecond, MaxEventsPerSecond)}
	}
	if request.Source == "" {
		request.Source = catalog.FromMirror
	}
	tps := s.layout.AllPartitions()
	if err := s.checkStart(ctx, tps); err != nil && !request.Force {
		return nil, err
	}
	pinned, err := s.client.StableOffsets(ctx, tps)
	if err != nil {
		return nil, err
	}
	created := &catalog.Created{
		Text: string(request.Text), Fingerprint: d.Fingerprint(), Source: request.Source,
		Pinned: eventlog.PositionOf(pinned).String(), From: request.From, To: request.To,
		EventsPerSecond: request.EventsPerSecond, Promote: request.Promote,
	}
	if !request.UpTo.IsZero() {
		created.UpTo = request.UpTo.String()
	}
	if request.ID == "" {
		request.ID = uuid.NewString()
	}
	if known := s.Replay(request.ID); known != nil {
		return repeated(known, created)
	}
	state, err := s.catalog.Decide(ctx, catalog.Decision{
		Type: catalog.ReplayCreated, ReplayID: request.ID, Insight: d.Name, By: request.By, Forced: request.Force,
		Created: created,
	})
	if known := s.Replay(request.ID); err != nil && known != nil { // the same request has come twice at a time
		return repeated(known, created)
	}
	if err != nil {
		return nil, err
	}
	return state.Replay(request.ID), nil
}

// Validate reads a definition, checks its SQL and runs its examples. A fault is an *insight.Problem.
func (s *Service) Validate(ctx context.Context, file string, text []byte) (*insight.Definition, error) {
	d, err := insight.Parse(file, text)
	if err != nil {
		return nil, err
	}
	return d, d.Validate(ctx, s.conn)
}

// repeated is the replay that a request has made before. The log may have grown since, and comments may differ.
func repeated(known *catalog.Replay, again *catalog.Created) (*catalog.Replay, error) {
	a, b := known.Created, *again
	at := func(t *time.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return *t
	}
	same := at(a.From).Equal(at(b.From)) && at(a.To).Equal(at(b.To))
	for _, c := range []*catalog.Created{&a, &b} {
		c.Text, c.Pinned, c.From, c.To = "", "", nil, nil
	}
	if !same || a != b {
		return nil, ErrOtherRequest
	}
	return known, nil
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
		// What somebody has made of this name stays as it is.
		known := slices.ContainsFunc(s.Replays(d.Name), func(r *catalog.Replay) bool {
			return r.By != by || r.Fingerprint == d.Fingerprint()
		})
		if known {
			continue
		}
		// Another process that does the same makes the same replay.
		id := uuid.NewSHA1(uuid.NameSpaceURL, []byte("ready insight "+d.Name+" "+d.Fingerprint())).String()
		if _, err := s.Create(ctx, Request{ID: id, File: file, Text: ready[file], Promote: true, By: by}); err != nil {
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

// IsIdle reports whether nothing more becomes of a replay unless somebody decides about it.
func (s *Service) IsIdle(r *catalog.Replay) bool {
	state, _ := s.catalog.State()
	return state.IsIdle(r)
}

// Ready returns nil once all decisions are known that there were at the start.
func (s *Service) Ready() error { return s.catalog.Ready() }

// Decide writes what somebody decided about a replay: to pause, resume, cancel, discard, verify, promote or roll it
// back; or about an insight: to drop it with all its replays, and then there is no replay to return. The error is a
// *catalog.Refusal when it is not allowed.
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
